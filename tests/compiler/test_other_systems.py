"""Rules of other systems that hold here too, each a table of what that system does.

Their rules are told in their documents and sources; where ours differ on purpose,
docs/decisions.md says so and no table here claims it.
"""

from fractions import Fraction
from math import inf
from typing import Any

import pytest

from gtmdns.compiler.decide import decide
from gtmdns.compiler.octets import ttl_of
from gtmdns.compiler.outcome import Outcome
from gtmdns.config.model import (
    AllOf,
    Chain,
    Endpoint,
    FallbackCname,
    Member,
    Minimum,
    Pool,
    PoolRef,
    TtlRange,
    Weights,
)
from gtmdns.explain.shares import shares_of
from gtmdns.health.condition import WELL, Condition, Conditions

HALF = Fraction(1, 2)
DOWN = Condition(usable=False)


def pool_of(number: int, first: int = 1, **fields: Any) -> Pool:
    """Return a pool of so many addresses: 192.0.2.FIRST and on."""
    endpoints = tuple(Endpoint(address=f"192.0.2.{first + n}") for n in range(number))
    return Pool(endpoints=endpoints, **fields)


def weighted_pool(*weights: int) -> Pool:
    return Pool(
        endpoints=tuple(
            Endpoint(address=f"192.0.2.{n}", weight=weight) for n, weight in enumerate(weights, 1)
        )
    )


def standing(pools: dict[str, Pool], *down: int) -> Conditions:
    """Return the conditions in which the addresses with these last octets are down."""
    dead = {f"192.0.2.{n}" for n in down}
    return {
        name: tuple(DOWN if e.address in dead else WELL for e in pool.endpoints)
        for name, pool in pools.items()
    }


def answered(outcome: Outcome) -> dict[int, Fraction]:
    """Return the share of answers that hold each address, by its last octet."""
    if outcome.choice is None:
        return {}
    return {int(a.rpartition(".")[2]): share for a, share in shares_of(outcome.choice).items()}


# gdnsd: multifo, need = ceil(count * up_thresh), and metafo over such resources

# fmt: off
GDNSD_THRESHOLDS = [
    # endpoints, up_thresh in percent, down -> failed for the level above
    (2, 50, 1, False), (2, 50, 2, True),
    (3, 50, 1, False), (3, 50, 2, True),
    (4, 50, 2, False), (4, 50, 3, True),
    (5, 50, 2, False), (5, 50, 3, True),
    (4, 1, 3, False),  (4, 1, 4, True),
    (4, 100, 0, False), (4, 100, 1, True),
    (10, 25, 7, False), (10, 25, 8, True),
    (3, 34, 1, False), (3, 34, 2, True),
]
# fmt: on


@pytest.mark.parametrize(("count", "percent", "down", "failed"), GDNSD_THRESHOLDS)
def test_gdnsd_up_thresh_of_a_set_decides_whether_the_next_datacenter_answers(
    count: int, percent: int, down: int, failed: bool
) -> None:
    pools = {
        "first": pool_of(count, min_available=Minimum(percent=percent), max_answers=255),
        "second": pool_of(1, 101),
    }
    conditions = standing(pools, *range(1, down + 1))

    outcome = decide(Chain((PoolRef("first"), PoolRef("second"))), 4, pools, conditions)

    up = dict.fromkeys(range(down + 1, count + 1), Fraction(1))
    assert answered(outcome) == ({101: 1} if failed else up)


def test_gdnsd_all_datacenters_down_answer_with_the_first() -> None:
    pools = {"first": pool_of(2), "second": pool_of(1, 101)}
    target = Chain((PoolRef("first"), PoolRef("second")))

    outcome = decide(target, 4, pools, standing(pools, 1, 2, 101))

    assert (answered(outcome), outcome.all_down) == ({1: 1, 2: 1}, True)


# fmt: off
GDNSD_TTL = [
    # MAX/MIN; seconds until each monitor's state could change, of two datacenters; down -> TTL
    ((60, 30), [100, 100], [100], (),     60),  # cut to MAX
    ((60, 5),  [50, 20],   [10],  (),     20),  # of a set the smallest; the second is not visited
    ((60, 5),  [50, 20],   [10],  (1, 2), 10),  # both visited
    ((60, 5),  [8, 20],    [50],  (1, 2), 8),
    ((60, 5),  [8, 20],    [50],  (1,),   8),   # of an address that is not returned, too
    ((60, 30), [8, 20],    [50],  (),     30),  # raised to MIN
    ((60, 5),  [inf, inf], [inf], (),     60),  # without monitors
    ((60, 5),  [4, 4],     [4],   (),     5),
]
# fmt: on


