"""Overrides, failback, ramps and how long a decision holds: tables over the pools of `pools`."""

from fractions import Fraction
from math import inf
from typing import Any

import pytest

from gtmdns.compiler.decide import decide
from gtmdns.compiler.octets import ttl_of
from gtmdns.compiler.outcome import Outcome
from gtmdns.config.model import FallbackCname, FallbackPools, PoolRef, TtlRange, WhenAllDown
from gtmdns.health.condition import WELL, Condition, Conditions
from tests.compiler.pools import ADDRESSES, POOLS, draws, shares, target_of, usable

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
SORRY = FallbackCname("sorry.test.")
SERVFAIL, NODATA = "SERVFAIL", "NODATA"


def told(outcome: Outcome) -> Any:
    if outcome.choice is not None:
        return shares(outcome)
    return SERVFAIL if outcome.servfail else outcome.cname or NODATA


def spare(spelling: Any) -> FallbackPools:
    return FallbackPools(target_of(spelling))


# fmt: off
ALL_DOWN: list[tuple[Any, int, WhenAllDown, str, str, Any]] = [
    # target, family, when_all_down, down, overridden down -> what is told
    ("a",        4, "serve_all", "a1 a2", "",         {"a1": HALF, "a2": HALF}),
    ("a",        4, "serve_all", "a1",    "a2",       {"a1": 1}),
    ("a",        4, "serve_all", "",      "a1 a2",    SERVFAIL),
    ("a",        4, "empty",     "",      "a1 a2",    NODATA),
    ("a",        4, "servfail",  "",      "a1 a2",    SERVFAIL),
    (["a", "c"], 4, "serve_all", "c1",    "a1 a2",    {"c1": 1}),  # the first with anybody left
    ({"a": 9, "c": 1}, 4, "serve_all", "c1", "a1 a2", {"c1": 1}),
    ({"all": ["a", "c"]}, 4, "serve_all", "c1 a1", "a2", {"c1": 1, "a1": 1}),
    ("dual",     6, "serve_all", "",      "x6",       SERVFAIL),
    ("dual",     4, "serve_all", "",      "x6",       {"x1": 1}),

    ("a",        4, spare("c"),        "a1 a2",       "",   {"c1": 1}),
    ("a",        4, spare(["b", "c"]), "a1 a2 b1 b2", "",   {"c1": 1}),
    ("a",        4, spare({"b": 1, "c": 1}), "a1 a2", "",   {"b1": Fraction(1, 4), "b2": Fraction(1, 4), "c1": HALF}),
    ("a",        4, spare("c"),        "a1 a2 c1",    "",   {"c1": 1}),  # serve_all of the fallback
    ("a",        4, spare(["b", "c"]), "a1 a2 b1 b2 c1", "", {"b1": HALF, "b2": HALF}),
    ("a",        4, spare("c"),        "a1 a2",       "c1", SERVFAIL),
    ("a",        4, spare("two"),      "a1 a2 t1 t2", "",   {"t3": 1}),  # its minimum is ignored last
    ("dual",     6, spare("c"),        "x6",          "",   NODATA),  # it has no such family
    ("dual",     6, spare("six"),      "x6",          "",   {"y6": 1}),
    ("a",        6, spare("six"),      "a1 a2",       "",   NODATA),  # nowhere: when_all_down cannot help
    ("a",        4, spare("c"),        "a1",          "",   {"a2": 1}),

    ("a",        4, SORRY, "a1 a2", "",      "sorry.test."),
    ("a",        4, SORRY, "a1",    "a2",    "sorry.test."),
    ("a",        4, SORRY, "a1",    "",      {"a2": 1}),
    ("a",        6, SORRY, "a1",    "",      NODATA),
    ("a",        6, SORRY, "a1 a2", "",      "sorry.test."),
    ("a",        0, SORRY, "",      "",      NODATA),  # TXT and all that
    ("a",        0, SORRY, "a1 a2", "",      "sorry.test."),
    ("dual",     4, SORRY, "x1",    "",      NODATA),  # the other family is up
    ("dual",     6, SORRY, "x1",    "",      {"x6": 1}),
    ("dual",     4, SORRY, "x1 x6", "",      "sorry.test."),
    ("dual",     6, SORRY, "x1 x6", "",      "sorry.test."),
    ("dual",     0, SORRY, "x1",    "",      NODATA),
    (["a", "dual"], 4, SORRY, "a1 a2 x1", "", NODATA),
    ("two",      4, SORRY, "t1 t2", "",      {"t3": 1}),  # minima are ignored before
    ("names",    0, SORRY, "n1",    "",      {"n2": 1}),
    ("names",    0, SORRY, "n1 n2", "",      "sorry.test."),
]
# fmt: on


