"""`nearest`: the order of its members for a place, and targets with that order put in.

A member is where the first of its pools with a location is. Only places of the grid are asked for
(locations.py), so that orders are computed once for each place, not for each client. What decides
about answers never meets a `nearest`: for each order that occurs it gets a plain chain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt

from ..config.model import Chain, Member, Nearest, Pool, PoolRef, Target, Weights
from ..config.targets import pools_of
from .locations import Place

EARTH = 6371.0088  # mean radius in km
BAND = 1.05  # up to so many times the smallest distance counts as equal

Sites = tuple[Place | None, ...]  # where the members of one `nearest` are, in the order written
Order = tuple[int, ...]  # the members of one `nearest` by their numbers, nearest first


def distance_km(one: Place, other: Place) -> float:
    """Return the great-circle distance, by haversine: exact to 0.5 %, as the earth is no sphere."""
    latitude, longitude, other_latitude, other_longitude = map(radians, (*one, *other))
    chord = (
        sin((other_latitude - latitude) / 2) ** 2
        + cos(latitude) * cos(other_latitude) * sin((other_longitude - longitude) / 2) ** 2
    )
    return 2 * EARTH * asin(min(1.0, sqrt(chord)))


@lru_cache(maxsize=1 << 17)
def order_of(place: Place | None, sites: Sites) -> Order:
    """Return the members from near to far, as seen from this place.

    The nearest of those that are left comes next, together with all that are at most 5 % farther,
    these in the order written; and so on. Members without a location come last in the order
    written. A client without a place gets the order written.
    """
    if place is None:
        return tuple(range(len(sites)))
    distances = {
        member: distance_km(place, site) for member, site in enumerate(sites) if site is not None
    }
    order: list[int] = []
    while distances:
        limit = BAND * min(distances.values())
        band = [member for member, distance in distances.items() if distance <= limit]
        order += band
        for member in band:
            del distances[member]
    return (*order, *(member for member, site in enumerate(sites) if site is None))


def location_of(target: Target, pools: Mapping[str, Pool]) -> Place | None:
    """Return where a member is: the location of the first of its pools that has one."""
    for name in pools_of(target):
        location = pools[name].location
        if location is not None:
            return location.latitude, location.longitude
    return None


def sites_of(target: Target, pools: Mapping[str, Pool]) -> tuple[Sites, ...]:
    """Return the sites of each `nearest` in a target: the outer before those inside its members."""
    return tuple(
        tuple(location_of(member, pools) for member in nearest.members)
        for nearest in _nearests(target)
    )


def _nearests(target: Target) -> Iterator[Nearest]:
    if isinstance(target, PoolRef):
        return
    if isinstance(target, Nearest):
        yield target
    for member in target.members:
        yield from _nearests(member.target if isinstance(member, Member) else member)


def in_order(target: Target, orders: Sequence[Order]) -> Target:
    """Return the target with each `nearest` made a chain of this order.

    `orders`: one for each of `sites_of`; more are left unread.
    """
    return _in_order(target, iter(orders))


def _in_order(target: Target, orders: Iterator[Order]) -> Target:
    if isinstance(target, PoolRef):
        return target
    if isinstance(target, Weights):
        lines = (replace(line, target=_in_order(line.target, orders)) for line in target.members)
        return Weights(tuple(lines))
    order = next(orders) if isinstance(target, Nearest) else None
    members = tuple(_in_order(member, orders) for member in target.members)
    if order is None:
        return replace(target, members=members)
    return Chain(tuple(members[number] for number in order))
