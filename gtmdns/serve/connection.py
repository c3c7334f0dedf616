"""One DNS connection over TCP: octets in, octets out, in order, and never more than it may hold.

A connection waits for exactly what can go on: for its share of the work, for room to
send, or for octets to read. While the answers that wait exceed HIGH_WATER, nothing is
read and nothing is answered; a transfer is made message by message, as they are taken.
"""

import asyncio
import socket
from collections.abc import Iterator
from typing import Protocol

from ..wire.constants import HEADER

READ_SIZE = 16_384  # octets read at once
HIGH_WATER = 16_384  # octets of answers that wait for the client; more, and it must read first
IPV4_PREFIX = 0xFFFF  # of a client's number, above the 32 bits of its address


class Books(Protocol):
    """What a connection needs of the server that owns it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def answer(self, packet: bytes, connection: "Connection") -> "bytes | Iterator[bytes] | None":
        """Return the response, the messages of a transfer, or None for silence."""

    def enqueue(self, connection: "Connection") -> None: ...

    def touch(self, connection: "Connection") -> None: ...

    def close(self, connection: "Connection") -> None: ...


class Connection:
    """One accepted connection. Owned by its server.

    host:     the client's address as the socket gives it
    client:   the same as an integer, IPv4 mapped
    transfer: the messages of a zone that are still to be sent, before anything else is answered
    """

    __slots__ = (
        "active_at",
        "client",
        "counted_as",
        "descriptor",
        "ended",
        "host",
        "inbox",
        "outbox",
        "queued",
        "reading",
        "server",
        "sock",
        "transfer",
        "writing",
    )

    def __init__(
        self, server: Books, sock: socket.socket, host: str, client: int, now: float
    ) -> None:
        self.server = server
        self.sock = sock
        self.descriptor = sock.fileno()  # for the loop, which would describe a socket in full
        self.host = host
        self.client = client
        self.counted_as = "queries_tcp_ipv4" if is_ipv4(client) else "queries_tcp_ipv6"
        self.active_at = now  # when a query was whole, or answers were taken, for the last time
        self.inbox = bytearray()  # read, not answered
        self.outbox = bytearray()  # answered, not sent
        self.ended = False  # nothing more will be read: the client said so, or broke the framing
        self.queued = False  # waits for its share in the server's queue
        self.reading = False
        self.writing = False
        self.transfer: Iterator[bytes] | None = None

    def on_readable(self) -> None:
        try:
            octets = self.sock.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            self._settle()
            return
        except OSError:  # reset by the client: nobody to answer to
            self.server.close(self)
            return
        self.inbox += octets
        self.ended = not octets
        self._settle()

    def on_writable(self) -> None:
        self._send()
        self._settle()

    def work(self, allowance: int) -> int:
        """Answer up to `allowance` queries and return how many there were."""
        done = 0
        while done < allowance and len(self.outbox) <= HIGH_WATER:
            if self.transfer is not None:
                self._go_on_sending(self.transfer)
                done += 1
            elif self.has_query():
                done += self._answer(allowance - done)
            else:
                break
        if done:
            self.server.touch(self)
        self._send()
        self._settle()
        return done

    def _answer(self, most: int) -> int:
        """Answer queries of the inbox, the first of which is whole; return how many.

        At most so many, until the answers are enough for now, and no further than a transfer.
        """
        octets, outbox, answer = bytes(self.inbox), self.outbox, self.server.answer
        available, start, done = len(octets), 0, 0
        while done < most and start + 2 <= available and len(outbox) <= HIGH_WATER:
            length = octets[start] << 8 | octets[start + 1]
            end = start + 2 + length
            if length < HEADER:  # not DNS; what was asked before is still answered
                self.ended = True
                end = available
            elif end > available:
                break
            else:
                response = answer(octets[start + 2 : end], self)
                if isinstance(response, bytes):
                    outbox += len(response).to_bytes(2) + response
                elif response is not None:
                    self.transfer = response
            start = end
            done += 1
            if self.transfer is not None:
                break
        del self.inbox[:start]
        return done

    def _go_on_sending(self, transfer: Iterator[bytes]) -> None:
        """Put the next message of a transfer among the answers, or see that it is over."""
        message = next(transfer, None)
        if message is None:
            self.transfer = None
        else:
            self.outbox += len(message).to_bytes(2) + message

    def has_query(self) -> bool:
        """Return whether a whole query, or one too short to be one, was read and not answered."""
        inbox = self.inbox
        if len(inbox) < 2:
            return False
        length = inbox[0] << 8 | inbox[1]
        return length <= len(inbox) - 2 or length < HEADER

    def _send(self) -> None:
        if not self.outbox or self.sock.fileno() < 0:
            return
        try:
            sent = self.sock.send(self.outbox)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # reset, or closed by the client: the answers are of no use
            self.server.close(self)
            return
        del self.outbox[:sent]
        self.server.touch(self)

    def _settle(self) -> None:
        """Wait for exactly what can go on: a share of the work, room to send, or octets to read."""
        if self.sock.fileno() < 0:
            return
        full = len(self.outbox) > HIGH_WATER
        work = not full and (self.transfer is not None or self.has_query())
        if self.ended and not work and not self.outbox:
            self.server.close(self)
            return
        if work and not self.queued:
            self.server.enqueue(self)
        # A connection that waits for its share soon gets it: until then the loop stays as it is.
        enough = full or (work and len(self.inbox) >= READ_SIZE)
        self._watch(reading=not (self.ended or enough), writing=bool(self.outbox))

    def _watch(self, *, reading: bool, writing: bool) -> None:
        loop, descriptor = self.server.loop, self.descriptor
        if reading != self.reading:
            self.reading = reading
            if reading:
                loop.add_reader(descriptor, self.on_readable)
            else:
                loop.remove_reader(descriptor)
        if writing != self.writing:
            self.writing = writing
            if writing:
                loop.add_writer(descriptor, self.on_writable)
            else:
                loop.remove_writer(descriptor)

    def shut(self) -> None:
        """Close at once. Called by the server only, which keeps the books."""
        self._watch(reading=False, writing=False)
        self.ended = True
        self.inbox.clear()
        self.outbox.clear()
        self.transfer = None
        self.sock.close()


def is_ipv4(client: int) -> bool:
    """Return whether a client's number is that of an IPv4 address."""
    return client >> 32 == IPV4_PREFIX
