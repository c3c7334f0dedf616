"""What holds for every octet that a stranger may send. `check` raises where it does not.

An input is one octet that chooses, then a packet, or a TCP stream of packets:

    bits 0-1  0 what EDNS allows, 1 at most 512 octets, 2 TCP, 3 a TCP stream
    bit  2    with a time, so that cookies are answered
    bit  3    the client has an IPv6 address
    bits 4-7  the draw, and how much of a stream arrives at once

The laws: no exception; silence for responses and short packets and nothing else; what comes back
is a response to this query, can be read, and is no longer than allowed; with the cache and
without it the octets are the same; a stream gets the responses of its packets, in order.
"""

from collections.abc import Iterator
from typing import Any, cast

import dns.message

from gtmdns.answers.axfr import whole_zone
from gtmdns.answers.cache import AnswerCache, client_number
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Settings, SnapshotBuilder
from gtmdns.serve import compiled
from gtmdns.serve.connection import Books as ServerBooks
from gtmdns.serve.connection import Connection
from gtmdns.wire.constants import AXFR, IXFR, MAX_TCP, SOA
from gtmdns.wire.query import BadQuery, Query, parse_query
from tests.example_zone import INNER_BASE, SOA_RDATA, pieces, rr
from tests.fuzz.zone import more_pieces

NOW = 1_800_000_000
LIMITS = (None, 512, MAX_TCP)
HOSTS = ("192.0.2.77", "2001:db8:e::77")
KEEPALIVE = 100  # in 100 milliseconds
ERRORS = {1, 4, 5, 16}  # FORMERR, NOTIMP, REFUSED, BADVERS
UDP_PAYLOAD = 1232
SOA_RECORD = rr(SOA, SOA_RDATA)
RENEW = 10_000  # inputs, after which counters and cache begin anew


def _new_cache() -> AnswerCache:
    settings = Settings(
        client_subnet=True,
        udp_payload=UDP_PAYLOAD,
        nsid=b"edge-1",
        version=b"gtmdns",
        cookie_secrets=(bytes(range(16)),),
    )
    builder = SnapshotBuilder(1, settings)
    for piece in (*pieces(), *more_pieces()):
        builder.add(piece)
    friend = client_number(HOSTS[0])
    builder.add(("transfer", 1, ((friend, friend),), 7, SOA_RECORD, INNER_BASE))
    builder.add(("messages", 1, ((1, SOA_RECORD), (1, SOA_RECORD))))
    return AnswerCache(builder.finish())


