"""DNS over UDP for one worker process: drain the socket, answer, send.

asyncio's DatagramProtocol reads one packet per turn of the loop, into a buffer of
256 KiB; draining a batch under `add_reader` answers about five times as many queries
per second (bench/peers.py).
"""

import logging
import socket
from random import getrandbits
from time import time
from typing import Any

from ..answers.responder import servfail
from .served import Served

MAX_QUERY = 4096  # octets read; a longer query is cut, fails to parse and gets FORMERR
BATCH = 64  # packets per turn of the loop, so that TCP and the channel get theirs
ANCILLARY = 64  # octets of control messages: one in6_pktinfo with its header is 40

log = logging.getLogger(__name__)


class UdpListener:
    """Answers the queries of one socket. Register `on_readable` with `loop.add_reader`."""

    def __init__(self, sock: socket.socket, served: Served) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.served = served
        family = "ipv6" if sock.family == socket.AF_INET6 else "ipv4"
        self._queries = f"queries_udp_{family}"
        self._wildcard = sock.getsockname()[0] in ("0.0.0.0", "::")  # noqa: S104  # compared, not bound

    def on_readable(self) -> int:
        """Answer up to a batch of queries; return how many were read."""
        return self._drain_wildcard() if self._wildcard else self._drain()

    def _drain(self) -> int:
        receive, send = self.sock.recvfrom, self.sock.sendto
        respond = self.served.cache.respond  # one snapshot for the whole batch, and one time
        now = int(time())
        for number in range(BATCH):
            try:
                packet, peer = receive(MAX_QUERY)
            except OSError as error:
                return self._read(number, error)
            try:
                response = respond(packet, peer[0], getrandbits(64), now)
            except Exception:
                response = self._failed(packet)
            if response is None:
                continue
            try:
                send(response, peer)
            except OSError as error:
                self._not_sent(error, peer)
        return self._read(BATCH, None)

    def _drain_wildcard(self) -> int:
        """As `_drain`, for a socket on 0.0.0.0 or ::, whose answers leave from the address asked.

        Else the kernel picks a source address by route, and clients drop what they
        get from an address that they did not ask.
        """
        receive, send = self.sock.recvmsg, self.sock.sendmsg
        respond = self.served.cache.respond
        now = int(time())
        for number in range(BATCH):
            try:
                packet, ancillary, _, peer = receive(MAX_QUERY, ANCILLARY)
            except OSError as error:
                return self._read(number, error)
            try:
                response = respond(packet, peer[0], getrandbits(64), now)
            except Exception:
                response = self._failed(packet)
            if response is None:
                continue
            try:
                send([response], map(_reply_from, ancillary), 0, peer)
            except OSError as error:
                self._not_sent(error, peer)
        return self._read(BATCH, None)

    def _read(self, number: int, error: OSError | None) -> int:
        counters = self.served.counters
        if number:
            counters[self._queries] += number
        if error is not None and not isinstance(error, BlockingIOError):
            counters["udp_receive_errors"] += 1  # an ICMP error of an earlier answer, mostly
        return number

    def _failed(self, packet: bytes) -> bytes | None:
        """A mistake of ours costs this query only, and is told once in a while."""
        failures = self.served.counters["dropped_failed"] = (
            self.served.counters["dropped_failed"] + 1
        )
        if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: no flood of tracebacks
            log.exception("no answer could be made (failure %d): query %s", failures, packet.hex())
        return servfail(packet)

    def _not_sent(self, error: OSError, peer: Any) -> None:
        """UDP may lose an answer: the socket is full, or the peer's network or port 0 is gone."""
        reason = "dropped_port_zero" if peer[1] == 0 else "dropped_send"
        self.served.counters[reason] += 1


def _reply_from(message: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """Return the control message that sends from the address that a packet was sent to."""
    level, kind, data = message
    if level == socket.IPPROTO_IP:  # in_pktinfo: interface, local address, destination
        return level, kind, bytes(4) + data[8:12] + bytes(4)
    # in6_pktinfo: address, interface. The routing table says which interface, as for IPv4; a
    # link-local peer brings its own (sin6_scope_id).
    return level, kind, data[:16] + bytes(4)
