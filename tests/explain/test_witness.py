"""What is assumed of endpoints."""

import pytest

from gtmdns.explain.explain import BadQuestion
from tests.explain.scene import DOWN, endpoints, overridden, told, witness


@pytest.mark.parametrize("text", ["nobody", "home/192.0.2.9", "192.0.2.99", "x/192.0.2.1", ""])
def test_assumptions_about_nothing_are_refused(text: str) -> None:
    with pytest.raises(BadQuestion, match="no pool and no address"):
        witness().assuming([text], ())


def test_assumptions_beat_verdicts_but_not_what_bars() -> None:
    lost = {("192.0.2.1", "web"): DOWN}
    raised = endpoints(told("chain", witness(lost).assuming((), ["home/192.0.2.1"])))
    assert (raised["192.0.2.1"]["usable"], raised["192.0.2.1"]["assumed"]) == (True, "up")
    assert raised["192.0.2.1"]["verdict"] == "down"

    barred = witness(overrides=overridden("home", None, "down")).assuming(["home", "away"], ())
    said = told("chain", barred)
    assert [answer["data"] for answer in said["answers"]] == ["192.0.2.9"]
    assert said["all_down"] == "when_all_down: serve_all"