@pytest.mark.parametrize(("ttl", "first", "second", "down", "expected"), GDNSD_TTL)
def test_gdnsd_ttl_is_the_minimum_over_all_that_was_visited(
    ttl: tuple[int, int],
    first: list[float],
    second: list[float],
    down: tuple[int, ...],
    expected: int,
) -> None:
    pools = {"first": pool_of(2), "second": pool_of(1, 101)}
    conditions = {
        name: tuple(
            Condition(usable=at + base not in down, until=until) for at, until in enumerate(seconds)
        )
        for name, base, seconds in (("first", 1, first), ("second", 101, second))
    }

    outcome = decide(Chain((PoolRef("first"), PoolRef("second"))), 4, pools, conditions)

    assert ttl_of(TtlRange(ttl[1], ttl[0]), outcome.until) == expected


# Route 53: weighted records, weight 0, all unhealthy; failover; multivalue

# fmt: off
ROUTE_53_WEIGHTED = [
    # weights, unhealthy -> share of each
    ((1, 3),     (),        {1: Fraction(1, 4), 2: Fraction(3, 4)}),
    ((1, 3),     (2,),      {1: 1}),
    ((1, 3, 0),  (),        {1: Fraction(1, 4), 2: Fraction(3, 4)}),
    ((1, 3, 0),  (1,),      {2: 1}),
    ((1, 3, 0),  (1, 2),    {3: 1}),  # weight 0: only when all others are unhealthy
    ((1, 3, 0, 0), (1, 2),  {3: HALF, 4: HALF}),
    ((0, 0),     (),        {1: HALF, 2: HALF}),  # all zero: equal
    ((0, 0),     (1,),      {2: 1}),
    ((1, 3),     (1, 2),    {1: Fraction(1, 4), 2: Fraction(3, 4)}),  # all unhealthy: all healthy
    ((1, 3, 0),  (1, 2, 3), {1: Fraction(1, 4), 2: Fraction(3, 4)}),
    ((255, 1),   (),        {1: Fraction(255, 256), 2: Fraction(1, 256)}),
]
# fmt: on


@pytest.mark.parametrize(("weights", "unhealthy", "expected"), ROUTE_53_WEIGHTED)
@pytest.mark.parametrize("level", ["endpoints", "pools"])
def test_route_53_weighted_records(
    level: str, weights: tuple[int, ...], unhealthy: tuple[int, ...], expected: dict[int, Fraction]
) -> None:
    """At both levels: the endpoints of one pool, and the members of weights."""
    if level == "endpoints":
        pools = {"p": weighted_pool(*weights)}
        outcome = decide(PoolRef("p"), 4, pools, standing(pools, *unhealthy))
    else:
        pools = {f"p{n}": pool_of(1, n) for n in range(1, len(weights) + 1)}
        members = tuple(
            Member(f"p{n}", weight, PoolRef(f"p{n}")) for n, weight in enumerate(weights, 1)
        )
        outcome = decide(Weights(members), 4, pools, standing(pools, *unhealthy))

    assert answered(outcome) == expected


# fmt: off
ROUTE_53_FAILOVER = [
    ((), {1: 1}), ((2,), {1: 1}), ((1,), {2: 1}),
    ((1, 2), {1: 1}),  # both unhealthy: the primary
]
# fmt: on


@pytest.mark.parametrize(("unhealthy", "expected"), ROUTE_53_FAILOVER)
def test_route_53_failover(unhealthy: tuple[int, ...], expected: dict[int, int]) -> None:
    pools = {"primary": pool_of(1, 1), "secondary": pool_of(1, 2)}
    target = Chain((PoolRef("primary"), PoolRef("secondary")))

    assert answered(decide(target, 4, pools, standing(pools, *unhealthy))) == expected


def test_route_53_multivalue_gives_up_to_eight_healthy_and_all_unhealthy_count_as_healthy() -> None:
    pools = {"p": pool_of(10)}

    some = decide(PoolRef("p"), 4, pools, standing(pools, 1))
    none = decide(PoolRef("p"), 4, pools, standing(pools, *range(1, 11)))

    assert answered(some) == dict.fromkeys(range(2, 11), Fraction(8, 9))
    assert answered(none) == dict.fromkeys(range(1, 11), Fraction(8, 10))


# Alibaba Cloud GTM: minimum available addresses of a set, then the backup set; sequence modes

# fmt: off
ALIBABA_MINIMUM = [
    # min_available_addr_num, available of main (3) -> main answers
    (1, 3, True), (1, 1, True), (1, 0, False),
    (2, 2, True), (2, 1, False), (3, 3, True), (3, 2, False),
]
# fmt: on