@pytest.mark.parametrize(("spelling", "family", "policy", "down", "barred", "expected"), ALL_DOWN)
def test_when_all_down_and_overrides(
    spelling: Any, family: Any, policy: WhenAllDown, down: str, barred: str, expected: Any
) -> None:
    outcome = decide(target_of(spelling), family, POOLS, usable(down, barred), policy)

    assert told(outcome) == expected
    assert outcome.overridden == any(
        endpoint.family == family and endpoint.address in map(ADDRESSES.get, barred.split())
        for seen in outcome.trace
        for endpoint in POOLS[seen.name].endpoints
    )


# fmt: off
FAILBACK = [
    # target, down, held -> shares, returned
    (["a", "c"],        "",       "a",   {"c1": 1},             ""),
    (["a", "c"],        "",       "c",   {"a1": HALF, "a2": HALF}, ""),
    (["a", "c"],        "c1",     "a",   {"a1": HALF, "a2": HALF}, "a"),  # nothing later is left
    (["a", "c"],        "a1 a2",  "a",   {"c1": 1},             ""),
    (["a", "c"],        "a1 a2",  "a c", {"c1": 1},             "c"),
    (["a", "b", "c"],   "",       "a b", {"c1": 1},             ""),
    (["a", "b", "c"],   "c1",     "a b", {"a1": HALF, "a2": HALF}, "a"),
    (["a", "b", "c"],   "a1 a2 c1", "b", {"b1": HALF, "b2": HALF}, "b"),
    ([["a", "b"], "c"], "b1 b2",  "a",   {"c1": 1},             ""),  # at any depth
    ([["a", "b"], "c"], "",       "a",   {"b1": HALF, "b2": HALF}, ""),
    ([["a", "b"], "c"], "b1 b2 c1", "a", {"a1": HALF, "a2": HALF}, "a"),
    ([{"a": 9, "b": 1}, "c"], "", "a",   {"b1": HALF, "b2": HALF}, ""),
    ([{"a": 9, "b": 1}, "c"], "b1 b2", "a", {"c1": 1},          ""),
    ([{"all": ["a", "b"]}, "c"], "", "a", {"b1": HALF, "b2": HALF}, ""),
    ({"nearest": ["a", "c"]}, "",  "a",  {"c1": 1},             ""),
    ({"a": 1, "c": 1},  "",       "a",   {"a1": Fraction(1, 4), "a2": Fraction(1, 4), "c1": HALF}, ""),
    ({"all": ["a", "c"]}, "",     "a c", {"a1": 1, "a2": 1, "c1": 1}, ""),
    ("a",               "",       "a",   {"a1": HALF, "a2": HALF}, ""),
    ({"home": {"weight": 90, "to": ["a", "b"]}, "away": {"weight": 10, "to": ["b", "a"]}}, "", "a",
                                         {"b1": HALF, "b2": HALF}, ""),
    (["two", "c"],      "t1 t2 c1", "two", {"t3": 1},           ""),  # below its minimum: nobody returns
    (["a", "c"],        "a1 a2 c1", "a", {"a1": HALF, "a2": HALF}, ""),  # serve_all: nobody returns
]
# fmt: on


