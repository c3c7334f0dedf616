"""The pools that targets are tried on, and how targets and what is down are spelled and drawn.

Endpoints: a1 a2 in pool a; b1 b2 in b; c1 in c; w1 (weight 3), w2 (1) and the spare w0 (0) in w;
x1 and x6 (IPv6) in dual; y6 in six; h1 to h4 in half, which needs 50 % of each family, and h6; t1
to t3 in two, which needs two; c1 z1 z2 in hashed, of weights 1 2 4; n1 n2 are host names in names, m1 in more.
"""

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from gtmdns.compiler.draws import Choice, Drawn, draws_of
from gtmdns.compiler.outcome import Outcome
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
from gtmdns.explain.shares import shares_of
from gtmdns.health.condition import WELL, Condition

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
    "hashed": pool("c1 z1 z2", 1, 2, 4, select="hash", max_answers=2),
    "names": pool("n1 n2"),
    "names_w": pool("n1 n2", 9, 1),
    "more": pool("m1"),
}


def target_of(spelling: Any) -> Target:
    problems: list[Any] = []
    target = parse_target(spelling, problems, ())
    assert target is not None, problems
    return target


def usable(down: str, barred: str = "") -> dict[str, tuple[Condition, ...]]:
    """Return the conditions in which these endpoints are down, and those overridden down."""
    found = {ADDRESSES[name]: Condition(usable=False) for name in down.split()}
    for name in barred.split():
        found[ADDRESSES[name]] = Condition(usable=False, barred=True, overridden=True)
    return {
        name: tuple(found.get(endpoint.address, WELL) for endpoint in pool.endpoints)
        for name, pool in POOLS.items()
    }


def shares(outcome: Outcome) -> dict[str, Fraction] | None:
    if outcome.choice is None:
        return None
    return {NAMES[address]: share for address, share in shares_of(outcome.choice).items()}


def draws(choice: Choice | None) -> list[Drawn]:
    return [] if choice is None else draws_of(choice)


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
