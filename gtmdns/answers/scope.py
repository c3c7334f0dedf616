"""Which rule and which answer a client gets, and for whom else that holds (RFC 7871)."""

from bisect import bisect_right

from ..wire.edns import IPV4_MAPPED, Subnet
from .answer import Leaf
from .choice import network_scope
from .route import RouteTable
from .snapshot import Snapshot


def rule_of(
    route: RouteTable, client: int, subnet: Subnet | None, snapshot: Snapshot
) -> tuple[int, int]:
    """Return (rule, scope) for the client that counts: the subnet option's or the transport's."""
    if subnet is None:
        return route.find(client), 0
    rule, scope = rule_of_subnet(route, subnet, snapshot)
    return route.find(client) if rule is None else rule, scope


def rule_of_subnet(route: RouteTable, subnet: Subnet, snapshot: Snapshot) -> tuple[int | None, int]:
    """Return (rule, scope); no rule: the transport's client says which one it is.

    Private addresses that no region knows are not placed: there the transport's client counts.
    No scope reaches from placed to unplaced addresses: scopes must not overlap (RFC 7871 section
    7.2.1).
    """
    if subnet.source == 0:
        return None, 0
    rule, scope = route.find_with_scope(subnet.client)
    if scope in (0, 96) and _is_constant(route):
        return rule, 0
    placed, nearest = _placed(subnet, snapshot)
    return (rule, max(scope, nearest)) if placed else (None, nearest)


def choose(
    route: RouteTable,
    numbers: tuple[int, ...],
    hashed: bool,
    client: int,
    subnet: Subnet | None,
    snapshot: Snapshot,
    draw: int,
) -> tuple[Leaf, int]:
    """Return what a client gets, and the scope of that.

    hashed: whether the client's network counts beyond the rule
    """
    rule, scope = rule_of(route, client, subnet, snapshot)
    answer = snapshot.answers[numbers[rule]]
    if not hashed:
        return answer.choose(draw), scope
    if subnet is None or subnet.source == 0:
        return answer.choose_for(draw, client), 0
    placed, nearest = _placed(subnet, snapshot)
    if answer.by_client:
        scope = max(scope, nearest, network_scope(subnet.client))
    return answer.choose_for(draw, subnet.client if placed else client), scope


def _placed(subnet: Subnet, snapshot: Snapshot) -> tuple[bool, int]:
    """Return whether the subnet's address counts, and the shortest prefix in which that holds."""
    shown = subnet.client
    bounds = snapshot.unplaced
    position = bisect_right(bounds, shown)
    scope = 0
    if position and bounds[position - 1]:  # the first is that of ::/127
        scope = 129 - (shown ^ bounds[position - 1] - 1).bit_length()
    if position < len(bounds):
        scope = max(scope, 129 - (shown ^ bounds[position]).bit_length())
    return not position & 1, scope


def _is_constant(route: RouteTable) -> bool:
    """Return whether every client gets the same rule."""
    rule4, scope4 = route.find_with_scope(IPV4_MAPPED)
    rule6, scope6 = route.find_with_scope(1 << 127)
    return scope4 == 96 and scope6 == 0 and rule4 == rule6