@pytest.mark.parametrize(("spelling", "down", "held", "expected", "returned"), FAILBACK)
def test_a_chain_returns_when_it_may_or_must(
    spelling: Any, down: str, held: str, expected: dict[str, Any], returned: str
) -> None:
    outcome = decide(target_of(spelling), 4, POOLS, usable(down), held=set(held.split()))

    if isinstance(spelling, list) and isinstance(spelling[0], dict) and "all" in spelling[0]:
        expected = dict.fromkeys(expected, 1)  # joined: both in one answer
    assert shares(outcome) == expected
    assert outcome.returned == set(returned.split())


def test_what_is_held_back_is_told_as_passed_over() -> None:
    outcome = decide(target_of(["a", "c"]), 4, POOLS, usable(""), held={"a"})

    seen = [(s.name, s.available, s.held, s.reason) for s in outcome.trace]
    assert seen == [
        ("a", True, True, "2 of 2 endpoints usable, held back (failback)"),
        ("c", True, False, "1 of 1 endpoints usable"),
    ]
    assert {drawn.failover for drawn in draws(outcome.choice)} == {True}


def later(**seconds: Any) -> Conditions:
    """Return conditions in which these endpoints could change: a negative number is of one down."""
    found = {
        ADDRESSES[name]: Condition(usable=value > 0, until=abs(value))
        for name, value in seconds.items()
    }
    return {
        name: tuple(found.get(endpoint.address, WELL) for endpoint in pool.endpoints)
        for name, pool in POOLS.items()
    }


# fmt: off
UNTIL: list[tuple[Any, int, Conditions, Any, float]] = [
    # target, family, conditions, when_all_down -> seconds
    ("a",        4, later(),                         "serve_all", inf),
    ("a",        4, later(a1=15, a2=20),             "serve_all", 15),
    ("a",        4, later(a1=15, a2=-10),            "serve_all", 10),  # not returned, but looked at
    (["a", "c"], 4, later(a1=15, a2=15, c1=5),       "serve_all", 15),  # c is not looked at
    (["a", "c"], 4, later(a1=-20, a2=-12, c1=15),    "serve_all", 12),  # passed over, but looked at
    (["a", "b", "c"], 4, later(a1=-9, a2=-9, b1=7, c1=1), "serve_all", 7),
    ({"a": 1, "c": 1}, 4, later(a1=15, c1=5),        "serve_all", 5),
    ({"a": 1, "c": 0}, 4, later(a1=15, c1=5),        "serve_all", 5),  # a spare too
    ({"all": ["a", "c"]}, 4, later(a1=15, c1=5),     "serve_all", 5),
    ("dual",     4, later(x1=15, x6=5),              "serve_all", 15),  # the families apart
    ("dual",     6, later(x1=15, x6=5),              "serve_all", 5),
    ("dual",     6, later(x1=3, x6=-5),              SORRY,       3),   # both were looked at
    ("dual",     0, later(x1=-3, x6=-5),             SORRY,       3),
    ("a",        4, later(a1=-9, a2=-8, c1=5),       spare("c"),  5),
    ("a",        4, later(a1=-9, a2=-8, c1=5),       "serve_all", 8),
]
# fmt: on


@pytest.mark.parametrize(("spelling", "family", "conditions", "policy", "until"), UNTIL)
def test_a_decision_holds_until_anything_looked_at_could_change(
    spelling: Any, family: Any, conditions: Conditions, policy: WhenAllDown, until: float
) -> None:
    assert decide(target_of(spelling), family, POOLS, conditions, policy).until == until


def test_the_end_of_a_failback_delay_counts_where_it_held_something_back() -> None:
    target = target_of(["a", "c"])

    assert decide(target, 4, POOLS, later(c1=50), held={"a": 20.0}).until == 20
    assert decide(target, 4, POOLS, later(c1=50), held={"a": inf}).until == 50
    assert decide(target, 4, POOLS, later(a1=-30, a2=-30, c1=50), held={"a": 20.0}).until == 30


