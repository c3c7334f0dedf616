"""What a target answers: the one place where it is decided (docs/decisions.md).

Pure: a target, a family, the pools and what is usable in; a choice out. The
compiler makes answers from the choice, `explain` prints it, so the two cannot
disagree.

Families: 4 and 6 are addresses; 0 is host names, which answer every type by a CNAME.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from math import prod
from typing import Literal

from ..config.model import (
    AllOf,
    Chain,
    Endpoint,
    Minimum,
    Pool,
    PoolRef,
    Target,
    Weights,
)
from ..config.targets import pools_of

Family = Literal[0, 4, 6]
Usable = Mapping[str, Sequence[bool]]  # by pool: one for each endpoint, in the order of the file

MAX_COMBINATIONS = 1024  # ways in which `all` may join weighted members; each is an answer
JOINED_TAKE = 8  # records that `all` answers with, where no pool asks for more


@dataclass(frozen=True, slots=True)
class Drawn:
    """A choice among the endpoints of one pool, or of several joined by `all`.

    weights: positive; a pool that is not drawn by weight has ones
    take:    how many different endpoints one answer holds, 1 to len(addresses)
    ordered: whether they are drawn by weight; else they are shuffled
    failover: something before this choice was passed over because it is not available
    """

    pools: tuple[str, ...]
    addresses: tuple[str, ...]
    weights: tuple[int, ...]
    take: int
    ordered: bool
    failover: bool = False


@dataclass(frozen=True, slots=True)
class Mixed:
    """One of several choices, by positive weight."""

    parts: tuple[tuple[int, "Choice"], ...]


Choice = Drawn | Mixed


class Mode(Enum):
    """What counts as available, in the order in which it is tried."""

    MINIMUM = "min_available of its endpoints are usable"
    ANY = "any endpoint is usable"
    ALL = "every endpoint is taken for usable"


@dataclass(frozen=True, slots=True)
class PoolTrace:
    """How a pool was looked at. `needed`: usable endpoints that make it available."""

    name: str
    available: bool
    usable: int
    total: int
    needed: int
    reason: str  # "2 of 3 endpoints usable", and what is missing


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision. `choice` None: NODATA, or SERVFAIL where `servfail` is set."""

    choice: Choice | None
    all_down: bool
    servfail: bool = False
    reachable: bool = True  # some pool of the target has endpoints of the family
    trace: tuple[PoolTrace, ...] = ()


class TooManyCombinations(Exception):
    """`all` over weighted members could need more than MAX_COMBINATIONS answers."""


def decide(
    target: Target,
    family: Family,
    pools: Mapping[str, Pool],
    usable: Usable,
    when_all_down: str = "serve_all",
) -> Outcome:
    """Return what `target` answers for `family`.

    Raises TooManyCombinations, for a target in every state of health or in none.
    """
    most_parts(target)
    reachable = reaches(target, family, pools)
    looker = _Looker(family, pools, usable)
    choice = looker.look(target, Mode.MINIMUM)
    trace = tuple(looker.trace.values())
    if not reachable:
        return Outcome(None, all_down=False, reachable=False, trace=trace)
    if choice is not None:
        return Outcome(choice, all_down=False, trace=trace)
    choice = looker.look(target, Mode.ANY)
    if choice is not None:
        return Outcome(choice, all_down=True, trace=trace)
    if when_all_down == "serve_all":
        return Outcome(looker.look(target, Mode.ALL), all_down=True, trace=trace)
    return Outcome(None, all_down=True, servfail=when_all_down == "servfail", trace=trace)


def reaches(target: Target, family: Family, pools: Mapping[str, Pool]) -> bool:
    """Return whether any pool of `target` has endpoints of `family`, whatever their health."""
    return any(
        endpoint.family == family for name in pools_of(target) for endpoint in pools[name].endpoints
    )


