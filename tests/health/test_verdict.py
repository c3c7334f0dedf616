"""Verdicts, as a table of histories and against a model that looks at the whole history."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.health.verdict import State, Verdict, anew, judge, needed, next_change, settle
from tests.health.support import Definition, Eject, ejected_by_history, state_by_history

SHOWN = {State.UNKNOWN: "?", State.UP: "u", State.DOWN: "d"}


def judged(results: str, check: Definition) -> str:
    """Return the state after each result, one second apart."""
    verdict, seen = Verdict(), ""
    for number, result in enumerate(results):
        verdict = judge(verdict, result == "+", check, now=float(number), at=0.0)
        seen += SHOWN[verdict.state]
    return seen


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
    assert judged(results, Definition(fall=fall, rise=rise, clear=clear)) == expected


# Route 53: healthy after FailureThreshold passes in a row, unhealthy after as many fails in a row
# (default 3). Alibaba Cloud GTM: 1 to 3 failures in a row. Here: fall = rise = that, clear 1.
# fmt: off
CONSECUTIVE = [
    # id                                               threshold  results        state after each
    ("Route 53: three fails in a row",                 3,         "+---",        "uuud"),
    ("Route 53: a pass between fails starts anew",     3,         "+--+--+---",  "uuuuuuuuud"),
    ("Route 53: three passes in a row",                3,         "+---++-+++",  "uuuddddddu"),
    ("Route 53: FailureThreshold 1",                   1,         "+-+-",        "udud"),
    ("Route 53: FailureThreshold 10",                  10,        "+" + "-" * 10, "u" * 10 + "d"),
    ("Alibaba: one failure",                           1,         "+-",          "ud"),
    ("Alibaba: two failures in a row",                 2,         "+-+--",       "uuuud"),
    ("Alibaba: three failures in a row",               3,         "+--+---",     "uuuuuud"),
]
# fmt: on


@pytest.mark.parametrize(
    ("threshold", "results", "expected"),
    [row[1:] for row in CONSECUTIVE],
    ids=[row[0] for row in CONSECUTIVE],
)
def test_consecutive_thresholds_of_others(threshold: int, results: str, expected: str) -> None:
    assert judged(results, Definition(fall=threshold, rise=threshold, clear=1)) == expected


def gdnsd(results: str, ok_thresh: int, up_thresh: int, down_thresh: int) -> str:
    """The state machine of gdnsd 3.8, as its mon.c has it."""
    state, n_success, n_failure, seen = "", 0, 0, ""
    for result in results:
        if not state:
            state = "u" if result == "+" else "d"
        elif state == "d" and result == "+":
            n_success += 1
            if n_success == up_thresh:
                state, n_success, n_failure = "u", 0, 0
        elif state == "d":
            n_success = 0
        elif result == "+":
            if n_failure > 0:
                n_success += 1
                if n_success == ok_thresh:
                    n_success = n_failure = 0
        else:
            n_success = 0
            n_failure += 1
            if n_failure == down_thresh:
                state, n_failure = "d", 0
        seen += state
    return seen


thresholds = st.integers(1, 5)
some_results = st.text("+-", max_size=60)


@given(some_results, thresholds, thresholds, thresholds)
def test_gdnsd_thresholds(results: str, ok: int, up: int, down: int) -> None:
    """ok_thresh is `clear`, up_thresh `rise`, down_thresh `fall`: the same transitions.

    What differs is outside of them: before the first result gdnsd does not answer, and here the
    endpoint counts as usable; gdnsd does not eject.
    """
    assert judged(results, Definition(fall=down, rise=up, clear=ok)) == gdnsd(results, ok, up, down)


@given(some_results, thresholds, thresholds, thresholds)
def test_agrees_with_the_history(results: str, fall: int, rise: int, clear: int) -> None:
    """The few counters carried along tell the same as all results since the last change."""
    seen = judged(results, Definition(fall=fall, rise=rise, clear=clear))

    states = state_by_history([result == "+" for result in results], fall, rise, clear)
    assert seen == "".join(state[0] for state in states)


@given(some_results, thresholds, thresholds, thresholds)
def test_since_is_the_time_of_day_of_the_last_change(
    results: str, fall: int, rise: int, clear: int
) -> None:
    check = Definition(fall=fall, rise=rise, clear=clear)
    verdict, changed = Verdict(), 0.0
    for number, result in enumerate(results, start=1):
        before = verdict
        verdict = judge(verdict, result == "+", check, now=0.0, at=float(number))
        changed = float(number) if verdict.state is not before.state else changed

    assert verdict.since == changed


@given(some_results, thresholds, thresholds, thresholds)
def test_needed_is_the_shortest_way_to_a_change(
    results: str, fall: int, rise: int, clear: int
) -> None:
    check = Definition(fall=fall, rise=rise, clear=clear)
    verdict = Verdict()
    for result in results:
        verdict = judge(verdict, result == "+", check, now=0.0, at=0.0)

    contrary, walked, steps = verdict.state is State.DOWN, verdict, 0
    while walked.state is verdict.state:
        walked = judge(walked, contrary, check, now=0.0, at=0.0)
        steps += 1

    assert needed(verdict, check) == steps


def test_only_down_is_not_usable() -> None:
    assert [Verdict(state).usable for state in State] == [True, True, False]


# Ejection


def ejected(story: str, check: Definition) -> list[float]:
    """Play results at times, "+@4 -@5", and return for how long each going down ejected."""
    verdict, lasted = Verdict(), []
    for word in story.split():
        result, _, when = word.partition("@")
        now = float(when)
        before = settle(verdict, check, now=now, at=0.0)
        verdict = judge(before, result == "+", check, now=now, at=0.0)
        if verdict.state is State.DOWN and before.state is not State.DOWN:
            until = verdict.ejected_until
            lasted.append(0.0 if until is None else until - now)
    return lasted


# fall and rise are 1, so each "-" while up is an ejection, and "+" once it is over ends it.
# fmt: off
EJECTIONS = [
    # id                                            base  max  story                                        seconds
    ("Envoy: base x ejections in a row, up to max", 30, 300,
     " ".join(f"+@{n * 400} -@{n * 400 + 1}" for n in range(12)), [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]),
    ("base 0: nothing is ejected",                  0,  300,  "+@0 -@1 +@2 -@3",                           [0, 0]),
    ("a failure while down does not eject anew",    10, 300,  "+@0 -@1 -@5 -@9 +@11 -@12",                 [10, 20]),
    ("the first result ejects nothing",             10, 300,  "-@0 +@1 -@2",                               [0, 10]),
    ("just less than base up forgives nothing",     10, 300,  "+@0 -@1 +@11 -@20.75",                      [10, 20]),
    ("base up forgives one",                        10, 300,  "+@0 -@1 +@11 -@21",                         [10, 10]),
    ("two of three forgiven",                       10, 300,  "+@0 -@1 +@11 -@12 +@32 -@33 +@63 -@83",     [10, 20, 30, 20]),
    ("never below none",                            10, 300,  "+@0 -@1 +@11 -@1000",                       [10, 10]),
    ("forgiven bit by bit as all at once",          10, 300,  "+@0 -@1 +@11 -@12 +@32 +@40 +@44 +@53 -@54", [10, 20, 10]),
    ("the rest of a base counts once",              10, 300,  "+@0 -@1 +@11 -@12 +@32 +@47 -@51",          [10, 20, 20]),
    ("up by itself when it is over: time counts from then", 10, 300, "+@0 -@1 +@2 -@21",                   [10, 10]),
    ("max below base",                              10, 4,    "+@0 -@1 +@5 -@6",                           [4, 4]),
]
# fmt: on


@pytest.mark.parametrize(
    ("base", "most", "story", "expected"),
    [row[1:] for row in EJECTIONS],
    ids=[row[0] for row in EJECTIONS],
)
def test_how_long_going_down_ejects(
    base: float, most: float, story: str, expected: list[float]
) -> None:
    """As Envoy's outlier detection, but that Envoy stops counting once max is reached."""
    assert ejected(story, Definition(fall=1, rise=1, eject=Eject(base, most))) == expected


