"""What targets answer, as tables of exact shares. The endpoints' names are those of `pools`."""

from fractions import Fraction
from typing import Any

import pytest

from gtmdns.compiler.decide import decide, needed_of
from gtmdns.compiler.draws import MAX_COMBINATIONS, TooManyCombinations, most_parts
from gtmdns.compiler.outcome import Outcome
from gtmdns.config.model import Minimum, PoolRef
from tests.compiler.pools import POOLS, draws, shares, target_of, usable

HALF, THIRD, QUARTER = Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)

# what, target, family, down -> share of answers that hold each endpoint; failover; all down
# fmt: off
CASES: list[tuple[str, Any, Any, str, dict[str, Any], str]] = [
    ("a pool",                       "a", 4, "",        {"a1": HALF, "a2": HALF}, ""),
    ("what is usable of a pool",     "a", 4, "a1",      {"a2": 1}, ""),
    ("every endpoint in one answer", "both_b", 4, "",   {"b1": 1, "b2": 1}, ""),
    ("by weight",                    "w", 4, "",        {"w1": Fraction(3, 4), "w2": QUARTER}, ""),
    ("weight 0 is a spare",          "w", 4, "w1 w2",   {"w0": 1}, ""),
    ("one with a weight is enough",  "w", 4, "w1",      {"w2": 1}, ""),
    ("all zero means equal",         "zero", 4, "",     {"z1": HALF, "z2": HALF}, ""),
    ("select all leaves weights out", "ignored", 4, "", {"w1": HALF, "w2": HALF}, ""),
    ("two drawn without replacement", "w_two", 4, "",
        # 3, 1, 2: first w1 1/2, w2 1/6, w0 1/3; w1 is second after w2 (3/5) or w0 (3/4)
        {"w1": Fraction(1, 2) + Fraction(1, 6) * Fraction(3, 5) + Fraction(1, 3) * Fraction(3, 4),
         "w2": Fraction(1, 6) + Fraction(1, 2) * Fraction(1, 3) + Fraction(1, 3) * Fraction(1, 4),
         "w0": Fraction(1, 3) + Fraction(1, 2) * Fraction(2, 3) + Fraction(1, 6) * Fraction(2, 5)}, ""),
    ("fewer than max_answers",       "w_two", 4, "w0 w2", {"w1": 1}, ""),

    ("a chain: the first",           ["a", "c"], 4, "",        {"a1": HALF, "a2": HALF}, ""),
    ("a chain: still the first",     ["a", "c"], 4, "a1",      {"a2": 1}, ""),
    ("a chain: its spare",           ["a", "c"], 4, "a1 a2",   {"c1": 1}, "failover"),
    ("a chain: the third",           ["a", "b", "c"], 4, "a1 a2 b1 b2", {"c1": 1}, "failover"),
    ("another family is no failover", ["six", "c"], 4, "",     {"c1": 1}, ""),
    ("the pool without it is passed", ["c", "dual"], 6, "",    {"x6": 1}, ""),

    ("weights",                      {"a": 3, "c": 1}, 4, "",
        {"a1": Fraction(3, 8), "a2": Fraction(3, 8), "c1": QUARTER}, ""),
    ("weights: a lost member's go to the rest", {"a": 3, "c": 1}, 4, "c1", {"a1": HALF, "a2": HALF}, "failover"),
    ("weights: in proportion",       {"a": 2, "b": 1, "c": 1}, 4, "a1 a2",
        {"b1": QUARTER, "b2": QUARTER, "c1": HALF}, "failover"),
    ("weights: 0 is a spare",        {"a": 1, "c": 0}, 4, "",       {"a1": HALF, "a2": HALF}, ""),
    ("weights: the spare at work",   {"a": 1, "c": 0}, 4, "a1 a2",  {"c1": 1}, "failover"),
    ("weights: a lost spare is none", {"a": 1, "c": 0}, 4, "c1",    {"a1": HALF, "a2": HALF}, ""),
    ("weights: two spares, equal",   {"a": 5, "b": 0, "c": 0}, 4, "a1 a2",
        {"b1": QUARTER, "b2": QUARTER, "c1": HALF}, "failover"),
    ("weights: all zero means equal", {"b": 0, "c": 0}, 4, "",      {"b1": QUARTER, "b2": QUARTER, "c1": HALF}, ""),
    ("weights: all zero, one lost",  {"b": 0, "c": 0}, 4, "b1 b2",  {"c1": 1}, "failover"),
    ("weights: without the family",  {"six": 9, "c": 1}, 4, "",     {"c1": 1}, ""),
    ("weights with `to`",
        {"home": {"weight": 90, "to": ["a", "c"]}, "away": {"weight": 10, "to": ["c", "a"]}}, 4, "",
        {"a1": Fraction(9, 20), "a2": Fraction(9, 20), "c1": Fraction(1, 10)}, ""),
    ("weights with `to`: a chain helps itself",
        {"home": {"weight": 90, "to": ["a", "c"]}, "away": {"weight": 10, "to": ["c", "a"]}}, 4, "a1 a2",
        {"c1": 1}, "failover some"),

    ("all: together",                {"all": ["a", "c"]}, 4, "",       {"a1": 1, "a2": 1, "c1": 1}, ""),
    ("all: without the down",        {"all": ["a", "c"]}, 4, "a1",     {"a2": 1, "c1": 1}, ""),
    ("all: without a lost member",   {"all": ["a", "c"]}, 4, "c1",     {"a1": 1, "a2": 1}, ""),
    ("all: an endpoint of two pools once", {"all": ["b", "both_b"]}, 4, "", {"b1": 1, "b2": 1}, ""),
    ("all: a member drawn by weight", {"all": ["c", {"a": 3, "b": 1}]}, 4, "",
        {"c1": 1, "a1": Fraction(3, 4), "a2": Fraction(3, 4), "b1": QUARTER, "b2": QUARTER}, ""),
    ("all: draws multiplied out",    {"all": [{"c": 1, "w": 1}, {"c": 1, "six": 8, "zero": 2}]}, 4, "",
        # c with c, c with zero, w with c, w with zero: 1/6 1/3 1/6 1/3; w without its spare
        {"c1": Fraction(2, 3), "w1": HALF, "w2": HALF, "z1": Fraction(2, 3), "z2": Fraction(2, 3)}, ""),
    ("all: draws within draws",
        {"all": ["c", {"x": {"weight": 1, "to": {"a": 1, "b": 2}}, "zero": 2}]}, 4, "",
        {"c1": 1, **dict.fromkeys(("a1", "a2"), Fraction(1, 9)), **dict.fromkeys(("b1", "b2"), Fraction(2, 9)),
         **dict.fromkeys(("z1", "z2"), Fraction(2, 3))}, ""),
    ("all: a chain inside",          {"all": [["a", "b"], "c"]}, 4, "a1 a2", {"b1": 1, "b2": 1, "c1": 1}, "failover"),

    ("weights in a chain",           [{"a": 9, "c": 1}, "b"], 4, "a1 a2 c1", {"b1": HALF, "b2": HALF}, "failover"),
    ("a chain of chains",            [["a", "b"], "c"], 4, "a1 a2 b1 b2", {"c1": 1}, "failover"),
    ("all in weights",               {"x": {"weight": 1, "to": {"all": ["a", "b"]}}, "c": 1}, 4, "",
        {"a1": HALF, "a2": HALF, "b1": HALF, "b2": HALF, "c1": HALF}, ""),

    ("below the minimum",            ["two", "c"], 4, "t1 t2",     {"c1": 1}, "failover"),
    ("at the minimum",               ["two", "c"], 4, "t1",        {"t2": HALF, "t3": HALF}, ""),
    ("half of four",                 ["half", "c"], 4, "h1 h2",    {"h3": HALF, "h4": HALF}, ""),
    ("under half of four",           ["half", "c"], 4, "h1 h2 h3", {"c1": 1}, "failover"),
    ("a percentage is of the family", ["half", "dual"], 6, "h1 h2 h3 h4", {"h6": 1}, ""),
    ("a percentage rounds up",       ["third", "c"], 4, "h1 h2 h3", {"c1": 1}, "failover"),
    ("a percentage rounded up, met", ["third", "c"], 4, "h1 h2",   {"h3": HALF, "h4": HALF}, ""),
    ("a percentage is at least one", ["one_percent", "c"], 4, "h1 h2", {"c1": 1}, "failover"),

    ("minima go first: a pool",      "two", 4, "t1 t2",            {"t3": 1}, "all_down"),
    ("minima go first: the first member with any",
        [["two", "many"], "c"], 4, "t1 t2 c1",                     {"t3": 1}, "all_down"),
    ("minima go first: by weight",   {"two": 1, "half": 1}, 4, "t1 t2 h1 h2 h3", {"t3": HALF, "h4": HALF}, "all_down"),
    ("a minimum that cannot be met", "many", 4, "",                {"t1": THIRD, "t2": THIRD, "t3": THIRD}, "all_down"),
    ("all down: as if all were up",  ["a", "c"], 4, "a1 a2 c1",    {"a1": HALF, "a2": HALF}, "all_down"),
    ("all down: weights as if up",   {"a": 1, "c": 1}, 4, "a1 a2 c1", {"a1": QUARTER, "a2": QUARTER, "c1": HALF}, "all_down"),
    ("all down: the spare stays one", "w", 4, "w1 w2 w0",          {"w1": Fraction(3, 4), "w2": QUARTER}, "all_down"),
    ("all down: of the asked family", "dual", 6, "x6",             {"x6": 1}, "all_down"),
    ("all down: all of all",         {"all": ["a", "c"]}, 4, "a1 a2 c1", {"a1": 1, "a2": 1, "c1": 1}, "all_down"),

    ("a host name: one",             "names", 0, "",               {"n1": HALF, "n2": HALF}, ""),
    ("a host name: by weight",       "names_w", 0, "",             {"n1": Fraction(9, 10), "n2": Fraction(1, 10)}, ""),
    ("a host name: down",            "names_w", 0, "n1",           {"n2": 1}, ""),
    ("host names joined: one of all", {"all": ["names", "more"]}, 0, "", {"n1": THIRD, "n2": THIRD, "m1": THIRD}, ""),
]
# fmt: on


