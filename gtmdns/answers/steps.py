"""Answers that take more than one choice: behind a chain, by the client's network, or an alias.

An answer of a steered name may be a CNAME whose target is here too: then the chain goes on when
it was chosen, with a draw of its own.
"""

from ..wire.constants import ANY, CNAME, MAX_TCP, NOERROR
from ..wire.edns import Subnet
from ..wire.name import WireName
from . import answer as tags
from .answer import Leaf
from .chain import Chain, End, Links, follow
from .choice import split
from .route import RouteTable
from .scope import choose
from .snapshot import Snapshot
from .zone import Node, Routed, Zone

EVERYONE = RouteTable((), (0,), (), (0,))  # one rule
_IS_CNAME = CNAME.to_bytes(2)


class Steps:
    """What comes beside the plain choice of an answer.

    name, qtype: as they are asked for
    links:   what stands before the answer; None: nothing
    chain:   the same while it can go on; None where there are none, or it ends here
    hashed:  whether the client's network counts beyond the rule
    follows: whether the answer may be a CNAME that is followed
    last:    the name that the answer belongs to
    most:    octets that the response may have
    """

    __slots__ = ("chain", "follows", "hashed", "last", "links", "most", "name", "qtype")

    def __init__(
        self,
        name: WireName,
        qtype: int,
        node: Node,
        entry: int | Routed,
        chain: Chain | None = None,
        zone: Zone | None = None,
        most: int = MAX_TCP,
    ) -> None:
        """zone: that of the answer, where there is a chain."""
        self.name = self.last = name
        self.qtype = qtype
        self.most = most
        self.follows = leads_on(node, qtype)
        self.hashed = isinstance(entry, Routed) and entry.hashed
        self.chain: Chain | None = None
        self.links: Links | None = None
        if chain is not None and zone is not None:
            self.last = chain.name
            self.links = chain.links(zone)
            self.chain = chain if self.follows else None

    @property
    def size(self) -> int:
        """Octets that are held here, at least; a chain holds many more."""
        if self.links is None:
            return 0
        return 65_536 if self.chain is not None else len(self.links.octets + self.links.soa)

    def settle(
        self,
        route: RouteTable,
        numbers: tuple[int, ...],
        client: int,
        subnet: Subnet | None,
        snapshot: Snapshot,
        draw: int,
    ) -> tuple[Leaf, int, int, bool]:
        """Return (outcome, scope, RCODE, whether links end where all endpoints are down).

        An outcome without records tells its RCODE and the rest itself. Where a CNAME was chosen
        and led on, it is that choice which is counted.
        """
        chosen, scope = choose(route, numbers, self.hashed, client, subnet, snapshot, draw)
        steps, tag = self, chosen[3]
        while (led := steps.onward(chosen[2], route is not EVERYONE, snapshot)) is not None:
            end, following = led
            if following is None:
                assert end.leaf is not None
                told = end.leaf if end.rcode else end.leaf._replace(tag=tag)
                return told, scope, end.rcode, False
            assert end.entry is not None
            draw, steps = split(draw), following
            route, numbers, hashed = parts_of(end.entry)
            before = scope
            chosen, scope = choose(route, numbers, hashed, client, subnet, snapshot, draw)
            scope = max(scope, before)
        links = steps.links
        if links is None or (chosen[2] is None and chosen[0][1] != NOERROR):  # SERVFAIL has none
            return chosen, scope, NOERROR, False
        all_down = chosen[2] is None and bool(chosen[0][0])
        return links.chosen(chosen, tag), scope, NOERROR, all_down

    def onward(
        self, records: bytes | None, routed: bool, snapshot: Snapshot
    ) -> "tuple[End, Steps | None] | None":
        """Return where a chosen answer leads, and what the one there takes; None: nowhere.

        Nothing is left to take where the links have an end. routed: whether the client has a part
        in the choice
        """
        target = _target_here(records, snapshot) if self.follows else None
        if target is None:
            return None
        if self.chain is None:
            chain = Chain(self.name, self.most)
            chain.by_client = routed or self.hashed
        else:
            chain = self.chain.copy()
        if chain.is_full:
            return None
        assert records is not None
        if not chain.link(int.from_bytes(records[6:10]), target):
            return End(NOERROR, chain.plain(tags.STATIC)), None
        end = follow(chain, self.qtype, snapshot)
        if end.leaf is not None:
            return end, None
        assert end.node is not None
        assert end.zone is not None
        assert end.entry is not None
        return end, Steps(self.name, self.qtype, end.node, end.entry, chain, end.zone, self.most)


def leads_on(node: Node, qtype: int) -> bool:
    """Return whether a CNAME from this node's answers is followed for this type."""
    return node.cname is not None and qtype not in (CNAME, ANY)


def parts_of(entry: int | Routed) -> tuple[RouteTable, tuple[int, ...], bool]:
    """Return (route, numbers, hashed) of what answers."""
    if isinstance(entry, Routed):
        return entry.route, entry.numbers, entry.hashed
    return EVERYONE, (entry,), False


def _target_here(records: bytes | None, snapshot: Snapshot) -> bytes | None:
    """Return the target of an answer that is a CNAME into a zone of ours; None: it is not."""
    if records is None or records[2:4] != _IS_CNAME:
        return None
    target = records[12:]
    return None if snapshot.zone_of(WireName(target.lower())) is None else target