EJECTING = Definition(fall=1, rise=2, eject=Eject(10.0, 300.0))


def after(results: list[tuple[float, bool]], check: Definition = EJECTING) -> Verdict:
    verdict = Verdict()
    for now, success in results:
        verdict = judge(verdict, success, check, now=now, at=1e9 + now)
    return verdict


def test_up_comes_when_the_ejection_is_over_with_the_successes_of_before() -> None:
    verdict = after([(0, True), (1, False), (2, True)])
    assert (next_change(verdict, EJECTING), needed(verdict, EJECTING)) == (inf, 1)

    verdict = judge(verdict, True, EJECTING, now=3.0, at=1e9 + 3)

    assert (verdict.state, next_change(verdict, EJECTING)) == (State.DOWN, 11.0)
    assert needed(verdict, EJECTING) == 0
    assert settle(verdict, EJECTING, now=10.75, at=0.0) is verdict
    settled = settle(verdict, EJECTING, now=13.0, at=1e9 + 13)
    assert (settled.state, settled.since, settled.ejections) == (State.UP, 1e9 + 11, 1)
    assert settled.ejected_until is None


def test_a_failure_during_the_ejection_takes_the_successes_away() -> None:
    verdict = after([(0, True), (1, False), (2, True), (3, True), (10, False)])
    assert next_change(verdict, EJECTING) == inf

    verdict = after([(0, True), (1, False), (2, True), (3, True), (10, False), (12, True)])
    assert verdict.state is State.DOWN
    assert judge(verdict, True, EJECTING, now=14.0, at=0.0).state is State.UP


