"""The immutable table that queries are answered from, and how it grows piece by piece.

A snapshot comes as pieces, each a tuple of integers, octets and tuples that costs
at most about 2 ms to add, so that a worker goes on answering from the old one:

    ("columns",  octets)
    ("routes",   (encoded route, ...))
    ("large",    (((first octet, octets) of each column of a route), ...))
    ("answers",  (encoded answer, ...))
    ("routed",   ((route number, (answer number, ...), hashed), ...))
    ("records",  ((type, TTL, (RDATA, ...), ((owner, type, TTL, RDATA), ...)), ...))
    ("zone",     apex, base, negative)
    ("nodes",    zone number, ((name, base, types, cname, referral), ...))
    ("static",   zone number, base, ((name, records), ...))
    ("aliases",  zone number, ((name, base, TTL, target), ...))
    ("dnames",   zone number, ((name, base, types, TTL, target), ...))
    ("wildcards", zone number, ((encloser, wildcard name), ...))
    ("private",  ((first client, last client), ...))
    ("transfer", zone number, ((first client, last client), ...), serial, SOA record, base)
    ("messages", zone number, ((ANCOUNT, records), ...))

The columns of large routes lie in one run of octets, which all workers may share: they are given
to the builder, or come as "columns" in parts, before the first "large". Both kinds of routes are
counted together. Numbers count from 0 in the order of arrival. In `types` ((QTYPE, entry), ...) and
`cname` an entry of 0 or more is an answer's number, ~n is the n-th of "routed", (n,)
that of "records", octets are one static record, as it is; `referral` is a number of
"records". `cname` and `referral` are None where there is none. A name that has nothing
but static records, each alone of its type, can come as their octets ("static"), all such
names of a zone with the same base.

Only `change` alters a snapshot once it serves: it replaces whole answers under
their numbers, between two queries.
"""

import mmap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..wire.edns import IPV4_MAPPED, opt_record
from ..wire.name import ROOT, WireName
from .answer import Answer, decode
from .cookies import Cookies
from .pack import Records, Referral
from .route import RouteTable
from .transfer import Transfer
from .zone import Alias, AliasNode, DnameNode, Entry, Node, Routed, Zone

FORGET_STEP = 8 << 20  # octets that are mapped, about 1 ms
RELEASE_STEP = 500  # nodes freed in one turn of the loop: a millisecond where caches are cold
MAX_SHARED = 10_000  # different entries of nodes that are looked for when the next one comes

Types = tuple[tuple[int, int | bytes | tuple[int]], ...]


class Settings(NamedTuple):
    """What the server block says about answering.

    nsid, version:  up to 255 octets; None: not told
    cookie_secrets: as `Cookies` wants them
    """

    client_subnet: bool = True
    udp_payload: int = 1232
    nsid: bytes | None = None
    version: bytes | None = None
    cookie_secrets: tuple[bytes, ...] = ()


# Private and other addresses that say nothing about where a client is (RFC 6890), sorted.
PRIVATE = tuple(
    (first, first | ((1 << (128 - prefix)) - 1))
    for first, prefix in (
        (0, 127),
        (IPV4_MAPPED, 96 + 8),
        (IPV4_MAPPED | 10 << 24, 96 + 8),
        (IPV4_MAPPED | 100 << 24 | 64 << 16, 96 + 10),
        (IPV4_MAPPED | 127 << 24, 96 + 8),
        (IPV4_MAPPED | 169 << 24 | 254 << 16, 96 + 16),
        (IPV4_MAPPED | 172 << 24 | 16 << 16, 96 + 12),
        (IPV4_MAPPED | 192 << 24 | 168 << 16, 96 + 16),
        (0xFC << 120, 7),
        (0xFE80 << 112, 10),
    )
)


