"""DNS over TCP (RFC 1035 section 4.2.2, RFC 7766) for one worker, without asyncio's transports.

Everything a stranger could use to hold the worker up has a bound:

- connections: in all and per client; at a bound the idlest one makes room, so who
  opens many and says nothing displaces himself
- time: a connection without a whole query, or without an answer taken, for the
  idle timeout is closed, by one sweep for all
- memory: while the answers that wait exceed HIGH_WATER, nothing is read; a query is
  at most 64 KiB
- transfers: MAX_TRANSFERS at once, a message of each at a time
- turns: queries are answered from one queue of connections, a few of each and
  QUERIES_PER_TURN of all in one turn of the loop, so that UDP gets its turn
- descriptors: accepting survives their end (EMFILE)
"""

import asyncio
import errno
import logging
import os
import resource
import select
import socket
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from random import getrandbits
from time import time
from typing import NamedTuple

from ..answers.axfr import whole_zone
from ..answers.responder import servfail
from ..answers.route import client_number
from .connection import Connection, is_ipv4
from .log import Rarely
from .served import Served

QUERIES_PER_SHARE = 32  # of one connection before it is the next one's turn
QUERIES_PER_TURN = 64  # of all connections in one turn of the loop: below 1 ms
ACCEPTS_PER_TURN = 16  # about 1 ms
SWEEP = 0.5  # seconds between two looks for idle connections
PAUSE = 0.1  # seconds without accepting after the kernel refused a descriptor
MAX_TRANSFERS = 2  # zones sent at once: each takes a share of every turn until it is done
SPARE_DESCRIPTORS = 32  # left to the channel, the logs and the interpreter
DRAIN_STEP = 0.005  # seconds between two looks at what is left to answer

log = logging.getLogger(__name__)

# accept(2): an error that waits on the new connection is reported by accept; try the next one.
_NEXT_ONE = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EPERM,  # a firewall rule
    }
)


class TcpLimits(NamedTuple):
    """`server.tcp` of the configuration. They may change with every snapshot."""

    max_connections: int = 1000
    max_per_client: int = 50
    idle_timeout: float = 10.0  # seconds


