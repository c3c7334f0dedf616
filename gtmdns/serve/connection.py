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


class Books(Protocol):
    """What a connection needs of the server that owns it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def answer(self, packet: bytes, client: int) -> "bytes | Iterator[bytes] | None":
        """Return the response, the messages of a transfer, or None for silence."""

    def enqueue(self, connection: "Connection") -> None: ...

    def touch(self, connection: "Connection") -> None: ...

    def close(self, connection: "Connection") -> None: ...


class Connection:
    """One accepted connection. Owned by its server.

    transfer: the messages of a zone that are still to be sent, before anything else is answered
    """

    __slots__ = (
        "active_at",
        "client",
        "ended",
        "inbox",
        "outbox",
        "queued",
        "reading",
        "server",
        "sock",
        "transfer",
        "writing",
    )

    def __init__(self, server: Books, sock: socket.socket, client: int, now: float) -> None:
        self.server = server
        self.sock = sock
        self.client = client  # the address as an integer, IPv4 mapped
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
        done = start = 0
        while done < allowance and len(self.outbox) <= HIGH_WATER:
            if self.transfer is not None:
                self._go_on_sending(self.transfer)
            elif not self.has_query(start):
                break
            else:
                start = self._answer(start)
            done += 1
        del self.inbox[:start]
        if done:
            self.server.touch(self)
        self._send()
        self._settle()
        return done

    def _answer(self, start: int) -> int:
        """Answer the query at `start` of the inbox; return where the next one begins."""
        inbox = self.inbox
        length = inbox[start] << 8 | inbox[start + 1]
        if length < HEADER:  # not DNS; what was asked before is still answered
            self.ended = True
            return len(inbox)
        end = start + 2 + length
        response = self.server.answer(bytes(inbox[start + 2 : end]), self.client)
        if isinstance(response, bytes):
            self.outbox += len(response).to_bytes(2) + response
        else:
            self.transfer = response
        return end

    def _go_on_sending(self, transfer: Iterator[bytes]) -> None:
        """Put the next message of a transfer among the answers, or see that it is over."""
        message = next(transfer, None)
        if message is None:
            self.transfer = None
        else:
            self.outbox += len(message).to_bytes(2) + message

    def has_query(self, start: int = 0) -> bool:
        """Return whether a whole query, or one too short to be one, stands at `start`."""
        inbox = self.inbox
        available = len(inbox) - start - 2
        if available < 0:
            return False
        length = inbox[start] << 8 | inbox[start + 1]
        return length <= available or length < HEADER

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
        self._watch(reading=not (self.ended or full or work), writing=bool(self.outbox))

    def _watch(self, *, reading: bool, writing: bool) -> None:
        loop = self.server.loop
        if reading != self.reading:
            self.reading = reading
            if reading:
                loop.add_reader(self.sock, self.on_readable)
            else:
                loop.remove_reader(self.sock)
        if writing != self.writing:
            self.writing = writing
            if writing:
                loop.add_writer(self.sock, self.on_writable)
            else:
                loop.remove_writer(self.sock)

    def shut(self) -> None:
        """Close at once. Called by the server only, which keeps the books."""
        self._watch(reading=False, writing=False)
        self.ended = True
        self.inbox.clear()
        self.outbox.clear()
        self.transfer = None
        self.sock.close()
