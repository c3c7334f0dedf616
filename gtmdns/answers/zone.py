"""Look a name up in one compiled zone (RFC 1034 section 4.3.2, RFC 4592, RFC 8020).

The compiler has done the hard part, so four facts hold here: every empty
non-terminal is a node; nothing below a zone cut is a node; a wildcard hangs on
its parent node; all records are octets already.
"""

from ..wire.name import WireName
from .route import RouteTable

SHARD_BITS = 6  # a dict of a million names would stop the worker for 50 ms when it grows


class Routed:
    """The answers of one type at a name where the client decides: one number per rule."""

    __slots__ = ("numbers", "route")

    def __init__(self, route: RouteTable, numbers: tuple[int, ...]) -> None:
        self.route = route
        self.numbers = numbers


Entry = int | Routed  # an answer's number, or where to find it


class Node:
    """All that is known at one name.

    types:    (QTYPE, entry) pairs; empty at an empty non-terminal
    cname:    what answers every type, where the name is or may be an alias
    referral: number of the answer with NS and glue; None but at a zone cut
    wildcard: the node of "*.<this name>"
    base:     added to an answer's tag for counting
    """

    __slots__ = ("base", "cname", "referral", "types", "wildcard")

    def __init__(
        self,
        base: int,
        types: tuple[tuple[int, Entry], ...],
        cname: Entry | None = None,
        referral: int | None = None,
    ) -> None:
        self.base = base
        self.types = types
        self.cname = cname
        self.referral = referral
        self.wildcard: Node | None = None

    def entry(self, qtype: int) -> Entry | None:
        """Return what answers `qtype`; None is NODATA."""
        for number, entry in self.types:
            if number == qtype:
                return entry
        return self.cname


class Zone:
    """A zone as it is looked up.

    negative: the SOA of NXDOMAIN and NODATA without its owner
    longest:  octets of the longest name that has a node
    """

    __slots__ = ("apex", "base", "longest", "negative", "shards")

    def __init__(self, apex: WireName, base: int, negative: bytes) -> None:
        self.apex = apex
        self.base = base
        self.negative = negative
        self.longest = len(apex)
        self.shards: tuple[dict[WireName, Node], ...] = tuple({} for _ in range(1 << SHARD_BITS))

    def add(self, name: WireName, node: Node) -> None:
        if len(name) > self.longest:
            self.longest = len(name)
        self.shards[hash(name) & ((1 << SHARD_BITS) - 1)][name] = node

    def get(self, name: WireName) -> Node | None:
        return self.shards[hash(name) & ((1 << SHARD_BITS) - 1)].get(name)

    def lookup(self, qname: WireName) -> tuple[Node | None, bool]:
        """Return (node, exists) for a name at or below the apex; no node is NXDOMAIN.

        exists: the name itself has a node; else the node is a wildcard or a zone cut above it.
        """
        node = self.get(qname)
        if node is not None:  # the common case: one dict access
            return node, True
        # A name of 127 labels must not cost 127 looks, where no node's name is that long.
        at = 1 + qname[0]
        excess = len(qname) - self.longest
        while at < excess:
            at += 1 + qname[at]
        encloser = qname[at:]
        while (node := self.get(encloser)) is None:  # type: ignore[arg-type]  # ends: at the apex
            encloser = encloser[1 + encloser[0] :]
        return (node if node.referral is not None else node.wildcard), False