class TcpServer:
    """Accepts from the listening sockets that all workers share, and answers.

    In `served.counters`: "queries_tcp_ipv4", "queries_tcp_ipv6", "tcp_accepted",
    "tcp_shed" (closed to make room), "dropped_failed" (answering raised).
    """

    def __init__(self, listeners: Sequence[socket.socket], served: Served) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = TcpLimits()
        self._keepalive = round(10 * self.limits.idle_timeout)  # in 100 milliseconds
        self._listeners = listeners
        self._served = served
        self._complain_accept, self._complain_answer = Rarely(), Rarely()
        self._complain_transfer = Rarely()
        self._by_idleness: OrderedDict[Connection, None] = OrderedDict()  # the idlest first
        self._by_client: dict[int, set[Connection]] = {}
        self._queue: deque[Connection] = deque()
        self._queue_scheduled = False
        self._accepting = False
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        return len(self._by_idleness)

    def configure(self, limits: TcpLimits) -> None:
        """Take new limits, the number of connections cut to what the descriptors allow."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        others = len(os.listdir("/proc/self/fd")) - self.connections
        room = max(1, soft - others - SPARE_DESCRIPTORS)
        self.limits = limits._replace(max_connections=min(limits.max_connections, room))
        self._keepalive = round(10 * limits.idle_timeout)
        while self.connections > self.limits.max_connections:
            self._shed(next(iter(self._by_idleness)))

    def start(self) -> None:
        """Accept connections from now on."""
        self._accepting = True
        self._resume_accepting()
        self._sweep()

    # Accepting

    def _resume_accepting(self) -> None:
        if self._accepting:
            for listener in self._listeners:
                self.loop.add_reader(listener, self._accept_some, listener)

    def _pause_accepting(self) -> None:
        """Look away for a while: the waiting connection would wake us again at once."""
        for listener in self._listeners:
            self.loop.remove_reader(listener)
        self.loop.call_later(PAUSE, self._resume_accepting)

    def _accept_some(self, listener: socket.socket) -> None:
        made_room = False
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NEXT_ONE:
                    continue
                if made_room or not self._make_room(error):
                    self._pause_accepting()
                    return
                made_room = True
                continue
            made_room = False
            self._take(sock, peer[0])

    def _make_room(self, error: OSError) -> bool:
        """No descriptor or no memory: give up the idlest connection. False: there is none."""
        text = f"cannot accept over TCP: {error.strerror}"
        self._complain_accept.warning(log, text, self.loop.time())
        if not self._by_idleness:
            return False
        self._shed(next(iter(self._by_idleness)))
        return True

    def _take(self, sock: socket.socket, host: str) -> None:
        client = client_number(host)
        family = client_key(client)
        if self.connections >= self.limits.max_connections:
            self._shed(next(iter(self._by_idleness)))
        siblings = self._by_client.setdefault(family, set())
        if len(siblings) >= self.limits.max_per_client:
            self._shed(min(siblings, key=lambda connection: connection.active_at))
            siblings = self._by_client.setdefault(family, set())
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # reset already
            sock.close()
            return
        connection = Connection(self, sock, host, client, self.loop.time())
        siblings.add(connection)
        self._by_idleness[connection] = None
        self._served.counters["tcp_accepted"] += 1
        connection.on_readable()  # the query has often come with the handshake's last packet

    # Answering

    def enqueue(self, connection: Connection) -> None:
        connection.queued = True
        self._queue.append(connection)
        if not self._queue_scheduled:
            self._queue_scheduled = True
            self.loop.call_soon(self._work)

    def _work(self) -> None:
        """Give each connection that waits its share, until this turn's allowance is used."""
        self._queue_scheduled = False
        allowance = QUERIES_PER_TURN
        for _ in range(len(self._queue)):
            if allowance <= 0:
                break
            connection = self._queue.popleft()
            connection.queued = False
            allowance -= connection.work(min(allowance, QUERIES_PER_SHARE))
        if self._queue and not self._queue_scheduled:
            self._queue_scheduled = True
            self.loop.call_soon(self._work)

    def answer(self, packet: bytes, connection: Connection) -> bytes | Iterator[bytes] | None:
        """Return what to send, SERVFAIL where answering raised: one query pays, nobody else."""
        served, now, keepalive = self._served, int(time()), self._keepalive
        served.counters[connection.counted_as] += 1
        try:
            zone = whole_zone(packet, connection.client, served.snapshot, now, keepalive)
            if zone is not None:
                return self._transfer(packet, zone)
            respond = served.tcp_cache.respond
            return respond(packet, connection.host, getrandbits(64), now, keepalive)
        except Exception as error:
            served.counters["dropped_failed"] += 1
            text = f"no answer over TCP could be made ({error!r}): query {packet[:512].hex()}"
            self._complain_answer.warning(log, text, self.loop.time())
            return servfail(packet)

    def _transfer(self, packet: bytes, zone: Iterator[bytes]) -> bytes | Iterator[bytes] | None:
        """Return the messages of a transfer, or SERVFAIL, so that the secondary tries again."""
        under_way = sum(connection.transfer is not None for connection in self._by_idleness)
        if under_way >= MAX_TRANSFERS:
            text = f"{MAX_TRANSFERS} transfers are under way, another has to wait"
            self._complain_transfer.warning(log, text, self.loop.time())
            return servfail(packet)
        return zone

    # The books

    def touch(self, connection: Connection) -> None:
        """Note that the connection is in use."""
        if connection in self._by_idleness:
            connection.active_at = self.loop.time()
            self._by_idleness.move_to_end(connection)

    def close(self, connection: Connection) -> None:
        """Close a connection and forget it; once is enough, twice does no harm."""
        if connection not in self._by_idleness:
            return
        del self._by_idleness[connection]
        key = client_key(connection.client)
        siblings = self._by_client[key]
        siblings.discard(connection)
        if not siblings:
            del self._by_client[key]
        connection.shut()

    def _shed(self, connection: Connection) -> None:
        self._served.counters["tcp_shed"] += 1
        self.close(connection)

    def _sweep(self) -> None:
        """Close what was idle for too long; the order of idleness makes this cheap."""
        oldest_allowed = self.loop.time() - self.limits.idle_timeout
        while self._by_idleness:
            connection = next(iter(self._by_idleness))
            if connection.active_at > oldest_allowed:
                break
            self.close(connection)
        self._sweeper = self.loop.call_later(SWEEP, self._sweep)

    # The end

    async def drain(self, seconds: float) -> None:
        """Stop accepting, answer what has been received, and close every connection.

        `seconds`: at most this long; who does not take his answers is cut off then.
        """
        deadline = self.loop.time() + seconds
        if self._accepting:
            self._accepting = False
            for listener in self._listeners:
                self.loop.remove_reader(listener)
                while _readable(listener) and self.loop.time() < deadline:
                    self._accept_some(listener)
        while self._by_idleness and self.loop.time() < deadline:
            for connection in list(self._by_idleness):
                if not (connection.queued or connection.outbox or _readable(connection.sock)):
                    self.close(connection)
            await asyncio.sleep(DRAIN_STEP)
        self.stop()

    def stop(self) -> None:
        """Close everything at once."""
        self._accepting = False
        for listener in self._listeners:
            self.loop.remove_reader(listener)
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._by_idleness):
            self.close(connection)


def client_key(client: int) -> int:
    """Return what counts as one client: an IPv4 address, or a /64 of IPv6, which one host owns."""
    return client if is_ipv4(client) else client >> 64 << 64


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
