"""Look a name up in one compiled zone (RFC 1034 section 4.3.2, RFC 4592, RFC 8020).

The compiler has done the hard part, so four facts hold here: every empty
non-terminal is a node; nothing below a zone cut or a DNAME is a node; a wildcard
hangs on its parent node; all records are octets already.
"""

from typing import NamedTuple

from ..wire.name import WireName
from .pack import Records, Referral, soa_parts
from .route import RouteTable

SHARD_BITS = 6  # a dict of a million names would stop the worker for 50 ms when it grows


class Routed:
    """The answers of one type at a name where the client decides: one number per rule.

    hashed: whether the client's network counts beyond the rule in some answer of them
    """

    __slots__ = ("hashed", "numbers", "route")

    def __init__(self, route: RouteTable, numbers: tuple[int, ...], hashed: bool = False) -> None:
        self.route = route
        self.numbers = numbers
        self.hashed = hashed


# An answer's number, where to find it, or the records themselves: one that points to the
# question is its octets.
Entry = int | Routed | Records | bytes


class Alias(NamedTuple):
    """A static CNAME or DNAME.

    owner:  of the DNAME, what it replaces at the end of a name
    ttl:    seconds
    target: as it was written
    """

    owner: WireName
    ttl: int
    target: bytes


class Node:
    """All that is known at one name.

    types:    (QTYPE, entry) pairs; empty at an empty non-terminal
    cname:    what answers every type, where a steered name may be an alias
    referral: NS and glue; None but at a zone cut
    wildcard: the node of "*.<this name>"
    base:     added to an answer's tag for counting
    alias:    the CNAME; None but at an AliasNode
    dname:    what leads names below on; None but at a DnameNode
    """

    __slots__ = ("base", "cname", "referral", "types", "wildcard")
    alias: Alias | None = None
    dname: Alias | None = None

    def __init__(
        self,
        base: int,
        types: tuple[tuple[int, Entry], ...],
        cname: Entry | None = None,
        referral: Referral | None = None,
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


class AliasNode(Node):
    """A name with a static CNAME, which is followed when a question comes."""

    __slots__ = ("alias",)

    def __init__(self, base: int, alias: Alias) -> None:
        super().__init__(base, ())
        self.alias = alias


class DnameNode(Node):
    """A name with a DNAME; no name below it has a node."""

    __slots__ = ("dname",)

    def __init__(self, base: int, types: tuple[tuple[int, Entry], ...], dname: Alias) -> None:
        super().__init__(base, types)
        self.dname = dname


class Zone:
    """A zone as it is looked up.

    negative: the SOA of NXDOMAIN and NODATA without its owner
    longest:  octets of the longest name that has a node
    """

    __slots__ = ("_soa_parts", "apex", "base", "longest", "negative", "shards")

    def __init__(self, apex: WireName, base: int, negative: bytes) -> None:
        self.apex = apex
        self.base = base
        self.negative = negative
        self._soa_parts = soa_parts(apex, negative)
        self.longest = len(apex)
        self.shards: tuple[dict[WireName, Node], ...] = tuple({} for _ in range(1 << SHARD_BITS))

    def add(self, name: WireName, node: Node) -> None:
        if len(name) > self.longest:
            self.longest = len(name)
        self.shards[hash(name) & ((1 << SHARD_BITS) - 1)][name] = node

    def soa(self, question_end: int) -> bytes:
        """Return the SOA of a negative response (RFC 2308 section 3), its names compressed.

        question_end: offset behind the type and class of the question, whose name ends in the
        apex; a pointer has 14 bits, and this is within the first 267 octets
        """
        apex = question_end - 4 - len(self.apex)
        return (0xC000 | apex).to_bytes(2).join(self._soa_parts)

    def get(self, name: WireName) -> Node | None:
        return self.shards[hash(name) & ((1 << SHARD_BITS) - 1)].get(name)

    def lookup(self, qname: WireName) -> tuple[Node | None, bool]:
        """Return (node, exists) for a name at or below the apex; no node is NXDOMAIN.

        exists: the name itself has a node; else the node is a wildcard, or above the name a zone
        cut or a DNAME.
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
        if node.referral is not None or node.dname is not None:
            return node, False
        return node.wildcard, False