# fmt: off
TTLS = [
    # ttl, seconds in which something could change -> TTL
    (60, 1, 60), (60, inf, 60), (0, inf, 0),
    (TtlRange(5, 60), inf, 60), (TtlRange(5, 60), 61, 60), (TtlRange(5, 60), 60, 60),
    (TtlRange(5, 60), 59.9, 59), (TtlRange(5, 60), 15, 15), (TtlRange(5, 60), 5, 5),
    (TtlRange(5, 60), 4.99, 5), (TtlRange(5, 60), 0, 5), (TtlRange(0, 60), 0.5, 0),
    (TtlRange(7, 7), 3, 7), (TtlRange(7, 7), inf, 7),
]
# fmt: on


@pytest.mark.parametrize(("ttl", "until", "seconds"), TTLS)
def test_a_ttl_is_whole_seconds_inside_its_range(ttl: Any, until: float, seconds: int) -> None:
    assert ttl_of(ttl, until) == seconds
    assert isinstance(ttl_of(ttl, until), int)


def ramped(**parts: int) -> Conditions:
    found = {ADDRESSES[name]: Condition(parts=number) for name, number in parts.items()}
    return {
        name: tuple(found.get(endpoint.address, WELL) for endpoint in pool.endpoints)
        for name, pool in POOLS.items()
    }


# fmt: off
RAMPS: list[tuple[str, Conditions, dict[str, Any]]] = [
    # pool, parts of ten -> shares
    ("w",      ramped(),            {"w1": Fraction(3, 4), "w2": Fraction(1, 4)}),
    ("w",      ramped(w1=1),        {"w1": Fraction(3, 13), "w2": Fraction(10, 13)}),
    ("w",      ramped(w1=5),        {"w1": Fraction(15, 25), "w2": Fraction(10, 25)}),
    ("w",      ramped(w1=5, w2=5),  {"w1": Fraction(3, 4), "w2": Fraction(1, 4)}),
    ("w",      ramped(w0=1),        {"w1": Fraction(3, 4), "w2": Fraction(1, 4)}),  # a spare has none
    ("zero",   ramped(z1=1),        {"z1": Fraction(1, 11), "z2": Fraction(10, 11)}),
    ("a",      ramped(a1=1),        {"a1": HALF, "a2": HALF}),  # `all` has no weights
]
# fmt: on


@pytest.mark.parametrize(("name", "conditions", "expected"), RAMPS)
def test_an_endpoint_that_comes_back_has_a_part_of_its_weight(
    name: str, conditions: Conditions, expected: dict[str, Any]
) -> None:
    assert shares(decide(PoolRef(name), 4, POOLS, conditions)) == expected


def test_weights_count_in_parts_only_while_somebody_ramps() -> None:
    """Integers, so that shares stay exact; and the same ones for hash, whose scores they scale."""
    full, part = (
        decide(PoolRef("hashed"), 4, POOLS, conditions) for conditions in (ramped(), ramped(z1=3))
    )

    assert [(d.kind, d.weights, d.take) for d in draws(full.choice)] == [("hashed", (1, 2, 4), 2)]
    assert [(d.kind, d.weights, d.take) for d in draws(part.choice)] == [("hashed", (10, 6, 40), 2)]


def test_a_ramp_counts_for_nothing_where_all_are_down() -> None:
    """Where everything is down all have their whole weight: a ramp protects nobody then."""
    conditions = {**ramped(), "w": (Condition(usable=False, parts=1),) * 3}

    assert shares(decide(PoolRef("w"), 4, POOLS, conditions)) == {
        "w1": Fraction(3, 4),
        "w2": Fraction(1, 4),
    }


def test_overrides_are_told_where_they_were_looked_at() -> None:
    up = {**usable(""), "c": (Condition(overridden=True),)}
    target = target_of(["a", "c"])

    assert not decide(target, 4, POOLS, up).overridden
    assert decide(target, 4, POOLS, {**usable("a1 a2"), "c": up["c"]}).overridden
