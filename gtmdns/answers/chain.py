"""CNAME and DNAME followed in one response (RFC 1034 section 4.3.2 step 3, RFC 6672 section 3.2).

A chain leads through wildcards and into every zone that is here, and ends where a name is not
ours, does not exist, lies below a zone cut, was there before, or has what was asked for. Its
RCODE is that of the last name, AA is about the first (RFC 6604 section 3, RFC 1035 section 4.1.1).
"""

from typing import NamedTuple

from ..wire.constants import (
    ANY,
    CNAME,
    DNAME,
    DS,
    HINFO,
    MAX_TCP,
    NOERROR,
    NXDOMAIN,
    SOA,
    YXDOMAIN,
)
from ..wire.name import MAX_NAME, ROOT, WireName, parent
from . import answer as tags
from .answer import Leaf, leaf
from .pack import Packer, Records, Referral, owned
from .snapshot import Snapshot
from .zone import Alias, Node, Routed, Zone

MAX_LINKS = 16  # CNAME records; a resolver that wants more asks again
# RFC 8482 section 4.2: a HINFO in place of everything that is known at the name
ANY_RECORDS = Records(HINFO, 3600, (b"\x07RFC8482\x00",))
ANY_LEAF = ANY_RECORDS.leaf(WireName(b"\x01x\x00"))._replace(tag=tags.ANY)  # of any name


class End(NamedTuple):
    """Where a chain ends.

    leaf:  the response, where nothing is left to choose; else None, and
    entry: what answers, at `node` in `zone`
    """

    rcode: int
    leaf: Leaf | None = None
    entry: int | Routed | None = None
    node: Node | None = None
    zone: Zone | None = None


class Links(NamedTuple):
    """Finished links, before an answer that is still to be chosen.

    number: records
    owner:  a pointer to the last name
    soa:    of the last name's zone, where that answer has no records
    """

    octets: bytes
    number: int
    owner: bytes
    soa: bytes

    def chosen(self, found: Leaf, tag: int) -> Leaf:
        """Return the links and an answer, which is owned by the last name. tag: of the whole."""
        if found[2] is None:
            return leaf(self.octets + self.soa, tag, self.number, 1)
        answers = int.from_bytes(found[0][0:2])
        return leaf(self.octets + owned(found[2], self.owner), tag, self.number + answers)


class Chain:
    """The links so far.

    name:      where they lead, lower case
    by_client: whether an answer that depends on the client is among them
    """

    __slots__ = ("_dnames", "_links", "_packer", "_records", "_seen", "by_client", "name")

    def __init__(self, qname: WireName, most: int = MAX_TCP) -> None:
        """most: octets that the response may have."""
        self.name = qname
        self.by_client = False
        self._packer = Packer(qname, most=most)
        self._links = 0
        self._records = 0  # links and DNAMEs
        self._seen = {qname}
        self._dnames: set[WireName] = set()

    def copy(self) -> "Chain":
        other = Chain(ROOT)
        other.name = self.name
        other.by_client = self.by_client
        other._packer = self._packer.copy()
        other._links, other._records = self._links, self._records
        other._seen, other._dnames = set(self._seen), set(self._dnames)
        return other

    def link(self, ttl: int, target: bytes) -> bool:
        """Add a CNAME; return whether its target is new. `target`: as it was written."""
        self._packer.record(self.name, CNAME, ttl, target)
        self.name = WireName(target.lower())
        self._links += 1
        self._records += 1
        is_new = self.name not in self._seen
        self._seen.add(self.name)
        return is_new

    @property
    def is_full(self) -> bool:
        return self._links >= MAX_LINKS

    def dname(self, alias: Alias) -> bytes | None:
        """Add a DNAME and return where the name is led to; None: that would be too long."""
        if alias.owner not in self._dnames:
            self._dnames.add(alias.owner)
            self._records += 1
            self._packer.record(alias.owner, DNAME, alias.ttl, alias.target)
        target = self.name[: len(self.name) - len(alias.owner)] + alias.target
        return target if len(target) <= MAX_NAME else None

    def plain(self, tag: int = tags.STATIC) -> Leaf:
        """Return the links alone."""
        return leaf(bytes(self._packer.octets), tag, self._records)

    def negative(self, zone: Zone, tag: int) -> Leaf:
        """Return the links and the SOA of the last name's zone (RFC 2308 section 2.1)."""
        self._soa(self._packer, zone)
        return leaf(bytes(self._packer.octets), tag, self._records, 1)

    def _soa(self, packer: Packer, zone: Zone) -> None:
        soa = zone.negative
        packer.record(zone.apex, SOA, int.from_bytes(soa[4:8]), soa[10:])

    def ended(self, records: Records) -> Leaf:
        """Return the links and the static records that they lead to."""
        more = records.add_to(self._packer, self.name)
        answers = self._records + len(records.values)
        return leaf(bytes(self._packer.octets), tags.STATIC, answers, 0, more)

    def referred(self, referral: Referral) -> Leaf:
        """Return the links and what is known of the name servers of the last name."""
        records = referral.records
        more = records.add_to(self._packer, referral.cut)
        octets = bytes(self._packer.octets)
        return leaf(octets, tags.STATIC, self._records, len(records.values), more)

    def links(self, zone: Zone) -> Links:
        """Return the links as they are put before an answer of `zone`."""
        packer, size = self._packer.copy(), len(self._packer.octets)
        self._soa(packer, zone)
        owner = self._packer.place(self.name)
        octets = bytes(packer.octets)
        return Links(octets[:size], self._records, owner, octets[size:])