def test_what_is_over_is_seen_before_the_next_result_counts() -> None:
    verdict = after([(0, True), (1, False), (2, True), (3, True), (12, False)])

    assert (verdict.state, verdict.ejections, verdict.ejected_until) == (State.DOWN, 2, 32.0)


def test_anew_keeps_all_but_the_counts() -> None:
    verdict = after([(0, True), (1, False), (2, True)])

    assert anew(verdict) == after([(0, True), (1, False)])
    assert anew(after([(0, True), (1, False)])).ejected_until == 11.0


moments = st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=60)  # quarters, result
checks = st.builds(
    Definition,
    fall=st.integers(1, 3),
    rise=st.integers(1, 3),
    clear=st.integers(1, 3),
    eject=st.builds(
        Eject,
        base=st.sampled_from([0.0, 0.25, 3.0, 10.0]),
        max=st.sampled_from([0.0, 5.0, 25.0]),
    ),
)


def timed(steps: list[tuple[int, bool]]) -> list[tuple[float, bool]]:
    now, results = 0.0, []
    for quarters, success in steps:
        now += quarters / 4
        results.append((now, success))
    return results


@given(moments, checks)
def test_ejections_agree_with_the_history(steps: list[tuple[int, bool]], check: Definition) -> None:
    verdict, seen = Verdict(), []
    for now, success in timed(steps):
        verdict = judge(verdict, success, check, now=now, at=0.0)
        seen.append((verdict.state.value, verdict.ejections))

    assert seen == ejected_by_history(timed(steps), check)


@given(moments, checks, st.integers(0, 60))
def test_looking_more_often_changes_nothing(
    steps: list[tuple[int, bool]], check: Definition, ahead: int
) -> None:
    """Whether a timer fires on time, late, or never before the next result: the same verdicts."""
    plain = looked = Verdict()
    for now, success in timed(steps):
        earlier = now - ahead / 4
        looked = settle(looked, check, now=earlier, at=earlier)
        looked = judge(looked, success, check, now=now, at=now)
        plain = judge(plain, success, check, now=now, at=now)
        assert looked == plain


@given(moments, checks)
def test_nothing_changes_sooner_than_it_is_said(
    steps: list[tuple[int, bool]], check: Definition
) -> None:
    """Down stays down until its ejection is over, and up comes at `next_change` by itself."""
    verdict = Verdict()
    for now, success in timed(steps):
        before, over = verdict, next_change(verdict, check)
        verdict = judge(verdict, success, check, now=now, at=0.0)
        if before.state is State.DOWN and before.ejected_until is not None:
            assert verdict.state is not State.UP or now >= before.ejected_until
        if over <= now:
            assert verdict.state is State.UP or not success
