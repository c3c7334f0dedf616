"""Choices: what one answer is drawn from, made of usable endpoints, joined and mixed.

Families: 4 and 6 are addresses; 0 is host names, which answer every type by a CNAME.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Literal

from ..config.model import Chain, Endpoint, Nearest, Pool, PoolRef, Target, Weights
from ..health.condition import FULL

Family = Literal[0, 4, 6]
Kind = Literal["shuffled", "ordered", "hashed"]

MAX_COMBINATIONS = 1024  # ways in which `all` may join weighted members; each is an answer
JOINED_TAKE = 8  # records that `all` answers with, where no pool asks for more
WHOLE_TAKE = 255  # records of one answer at most, as `max_answers` may say of a pool

KINDS: Mapping[str, Kind] = {"all": "shuffled", "weighted": "ordered", "hash": "hashed"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A choice among the endpoints of one pool, or of several joined by `all`.

    weights: positive; a pool that is not drawn by weight has ones
    take:    how many different endpoints one answer holds, 1 to len(addresses)
    kind:    shuffled, drawn in order by weight, or by weight and the client's network
    failover: something before this choice was passed over because it is not available
    """

    pools: tuple[str, ...]
    addresses: tuple[str, ...]
    weights: tuple[int, ...]
    take: int
    kind: Kind
    failover: bool = False


@dataclass(frozen=True, slots=True)
class Mixed:
    """One of several choices, by positive weight."""

    parts: tuple[tuple[int, "Choice"], ...]


Choice = Drawn | Mixed
Ready = Sequence[tuple[Endpoint, int]]  # endpoints, and the parts of their weight that they have


class TooManyCombinations(Exception):
    """`all` over weighted members could need more than MAX_COMBINATIONS answers."""


def has_family(endpoint: Endpoint, family: Family) -> bool:
    """Return whether an endpoint may answer `family`: one that is resolved, both of addresses."""
    return family != 0 if endpoint.resolve else endpoint.family == family


def draws_of(choice: Choice) -> list[Drawn]:
    """Return every draw that a choice may come to, in the order written."""
    if isinstance(choice, Drawn):
        return [choice]
    return [drawn for _, part in choice.parts for drawn in draws_of(part)]


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
    if isinstance(target, (Chain, Nearest)):
        return max(parts)
    if prod(parts) > MAX_COMBINATIONS:
        raise TooManyCombinations
    return prod(parts)


def weighed(weights: Weights, available: Sequence[bool]) -> list[int]:
    """Return the weight with which each member is drawn, 0: not at all; spares last."""
    left = [
        member.weight if is_there else 0
        for member, is_there in zip(weights.members, available, strict=True)
    ]
    return left if any(left) else list(map(int, available))


def draw_from(name: str, pool: Pool, ready: Ready, family: Family) -> Drawn:
    """Return the choice among usable endpoints of one family, as the pool's `select` says.

    While an endpoint has only parts of its weight, all weights of the pool count in parts: the
    shares stay ratios of integers.
    """
    if pool.select == "all":
        drawn = [(endpoint, 1) for endpoint, _ in ready]
    else:
        unit = FULL if any(parts != FULL for _, parts in ready) else 1
        scaled = [(e, 1 if e.weight is None else e.weight, p * unit // FULL) for e, p in ready]
        drawn = [(endpoint, weight * parts) for endpoint, weight, parts in scaled if weight]
        # Weight 0 is a spare; all zero means equal.
        drawn = drawn or [(endpoint, parts) for endpoint, _, parts in scaled]
    return Drawn(
        (name,),
        tuple(endpoint.address for endpoint, _ in drawn),
        tuple(weight for _, weight in drawn),
        _take(family, pool.max_answers, len(drawn)),
        KINDS[pool.select],
    )


def whole(parts: Sequence[tuple[str, Ready]], family: Family) -> Drawn | None:
    """Return the choice that answers with every endpoint there is, by pool, or None for none."""
    names = tuple(name for name, ready in parts if ready)
    addresses = tuple(
        dict.fromkeys(endpoint.address for _, ready in parts for endpoint, _ in ready)
    )
    if not addresses:
        return None
    take = _take(family, WHOLE_TAKE, len(addresses))
    return Drawn(names, addresses, (1,) * len(addresses), take, "shuffled")


def _take(family: Family, wanted: int, count: int) -> int:
    """Return how many of `count` endpoints one answer holds. CNAME: one, RFC 2181 section 10.1."""
    return 1 if family == 0 else min(wanted, count)


def join(choices: Sequence[Choice], pools: Mapping[str, Pool], family: Family) -> Choice:
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
    common = prod(totals)
    return [
        (weight * part_weight * (common // total), drawn)
        for (weight, parts), total in zip(inner, totals, strict=True)
        for part_weight, drawn in parts
    ]


def _union(drawn: Sequence[Drawn], pools: Mapping[str, Pool], family: Family) -> Drawn:
    names = tuple(dict.fromkeys(name for one in drawn for name in one.pools))
    addresses = tuple(dict.fromkeys(address for one in drawn for address in one.addresses))
    takes = [pools[name].max_answers for name in names if pools[name].select == "all"]
    take = _take(family, max([JOINED_TAKE, *takes]), len(addresses))
    failover = any(one.failover for one in drawn)
    return Drawn(names, addresses, (1,) * len(addresses), take, "shuffled", failover)


def after_failover(choice: Choice) -> Choice:
    """Return `choice`, marked as taken because something before it is not available."""
    if isinstance(choice, Mixed):
        return Mixed(tuple((weight, after_failover(part)) for weight, part in choice.parts))
    return replace(choice, failover=True)
