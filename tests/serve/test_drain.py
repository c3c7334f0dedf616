"""Batches on real sockets: as test_udp.py asks of the pure listener, where the system calls differ.

What holds for both is in test_listeners.py.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from struct import pack
from typing import Any

import dns.edns
import dns.message
import pytest

from gtmdns.answers.cache import AnswerCache
from gtmdns.serve import compiled
from gtmdns.serve.served import Served
from gtmdns.serve.sockets import bind
from tests.example_zone import NUMBERS, example
from tests.serve.listening import EACH_SOCKET, Client, opening, query, turn

if compiled.PURE_BECAUSE:
    pytest.skip(f"the pure path answers: {compiled.PURE_BECAUSE}", allow_module_level=True)
from gtmdns.answers.fast import FastCache

Listen = Callable[..., compiled.CompiledListener]
MOST = 6 * 64  # packets of a turn


@pytest.fixture(params=[FastCache, AnswerCache], ids=["compiled answers", "pure answers"])
def listen(request: pytest.FixtureRequest) -> Iterator[Listen]:
    """Return a function that opens a listener, for answers of each path."""

    def make(sock: socket.socket, served: Served | None) -> compiled.CompiledListener:
        return compiled.CompiledListener(sock, served or Served(example(), request.param))

    with opening(make) as function:
        yield function


def test_sockets_take_turns_with_the_same_buffers(listen):
    """With ancillary data and without, IPv4 and IPv6: nothing of one batch is left in the next."""
    listeners = [listen(at) for at in ("0.0.0.0:0", "127.0.0.1:0", "[::]:0", "[::1]:0")]
    hosts = ["127.0.0.3", "127.0.0.1", "::1", "::1"]
    clients = [Client(host, each) for host, each in zip(hosts, listeners, strict=True)]
    for number in (1, 3, 1, 2) * 2:
        for client, listener in zip(clients, listeners, strict=True):
            for each in range(number):
                client.sock.send(query(each, "region.example.com"))
            assert turn(listener) == number
            answered = [int.from_bytes(client.sock.recv(4096)[:2]) for _ in range(number)]
            assert answered == list(range(number))
    for client in clients:
        client.sock.close()


@pytest.mark.parametrize("listens", EACH_SOCKET)
def test_a_turn_answers_at_most_six_batches(listen, listens):
    listener = listen(listens)
    listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    with Client("127.0.0.1", listener) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for number in range(MOST + 6):
            client.sock.send(query(number))

        assert (turn(listener), turn(listener), listener.on_readable()) == (MOST, 6, 0)
        answered = [int.from_bytes(client.sock.recv(4096)[:2]) for _ in range(MOST + 6)]

    assert answered == list(range(MOST + 6))
    assert listener.served.counters == {"queries_udp_ipv4": MOST + 6}


def test_a_cookie_is_made_with_the_address_of_the_client_and_the_time(listen):
    """By either path, of one batch for all its packets."""
    served = listen().served
    served.snapshot = example(cookie_secrets=(bytes(16),))
    listener = listen(served=served)
    cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"a client")
    with Client("127.0.0.1", listener) as client:
        (option,) = client.ask(listener, use_edns=0, options=[cookie]).options
        (again,) = client.ask(listener, use_edns=0, options=[option]).options

    assert option.to_wire() == again.to_wire()
    moment = int.from_bytes(option.to_wire()[12:16])
    expected = served.snapshot.cookies.option(option.to_wire(), 0xFFFF_7F00_0001, moment)
    assert option.to_wire() == expected[4:]


def test_draws_are_spread_over_weights(listen):
    """Weights 1 and 3: of 2 000 draws 1 500 are expected, with a deviation of 19.4."""
    listener = listen()
    seconds = 0
    with Client("127.0.0.1", listener) as client:
        for _ in range(20):
            for number in range(100):
                client.sock.send(query(number, "weighted.example.com"))
            read = 0
            while read < 100:
                read += turn(listener)
            seconds += sum(client.sock.recv(4096)[-1] == 2 for _ in range(100))

    assert abs(seconds - 1500) < 6 * 19.4


def test_an_exception_in_the_compiled_answers_is_met_in_the_same_way(caplog):
    snapshot = example()
    served = Served(snapshot, FastCache)
    del snapshot.answers[NUMBERS["www"] :]
    bound = bind(["127.0.0.1:0"], 1)
    listener = compiled.CompiledListener(bound.udp[0][0], served)
    with Client("127.0.0.1", listener) as client, caplog.at_level(logging.ERROR):
        assert client.ask(listener).rcode() == 2
        assert client.ask(listener, "no.example.com").rcode() == 3
    for sock in (*bound.udp[0], *bound.tcp):
        sock.close()

    assert served.counters == {"queries_udp_ipv4": 2, "dropped_failed": 1}
    assert "no answer has this number" in (caplog.records[0].exc_text or "")


def test_a_loop_that_is_busy_with_queries_serves_the_rest_as_well(listen):
    """The drain waits for more on the loop's epoll, and not where something else has come."""

    async def run() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        listener = listen()
        ours, theirs = socket.socketpair()
        heard: list[bytes] = []
        all_heard = asyncio.Event()

        def on_other() -> None:
            heard.append(ours.recv(1))
            if len(heard) == 40:
                all_heard.set()

        loop.add_reader(listener.sock, listener.on_readable)
        loop.add_reader(ours, on_other)
        with ours, theirs, Client("127.0.0.1", listener) as client:
            client.sock.setblocking(False)
            answered = 0
            for number in range(40):
                for each in range(20):
                    client.sock.send(query(each))
                theirs.send(b".")
                while answered < 20 * (number + 1):
                    await loop.sock_recv(client.sock, 4096)
                    answered += 1
            await all_heard.wait()
            loop.remove_reader(listener.sock)
            loop.remove_reader(ours)
        return answered, len(heard)

    assert asyncio.run(asyncio.wait_for(run(), 10)) == (800, 40)


