"""The answer cache: from a question as it stands in the packet to what was prepared for it.

The key is all of the packet but its id, with the name in lower case. Only the name
is lowered: the type stands behind it, and 65 (HTTPS) is an "A". What is kept holds
answer *numbers*, so a verdict invalidates nothing; a new generation starts an empty
cache.

Never kept, so that a flood costs time and no memory: names that do not exist, names
made by a wildcard, other people's zones, errors, queries with EDNS options. Filling
stops at a bound.
"""

from collections.abc import Iterator
from socket import AF_INET6, inet_aton, inet_pton

from ..wire.constants import IXFR
from ..wire.edns import IPV4_MAPPED
from ..wire.query import BadQuery, parse_query
from .responder import Prepared, answer, prepare, refuse
from .snapshot import RELEASE_STEP, Snapshot

MAX_PREPARED = 65_536  # questions; about 30 MB when full, and of static records up to 32 MB more


class AnswerCache:
    """Answers UDP queries from one snapshot. Owned by one worker, never shared."""

    __slots__ = ("_prepared", "snapshot")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._prepared: dict[bytes, Prepared] = {}

    def __len__(self) -> int:
        return len(self._prepared)

    def respond(self, packet: bytes, host: str, draw: int, now: int | None = None) -> bytes | None:
        """As `responder.respond`, with the same octets back.

        host: the client's address as the socket gives it; it becomes a number only
        where a route asks, which most packets are spared.
        """
        name_end = packet.find(0, 12)
        prepared = self._prepared.get(
            packet[2:12] + packet[12:name_end].lower() + packet[name_end:]
        )
        if prepared is None:
            return self._miss(packet, host, draw, now)
        snapshot = self.snapshot
        leaf = prepared.leaf
        if leaf is None:
            route = prepared.route
            if route is None:
                leaf = snapshot.answers[prepared.numbers[0]].choose(draw)
            elif prepared.steps is None:
                rule = route.find(client_number(host))
                leaf = snapshot.answers[prepared.numbers[rule]].choose(draw)
            else:
                prepared, leaf, _ = prepared.settle(client_number(host), None, snapshot, draw)
        return prepared.render(packet, leaf, snapshot)

    def release(self) -> Iterator[None]:
        """Free a cache that no longer serves, in slices: one `next` per turn of the loop."""
        while self._prepared:
            for _ in range(min(RELEASE_STEP, len(self._prepared))):
                self._prepared.popitem()
            yield

    def _miss(self, packet: bytes, host: str, draw: int, now: int | None) -> bytes | None:
        """Answer without the cache, and remember the question where that is worth it."""
        snapshot = self.snapshot
        try:
            query = parse_query(packet)
        except BadQuery as bad:
            return refuse(packet, bad, snapshot)
        prepared = prepare(packet, query, snapshot, None)
        if prepared.keep and query.plain and len(self._prepared) < MAX_PREPARED:
            name_end = packet.find(0, 12)
            key = packet[2:12] + packet[12:name_end].lower() + packet[name_end:]
            self._prepared[key] = prepared
        unused = prepared.route is None and query.options is None and query.qtype != IXFR
        client = 0 if unused else client_number(host)
        return answer(packet, query, prepared, client, snapshot, draw, now)


def client_number(host: str) -> int:
    """Return an address as the number that routes are looked up by; a zone index is dropped."""
    if ":" in host:
        return int.from_bytes(inet_pton(AF_INET6, host.partition("%")[0]))
    return IPV4_MAPPED | int.from_bytes(inet_aton(host))