def needed_of(minimum: Minimum, total: int) -> int:
    """Return how many of `total` endpoints must be usable. A percentage rounds up, at least 1."""
    if minimum.count is not None:
        return minimum.count
    return max(1, -(-total * (minimum.percent or 0) // 100))


def most_parts(target: Target) -> int:
    """Return the most draws that a choice of `target` is a mixture of, whatever is down.

    Raises TooManyCombinations. Counted without health: a target that is good when it is
    loaded must not become too large when its spares, of which there may be more, come in.
    """
    if isinstance(target, PoolRef):
        return 1
    if isinstance(target, Weights):
        weighted = sum(most_parts(member.target) for member in target.members if member.weight)
        spares = sum(most_parts(member.target) for member in target.members if not member.weight)
        return max(weighted, spares)
    parts = [most_parts(member) for member in target.members]
    if isinstance(target, Chain):
        return max(parts)
    if prod(parts) > MAX_COMBINATIONS:
        raise TooManyCombinations
    return prod(parts)


@dataclass(slots=True)
class _Looker:
    """Walks a target for one family; `trace` holds each pool as it was first seen."""

    family: Family
    pools: Mapping[str, Pool]
    usable: Usable
    trace: dict[str, PoolTrace] = field(default_factory=dict)

    def look(self, target: Target, mode: Mode) -> Choice | None:
        """Return the choice of `target`, or None where it is not available."""
        if isinstance(target, PoolRef):
            return self._pool(target.pool, mode)
        if isinstance(target, Chain):
            return self._chain(target, mode)
        if isinstance(target, Weights):
            return self._weights(target, mode)
        return self._all(target, mode)

    def _chain(self, chain: Chain, mode: Mode) -> Choice | None:
        passed_over = False
        for member in chain.members:
            choice = self.look(member, mode)
            if choice is not None:
                return after_failover(choice) if passed_over else choice
            passed_over = passed_over or reaches(member, self.family, self.pools)
        return None

    def _weights(self, weights: Weights, mode: Mode) -> Choice | None:
        parts = []
        lost = False
        all_zero = not any(member.weight for member in weights.members)
        for member in weights.members:
            choice = self.look(member.target, mode)
            if choice is not None:
                parts.append((member.weight, choice))
            elif (member.weight or all_zero) and reaches(member.target, self.family, self.pools):
                lost = True
        drawn = [part for part in parts if part[0]] or [(1, choice) for _, choice in parts]
        if not drawn:
            return None
        if lost:
            drawn = [(weight, after_failover(choice)) for weight, choice in drawn]
        return drawn[0][1] if len(drawn) == 1 else Mixed(tuple(drawn))

    def _all(self, joined: AllOf, mode: Mode) -> Choice | None:
        choices = [self.look(member, mode) for member in joined.members]
        available = [choice for choice in choices if choice is not None]
        if not available:
            return None
        return _join(available, self.pools, self.family)

    def _pool(self, name: str, mode: Mode) -> Choice | None:
        pool = self.pools[name]
        of_family = [
            (endpoint, up)
            for endpoint, up in zip(pool.endpoints, self.usable[name], strict=True)
            if endpoint.family == self.family
        ]
        usable = [endpoint for endpoint, up in of_family if up]
        needed = needed_of(pool.min_available, len(of_family))
        available = bool(of_family) and len(usable) >= needed
        if name not in self.trace:
            reason = _reason(available, len(of_family), len(usable), needed, self.family)
            self.trace[name] = PoolTrace(
                name, available, len(usable), len(of_family), needed, reason
            )
        if mode is Mode.ALL:
            usable = [endpoint for endpoint, _ in of_family]
        if not usable or (mode is Mode.MINIMUM and not available):
            return None
        return _draw(name, pool, usable, self.family)


def _draw(name: str, pool: Pool, endpoints: Sequence[Endpoint], family: Family) -> Drawn:
    """Return the choice among usable endpoints of one family, as the pool's `select` says."""
    if pool.select == "weighted":
        weights = [1 if e.weight is None else e.weight for e in endpoints]
        drawn = [(e, w) for e, w in zip(endpoints, weights, strict=True) if w]
        drawn = drawn or [(e, 1) for e in endpoints]  # weight 0 is a spare; all zero means equal
    else:
        drawn = [(e, 1) for e in endpoints]
    take = _take(family, pool.max_answers, len(drawn))
    return Drawn(
        (name,),
        tuple(endpoint.address for endpoint, _ in drawn),
        tuple(weight for _, weight in drawn),
        take,
        pool.select == "weighted",
    )


def _take(family: Family, wanted: int, count: int) -> int:
    """Return how many of `count` endpoints one answer holds. CNAME: one, RFC 2181 section 10.1."""
    return 1 if family == 0 else min(wanted, count)


def _join(choices: Sequence[Choice], pools: Mapping[str, Pool], family: Family) -> Choice:
    """Return the choice that answers with the endpoints of all the choices together.

    A weighted member is drawn first, so the result is a mixture of one join for each
    combination of draws, with the product of their weights.
    """
    spread = [_parts(choice) for choice in choices]
    joined = []
    for combination in product(*spread):
        weight = prod(part_weight for part_weight, _ in combination)
        drawn = [part for _, part in combination]
        joined.append((weight, _union(drawn, pools, family)))
    return joined[0][1] if len(joined) == 1 else Mixed(tuple(joined))


def _parts(choice: Choice) -> list[tuple[int, Drawn]]:
    """Return the draws of a choice with integer weights, nested mixtures multiplied out."""
    if isinstance(choice, Drawn):
        return [(1, choice)]
    inner = [(weight, _parts(part)) for weight, part in choice.parts]
    totals = [sum(weight for weight, _ in parts) for _, parts in inner]
    whole = prod(totals)
    return [
        (weight * part_weight * (whole // total), drawn)
        for (weight, parts), total in zip(inner, totals, strict=True)
        for part_weight, drawn in parts
    ]


def _union(drawn: Sequence[Drawn], pools: Mapping[str, Pool], family: Family) -> Drawn:
    names = tuple(dict.fromkeys(name for one in drawn for name in one.pools))
    addresses = tuple(dict.fromkeys(address for one in drawn for address in one.addresses))
    takes = [pools[name].max_answers for name in names if pools[name].select == "all"]
    take = _take(family, max([JOINED_TAKE, *takes]), len(addresses))
    failover = any(one.failover for one in drawn)
    return Drawn(names, addresses, (1,) * len(addresses), take, ordered=False, failover=failover)


def after_failover(choice: Choice) -> Choice:
    """Return `choice`, marked as taken because something before it is not available."""
    if isinstance(choice, Mixed):
        return Mixed(tuple((weight, after_failover(part)) for weight, part in choice.parts))
    return Drawn(
        choice.pools, choice.addresses, choice.weights, choice.take, choice.ordered, failover=True
    )


def _reason(available: bool, total: int, usable: int, needed: int, family: Family) -> str:
    if available:
        return f"{usable} of {total} endpoints usable"
    if not total:
        return f"no IPv{family} endpoint" if family else "no host name"
    return f"{usable} of {total} endpoints usable, {needed} needed"
