"""What targets answer, as tables of exact shares and as laws.

Endpoints: a1 a2 in pool a; b1 b2 in b; c1 in c; w1 (weight 3), w2 (1) and the spare w0 (0) in w;
x1 and x6 (IPv6) in dual; y6 in six; h1 to h4 in half, which needs 50 % of each family, and h6; t1
to t3 in two, which needs two; n1 n2 are host names in names, m1 in more.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.compiler.decide import (
    MAX_COMBINATIONS,
    Choice,
    Drawn,
    Outcome,
    TooManyCombinations,
    decide,
    most_parts,
    needed_of,
)
from gtmdns.config.model import (
    AllOf,
    Chain,
    Endpoint,
    Member,
    Minimum,
    Pool,
    PoolRef,
    Target,
    Weights,
)
from gtmdns.config.targets import parse_target
from gtmdns.control.explain import shares_of
from tests.compiler.support import LAW

ADDRESSES = {
    **{name: f"192.0.2.{n}" for n, name in enumerate(["a1", "a2", "b1", "b2", "c1", "w1", "w2", "w0", "x1"], 1)},
    **{name: f"198.51.100.{n}" for n, name in enumerate(["h1", "h2", "h3", "h4", "t1", "t2", "t3", "z1", "z2"], 1)},
    **{name: f"2001:db8::{n}" for n, name in enumerate(["x6", "y6", "h6"], 1)},
    "n1": "n1.example.net", "n2": "n2.example.net", "m1": "m1.example.net",
}  # fmt: skip
NAMES = {address: name for name, address in ADDRESSES.items()}


def pool(names: str, *weights: int, **fields: Any) -> Pool:
    """Return a pool of these endpoints, in their order."""
    each: list[int | None] = list(weights) or [None] * len(names.split())
    endpoints = [
        Endpoint(address=ADDRESSES[name], weight=weight)
        for name, weight in zip(names.split(), each, strict=True)
    ]
    return Pool(endpoints=tuple(endpoints), **fields)


POOLS = {
    "a": pool("a1 a2", max_answers=1),
    "b": pool("b1 b2", max_answers=1),
    "both_b": pool("b1 b2"),
    "c": pool("c1"),
    "w": pool("w1 w2 w0", 3, 1, 0),
    "w_two": pool("w1 w2 w0", 3, 1, 2, max_answers=2),
    "zero": pool("z1 z2", 0, 0),
    "ignored": pool("w1 w2", 3, 1, select="all", max_answers=1),
    "dual": pool("x1 x6"),
    "six": pool("y6"),
    "half": pool("h1 h2 h3 h4 h6", min_available=Minimum(percent=50), max_answers=1),
    "third": pool("h1 h2 h3 h4", min_available=Minimum(percent=26), max_answers=1),
    "one_percent": pool("h1 h2", min_available=Minimum(percent=1), max_answers=1),
    "two": pool("t1 t2 t3", min_available=Minimum(count=2), max_answers=1),
    "many": pool("t1 t2 t3", min_available=Minimum(count=9), max_answers=1),
    "names": pool("n1 n2"),
    "names_w": pool("n1 n2", 9, 1),
    "more": pool("m1"),
}
HALF, THIRD, QUARTER = Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)


def target_of(spelling: Any) -> Target:
    problems: list[Any] = []
    target = parse_target(spelling, problems, ())
    assert target is not None, problems
    return target


def usable(down: str) -> dict[str, tuple[bool, ...]]:
    """Return what is usable where these endpoints are down."""
    dead = {ADDRESSES[name] for name in down.split()}
    return {
        name: tuple(endpoint.address not in dead for endpoint in pool.endpoints)
        for name, pool in POOLS.items()
    }


def shares(outcome: Outcome) -> dict[str, Fraction] | None:
    if outcome.choice is None:
        return None
    return {NAMES[address]: share for address, share in shares_of(outcome.choice).items()}


def draws(choice: Choice | None) -> list[Drawn]:
    if choice is None:
        return []
    if isinstance(choice, Drawn):
        return [choice]
    return [drawn for _, part in choice.parts for drawn in draws(part)]


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


# Laws. The model below says again, in another way, what the contract says.


def targets(names: list[str]) -> st.SearchStrategy[Target]:
    weight = st.sampled_from([0, 0, 1, 2, 3, 99])

    def grow(inner: st.SearchStrategy[Target]) -> st.SearchStrategy[Target]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        lines = st.lists(st.builds(Member, st.just("x"), weight, inner), min_size=1, max_size=3)
        return several.map(Chain) | several.map(AllOf) | lines.map(tuple).map(Weights)

    return st.recursive(st.sampled_from(names).map(PoolRef), grow, max_leaves=5)


ADDRESS_TARGETS = targets([name for name in POOLS if "names" not in name and name != "more"])
DEAD = st.sets(st.sampled_from(sorted(ADDRESSES))).map(" ".join)
FAMILIES = st.sampled_from([4, 4, 6])
Mixture = list[tuple[Fraction, dict[str, int], int, bool]]  # share, weights, how many, by weight


def up_in(name: str, family: int, up: Mapping[str, tuple[bool, ...]]) -> list[Endpoint]:
    pairs = zip(POOLS[name].endpoints, up[name], strict=True)
    return [endpoint for endpoint, ok in pairs if ok and endpoint.family == family]


def model(target: Target, family: int, up: Mapping[str, tuple[bool, ...]], minima: bool) -> Mixture:
    """Return the mixture of draws that `target` stands for; empty where it is not available."""
    if isinstance(target, PoolRef):
        pool, endpoints = POOLS[target.pool], up_in(target.pool, family, up)
        total = sum(endpoint.family == family for endpoint in pool.endpoints)
        wanted = pool.min_available
        percent = wanted.percent if wanted.percent is not None else 0
        needed = wanted.count if wanted.count is not None else max(1, -(-percent * total // 100))
        if not endpoints or (minima and len(endpoints) < needed):
            return []
        weighted = pool.select == "weighted"
        weights = {e.address: (e.weight or 0) if weighted else 1 for e in endpoints}
        positive = {address: weight for address, weight in weights.items() if weight}
        weights = positive or dict.fromkeys(weights, 1)
        return [(Fraction(1), weights, min(pool.max_answers, len(weights)), weighted)]
    if isinstance(target, Chain):
        each = [model(member, family, up, minima) for member in target.members]
        return next(filter(None, each), [])
    if isinstance(target, Weights):
        found = [(m.weight, model(m.target, family, up, minima)) for m in target.members]
        live = [(weight, mixture) for weight, mixture in found if mixture]
        live = [pair for pair in live if pair[0]] or [(1, mixture) for _, mixture in live]
        total = sum(weight for weight, _ in live)
        return [
            (share * weight / total, *rest) for weight, mixture in live for share, *rest in mixture
        ]  # type: ignore[misc]
    joined: Mixture = [(Fraction(1), {}, 8, False)]
    members = [found for m in target.members if (found := model(m, family, up, minima))]
    for mixture in members:
        joined = [
            (one * other, {**mine, **theirs}, 8, False)
            for one, mine, _, _ in joined
            for other, theirs, _, _ in mixture
        ]
    return [(s, dict.fromkeys(w, 1), min(8, len(w)), False) for s, w, _, _ in joined if members]


def model_shares(mixture: Mixture) -> dict[str, Fraction]:
    """Return how likely each address is in an answer, every order of draws by weight walked."""
    shares: dict[str, Fraction] = {}

    def walk(left: dict[str, int], take: int, share: Fraction) -> None:
        for address, weight in left.items() if take else ():
            part = share * weight / sum(left.values())
            shares[address] = shares.get(address, Fraction(0)) + part
            walk({a: w for a, w in left.items() if a != address}, take - 1, part)

    for share, weights, take, by_weight in mixture:
        if not by_weight:
            for address in weights:
                part = share * Fraction(take, len(weights))
                shares[address] = shares.get(address, Fraction(0)) + part
        else:
            walk(weights, take, share)
    return shares


@LAW
@given(target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD)
def test_decisions_are_those_of_the_model(target: Target, family: Any, down: str) -> None:
    up = usable(down)
    everything = usable("")

    outcome = decide(target, family, POOLS, up)

    expected = (
        model(target, family, up, minima=True)
        or model(target, family, up, minima=False)
        or model(target, family, everything, minima=False)
    )
    told = {} if outcome.choice is None else shares_of(outcome.choice)
    assert told == model_shares(expected)
    assert outcome.all_down == (bool(expected) and not model(target, family, up, minima=True))


@LAW
@given(
    target=ADDRESS_TARGETS,
    family=FAMILIES,
    down=DEAD,
    policy=st.sampled_from(["serve_all", "empty", "servfail"]),
)
def test_nothing_down_is_answered_while_anything_of_the_family_is_usable(
    target: Target, family: Any, down: str, policy: str
) -> None:
    """In the whole target, spares and pools below their minimum included."""
    dead = {ADDRESSES[name] for name in down.split()}
    outcome = decide(target, family, POOLS, usable(down), policy)

    of_family = {
        endpoint.address
        for seen in all_pools(target)
        for endpoint in POOLS[seen].endpoints
        if endpoint.family == family
    }
    answered = {address for drawn in draws(outcome.choice) for address in drawn.addresses}
    if of_family - dead:
        assert answered
        assert not answered & dead
    elif of_family:
        assert bool(answered) == (policy == "serve_all")
        assert outcome.servfail == (policy == "servfail")
    else:
        assert not answered
        assert not outcome.servfail
    assert answered <= of_family


def all_pools(target: Target) -> set[str]:
    if isinstance(target, PoolRef):
        return {target.pool}
    members = (m.target if isinstance(m, Member) else m for m in target.members)
    return set().union(*map(all_pools, members))


@LAW
@given(target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD)
def test_shares_add_up_to_what_one_answer_holds(target: Target, family: Any, down: str) -> None:
    choice = decide(target, family, POOLS, usable(down)).choice

    def taken(choice: Choice) -> Fraction:
        if isinstance(choice, Drawn):
            assert 1 <= choice.take <= len(choice.addresses) == len(choice.weights)
            assert len(set(choice.addresses)) == len(choice.addresses)
            assert min(choice.weights) > 0
            return Fraction(choice.take)
        total = sum(weight for weight, _ in choice.parts)
        return sum((taken(part) * weight / total for weight, part in choice.parts), Fraction(0))

    if choice is not None:
        shares = shares_of(choice)
        assert sum(shares.values()) == taken(choice)
        assert all(0 < share <= 1 for share in shares.values())
