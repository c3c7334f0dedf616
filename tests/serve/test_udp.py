"""The pure UDP listener on real sockets, where test_listeners.py does not speak of all of them."""

import errno
import socket
from collections.abc import Callable, Iterator
from struct import pack
from typing import Any

import dns.edns
import dns.flags
import dns.message
import pytest

from gtmdns.serve import udp as module
from gtmdns.serve.served import Served
from gtmdns.serve.udp import BATCH, UdpListener, _reply_from
from tests.answers.asking import told
from tests.example_zone import example
from tests.serve.listening import EACH_SOCKET, WAIT, Client, opening, query, turn


@pytest.fixture
def listen() -> Iterator[Callable[..., UdpListener]]:
    """Return a function that opens a pure listener."""
    with opening(lambda sock, served: UdpListener(sock, served or Served(example()))) as function:
        yield function


def test_the_wildcard_socket_answers_an_unconnected_client_from_the_address_asked(listen):
    listener = listen("0.0.0.0:0")
    port = listener.sock.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(WAIT)
        client.bind(("127.0.0.1", 0))
        client.sendto(query(), ("127.0.0.2", port))
        turn(listener)

        _, source = client.recvfrom(4096)

    assert source == ("127.0.0.2", port)


def test_the_reply_names_the_address_and_leaves_the_interface_to_the_routing_table():
    asked, local = socket.inet_aton("127.0.0.2"), socket.inet_aton("127.0.0.9")
    asked6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1")

    four = _reply_from((socket.IPPROTO_IP, 8, pack("=i", 7) + local + asked))
    six = _reply_from((socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, asked6 + pack("=i", 7)))

    assert four == (socket.IPPROTO_IP, 8, pack("=i", 0) + asked + bytes(4))
    assert six == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, asked6 + pack("=i", 0))


def test_the_client_is_who_the_socket_says(listen):
    """Here 127.0.0.1, which no region holds: the default answers."""
    listener = listen()
    with Client("127.0.0.1", listener) as client:
        assert told(client.ask(listener, "region.example.com")) == ["203.0.113.1"]


def test_every_query_gets_a_draw_of_64_bits(listen, monkeypatch):
    listener = listen()
    draws = iter([0, 2**64 - 1, 2**62 - 1, 2**62])
    monkeypatch.setattr(module, "getrandbits", lambda bits: next(draws) if bits == 64 else None)
    with Client("127.0.0.1", listener) as client:
        answers = [told(client.ask(listener, "weighted.example.com")) for _ in range(4)]

    assert answers == [["192.0.2.1"], ["192.0.2.2"], ["192.0.2.1"], ["192.0.2.2"]], (
        "weights 1 and 3"
    )


def test_what_does_not_fit_is_truncated(listen):
    listener = listen()
    with Client("127.0.0.1", listener) as client:
        small = client.ask(listener, "big.example.com", use_edns=False)
        large = client.ask(listener, "big.example.com", use_edns=0, payload=1232)

    assert (small.flags & dns.flags.TC, len(told(small))) == (dns.flags.TC, 0)
    assert (large.flags & dns.flags.TC, len(told(large))) == (0, 40)


@pytest.mark.parametrize("listens", EACH_SOCKET)
def test_a_turn_answers_at_most_a_batch(listen, listens):
    """So that TCP and the channel get their turn; what is left waits for the next one."""
    listener = listen(listens)
    with Client("127.0.0.1", listener) as client:
        for number in range(BATCH + 6):
            client.sock.send(query(number))

        assert (turn(listener), turn(listener)) == (BATCH, 6)
        answered = [int.from_bytes(client.sock.recv(4096)[:2]) for _ in range(BATCH + 6)]

    assert answered == list(range(BATCH + 6))
    assert listener.on_readable() == 0
    assert listener.served.counters == {"queries_udp_ipv4": BATCH + 6}


# Mistakes of ours, and errors of the kernel


