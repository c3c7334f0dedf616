"""Verdicts, as a table of histories and against a model that looks at the whole history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.health.verdict import State, Verdict, judge, needed
from tests.health.support import state_by_history

SHOWN = {State.UNKNOWN: "?", State.UP: "u", State.DOWN: "d"}

# fmt: off
CASES = [
    # id                                        fall rise clear  results      state after each
    ("first success decides",                   3,   2,   1,     "+",         "u"),
    ("first failure decides, whatever fall",    3,   2,   1,     "-",         "d"),
    ("fall failures in a row",                  3,   2,   1,     "+---",      "uuud"),
    ("one success wipes with clear 1",          3,   2,   1,     "+--+--+",   "uuuuuuu"),
    ("fall 1",                                  1,   2,   1,     "+-",        "ud"),
    ("clear 2: one success wipes nothing",      3,   2,   2,     "+-+-+-",    "uuuuud"),
    ("clear 2: two in a row wipe",              3,   2,   2,     "+--++--",   "uuuuuuu"),
    ("clear 2: a failure restarts the calm",    4,   2,   2,     "+-+-+-+-",  "uuuuuuud"),
    ("clear 3: wiped, then counted anew",       2,   2,   3,     "+-+++--",   "uuuuuud"),
    ("clear larger than fall",                  2,   1,   5,     "+-++++-",   "uuuuuud"),
    ("rise successes in a row",                 3,   2,   1,     "-++",       "ddu"),
    ("rise is in a row, clear does not matter", 3,   2,   4,     "-+-+-++",   "ddddddu"),
    ("rise 1",                                  3,   1,   1,     "-+",        "du"),
    ("down stays down",                         1,   3,   1,     "-----",     "ddddd"),
    ("counting starts anew after coming back",  2,   1,   1,     "-+-+-",     "duuuu"),
    ("there and back",                          2,   2,   1,     "+--++--",   "uudduud"),
]
# fmt: on


@pytest.mark.parametrize(
    ("fall", "rise", "clear", "results", "expected"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_states(fall: int, rise: int, clear: int, results: str, expected: str) -> None:
    verdict, seen = Verdict(), ""
    for number, result in enumerate(results):
        verdict = judge(
            verdict, result == "+", fall=fall, rise=rise, clear=clear, now=float(number)
        )
        seen += SHOWN[verdict.state]

    assert seen == expected


thresholds = st.integers(1, 5)


@given(st.lists(st.booleans(), max_size=60), thresholds, thresholds, thresholds)
def test_agrees_with_the_history(results: list[bool], fall: int, rise: int, clear: int) -> None:
    """The few counters carried along tell the same as all results since the last change."""
    verdict, states = Verdict(), []
    for success in results:
        verdict = judge(verdict, success, fall=fall, rise=rise, clear=clear, now=0.0)
        states.append(verdict.state.value)

    assert states == state_by_history(results, fall, rise, clear)


@given(st.lists(st.booleans(), max_size=30), thresholds, thresholds, thresholds)
def test_since_is_the_time_of_the_last_change(
    results: list[bool], fall: int, rise: int, clear: int
) -> None:
    verdict, changed = Verdict(), 0.0
    for number, success in enumerate(results, start=1):
        before = verdict
        verdict = judge(verdict, success, fall=fall, rise=rise, clear=clear, now=float(number))
        changed = float(number) if verdict.state is not before.state else changed

    assert verdict.since == changed


@given(st.lists(st.booleans(), max_size=30), thresholds, thresholds, thresholds)
def test_needed_is_the_shortest_way_to_a_change(
    results: list[bool], fall: int, rise: int, clear: int
) -> None:
    verdict = Verdict()
    for success in results:
        verdict = judge(verdict, success, fall=fall, rise=rise, clear=clear, now=0.0)

    contrary, walked, steps = verdict.state is State.DOWN, verdict, 0
    while walked.state is verdict.state:
        walked = judge(walked, contrary, fall=fall, rise=rise, clear=clear, now=0.0)
        steps += 1

    assert needed(verdict, fall=fall, rise=rise) == steps


def test_only_down_is_not_usable() -> None:
    assert [Verdict(state).usable for state in State] == [True, True, False]