def unplaced(known: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Return where PRIVATE without `known` begins and ends: first, last + 1, first, ...

    known: (first, last) clients; a client is inside where an odd number of these is at or below it
    """
    bounds: list[int] = []
    for begin, last in PRIVATE:
        for known_first, known_last in sorted(known):
            if known_last < begin or known_first > last:
                continue
            if known_first > begin:
                bounds += (begin, known_first)
            begin = known_last + 1
        if begin <= last:
            bounds += (begin, last + 1)
    return tuple(bounds)


class Snapshot:
    """One generation.

    columns:       those of large routes, where they are shared with others
    unplaced:      where private space that no region holds begins and ends, in turn, sorted
    longest_apex:  octets
    transfers:     the zones that secondaries may have, by apex
    opts:          the OPT record of a response, without options, by the DO bit
    tally:         how often each tag was counted, by (base + tag)
    """

    __slots__ = (
        "answers",
        "columns",
        "cookies",
        "generation",
        "longest_apex",
        "opts",
        "routed",
        "routes",
        "settings",
        "tally",
        "transfers",
        "unplaced",
        "zones",
    )

    def __init__(self, generation: int, settings: Settings) -> None:
        self.generation = generation
        self.settings = settings
        self.cookies = Cookies(settings.cookie_secrets)
        self.answers: list[Answer] = []
        self.routes: list[RouteTable] = []
        self.columns: memoryview | None = None
        self.routed: list[Routed] = []
        self.zones: dict[WireName, Zone] = {}
        self.transfers: dict[WireName, Transfer] = {}
        self.longest_apex = 1
        self.opts = tuple(
            opt_record(settings.udp_payload, dnssec_ok=dnssec_ok) for dnssec_ok in (False, True)
        )
        self.unplaced = unplaced(())
        self.tally: defaultdict[int, int] = defaultdict(int)

    def zone_of(self, qname: WireName) -> Zone | None:
        """Return the zone with the longest apex at or above `qname`; None: not ours."""
        zones = self.zones
        at = 0
        # A name of 127 labels must not cost 127 looks, where no apex is that long.
        excess = len(qname) - self.longest_apex
        while at < excess:
            at += 1 + qname[at]
        name = qname[at:]
        while True:
            zone = zones.get(name)  # type: ignore[call-overload]  # calling WireName costs as much
            if zone is not None or name == ROOT:
                return zone  # type: ignore[no-any-return]
            name = name[1 + name[0] :]

    def change(self, changes: Iterable[tuple[int, tuple[Any, ...]]]) -> None:
        """Replace answers. `changes`: (number, encoded answer)."""
        for number, code in changes:
            self.answers[number] = decode(code)

    def release(self) -> Iterator[None]:
        """Free a snapshot that no longer serves, in slices: one `next` per turn of the loop."""
        for zone in self.zones.values():
            for shard in zone.shards:
                while shard:
                    for _ in range(min(RELEASE_STEP, len(shard))):
                        shard.popitem()
                    yield
        for table in (self.answers, self.routed):
            while table:
                del table[-RELEASE_STEP:]
                yield
        if self.columns is not None:
            yield from _forget(self.columns)


def _forget(columns: memoryview) -> Iterator[None]:
    """Let mapped pages go in slices; at once it takes 25 ms for 300 MB. Who reads them has them."""
    mapping = columns.obj
    if isinstance(mapping, mmap.mmap):
        for at in range(0, len(mapping), FORGET_STEP):
            mapping.madvise(mmap.MADV_DONTNEED, at, min(FORGET_STEP, len(mapping) - at))
            yield


def empty() -> Snapshot:
    """Return a snapshot of generation 0, without zones: what is there before the first one."""
    return Snapshot(0, Settings())


class SnapshotBuilder:
    """Collects the pieces of one snapshot. Owned by the end that receives them."""

    def __init__(
        self, generation: int, settings: Settings, columns: memoryview | None = None
    ) -> None:
        """Begin a snapshot. `columns`: those of large routes; None: they come as pieces."""
        self._snapshot = Snapshot(generation, settings)
        self._snapshot.columns = self._columns = columns
        self._parts = bytearray()  # of columns
        self._zones: list[Zone] = []
        self._records: list[Records] = []
        self._known: dict[Types, tuple[tuple[int, Entry], ...]] = {}

    def add(self, piece: tuple[Any, ...]) -> None:
        """Add one piece. Raises ValueError for a kind that is not known."""
        kind, *rest = piece
        snapshot = self._snapshot
        if kind == "nodes":
            self._add_nodes(*rest)
        elif kind == "static":
            zone = self._zones[rest[0]]
            zone.static_base = rest[1]
            for name, records in rest[2]:
                zone.add(name, records)
        elif kind == "answers":
            snapshot.answers += map(decode, rest[0])
        elif kind == "routed":
            snapshot.routed += [
                Routed(snapshot.routes[route], numbers, hashed)
                for route, numbers, hashed in rest[0]
            ]
        elif kind == "records":
            self._records += [Records(*each) for each in rest[0]]
        elif kind == "routes":
            snapshot.routes += map(RouteTable.decode, rest[0])
        elif kind == "large":
            snapshot.routes += map(self._large_route, rest[0])
        elif kind == "columns":
            self._parts += rest[0]
        elif kind == "zone":
            zone = Zone(WireName(rest[0]), rest[1], rest[2])
            self._zones.append(zone)
            snapshot.zones[zone.apex] = zone
            snapshot.longest_apex = max(snapshot.longest_apex, len(zone.apex))
        elif kind == "aliases":
            zone = self._zones[rest[0]]
            for name, base, ttl, target in rest[1]:
                zone.add(name, AliasNode(base, Alias(name, ttl, target)))
        elif kind == "dnames":
            zone = self._zones[rest[0]]
            for name, base, types, ttl, target in rest[1]:
                zone.add(name, DnameNode(base, self._types(types), Alias(name, ttl, target)))
        elif kind == "wildcards":
            zone = self._zones[rest[0]]
            for encloser, name in rest[1]:
                zone.hang(encloser, name)
        elif kind == "private":
            snapshot.unplaced = unplaced(rest[0])
        elif kind == "transfer":
            snapshot.transfers[self._zones[rest[0]].apex] = Transfer(*rest[1:])
        elif kind == "messages":
            snapshot.transfers[self._zones[rest[0]].apex].add(rest[1])
        else:
            raise ValueError(f"unknown piece {kind!r}")

    def _large_route(self, places: Iterable[tuple[int, int]]) -> RouteTable:
        """Return a route over the columns at these places."""
        if self._columns is None:
            self._columns = memoryview(self._parts)
        columns = self._columns
        return RouteTable.decode(tuple(columns[at : at + size] for at, size in places))

    def _add_nodes(self, zone_number: int, nodes: Iterable[tuple[Any, ...]]) -> None:
        zone = self._zones[zone_number]
        for name, base, types, cname, referral in nodes:
            alias = None if cname is None else self._entry(cname)
            below = None if referral is None else Referral(name, self._records[referral])
            zone.add(name, Node(base, self._types(types), alias, below))

    def _types(self, types: Types) -> tuple[tuple[int, Entry], ...]:
        """Return the entries of a node. Equal ones are shared, where many nodes have the same."""
        if len(types) == 1 and type(types[0][1]) is bytes:
            return types  # type: ignore[return-value]  # as they came; no two are alike
        known = self._known.get(types)
        if known is None:
            known = tuple((qtype, self._entry(code)) for qtype, code in types)
            if len(self._known) < MAX_SHARED:
                self._known[types] = known
        return known

    def _entry(self, code: int | bytes | tuple[int]) -> Entry:
        if isinstance(code, bytes):
            return code
        if isinstance(code, tuple):
            return self._records[code[0]]
        return code if code >= 0 else self._snapshot.routed[~code]

    def finish(self) -> Snapshot:
        """Return the snapshot; the builder is used up."""
        return self._snapshot
