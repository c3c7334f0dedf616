"""Look a name up in one compiled zone (RFC 1034 section 4.3.2, RFC 4592, RFC 8020).

The compiler has done the hard part, so four facts hold here: every empty
non-terminal is a node; nothing below a zone cut or a DNAME is a node; a wildcard
hangs on its parent node; all records are octets already.

A name with nothing but static records, each alone of its type, has no node but the octets of
its records, which are a third of the memory; its node is made when somebody asks for it.
"""

from typing import NamedTuple

from ..wire.name import WireName
from .pack import Records, Referral, soa_parts
from .route import RouteTable

SHARDS = 64  # dicts of a large zone: one of a million names would stop the worker when it grows
ONE_SHARD = 4096  # names that are kept in one dict, so that thousands of small zones need little


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

    negative:    the SOA of NXDOMAIN and NODATA without its owner
    longest:     octets of the longest name that has a node
    shards:      names by their hash, in a power of two of dicts
    static_base: of the nodes of names that have octets
    """

    __slots__ = (
        "_mask",
        "_soa_parts",
        "apex",
        "base",
        "longest",
        "negative",
        "shards",
        "static_base",
    )

    def __init__(self, apex: WireName, base: int, negative: bytes) -> None:
        self.apex = apex
        self.base = base
        self.negative = negative
        self._soa_parts = soa_parts(apex, negative)
        self.longest = len(apex)
        self.static_base = base
        self.shards: tuple[dict[WireName, Node | bytes], ...] = ({},)
        self._mask = 0

    def add(self, name: WireName, node: Node | bytes) -> None:
        """Add a name. Octets: records that point to the question, none of the type of another."""
        if len(name) > self.longest:
            self.longest = len(name)
        shard = self.shards[hash(name) & self._mask]
        shard[name] = node
        if len(shard) > ONE_SHARD and not self._mask:
            self._split(shard)

    def _split(self, names: dict[WireName, Node | bytes]) -> None:
        self.shards = tuple({} for _ in range(SHARDS))
        self._mask = SHARDS - 1
        for name, node in names.items():
            self.shards[hash(name) & self._mask][name] = node

    def hang(self, encloser: WireName, name: WireName) -> None:
        """Hang a wildcard on its parent. Both are nodes then, as they are asked by many names."""
        parent, wildcard = self.get(encloser), self.get(name)
        assert parent is not None, "the compiler makes every encloser a node"
        assert wildcard is not None, "a wildcard is there before it hangs"
        parent.wildcard = wildcard
        self.add(encloser, parent)
        self.add(name, wildcard)

    def soa(self, question_end: int) -> bytes:
        """Return the SOA of a negative response (RFC 2308 section 3), its names compressed.

        question_end: offset behind the type and class of the question, whose name ends in the
        apex; a pointer has 14 bits, and this is within the first 267 octets
        """
        apex = question_end - 4 - len(self.apex)
        return (0xC000 | apex).to_bytes(2).join(self._soa_parts)

    def get(self, name: WireName) -> Node | None:
        found = self.shards[hash(name) & self._mask].get(name)
        if isinstance(found, bytes):
            return Node(self.static_base, by_type(found))
        return found

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


def by_type(records: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return (type, record) pairs of records that point to the question."""
    end = 12 + int.from_bytes(records[10:12])
    if end == len(records):  # the common case
        return ((int.from_bytes(records[2:4]), records),)
    found = []
    at = 0
    while at < len(records):
        end = at + 12 + int.from_bytes(records[at + 10 : at + 12])
        found.append((int.from_bytes(records[at + 2 : at + 4]), records[at:end]))
        at = end
    return tuple(found)