@pytest.mark.parametrize(("minimum", "available", "main"), ALIBABA_MINIMUM)
def test_alibaba_gtm_a_set_is_available_from_its_minimum_of_addresses(
    minimum: int, available: int, main: bool
) -> None:
    pools = {"main": pool_of(3, min_available=Minimum(count=minimum)), "backup": pool_of(1, 101)}
    conditions = standing(pools, *range(1, 4 - available))

    outcome = decide(Chain((PoolRef("main"), PoolRef("backup"))), 4, pools, conditions)

    assert set(answered(outcome)) == (set(range(4 - available, 4)) if main else {101})


# fmt: off
ALIBABA_SEQUENCE = [
    # mode, what fails or comes back, one after the other -> who answers then
    ("preemptive",     [("-1", 2), ("+1", 1), ("-1", 2), ("-2", 3), ("+1", 1)]),
    ("non_preemptive", [("-3", 1), ("-1", 2), ("+1", 2), ("-2", 1), ("+2", 1), ("-1", 2)]),
    ("non_preemptive", [("-1", 2), ("-2", 3), ("+1", 3), ("+2", 3), ("-3", 1), ("+3", 1)]),
    ("preemptive",     [("-2", 1), ("-1", 3), ("+2", 2), ("+1", 1)]),
]
# fmt: on


@pytest.mark.parametrize(("mode", "story"), ALIBABA_SEQUENCE)
def test_alibaba_gtm_sequence(mode: str, story: list[tuple[str, int]]) -> None:
    """Non-preemptive is `failback: {delay: never}`: who was seen down is held until it must answer."""
    pools = {f"p{n}": pool_of(1, n) for n in (1, 2, 3)}
    target = Chain(tuple(map(PoolRef, pools)))
    down: set[int] = set()
    held: set[str] = set()
    for change, who in story:
        number = int(change[1])
        if change[0] == "-":
            down.add(number)
            held |= {f"p{number}"} if mode == "non_preemptive" else set()
        else:
            down.discard(number)
        outcome = decide(target, 4, pools, standing(pools, *down), held=held)
        held -= outcome.returned
        assert answered(outcome) == {who: 1}, change


# Kubernetes Federation v1: service names by zone, region and all

ZONES = {"a1": (1,), "a2": (2, 3), "b1": (4,)}  # a1 and a2 are in one region


# fmt: off
KUBERNETES = [
    # unhealthy -> of zone a1, region a, all: addresses, or the name that is aliased
    ((),           {1}, {1, 2, 3}, {1, 2, 3, 4}),
    ((2,),         {1}, {1, 3}, {1, 3, 4}),
    ((1,),         "a", {2, 3}, {2, 3, 4}),
    ((1, 2, 3),    "a", "all", {4}),
    ((1, 2, 3, 4), "a", "all", {1, 2, 3, 4}),  # there no record; here the record's own policy
]
# fmt: on


@pytest.mark.parametrize(("unhealthy", "zone", "region", "everything"), KUBERNETES)
def test_kubernetes_federation_goes_from_zone_to_region_to_all(
    unhealthy: tuple[int, ...], zone: Any, region: Any, everything: set[int]
) -> None:
    pools = {
        name: pool_of(len(numbers), numbers[0], min_available=Minimum(percent=100))
        for name, numbers in ZONES.items()
    }
    conditions = standing(pools, *unhealthy)

    def told(names: str, wider: Any) -> Any:
        target = AllOf(tuple(map(PoolRef, names.split())), whole=True)
        outcome = decide(target, 4, pools, conditions, wider)
        shares = answered(outcome)
        assert set(shares.values()) <= {1}, "every healthy address is in every answer"
        return outcome.cname or set(shares)

    assert told("a1", FallbackCname("a")) == zone
    assert told("a1 a2", FallbackCname("all")) == region
    assert told("a1 a2 b1", "serve_all") == everything


# Istio: `distribute` by percent and `failover` from region to region; there only one of them

# fmt: off
ISTIO = [
    # down -> shares of hangzhou (1), shanghai (2), beijing (3), for clients of hangzhou
    ((),     {1: Fraction(9, 10), 2: Fraction(1, 10)}),
    ((1,),   {2: 1}),
    ((2,),   {1: 1}),
    ((1, 2), {3: 1}),
    ((3,),   {1: Fraction(9, 10), 2: Fraction(1, 10)}),
]
# fmt: on


@pytest.mark.parametrize(("down", "expected"), ISTIO)
def test_istio_locality_by_percent_and_failover_at_once(
    down: tuple[int, ...], expected: dict[int, Fraction]
) -> None:
    pools = {name: pool_of(1, n) for n, name in enumerate(["hangzhou", "shanghai", "beijing"], 1)}
    shared = Weights(
        (
            Member("hangzhou", 90, PoolRef("hangzhou")),
            Member("shanghai", 10, PoolRef("shanghai")),
        )
    )
    target = Chain((shared, PoolRef("beijing")))

    assert answered(decide(target, 4, pools, standing(pools, *down))) == expected
