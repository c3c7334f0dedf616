"""Records put into a response, each name written once (RFC 1035 section 4.1.4).

A name that stands in the message already, or the end of one, is a pointer to it; the letter
case is then that of the first (RFC 4343 section 4.1). Owners are always compressed, names in
RDATA only in types of RFC 1035: others are opaque to old resolvers (RFC 3597 section 4).
"""

from array import array
from struct import pack

from ..wire.constants import CNAME, HEADER, IN, MAX_TCP, MX, NS, PTR, SOA
from ..wire.name import MAX_NAME, ROOT, WireName, is_below
from .answer import REFERRAL, STATIC, Leaf, leaf

# type -> octets of RDATA before its first name, and how many names follow
NAMES = {NS: (0, 1), CNAME: (0, 1), SOA: (0, 2), PTR: (0, 1), MX: (2, 1)}
MAX_POINTER = 0x3FFF  # octets from the start of a message

Extra = tuple[bytes, int, int, bytes]  # owner (none: the name asked for), type, TTL, RDATA


class Packer:
    """The records of one response, and where in it each name stands.

    octets:   what stands behind the question
    pointers: where in `octets` the pointers are
    farthest: the last offset that a pointer may have
    most:     octets, after which nothing more has to be packed: the response will be truncated
    """

    __slots__ = ("_places", "_start", "farthest", "most", "octets", "pointers")

    def __init__(self, qname: WireName, farthest: int = MAX_POINTER, most: int = MAX_TCP) -> None:
        self.octets = bytearray()
        self.pointers: list[int] = []
        self.farthest = farthest
        self.most = most
        self._start = HEADER + len(qname) + 4
        self._places: dict[bytes, int] = {}
        at = 0
        while qname[at]:
            self._places[qname[at:]] = HEADER + at
            at += 1 + qname[at]

    def copy(self) -> "Packer":
        other = Packer(ROOT, self.farthest, self.most)
        other.octets = bytearray(self.octets)
        other.pointers = list(self.pointers)
        other._start = self._start
        other._places = dict(self._places)
        return other

    def name(self, spelled: bytes) -> None:
        """Add a name in any case."""
        octets, places = self.octets, self._places
        lowered = spelled.lower()  # a length octet is no letter
        here = self._start + len(octets)
        at = 0
        while lowered[at]:
            known = places.get(lowered[at:])
            if known is not None:
                octets += spelled[:at]
                self.pointers.append(len(octets))
                octets += (0xC000 | known).to_bytes(2)
                return
            if here + at <= self.farthest:
                places[lowered[at:]] = here + at
            at += 1 + lowered[at]
        octets += spelled

    def place(self, name: bytes) -> bytes:
        """Return the pointer to a name that stands there already, in lower case."""
        at = self._start - 5 if name == ROOT else self._places[name]
        return (0xC000 | at).to_bytes(2)

    def record(self, owner: bytes, rtype: int, ttl: int, rdata: bytes) -> None:
        """Add a record of class IN. `ttl`: seconds."""
        octets = self.octets
        self.name(owner)
        octets += pack("!HHIH", rtype, IN, ttl, len(rdata))
        names = NAMES.get(rtype)
        if names is None:
            octets += rdata
            return
        begin = len(octets)
        at, count = names
        octets += rdata[:at]
        for _ in range(count):
            end = _name_end(rdata, at)
            self.name(rdata[at:end])
            at = end
        octets += rdata[at:]
        octets[begin - 2 : begin] = (len(octets) - begin).to_bytes(2)


def _name_end(octets: bytes, at: int) -> int:
    while octets[at]:
        at += 1 + octets[at]
    return at + 1


