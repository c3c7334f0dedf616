"""Reasons for the TTL."""

from collections.abc import Callable

import pytest

from gtmdns.control.comebacks import Comebacks
from gtmdns.explain.witness import Witness
from tests.explain.scene import EJECTED, NOW, SHAKEN, overridden, told, witness

# fmt: off
TTLS = [
    # witness -> TTL, why
    (witness, 15, "check web of 192.0.2.1 could change in 15 s; kept between min 8 and max 20"),
    (lambda: witness({("192.0.2.1", "web"): SHAKEN}), 10,
     "check web of 192.0.2.1 could change in 10 s; kept between min 8 and max 20"),
    (lambda: witness().assuming(["192.0.2.1"], ()), 10,
     "192.0.2.1, assumed down, could change in 10 s; kept between min 8 and max 20"),
    (lambda: witness(held={"home": 3.5}), 8, "failback could return to home in 3.5 s; raised to min 8"),
    (lambda: witness({("192.0.2.1", "web"): EJECTED, ("192.0.2.2", "web"): EJECTED}), 20,
     "check web of 192.0.2.1 could change in 45 s; lowered to max 20"),
    (lambda: witness(overrides=overridden("home", None, "up")), 20,
     "the override of 192.0.2.1 in home ends in 7200 s; lowered to max 20"),
]
# fmt: on


@pytest.mark.parametrize(("seen", "ttl", "why"), TTLS)
def test_ttl_reasons(seen: Callable[[], Witness], ttl: int, why: str) -> None:
    said = told("chain", seen())

    assert (said["ttl"], said["ttl_reason"]) == (ttl, why)


def test_a_ramp_is_a_reason_for_a_ttl() -> None:
    comebacks = Comebacks()
    comebacks.see("home", "192.0.2.1", False, NOW - 60)
    comebacks.see("home", "192.0.2.1", True, NOW - 11)

    said = told("chain", witness(comebacks=comebacks))

    assert said["ttl_reason"].startswith("192.0.2.1 in home gains weight (ramp) in 9 s")