class Laws:
    """The laws, and the snapshot that they are tried on. judge: every how many inputs dnspython
    reads the response too; it takes longer than all the rest."""

    def __init__(self, judge: int = 1) -> None:
        self._begin()
        self.tried = 0
        self._judge = judge

    def check(self, octets: bytes) -> None:
        self.tried += 1
        if self.tried % RENEW == 0:
            self._begin()
        choice, rest = (octets[0], octets[1:]) if octets else (0, b"")
        if choice & 3 == 3:
            self._check_stream(rest, choice)
        else:
            self._check_packet(rest, choice)

    def _begin(self) -> None:
        self.cache = _new_cache()
        self.compiled = compiled.new_cache(self.cache.snapshot)  # the same again where it is not

    def _respond(self, packet: bytes, choice: int, limit: int | None) -> bytes | None:
        host = HOSTS[choice >> 3 & 1]
        now = NOW if choice & 4 else None
        keepalive = KEEPALIVE if limit == MAX_TCP else None
        draw = (choice >> 4) << 60
        return respond(
            packet, client_number(host), self.cache.snapshot, draw, limit, now, keepalive
        )

    def _check_packet(self, packet: bytes, choice: int) -> None:
        limit = LIMITS[choice & 3]
        response = self._respond(packet, choice, limit)
        silent = len(packet) < 12 or bool(packet[2] & 0x80)
        assert (response is None) == silent, "silence for responses and short packets alone"
        if limit is None:
            now = NOW if choice & 4 else None
            for _ in range(2):  # from a cache that does not know it, and from one that may
                for cache in (self.cache, self.compiled):
                    again = cache.respond(packet, HOSTS[choice >> 3 & 1], (choice >> 4) << 60, now)
                    assert again == response, "the cache says something else"
        if response is not None:
            self._check_response(packet, response, limit)
        for message in self._zone(packet, choice) or ():
            self._check_response(packet, message, MAX_TCP)
            assert int.from_bytes(packet[question_end(packet) - 4 :][:2]) in (IXFR, AXFR)

    def _zone(self, packet: bytes, choice: int) -> Iterator[bytes] | None:
        host = HOSTS[choice >> 3 & 1]
        return whole_zone(packet, client_number(host), self.cache.snapshot, NOW, KEEPALIVE)

    def _answer(self, packet: bytes, choice: int) -> bytes | Iterator[bytes] | None:
        """Return what a server sends over TCP."""
        zone = self._zone(packet, choice)
        return self._respond(packet, choice, MAX_TCP) if zone is None else zone

    def _check_response(self, packet: bytes, response: bytes, limit: int | None) -> None:
        assert response[:2] == packet[:2], "the id of the query"
        assert response[2] & 0xF9 == 0x80 | packet[2] & 0x79, "QR, the opcode and RD of the query"
        assert not response[3] & 0xF0, "RA, Z, AD and CD are clear"
        allowed = 512 if limit is None else limit
        query, error = understood(packet)
        if error:
            assert error in ERRORS
            assert response[3] == error & 0x0F
            edns = query is not None and query.edns
            assert response[6:12] == bytes(5) + bytes((edns,)), "OPT for who sent one, no more"
        if query is not None and query.edns and limit is None:
            allowed = min(query.size, UDP_PAYLOAD)
        assert len(response) <= allowed, "longer than allowed"
        if query is not None:
            assert response[12 : query.end] == packet[12 : query.end], "the question as it came"
        if self.tried % self._judge == 0:
            dns.message.from_wire(response)

    def _check_stream(self, stream: bytes, choice: int) -> None:
        expected = b""
        at = 0
        while at + 2 <= len(stream):
            length = stream[at] << 8 | stream[at + 1]
            if length < 12 or at + 2 + length > len(stream):
                break
            answer = self._answer(stream[at + 2 : at + 2 + length], choice)
            for response in (answer,) if isinstance(answer, bytes) else answer or ():
                expected += len(response).to_bytes(2) + response
            at += 2 + length
        pipe = Pipe(stream, 1 + (choice >> 4) ** 3)
        Books(self, choice, pipe).serve()
        assert bytes(pipe.sent) == expected, "the responses of the packets, in order"
        assert pipe.closed, "a stream that has ended is closed"


def understood(packet: bytes) -> tuple[Query | None, int]:
    """Return the query as far as it was understood, and the rcode of a mistake in it, or 0."""
    try:
        return parse_query(packet), 0
    except BadQuery as bad:
        return bad.query, bad.rcode or 0


def question_end(packet: bytes) -> int:
    """Return where the question ends."""
    return parse_query(packet).end


class Pipe:
    """A socket's place: octets arrive in parts and are taken in parts."""

    def __init__(self, octets: bytes, part: int) -> None:
        self.octets, self.part = octets, part
        self.sent = bytearray()
        self.closed = False

    def recv(self, size: int) -> bytes:
        part, self.octets = self.octets[: self.part], self.octets[self.part :]
        return part

    def send(self, octets: bytes) -> int:
        taken = bytes(octets[: 7 * self.part])
        self.sent += taken
        return len(taken)

    def fileno(self) -> int:
        return -1 if self.closed else 0

    def close(self) -> None:
        self.closed = True


class Books:
    """The server's and the event loop's place around one connection."""

    def __init__(self, laws: Laws, choice: int, pipe: Pipe) -> None:
        self._laws, self._choice, self._pipe = laws, choice, pipe
        self.loop = self
        self._waiting: list[Connection] = []
        host = HOSTS[choice >> 3 & 1]
        self._connection = Connection(
            cast(ServerBooks, self), cast(Any, pipe), host, client_number(host), 0.0
        )

    def serve(self) -> None:
        connection = self._connection
        connection.on_readable()
        while not self._pipe.closed:
            if self._waiting:
                connection = self._waiting.pop()
                connection.queued = False
                connection.work(3)
            elif connection.writing:
                connection.on_writable()
            else:
                assert connection.reading, "a connection that waits for nothing"
                connection.on_readable()

    def answer(self, packet: bytes, _connection: Connection) -> bytes | Iterator[bytes] | None:
        return self._laws._answer(packet, self._choice)

    def enqueue(self, connection: Connection) -> None:
        connection.queued = True
        self._waiting.append(connection)

    def touch(self, connection: Connection) -> None:
        pass

    def close(self, connection: Connection) -> None:
        connection.shut()

    def add_reader(self, *_: object) -> None:
        pass

    remove_reader = add_writer = remove_writer = add_reader
