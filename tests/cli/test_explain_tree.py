"""The tree of `gtmdns explain`, from the JSON of a server: what an operator reads at night."""

import json
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gtmdns.cli.explain_tree import MOST_ANSWERS, MOST_ENDPOINTS, explanation, share
from tests.cli.support import CONFIG, run

SINCE = "2026-11-22T01:15:37.120+00:00"


@pytest.fixture
def answer(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "gtmdns.yaml"
    file.write_text(CONFIG)
    done = run("explain", str(file), "www.example.test", "--from", "203.0.113.7", "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def shown(told: dict[str, Any], width: int = 150, color: bool = False) -> str:
    out = StringIO()
    console = Console(file=out, width=width, highlight=False, force_terminal=color)
    console.print(explanation(told))
    return out.getvalue()


def line_of(text: str, words: str) -> str:
    [line] = [line for line in text.splitlines() if words in line]
    return line.strip(" │├└─")


def home(told: dict[str, Any], number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = told["pools"][0]["endpoints"][number]
    return found


def test_an_endpoint_that_is_down_says_why(answer: dict[str, Any]) -> None:
    home(answer).update(usable=False, probability=0.0, exact="0", why="down", verdict="down")
    home(answer)["checks"][0].update(
        verdict="down", since=SINCE, ejected_for=34.4,
        last_result={"success": False, "reason": "timeout after 2 s"},
    )  # fmt: skip

    assert line_of(shown(answer), "192.0.2.1: ") == (
        "192.0.2.1: down, web down since 2026-11-22T01:15:37Z (timeout after 2 s), "
        "ejected for 34 s more"
    )


def test_a_pool_that_failback_holds_is_not_there_yet(answer: dict[str, Any]) -> None:
    member = answer["target"][-1]["target"]["members"][0]
    why = "2 of 2 endpoints usable, held back by failback for 12 s more"
    member.update(taken=False, held=True, why=why)

    assert line_of(shown(answer), ": home") == f"not yet: home, {why}"


def test_who_overrode_until_when_and_why(answer: dict[str, Any]) -> None:
    home(answer).update(usable=False, probability=0.0, exact="0", why="barred")
    override = {"of": "pool", "state": "down", "owner": "zhang", "reason": "a new disk"}
    home(answer)["override"] = override | {"since": SINCE, "expires": SINCE}

    assert line_of(shown(answer), "192.0.2.1: ") == (
        "192.0.2.1: barred, override of the pool: down, says zhang until 2026-11-22T01:15:37Z, "
        "a new disk"
    )
    home(answer)["override"] = override | {"since": SINCE, "expires": None, "of": "endpoint"}
    assert "override: down, says zhang, a new disk" in shown(answer)


def test_weights_ramp_and_names(answer: dict[str, Any]) -> None:
    home(answer).update(weight=3, ramp=0.3, host="a.example.net", probability=0.25, exact="1/4")

    assert line_of(shown(answer), "192.0.2.1: ") == (
        "192.0.2.1: 25%, of a.example.net, weight 3, comes back with 30% of its weight"
    )


def test_many_endpoints_and_answers_are_cut_but_never_what_is_odd(answer: dict[str, Any]) -> None:
    plain = home(answer)
    many = [deepcopy(plain) | {"address": f"198.51.100.{n}"} for n in range(100)]
    many[99].update(usable=False, probability=0.0, exact="0", why="down")
    answer["pools"][0]["endpoints"] = many
    answer["answers"] = [answer["answers"][0] | {"data": f"198.51.100.{n}"} for n in range(100)]

    text = shown(answer)

    assert "198.51.100.99: down" in text
    assert f"and {100 - MOST_ENDPOINTS} more that are usable" in text
    assert f"and {100 - MOST_ANSWERS} more (--json has all)" in text
    assert len(text.splitlines()) < MOST_ANSWERS + MOST_ENDPOINTS + 25


@pytest.mark.parametrize(
    ("probability", "exact", "words"),
    [
        (1.0, "1", "100%"), (0.9, "9/10", "90%"), (0.075, "3/40", "7.5%"), (0.0, "0", "0%"),
        (1 / 3, "1/3", "33.3333% (1/3)"), (1e-9, "1/1000000000", "0% (1/1000000000)"),
        (0.25, None, "25% (estimated)"),
    ],
)  # fmt: skip
def test_shares(probability: float, exact: str | None, words: str) -> None:
    assert share({"probability": probability, "exact": exact}) == words


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(answer: dict[str, Any], width: int) -> None:
    assert max(map(len, shown(answer, width).splitlines())) <= width


def test_colours_are_for_terminals_alone(answer: dict[str, Any]) -> None:
    assert "\x1b[" in shown(answer, color=True)
    assert "\x1b[" not in shown(answer)