# Errors of the kernel


class Long:
    """A cache whose answers to queries with an odd id are longer than UDP carries."""

    def __init__(self, served: Served) -> None:
        self.inner = served.cache

    def respond(self, packet: bytes, host: str, draw: int, now: int) -> bytes | None:
        return bytes(70_000) if packet[1] & 1 else self.inner.respond(packet, host, draw, now)


@pytest.mark.parametrize("listens", EACH_SOCKET)
def test_an_answer_that_cannot_be_sent_is_lost_alone(listen, listens):
    served = Served(example())
    served.cache = Long(served)  # type: ignore[assignment]
    listener = listen(listens, served)
    with Client("127.0.0.1", listener) as client:
        for number in (1, 3, 4, 5, 6, 7):
            client.sock.send(query(number))
        assert turn(listener) == 6

        assert [client.sock.recv(4096)[1] for _ in range(2)] == [4, 6]
    assert listener.served.counters == {"queries_udp_ipv4": 6, "dropped_send": 4}


def test_an_error_of_the_socket_is_counted_and_the_next_turn_reads_on(listen):
    """A connected socket is told what ICMP says of its answers."""
    listener = listen()
    with Client("127.0.0.1", listener) as client:
        listener.sock.connect(client.sock.getsockname())
        client.sock.send(query(1))
        turn(listener)
        host, port = client.sock.getsockname()
    listener.sock.send(b"to nobody")
    assert turn(listener) == 0

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind((host, port))
        again.settimeout(5)
        again.sendto(query(2), listener.sock.getsockname())
        assert turn(listener) == 1
        assert again.recv(4096)[:2] == b"\x00\x02"
    assert listener.served.counters == {"queries_udp_ipv4": 2, "udp_receive_errors": 1}


def test_source_port_0_is_never_answered_and_harms_nobody(listen):
    """A raw socket sends what no other may."""
    listener = listen()
    host, port = listener.sock.getsockname()
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError:
        pytest.skip("a raw socket needs CAP_NET_RAW")
    with raw, Client("127.0.0.1", listener) as client:
        raw.sendto(pack("!HHHH", 0, port, 8 + len(query()), 0) + query(1), (host, 0))
        client.sock.send(query(2))
        read = turn(listener)
        while read < 2:
            read += turn(listener)

        assert client.sock.recv(4096)[:2] == b"\x00\x02", "the first thing that is heard"
    assert listener.served.counters == {"queries_udp_ipv4": 2, "dropped_port_zero": 1}


# The switch


@pytest.mark.parametrize(
    ("value", "path"), [(None, "compiled"), ("0", "compiled"), ("1", "pure"), ("yes", "pure")]
)
def test_the_environment_switches_it_off(value: str | None, path: str):
    environment: dict[str, Any] = {k: v for k, v in os.environ.items() if k != compiled.SWITCH}
    if value is not None:
        environment[compiled.SWITCH] = value
    words = "from gtmdns.serve import compiled as c; print(c.path(), c.Listener.__name__)"
    told = subprocess.run(
        [sys.executable, "-c", words], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()

    assert told == [path, "CompiledListener" if path == "compiled" else "UdpListener"]
