"""Shares of answers are what the weights say: by `gtmdns measure`, by dig, by counting per worker."""

import json
import shutil
import socket
from collections import Counter
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.query
import pytest

from tests.conformance.server import Server, run, serving
from tests.conformance.shares import assert_shares, flows, summed
from tests.conformance.weighing import BIG, CONFIG, PAIRS, A, B, C, assert_chi_squares, dig


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("weights"), CONFIG) as running:
        yield running


@pytest.mark.parametrize(("name", "weights"), PAIRS)
def test_measure(server: Server, name: str, weights: dict[str, int]) -> None:
    done = run("measure", name, "--server", f"127.0.0.1:{server.port}", "-n", "1000", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    (result,) = json.loads(done.stdout)["results"]
    assert (result["queries"], result["lost"]) == (1000, 0)
    assert_shares({a["data"][0]: a["count"] for a in result["answers"]}, weights)


@pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed (Debian: bind9-dnsutils)")
def test_dig(server: Server) -> None:
    counts = dig(server, "w3.gtm.test", 100)

    assert counts.total() == 100
    assert_shares(counts, {A: 1, B: 3})


@pytest.mark.parametrize("name", ["among.gtm.test", "inside.gtm.test"])
def test_every_worker_draws_by_weight(server: Server, name: str) -> None:
    assert_chi_squares(server, name, 100_000)


def test_changed_weights_hold_at_once_and_exactly(server: Server) -> None:
    """The same flows before and after: what a worker drew before leaves no trace."""
    with flows(server, "w3.gtm.test") as asked:
        before = summed(asked.ask(100))
        server.write(CONFIG.replace("w3: {pools: {a: 1, b: 3}}", "w3: {pools: {a: 4, b: 1}}"))
        server.reload()
        after = summed(asked.ask(100))
        server.write(CONFIG)
        server.reload()

    assert_shares(before, {A: 1, B: 3})
    assert_shares(after, {A: 4, B: 1})


def over_tcp(server: Server, name: str, times: int) -> Counter[str]:
    """Ask over connections of 50 queries each; count the first address of each answer."""
    counts: Counter[str] = Counter()
    query = dns.message.make_query(name, "A")
    for _ in range(times // 50):
        with socket.create_connection((server.host, server.port), 10) as sock:
            for _ in range(50):
                response = dns.query.tcp(query, server.host, timeout=10, sock=sock)
                assert not response.flags & dns.flags.TC
                counts[str(response.answer[-1][0])] += 1
    return counts


@pytest.mark.parametrize("name", ["inside", "alias", "x.wild", "inside.led", "hosts", "hosts.led"])
def test_shares_over_tcp_and_behind_names_that_lead_on(server: Server, name: str) -> None:
    """The exact count of every ticket is in tests/answers/test_exactness.py."""
    assert_shares(over_tcp(server, f"{name}.gtm.test", 400), {A: 1, B: 2, C: 5})


def test_who_was_truncated_and_comes_again_over_tcp_gets_fair_shares(server: Server) -> None:
    short = server.ask("big.gtm.test")

    assert (bool(short.flags & dns.flags.TC), short.answer) == (True, [])
    assert_shares(over_tcp(server, "big.gtm.test", 400), dict.fromkeys(BIG, 1))
