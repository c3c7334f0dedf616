"""The `icmp` probe: one echo request, RFC 792 and RFC 4443 section 4.

Datagram sockets of ICMP need no privilege, where net.ipv4.ping_group_range holds the group of
the process; else a raw socket is tried, which needs CAP_NET_RAW. With neither there is no
result, so verdicts stay as they are. A reply counts by its address (the socket is connected),
sequence number and random payload; by its identifier only over a raw socket, as the kernel
writes and matches that of a datagram socket by itself.
"""

import asyncio
import errno
import os
import socket
from dataclasses import dataclass

from .check import Check, Exhausted
from .reasons import exhausted
from .stream import Contexts

TOKEN = 16  # octets of random payload: what only the true reply can carry
LARGEST = 2048  # octets
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_ECHO = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_REFUSED = (errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT)
MISSING = "icmp needs net.ipv4.ping_group_range to hold the server's group, or CAP_NET_RAW"


@dataclass(frozen=True, slots=True)
class Echo:
    """What makes one request and its reply belong together."""

    family: socket.AddressFamily
    identifier: int
    sequence: int
    token: bytes

    def request(self) -> bytes:
        """Return the message. The kernel writes the checksum of ICMPv6."""
        body = self.identifier.to_bytes(2) + self.sequence.to_bytes(2) + self.token
        kind = bytes([_ECHO[self.family], 0])
        if self.family == socket.AF_INET6:
            return kind + b"\0\0" + body
        return kind + checksum(kind + b"\0\0" + body).to_bytes(2) + body

    def is_answered_by(self, packet: bytes, raw: bool) -> bool:
        """Return whether `packet` is the reply. Only raw sockets of IPv4 show the IP header."""
        if raw and self.family == socket.AF_INET:
            packet = packet[(packet[0] & 0xF) * 4 :] if packet else b""
        identifier = self.identifier.to_bytes(2) if raw else packet[4:6]
        body = identifier + self.sequence.to_bytes(2) + self.token
        return packet[:2] == bytes([_REPLY[self.family], 0]) and packet[4:] == body


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of `data`."""
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0")) for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def open_socket(family: int, kind: int, protocol: int) -> socket.socket:
    return socket.socket(family, kind, protocol)


def opened(family: socket.AddressFamily) -> socket.socket:
    """Return a socket that may send echo requests. Raises Exhausted, or OSError."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return open_socket(family, kind, _PROTOCOL[family])
        except OSError as error:
            if exhausted(error) or error.errno not in _REFUSED:
                raise
    raise Exhausted(MISSING)


async def ping(address: str, host: str, check: Check, contexts: Contexts) -> str:
    """Send one echo request and wait for its reply."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    numbers = os.urandom(4)
    echo = Echo(family, int.from_bytes(numbers[:2]), int.from_bytes(numbers[2:]), os.urandom(TOKEN))
    loop = asyncio.get_running_loop()
    with opened(family) as sock:
        raw = sock.type == socket.SOCK_RAW
        sock.setblocking(False)
        sock.connect((address, 0))
        sock.send(echo.request())
        while not echo.is_answered_by(await loop.sock_recv(sock, LARGEST), raw):
            pass  # a copy of the request (loopback), another probe's reply, a forgery
        return "echo reply"