class Records:
    """A static RRset whose names are to be compressed, with what goes with it.

    ttl:    seconds
    values: RDATA
    extra:  what stands in the additional section; an owner of no octets is the name asked for
    """

    __slots__ = ("extra", "rtype", "ttl", "values")

    def __init__(
        self, rtype: int, ttl: int, values: tuple[bytes, ...], extra: tuple[Extra, ...] = ()
    ) -> None:
        self.rtype = rtype
        self.ttl = ttl
        self.values = values
        self.extra = extra

    @classmethod
    def of(cls, record: bytes) -> "Records":
        """Return one record, which points to the question, as what it would be otherwise."""
        return cls(int.from_bytes(record[2:4]), int.from_bytes(record[6:10]), (record[12:],))

    def add_to(self, packer: Packer, owner: bytes) -> int:
        """Add the records, until they are too many; return how many additional ones there are.

        A thousand records take milliseconds, which a query over UDP must not cost. The octets
        are more than `packer.most` then, so all goes, or the additional records do.
        """
        for rdata in self.values:
            packer.record(owner, self.rtype, self.ttl, rdata)
            if len(packer.octets) > packer.most:
                return 0
        for at, rtype, ttl, rdata in self.extra:
            packer.record(at or owner, rtype, ttl, rdata)
            if len(packer.octets) > packer.most:
                break
        return len(self.extra)

    def leaf(self, qname: WireName, most: int = MAX_TCP) -> Leaf:
        """Return the answer to a question for `qname`. most: octets that a response may have."""
        packer = Packer(qname, most=most)
        more = self.add_to(packer, qname)
        return leaf(bytes(packer.octets), STATIC, len(self.values), 0, more)


class Referral:
    """What is answered at a zone cut and below it: NS in the authority section, with glue.

    Every name below a cut is a miss of the answer cache, so the records are packed once, for
    the cut itself; for a longer name all pointers move by as much as it is longer. With the
    records as one large integer, and another that is 1 where each pointer ends, that is one
    multiplication and one addition.
    """

    __slots__ = ("_leaf", "_mask", "_number", "_pointers", "cut", "records")

    def __init__(self, cut: WireName, records: Records) -> None:
        self.cut = cut
        self.records = records
        self._leaf: Leaf | None = None
        self._number = self._mask = 0
        self._pointers = b""

    def leaf(self, qname: WireName) -> Leaf:
        """Return the referral for the cut or a name below it."""
        packed = self._leaf or self._pack()
        more = len(qname) - len(self.cut)
        if not more:
            return packed
        size = len(packed.records or b"")
        return packed._replace(records=(self._number + more * self._mask).to_bytes(size))

    def parts(self) -> tuple[Leaf, bytes]:
        """Return the referral for the cut itself, and the offsets of its pointers (array "I")."""
        return self._leaf or self._pack(), self._pointers

    def _pack(self) -> Leaf:
        packer = Packer(self.cut, MAX_POINTER - MAX_NAME)
        self.records.add_to(packer, self.cut)
        octets = bytes(packer.octets)
        self._number = int.from_bytes(octets)
        self._mask = sum(1 << 8 * (len(octets) - at - 2) for at in packer.pointers)
        self._pointers = array("I", packer.pointers).tobytes()
        self._leaf = leaf(octets, REFERRAL, 0, len(self.records.values), len(self.records.extra))
        return self._leaf


def soa_parts(apex: WireName, soa: bytes) -> tuple[bytes, ...]:
    """Return the SOA of negative responses in the parts that a pointer to the apex joins.

    soa: the record without its owner
    """
    if apex == ROOT:  # one octet, shorter than a pointer
        return (ROOT + soa,)
    rdata = soa[10:]
    parts = [b""]
    at = 0
    for _ in range(2):
        end = _name_end(rdata, at)
        name = rdata[at:end]
        lowered = WireName(name.lower())
        if lowered == apex or is_below(lowered, apex):
            parts[-1] += name[: -len(apex)]
            parts.append(b"")
        else:
            parts[-1] += name
        at = end
    parts[-1] += rdata[at:]
    size = sum(map(len, parts)) + 2 * (len(parts) - 1)
    return b"", soa[:8] + size.to_bytes(2) + parts[0], *parts[1:]


def owned(records: bytes, owner: bytes) -> bytes:
    """Return records that point to the question with another owner. `owner`: two octets."""
    moved = bytearray(records)
    at = 0
    while at < len(moved):
        moved[at : at + 2] = owner
        at += 12 + int.from_bytes(moved[at + 10 : at + 12])
    return bytes(moved)
