"""The answer cache: from a question as it stands in the packet to what was prepared for it.

The key is all of the packet but its id and the data of its OPT, with the header and the name in
lower case: a letter among the flags and counts is no query that is kept, and behind the name stands
the type, where 65 (HTTPS) is an "A". What is kept holds answer *numbers*, so a verdict invalidates
nothing; a new generation starts an empty cache.

Never kept, so that a flood costs time and no memory: names that do not exist, names
made by a wildcard, other people's zones, errors. Filling stops at a bound.

A question with EDNS options is prepared like the same one without them. Resolvers send the same
options with question after question, so what one cookie or one client subnet came to is
remembered too (`recall`).
"""

from collections.abc import Iterator
from socket import inet_aton

from ..wire.constants import IXFR
from ..wire.query import BadQuery, Query, parse_query
from .prepared import Prepared
from .recall import Recall
from .responder import answer, prepare, refuse
from .route import client_number
from .snapshot import RELEASE_STEP, Snapshot

MAX_PREPARED = 65_536  # questions; about 30 MB when full, and of static records up to 32 MB more

# From the zero octet that ends the name; type and class follow, and then an OPT record.
_BEHIND_QUESTION = 1 + 4
_OPT_DATA_SIZE = _BEHIND_QUESTION + 9  # where it says how many octets of options there are
_BEHIND_OPT = _BEHIND_QUESTION + 11
_NO_OPTIONS = b"\x00\x00"


class AnswerCache:
    """Answers queries from one snapshot. Owned by one worker, never shared.

    limit: octets that the transport carries; None: what EDNS and our own size allow
    bound: questions that are kept
    """

    __slots__ = ("_bound", "_limit", "_prepared", "_recall", "snapshot")

    def __init__(
        self, snapshot: Snapshot, limit: int | None = None, bound: int = MAX_PREPARED
    ) -> None:
        self.snapshot = snapshot
        self._limit = limit
        self._bound = bound
        self._prepared: dict[bytes, Prepared] = {}
        self._recall = Recall(snapshot)

    def __len__(self) -> int:
        return len(self._prepared)

    def respond(
        self,
        packet: bytes,
        host: str,
        draw: int,
        now: int | None = None,
        keepalive: int | None = None,
    ) -> bytes | None:
        """As `responder.respond`, with the same octets back.

        host: the client's address as the socket gives it; it becomes a number only
        where a route asks, which most packets are spared.
        """
        name_end = packet.find(0, 12)
        behind = packet[name_end:]
        if len(behind) > _BEHIND_OPT:
            return self._with_options(packet, name_end, host, draw, now, keepalive)
        prepared = self._prepared.get(packet[2:name_end].lower() + behind)
        if prepared is None:
            return self._miss(packet, host, draw, now, keepalive)
        snapshot = self.snapshot
        opt = prepared.opt
        leaf = prepared.leaf
        if leaf is None:
            route = prepared.route
            if route is None:
                leaf = snapshot.answers[prepared.numbers[0]].choose(draw)
            elif prepared.steps is None:
                if ":" in host:
                    rule = route.find(client_number(host))
                else:
                    rule = route.find4(int.from_bytes(inet_aton(host)))
                leaf = snapshot.answers[prepared.numbers[rule]].choose(draw)
            else:
                client = client_number(host)
                prepared, leaf, _, opt = prepared.settle(client, None, snapshot, draw, opt)
        return prepared.render(packet, leaf, snapshot, opt)

    def build(self) -> Iterator[None]:
        """Prepare for serving, in slices as `release`; the compiled twin has something to do."""
        return iter(())

    def release(self) -> Iterator[None]:
        """Free a cache that no longer serves, in slices: one `next` per turn of the loop."""
        while self._prepared:
            for _ in range(min(RELEASE_STEP, len(self._prepared))):
                self._prepared.popitem()
            yield

    def _with_options(
        self,
        packet: bytes,
        name_end: int,
        host: str,
        draw: int,
        now: int | None,
        keepalive: int | None,
    ) -> bytes | None:
        """Answer a packet that is longer than one without options."""
        at = name_end + _OPT_DATA_SIZE
        prepared = self._prepared.get(
            packet[2:name_end].lower() + packet[name_end:at] + _NO_OPTIONS
        )
        if prepared is None or prepared.steps is not None:
            return self._miss(packet, host, draw, now, keepalive, prepared)
        # So this packet is the kept one but for what its OPT says from here to the end.
        data = packet[at:]
        known = self._recall.known(packet, data, prepared.route, host, now)
        if known is None:
            return self._miss(packet, host, draw, now, keepalive, prepared)
        snapshot = self.snapshot
        options, rule = known
        leaf = prepared.leaf
        if leaf is None:
            route = prepared.route
            if rule is None:
                rule = 0 if route is None else route.find(client_number(host))
            leaf = snapshot.answers[prepared.numbers[rule]].choose(draw)
        return prepared.render(packet, leaf, snapshot, prepared.opt[:-2] + options)

    def _miss(
        self,
        packet: bytes,
        host: str,
        draw: int,
        now: int | None,
        keepalive: int | None,
        prepared: Prepared | None = None,
    ) -> bytes | None:
        """Answer without the cache, and remember the question where that is worth it.

        prepared: for this question, if it is kept
        """
        snapshot = self.snapshot
        try:
            query = parse_query(packet)
        except BadQuery as bad:
            return refuse(packet, bad, snapshot)
        if prepared is None:
            prepared = prepare(packet, query, snapshot, self._limit)
            if prepared.keep and query.plain and len(self._prepared) < self._bound:
                self._keep(packet, query, prepared)
        unused = prepared.route is None and query.options is None and query.qtype != IXFR
        client = 0 if unused else client_number(host)
        return answer(packet, query, prepared, client, snapshot, draw, now, keepalive)

    def _keep(self, packet: bytes, query: Query, prepared: Prepared) -> None:
        name_end = packet.find(0, 12)
        if name_end + _BEHIND_QUESTION != query.end:  # a zero within a label: rare
            return
        behind = packet[name_end : name_end + _OPT_DATA_SIZE]
        if query.edns:
            behind += _NO_OPTIONS
        self._prepared[packet[2:name_end].lower() + behind] = prepared
