"""The listening sockets: parsing, taken addresses, ports and options."""

import os
import socket

import pytest

from gtmdns.serve import sockets
from gtmdns.serve.sockets import CannotListen, bind, listen_tcp, parse_address, show_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:5300", ("127.0.0.1", 5300)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:53", ("::1", 53)),
        ("[2001:DB8:0::1]:65535", ("2001:db8::1", 65535)),
    ],
)
def test_addresses_are_read_and_shown(text, expected):
    assert parse_address(text) == expected
    assert parse_address(show_address(*expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["", ":53", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:5a",
     "::1:53", "[::1]", "[127.0.0.1]:53", "[::1:53", "localhost:53", "1.2.3:53", "1.2.3.4:٣"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"as \"127\.0\.0\.1:53\""):
        parse_address(text)


def test_each_worker_has_a_udp_socket_and_all_share_the_tcp_socket_and_the_port():
    bound = bind(["127.0.0.1:0", "[::1]:0"], workers=3)
    try:
        ports = {sock.getsockname()[1] for group in bound.udp for sock in group}
        ports |= {sock.getsockname()[1] for sock in bound.tcp}

        assert [len(group) for group in bound.udp] == [2, 2, 2]
        assert len(bound.tcp) == 2
        assert ports == {parse_address(text)[1] for text in bound.addresses}
        for sock in (*bound.tcp, *(sock for group in bound.udp for sock in group)):
            assert sock.getblocking() is False
            if sock.family == socket.AF_INET6:
                assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    finally:
        bound.close()


def test_only_sockets_on_all_addresses_are_told_which_one_was_asked():
    bound = bind(["0.0.0.0:0", "[::]:0", "127.0.0.1:0", "[::1]:0"], workers=1)
    v4, v6, local4, local6 = bound.udp[0]
    try:
        assert v4.getsockopt(socket.IPPROTO_IP, sockets.IP_PKTINFO) == 1
        assert v6.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO) == 1
        assert local4.getsockopt(socket.IPPROTO_IP, sockets.IP_PKTINFO) == 0
        assert local6.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO) == 0
    finally:
        bound.close()


def test_the_receive_buffer_is_as_large_as_the_kernel_lets_it_be():
    bound = bind(["127.0.0.1:0"], workers=1)
    try:
        with open("/proc/sys/net/core/rmem_max") as file:
            least = min(int(file.read()), sockets.RECEIVE_BUFFER)
        assert least <= bound.receive_buffer <= sockets.RECEIVE_BUFFER
    finally:
        bound.close()


def test_without_the_right_to_pass_over_the_limit_the_buffer_is_asked_for_plainly(monkeypatch):
    monkeypatch.setattr(sockets, "SO_RCVBUFFORCE", socket.SO_BROADCAST)
    asked = []

    class Sock:
        def setsockopt(self, level, option, value):
            asked.append((option, value))
            if option == socket.SO_BROADCAST:
                raise PermissionError

    sockets._grow_receive_buffer(Sock())

    assert asked[-1] == (socket.SO_RCVBUF, sockets.RECEIVE_BUFFER)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
@pytest.mark.parametrize("reuse", [False, True], ids=["plain", "SO_REUSEPORT"])
def test_a_taken_address_is_refused_by_name_and_nothing_stays_open(kind, reuse):
    with socket.socket(socket.AF_INET, kind) as other:
        if reuse:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        open_before = os.listdir("/proc/self/fd")

        with pytest.raises(CannotListen, match=rf"{taken} .*already in use"):
            bind(["127.0.0.1:0", taken], workers=2)
        assert len(os.listdir("/proc/self/fd")) == len(open_before)


def test_an_address_that_is_not_of_this_machine_is_refused():
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:5300 \(UDP\): Cannot assign"):
        bind(["192.0.2.1:5300"], workers=1)
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:5300 \(TCP\): Cannot assign"):
        listen_tcp("192.0.2.1:5300")
    with pytest.raises(CannotListen, match="not an address"):
        listen_tcp("nowhere")


def test_a_port_of_zero_passes_over_ports_that_tcp_has_taken(monkeypatch):
    """The port found free for UDP is taken for TCP: the next one is tried."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        real, answers = sockets._probe_udp, [taken]
        monkeypatch.setattr(
            sockets, "_probe_udp", lambda host, port: answers.pop() if answers else real(host, port)
        )
        bound = bind(["127.0.0.1:0"], workers=1)
    bound.close()

    assert parse_address(bound.addresses[0])[1] != taken


def test_the_kernel_spreads_clients_over_the_sockets():
    bound = bind(["127.0.0.1:0"], workers=2)
    try:
        target = parse_address(bound.addresses[0])
        for _ in range(64):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(b"x", target)
        assert all(group[0].recv(10) == b"x" for group in bound.udp)
    finally:
        bound.close()
