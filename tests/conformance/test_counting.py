"""What the metrics of a running server say is what happened to its queries."""

import os
import signal
import socket
import time
from collections.abc import Iterator

import dns.exception
import dns.message
import pytest

from tests.conformance.load import Plan, run_load
from tests.conformance.reloading import config
from tests.conformance.server import Server, serving
from tests.conformance.waiting import eventually

FLOOD = 30_000  # queries: several times what the buffers of two stopped workers hold


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("counting"), config(0)) as running:
        yield running


def total(server: Server, name: str) -> float:
    return sum(server.metrics().get(name, {}).values())


def test_every_query_is_counted_once(server: Server) -> None:
    """Over UDP and TCP, and whatever becomes of the generation or the worker that answered it."""
    received, answered = (
        total(server, f"gtmdns_{what}_total") for what in ("queries", "responses")
    )
    names = ["one.gtm.test", "no.gtm.test", "elsewhere.test"]

    run_load(Plan("127.0.0.1", server.port, names, rate=2000, most=600))
    server.reload()
    run_load(Plan("127.0.0.1", server.port, names, rate=2000, most=600))
    for _ in range(30):
        server.ask("one.gtm.test", tcp=True)

    def counted(name: str, before: float) -> bool:
        return total(server, name) == before + 1230

    eventually(lambda: counted("gtmdns_queries_total", received), "all queries are counted", 5)
    eventually(lambda: counted("gtmdns_responses_total", answered), "all responses are counted", 5)


def test_queries_that_find_the_buffers_full_are_counted(server: Server) -> None:
    """Both workers are stopped for less than the second after which the parent would mind."""
    before = total(server, "gtmdns_udp_receive_errors_total")
    packet = dns.message.make_query("one.gtm.test", "A").to_wire()
    workers = [server.process(f"worker {number}").pid for number in range(2)]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((server.host, server.port))
            for _ in range(FLOOD):
                sock.send(packet)
                if time.monotonic() > stopped + 0.7:
                    break
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)

    eventually(lambda: total(server, "gtmdns_udp_receive_errors_total") > before, "drops told", 5)

    def answered() -> list[str]:
        try:
            return server.addresses("one.gtm.test", patience=0.2)
        except dns.exception.Timeout:  # the buffers are still full
            return []

    assert eventually(answered, "an answer") == ["10.1.0.0"]