class FromPortZero(socket.socket):
    """Shows the first packet as one from port 0; sending is the kernel's."""

    first = True

    def _peer(self, peer: Any) -> Any:
        was_first, self.first = self.first, False
        return (peer[0], 0) if was_first else peer

    def recvfrom(self, *arguments: Any) -> Any:  # type: ignore[override]
        packet, peer = super().recvfrom(*arguments)
        return packet, self._peer(peer)

    def recvmsg(self, *arguments: Any) -> Any:
        packet, ancillary, flags, peer = super().recvmsg(*arguments)
        return packet, ancillary, flags, self._peer(peer)


@pytest.mark.parametrize("listens", EACH_SOCKET)
def test_source_port_0_is_never_answered_and_harms_nobody(listen, listens):
    listener = listen(listens, kind=FromPortZero)
    with Client("127.0.0.1", listener) as client:
        client.sock.send(query(1))
        client.sock.send(query(2))
        assert turn(listener) == 2

        assert client.sock.recv(4096)[:2] == b"\x00\x02", "the first thing that is heard"
    assert listener.served.counters == {"queries_udp_ipv4": 2, "dropped_port_zero": 1}


class Broken(socket.socket):
    """Fails to send to the first peer, and once to receive."""

    send_error, receive_error = 0, 0

    def _once(self, kind: str) -> None:
        number = getattr(self, kind)
        setattr(self, kind, 0)
        if number:
            raise OSError(number, "told to fail")

    def sendto(self, *arguments: Any) -> int:
        self._once("send_error")
        return super().sendto(*arguments)

    def sendmsg(self, *arguments: Any) -> int:
        self._once("send_error")
        return super().sendmsg(*arguments)

    def recvfrom(self, *arguments: Any) -> Any:  # type: ignore[override]
        self._once("receive_error")
        return super().recvfrom(*arguments)

    def recvmsg(self, *arguments: Any) -> Any:
        self._once("receive_error")
        return super().recvmsg(*arguments)


ERRORS = [errno.EAGAIN, errno.ENOBUFS, errno.EPERM, errno.ENETUNREACH, errno.EINVAL]


@pytest.mark.parametrize("listens", EACH_SOCKET)
@pytest.mark.parametrize("number", ERRORS, ids=[errno.errorcode[number] for number in ERRORS])
def test_an_answer_that_cannot_be_sent_is_lost_alone(listen, listens, number):
    listener = listen(listens, kind=Broken)
    listener.sock.send_error = number  # type: ignore[attr-defined]
    with Client("127.0.0.1", listener) as client:
        client.sock.send(query(1))
        client.sock.send(query(2))
        assert turn(listener) == 2

        assert client.sock.recv(4096)[:2] == b"\x00\x02"
    assert listener.served.counters == {"queries_udp_ipv4": 2, "dropped_send": 1}


@pytest.mark.parametrize("listens", EACH_SOCKET)
def test_an_error_of_the_socket_is_counted_and_the_next_turn_reads_on(listen, listens):
    listener = listen(listens, kind=Broken)
    listener.sock.receive_error = errno.ECONNREFUSED  # type: ignore[attr-defined]
    with Client("127.0.0.1", listener) as client:
        client.sock.send(query(1))

        assert (turn(listener), turn(listener)) == (0, 1)
        assert client.sock.recv(4096)[:2] == b"\x00\x01"
    assert listener.served.counters == {"queries_udp_ipv4": 1, "udp_receive_errors": 1}


@pytest.mark.parametrize("address", EACH_SOCKET)
def test_a_cookie_has_the_time_of_the_clock(listen, monkeypatch, address):
    """And goes with the client's address, which the cache is given as text."""
    monkeypatch.setattr(module, "time", lambda: 1_800_000_000.9)
    served = Served(example(cookie_secrets=(bytes(16),)))
    listener = listen(address, served)
    cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"a client")
    with Client("127.0.0.1", listener) as client:
        (option,) = client.ask(listener, use_edns=0, options=[cookie]).options

    expected = served.snapshot.cookies.option(b"a client", 0xFFFF_7F00_0001, 1_800_000_000)
    assert option.to_wire() == expected[4:]
