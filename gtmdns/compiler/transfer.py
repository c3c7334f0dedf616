"""A zone as the messages of a transfer: all of its records, glue and occluded ones included.

RFC 5936 section 2.2: the SOA first and last. Names are compressed as in any message, but only
where their letter case is the same (section 3.4), which `answers.pack` does not look at. The
name of the question is that of the zone, so the octets before the records are known.
That all records are static was checked with the configuration: a secondary cannot steer.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network
from struct import pack
from typing import Any

from ..answers.pack import MAX_POINTER, NAMES
from ..config.model import Zone
from ..wire.constants import HEADER, IN, SOA
from ..wire.edns import IPV4_MAPPED
from ..wire.name import ROOT, WireName
from .records import TO_QUESTION, rr
from .zones import ZoneDraft

MESSAGE = 16_384  # octets: a pointer reaches no further, and a turn of the loop sends one
TOGETHER = 64  # messages in one piece
POINTER = 0xC000  # with 14 bits of offset, RFC 1035 section 4.1.4

Piece = tuple[Any, ...]


def transfer_pieces(number: int, base: int, zone: Zone, draft: ZoneDraft) -> Iterator[Piece]:
    """Yield the pieces that let workers send the zone; none without `transfer_to`.

    number: of the zone; base: of its tally
    """
    if not zone.transfer_to:
        return
    ttl, values = draft.owners[draft.apex].rrsets[SOA]
    soa = rr(TO_QUESTION, SOA, ttl, values[0])
    yield "transfer", number, _clients(zone), draft.serial, soa, base
    together: list[tuple[int, bytes]] = []
    for message in messages(draft):
        together.append(message)
        if len(together) == TOGETHER:
            yield "messages", number, tuple(together)
            together = []
    if together:
        yield "messages", number, tuple(together)


def _clients(zone: Zone) -> tuple[tuple[int, int], ...]:
    """Return (first, last) of each network, as clients are counted."""
    found = []
    for network in zone.transfer_to:
        prefix = IPV4_MAPPED if isinstance(network, IPv4Network) else 0
        first, last = int(network.network_address), int(network.broadcast_address)
        found.append((prefix | first, prefix | last))
    return tuple(found)


def messages(draft: ZoneDraft) -> Iterator[tuple[int, bytes]]:
    """Yield (ANCOUNT, records) of each message.

    One record may be longer than MESSAGE; it goes alone, and never into the first message.
    """
    message = _Message(draft.apex)
    for name, rtype, ttl, rdata in _records(draft):
        if message.add(name, rtype, ttl, rdata):
            continue
        yield message.count, bytes(message.octets)
        message = _Message(draft.apex)
        message.add(name, rtype, ttl, rdata)
    yield message.count, bytes(message.octets)


def _records(draft: ZoneDraft) -> Iterator[tuple[WireName, int, int, bytes]]:
    """Yield (owner, type, TTL, RDATA) in the order of sending."""
    ttl, values = draft.owners[draft.apex].rrsets[SOA]
    yield draft.apex, SOA, ttl, values[0]
    for name, owner in draft.owners.items():
        for rtype, (its_ttl, rdatas) in owner.rrsets.items():
            if rtype != SOA:
                for rdata in rdatas:
                    yield name, rtype, its_ttl, rdata
    yield draft.apex, SOA, ttl, values[0]


class _Message:
    """Records behind the question of a transfer."""

    __slots__ = ("_begin", "_places", "count", "octets")

    def __init__(self, apex: WireName) -> None:
        self.count = 0
        self.octets = bytearray()
        self._begin = HEADER + len(apex) + 4
        self._places: dict[bytes, int] = {}  # of each name that stands somewhere
        self._name(apex, HEADER)

    def add(self, name: WireName, rtype: int, ttl: int, rdata: bytes) -> bool:
        """Add one record; False: there is no room, and the message is used up."""
        at = self._begin + len(self.octets)
        owner = self._name(name, at)
        data = at + len(owner) + 10
        told = self._rdata(rtype, rdata, data)
        if self.count and data + len(told) > MESSAGE:
            return False
        self.octets += owner + pack("!HHIH", rtype, IN, ttl, len(told)) + told
        self.count += 1
        return True

    def _rdata(self, rtype: int, rdata: bytes, at: int) -> bytes:
        """Return RDATA that stands at `at`, its names compressed."""
        start, names = NAMES.get(rtype, (0, 0))
        told = rdata[:start]
        for _ in range(names):
            end = start
            while rdata[end]:
                end += 1 + rdata[end]
            told += self._name(rdata[start : end + 1], at + len(told))
            start = end + 1
        return told + rdata[start:]

    def _name(self, name: bytes, at: int) -> bytes:
        """Return a name that stands at `at` with its known end as a pointer. Case is kept."""
        places, start = self._places, 0
        while (rest := name[start:]) != ROOT:
            place = places.get(rest)
            if place is not None:
                return name[:start] + (POINTER | place).to_bytes(2)
            if at + start <= MAX_POINTER:
                places[rest] = at + start
            start += 1 + name[start]
        return name
