"""What every listener does, pure and compiled: who is answered, from where, and what an error costs."""

import logging
from collections.abc import Callable, Iterator

import dns.message
import pytest

from gtmdns.answers.cache import AnswerCache
from gtmdns.serve import compiled
from gtmdns.serve.served import Served
from gtmdns.serve.udp import MAX_QUERY, UdpListener
from tests.answers.asking import told
from tests.example_zone import NUMBERS, example, fixed
from tests.example_zone import address as record
from tests.serve.listening import EACH_SOCKET, Client, opening, query, turn

PATHS = [pytest.param((UdpListener, AnswerCache), id="pure")]
if not compiled.PURE_BECAUSE:
    from gtmdns.answers.fast import FastCache

    PATHS += [
        pytest.param((compiled.CompiledListener, FastCache), id="compiled"),
        pytest.param((compiled.CompiledListener, AnswerCache), id="compiled, pure answers"),
    ]


@pytest.fixture(params=PATHS)
def listen(request: pytest.FixtureRequest) -> Iterator[Callable[..., UdpListener]]:
    """Return a function that opens a listener, of each path."""
    listener, cache = request.param
    with opening(
        lambda sock, served: listener(sock, served or Served(example(), cache))
    ) as open_listener:
        yield open_listener


# fmt: off
ADDRESSES = [
    # id                                  listens on       is asked at      counted as
    ("IPv4",                              "127.0.0.1:0",   "127.0.0.1",     "queries_udp_ipv4"),
    ("another address of the machine",    "127.0.0.2:0",   "127.0.0.2",     "queries_udp_ipv4"),
    ("IPv6",                              "[::1]:0",       "::1",           "queries_udp_ipv6"),
    ("all IPv4 addresses",                "0.0.0.0:0",     "127.0.0.1",     "queries_udp_ipv4"),
    ("all IPv4, not the kernel's choice", "0.0.0.0:0",     "127.0.0.2",     "queries_udp_ipv4"),
    ("all IPv6 addresses",                "[::]:0",        "::1",           "queries_udp_ipv6"),
]
# fmt: on


@pytest.mark.parametrize(
    ("listens", "asked", "counter"),
    [row[1:] for row in ADDRESSES],
    ids=[row[0] for row in ADDRESSES],
)
def test_the_answer_leaves_from_the_address_that_was_asked(listen, listens, asked, counter):
    """The client is connected, so the kernel shows it nothing from another address."""
    listener = listen(listens)
    with Client(asked, listener) as client:
        for _ in range(3):
            assert told(client.ask(listener)) == ["192.0.2.10"]

    assert listener.served.counters == {counter: 3}


@pytest.mark.parametrize("listens", EACH_SOCKET)
@pytest.mark.parametrize(
    "packet",
    [b"", b"\x00" * 11, b"\x12\x34\x80\x00" + bytes(8), query()[:2] + b"\x81" + query()[3:]],
    ids=["empty", "short", "response", "answer"],
)
def test_some_packets_are_met_with_silence(listen, listens, packet):
    listener = listen(listens)
    with Client("127.0.0.1", listener) as client:
        client.sock.send(packet)
        assert turn(listener) == 1

        assert told(client.ask(listener)) == ["192.0.2.10"], "the first thing that is heard"


@pytest.mark.parametrize("size", [MAX_QUERY, MAX_QUERY + 1, 65_507])
def test_an_oversized_query_is_formerr(listen, size):
    listener = listen()
    with Client("127.0.0.1", listener) as client:
        client.sock.send(query() + bytes(size - len(query())))
        turn(listener)

        assert client.sock.recv(4096)[3] & 15 == 1


def test_another_snapshot_and_another_verdict_serve_from_the_next_batch_on(listen):
    listener = listen()
    served = listener.served
    with Client("127.0.0.1", listener) as client:
        assert told(client.ask(listener)) == ["192.0.2.10"]
        served.snapshot.change(((NUMBERS["www"], fixed(record("192.0.2.98")).encoded()),))
        assert told(client.ask(listener)) == ["192.0.2.98"]
        other = example()
        other.change(((NUMBERS["www"], fixed(record("192.0.2.99")).encoded()),))
        served.snapshot = other

        assert told(client.ask(listener)) == ["192.0.2.99"]


class Failing:
    """A cache that fails for queries with an odd id."""

    def __init__(self, served: Served) -> None:
        self.inner = served.cache

    def respond(self, packet: bytes, host: str, draw: int, now: int) -> bytes | None:
        if len(packet) < 2 or packet[1] & 1:
            raise LookupError("a mistake of ours")
        return self.inner.respond(packet, host, draw, now)


@pytest.mark.parametrize("listens", EACH_SOCKET)
def test_an_exception_costs_its_query_only(listen, listens, caplog):
    """SERVFAIL for that one, told at the 1st, 2nd, 4th, 8th ... failure: no flood of tracebacks."""
    listener = listen(listens)
    served = listener.served
    served.cache = Failing(served)  # type: ignore[assignment]
    with Client("127.0.0.1", listener) as client, caplog.at_level(logging.ERROR):
        for number in range(40):
            client.sock.send(query(number))
        assert turn(listener) == 40
        codes = {}
        for _ in range(40):
            response = dns.message.from_wire(client.sock.recv(4096))
            codes[response.id] = response.rcode()

    assert codes == {number: 2 if number & 1 else 0 for number in range(40)}
    assert served.counters == {"queries_udp_ipv4": 40, "dropped_failed": 20}
    messages = [entry.getMessage() for entry in caplog.records]
    assert [text.split("failure ")[1].split(")")[0] for text in messages] == [
        "1",
        "2",
        "4",
        "8",
        "16",
    ]
    assert query(1).hex() in messages[0]
    assert all("LookupError" in (entry.exc_text or "") for entry in caplog.records)


@pytest.mark.parametrize("listens", EACH_SOCKET)
def test_a_failure_over_something_that_is_no_query_stays_silent(listen, listens):
    listener = listen(listens)
    served = listener.served
    served.cache = Failing(served)  # type: ignore[assignment]
    with Client("127.0.0.1", listener) as client:
        client.sock.send(b"")
        client.sock.send(query(2))
        assert turn(listener) == 2

        assert client.sock.recv(4096)[:2] == b"\x00\x02", "the first thing that is heard"