def follow(chain: Chain, qtype: int, snapshot: Snapshot) -> End:
    """Go on from the name that the chain leads to, until something has to be chosen or it ends."""
    while True:
        zone = snapshot.zone_of(chain.name)
        if zone is None:
            return End(NOERROR, chain.plain())
        if qtype == DS and zone.apex == chain.name:
            zone = parent_side(zone, snapshot)
        node, exists = zone.lookup(chain.name)
        if node is None:
            return End(NXDOMAIN, chain.negative(zone, tags.NXDOMAIN))
        if node.referral is not None and not (exists and qtype == DS):
            return End(NOERROR, chain.referred(node.referral))
        dname = None if exists else node.dname
        alias = dname or node.alias
        if alias is None:
            return _found(chain, qtype, node, zone)
        if chain.is_full:
            return End(NOERROR, chain.plain())
        target: bytes | None = alias.target
        if dname is not None:
            target = chain.dname(dname)
            if target is None:
                return End(YXDOMAIN, chain.plain(tags.YXDOMAIN))
        assert target is not None
        # A CNAME answers ANY; to what a DNAME leads on, ANY goes with it (RFC 6672 section 3.2).
        is_answered = qtype == CNAME or (qtype == ANY and dname is None)
        if not chain.link(alias.ttl, target) or is_answered:
            return End(NOERROR, chain.plain())


def _found(chain: Chain, qtype: int, node: Node, zone: Zone) -> End:
    entry = node.entry(qtype)
    if entry is None and qtype == ANY and node.types:
        entry = ANY_RECORDS
    if entry is None:
        return End(NOERROR, chain.negative(zone, tags.NODATA))
    if isinstance(entry, bytes):
        entry = Records.of(entry)
    if isinstance(entry, Records):
        return End(NOERROR, chain.ended(entry))
    if isinstance(entry, Routed):
        if chain.by_client:  # one scope cannot tell of two choices
            return End(NOERROR, chain.plain())
        chain.by_client = True
    return End(NOERROR, None, entry, node, zone)


def parent_side(zone: Zone, snapshot: Snapshot) -> Zone:
    """Return the zone that `zone` is delegated from where it is here too, as DS stands there.

    RFC 4035 section 3.1.4.1.
    """
    if zone.apex == ROOT:
        return zone
    above = snapshot.zone_of(parent(zone.apex))
    node = None if above is None else above.get(zone.apex)
    return zone if above is None or node is None or node.referral is None else above