@pytest.mark.parametrize(
    ("spelling", "family", "down", "expected", "how"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_shares(spelling: Any, family: Any, down: str, expected: dict[str, Any], how: str) -> None:
    outcome = decide(target_of(spelling), family, POOLS, usable(down))

    failovers = {drawn.failover for drawn in draws(outcome.choice)}
    assert shares(outcome) == expected
    assert outcome.all_down == (how == "all_down")
    if how != "all_down":
        assert failovers == {"": {False}, "failover": {True}, "failover some": {True, False}}[how]


# fmt: off
ALL_DOWN = [
    # when_all_down, down -> shares, SERVFAIL
    ("serve_all", "a1 a2", {"a1": HALF, "a2": HALF}, False),
    ("empty",     "a1 a2", None,                     False),
    ("servfail",  "a1 a2", None,                     True),
    ("empty",     "a1",    {"a2": 1},                False),
    ("servfail",  "a1",    {"a2": 1},                False),
]
# fmt: on


@pytest.mark.parametrize(("policy", "down", "expected", "servfail"), ALL_DOWN)
def test_when_all_down(
    policy: str, down: str, expected: dict[str, Any] | None, servfail: bool
) -> None:
    outcome = decide(PoolRef("a"), 4, POOLS, usable(down), policy)

    assert (shares(outcome), outcome.servfail) == (expected, servfail)
    assert outcome.all_down == (down == "a1 a2")


@pytest.mark.parametrize("policy", ["serve_all", "empty", "servfail"])
def test_a_family_that_is_nowhere_is_nodata_whatever_when_all_down(policy: str) -> None:
    outcome = decide(target_of(["a", "c"]), 6, POOLS, usable("a1 a2 c1"), policy)

    assert outcome == Outcome(None, all_down=False, reachable=False, trace=outcome.trace)
    assert [seen.reason for seen in outcome.trace] == ["no IPv6 endpoint"] * 2


@pytest.mark.parametrize("policy", ["empty", "servfail"])
def test_minima_are_ignored_before_when_all_down_decides(policy: str) -> None:
    outcome = decide(PoolRef("two"), 4, POOLS, usable("t1 t3"), policy)

    assert shares(outcome) == {"t2": 1}


def test_the_trace_tells_what_was_looked_at_and_why_it_was_passed_over() -> None:
    outcome = decide(target_of(["six", "two", "c", "a"]), 4, POOLS, usable("t1 t2"))

    seen = [(s.name, s.available, s.usable, s.total, s.needed, s.reason) for s in outcome.trace]
    assert seen == [
        ("six", False, 0, 0, 1, "no IPv4 endpoint"),
        ("two", False, 1, 3, 2, "1 of 3 endpoints usable, 2 needed"),
        ("c", True, 1, 1, 1, "1 of 1 endpoints usable"),
    ]


# fmt: off
NEEDED = [
    # minimum, endpoints -> needed
    (Minimum(count=1), 4, 1), (Minimum(count=3), 4, 3), (Minimum(count=9), 4, 9),
    (Minimum(percent=50), 4, 2), (Minimum(percent=50), 5, 3), (Minimum(percent=1), 5, 1),
    (Minimum(percent=100), 5, 5), (Minimum(percent=34), 3, 2), (Minimum(percent=33), 3, 1),
    (Minimum(percent=50), 0, 1),
]
# fmt: on


@pytest.mark.parametrize(("minimum", "total", "needed"), NEEDED)
def test_needed(minimum: Minimum, total: int, needed: int) -> None:
    assert needed_of(minimum, total) == needed


def halves(number: int) -> list[Any]:
    return [{"a": 1, "b": 1}] * number


# fmt: off
PARTS = [
    # target -> draws at most; None: too many
    ("a", 1),
    (["a", {"a": 1, "b": 1}], 2),
    ({"a": 1, "b": 1, "c": 0}, 2),
    ({"a": 1, "b": 0, "c": 0, "w": 0}, 3),  # the spares may come in
    ({"all": halves(10)}, 1024),
    ({"all": halves(11)}, None),
    ([{"all": halves(11)}, "a"], None),
    ({"all": ["c", {"x": {"weight": 1, "to": {"all": halves(11)}}}]}, None),
]
# fmt: on


@pytest.mark.parametrize(("spelling", "parts"), PARTS)
def test_what_all_joins_is_bounded(spelling: Any, parts: int | None) -> None:
    target = target_of(spelling)

    if parts is None:
        with pytest.raises(TooManyCombinations):
            decide(target, 4, POOLS, usable(""))
    else:
        assert most_parts(target) == parts
        assert len(draws(decide(target, 4, POOLS, usable("")).choice)) <= parts


def test_the_bound_holds_for_the_spares_too_or_a_verdict_could_break_it() -> None:
    """One weighted pool and 33 spares, twice: two draws today, 1 089 once the pool is down."""
    spares = {f"s{n}": {"weight": 0, "to": "c"} for n in range(33)}
    target = target_of({"all": [{"a": 1, **spares}, {"a": 1, **spares}]})

    assert MAX_COMBINATIONS < 33 * 33
    for down in ("", "a1 a2"):
        with pytest.raises(TooManyCombinations):
            decide(target, 4, POOLS, usable(down))
