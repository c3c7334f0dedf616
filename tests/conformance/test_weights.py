"""Shares of answers are what the weights say: by `gtmdns measure`, by dig, by counting per worker."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.conformance.server import Server, run, serving
from tests.conformance.shares import CHI_SQUARE_P, assert_shares, chi_square_p, flows, summed

A, B, C, SPARE = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"

CONFIG = f"""
pools:
  a: {{endpoints: [{A}]}}
  b: {{endpoints: [{B}]}}
  c: {{endpoints: [{C}]}}
  spare: {{endpoints: [{SPARE}]}}
  inside:
    endpoints:
      - {{address: {A}, weight: 1}}
      - {{address: {B}, weight: 2}}
      - {{address: {C}, weight: 5}}
      - {{address: {SPARE}, weight: 0}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      w1: {{pools: {{a: 1, b: 1}}}}
      w3: {{pools: {{a: 1, b: 3}}}}
      w99: {{pools: {{a: 1, b: 99}}}}
      among: {{pools: {{a: 1, b: 2, c: 5, spare: 0}}}}
      inside: {{pools: inside}}
"""

PAIRS = [
    ("w1.gtm.test", {A: 1, B: 1}),
    ("w3.gtm.test", {A: 1, B: 3}),
    ("w99.gtm.test", {A: 1, B: 99}),
]
THREE = {A: 1, B: 2, C: 5}


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


def dig(server: Server, name: str, times: int) -> Counter[str]:
    """Count what a plain loop of `dig +short` prints."""
    loop = f"for i in $(seq {times}); do dig +short @127.0.0.1 -p {server.port} {name}; done"
    done = subprocess.run(
        ["sh", "-c", loop], capture_output=True, text=True, check=True, timeout=100
    )
    return Counter(done.stdout.split("\n")[:-1])


@pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed (Debian: bind9-dnsutils)")
def test_dig(server: Server) -> None:
    counts = dig(server, "w3.gtm.test", 100)

    assert counts.total() == 100
    assert_shares(counts, {A: 1, B: 3})


def chi_squares(server: Server, name: str, queries: int) -> list[float]:
    """Return p of the answers of each worker and of all answers."""
    with flows(server, name) as asked:
        of_first = asked.of_worker(server, "worker 0")
        assert any(of_first), "no flow met worker 0"
        assert not all(of_first), "no flow met worker 1"
        counts = asked.ask(-(-queries // len(asked.sockets)))
    first = summed([count for count, is_first in zip(counts, of_first, strict=True) if is_first])
    second = summed(
        [count for count, is_first in zip(counts, of_first, strict=True) if not is_first]
    )
    for each in (first, second):
        assert set(each) <= set(THREE), f"a weight of 0 was drawn: {each}"
    return [chi_square_p(each, THREE) for each in (first, second, first + second)]


def assert_chi_squares(server: Server, name: str, queries: int) -> None:
    """No p below CHI_SQUARE_P; chance alone gives one in 300 tries, so it is asked twice then."""
    first = chi_squares(server, name, queries)
    if min(first) <= CHI_SQUARE_P:
        print(f"p of {name}: {first}; counted once more")
        first = chi_squares(server, name, queries)
    assert min(first) > CHI_SQUARE_P, f"{name}, worker 0, worker 1 and both: p {first}"


@pytest.mark.parametrize("name", ["among.gtm.test", "inside.gtm.test"])
def test_every_worker_draws_by_weight(server: Server, name: str) -> None:
    assert_chi_squares(server, name, 30_000)


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
