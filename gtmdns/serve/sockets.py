"""The sockets that the parent opens before it gives up its privileges, and the workers inherit.

Each address has one UDP socket for every worker, joined by SO_REUSEPORT so that
the kernel spreads the clients, and one listening TCP socket that all workers share:
what waits in its queue is lost to no worker's death.
"""

import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

RECEIVE_BUFFER = 4 << 20  # octets: about a tenth of a second of a flood, while a worker is replaced
BACKLOG = 1024  # TCP connections that wait to be accepted
TCP_BUFFER = 64 << 10  # octets each way: the kernel's own choice is up to 4 MiB for who never reads
PORT_TRIES = 50  # for port 0: a port that is free for UDP may be taken for TCP

# Linux numbers that the socket module of CPython 3.11 does not name.
SO_RCVBUFFORCE = 33
IP_PKTINFO = 8


class CannotListen(Exception):
    """An address cannot be listened on; the text names it and says why."""


@dataclass
class Bound:
    """What was opened. `udp[k]`: the sockets of worker k, in the order of `addresses`."""

    addresses: list[str] = field(default_factory=list)  # with real ports where 0 was asked
    udp: list[list[socket.socket]] = field(default_factory=list)
    tcp: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        for sock in (*self.tcp, *(sock for group in self.udp for sock in group)):
            sock.close()

    @property
    def receive_buffer(self) -> int:
        """The octets of receive buffer that the kernel granted, the smallest of all sockets."""
        sizes = [
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel tells the double
            for group in self.udp
            for sock in group
        ]
        return min(sizes, default=RECEIVE_BUFFER)


def parse_address(text: str) -> tuple[str, int]:
    """Return (address, port) of "127.0.0.1:53" or "[::1]:53".

    The address is in canonical text; a port is 0 to 65535, 0 for any that is free.
    Raises ValueError that says what was expected.
    """
    host, colon, port = text.rpartition(":")
    expected = f'{text!r} is not an address with a port, as "127.0.0.1:53" or "[::1]:53"'
    if not (colon and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ValueError(expected)
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(expected) from None
    if bracketed != (address.version == 6):
        raise ValueError(expected)
    return str(address), int(port)


def show_address(host: str, port: int) -> str:
    """Return the text that `parse_address` reads."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind(listen: Sequence[str], workers: int) -> Bound:
    """Open the sockets of every address. Raises CannotListen and leaves nothing open then."""
    bound = Bound(udp=[[] for _ in range(workers)])
    try:
        for text in listen:
            host, port = parse_address(text)
            _bind_address(bound, host, port)
    except (CannotListen, ValueError, OSError) as error:
        bound.close()
        raise CannotListen(str(error)) from None
    return bound


def listen_tcp(text: str) -> socket.socket:
    """Return a listening TCP socket, for the HTTP API. Raises CannotListen."""
    try:
        host, port = parse_address(text)
        return _open_tcp(host, port)
    except (ValueError, OSError) as error:
        raise CannotListen(_why(text, "TCP", error)) from None


def _bind_address(bound: Bound, host: str, port: int) -> None:
    """Add the sockets of one address; all share one port, chosen here where `port` is 0."""
    for tries_left in reversed(range(PORT_TRIES if port == 0 else 1)):
        chosen = _probe_udp(host, port)
        try:
            listener = _open_tcp(host, chosen, TCP_BUFFER)
            break
        except OSError as error:
            if not tries_left:
                raise CannotListen(_why(show_address(host, chosen), "TCP", error)) from None
    bound.tcp.append(listener)
    for group in bound.udp:
        group.append(_open_udp(host, chosen))
    bound.addresses.append(show_address(host, chosen))


def _probe_udp(host: str, port: int) -> int:
    """Bind once without SO_REUSEPORT, close, and return the port.

    With SO_REUSEPORT a second server of the same user would bind too, and each would
    get a part of the queries.
    """
    with socket.socket(_family(host), socket.SOCK_DGRAM) as sock:
        _only_its_family(sock)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise CannotListen(_why(show_address(host, port), "UDP", error)) from None
        return int(sock.getsockname()[1])


def _open_udp(host: str, port: int) -> socket.socket:
    sock = socket.socket(_family(host), socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        _only_its_family(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _grow_receive_buffer(sock)
        if ipaddress.ip_address(host).is_unspecified:  # answers leave from the address asked
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise CannotListen(_why(show_address(host, port), "UDP", error)) from None
    return sock


def _open_tcp(host: str, port: int, buffer: int | None = None) -> socket.socket:
    """Return a listening socket. SO_REUSEADDR: old connections in TIME_WAIT do not count.

    buffer: octets for each accepted connection, each way; None leaves it to the kernel
    """
    sock = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        _only_its_family(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _grow_receive_buffer(sock: socket.socket) -> None:
    """Ask for RECEIVE_BUFFER; root may pass over net.core.rmem_max, others get at most that."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _only_its_family(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _why(address: str, transport: str, error: Exception) -> str:
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return f"cannot listen on {address} ({transport}): {reason}"
