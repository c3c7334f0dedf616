"""Listeners on real sockets, and a client of one: for every listener there is."""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import dns.message

from gtmdns.serve.served import Served
from gtmdns.serve.sockets import bind
from gtmdns.serve.udp import UdpListener

WAIT = 5.0  # seconds, far more than loopback needs
EACH_SOCKET = ["127.0.0.1:0", "0.0.0.0:0"]  # a wildcard socket is read and written in its own way

Made = TypeVar("Made", bound=UdpListener)


@contextmanager
def opening(
    make: Callable[[socket.socket, Served | None], Made],
) -> Iterator[Callable[..., Made]]:
    """Yield a function that opens a listener the way the parent and a worker do.

    make: from its socket and what it serves, None: whatever it likes
    """
    opened: list[socket.socket] = []

    def open_listener(
        address: str = "127.0.0.1:0", served: Served | None = None, kind: type = socket.socket
    ) -> Made:
        [[sock]] = (bound := bind([address], 1)).udp
        opened.extend((sock, *bound.tcp))
        if kind is not socket.socket:
            sock = kind(fileno=sock.detach())
            opened.append(sock)
        return make(sock, served)

    yield open_listener
    for sock in opened:
        sock.close()


class Client:
    """A socket that asks one server and hears only that one: it is connected."""

    def __init__(self, host: str, listener: UdpListener) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.settimeout(WAIT)
        self.sock.connect((host, listener.sock.getsockname()[1]))

    def ask(
        self, listener: UdpListener, qname: str = "www.example.com", **options: Any
    ) -> dns.message.Message:
        """Send a query, let the listener answer, and return the response."""
        query = dns.message.make_query(qname, options.pop("qtype", "A"), **options)
        self.sock.send(query.to_wire())
        assert turn(listener) == 1
        response = dns.message.from_wire(self.sock.recv(65_535))
        assert query.is_response(response)
        return response

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def turn(listener: UdpListener) -> int:
    """Wait until something can be read, and do what the loop does then."""
    readable, _, _ = select.select([listener.sock], [], [], WAIT)
    assert readable, "nothing came"
    return listener.on_readable()


def query(number: int = 1, qname: str = "www.example.com") -> bytes:
    return dns.message.make_query(qname, "A", id=number).to_wire()
