"""Weighted names of a running server, counted: by dig, and by worker."""

import subprocess
from collections import Counter

from tests.conformance.server import Server
from tests.conformance.shares import CHI_SQUARE_P, chi_square_p, flows, summed

A, B, C, SPARE = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"
BIG = [f"10.1.0.{n}" for n in range(40)]  # together more than 512 octets

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
  to-inside: {{endpoints: [inside.gtm.test]}}
  big: {{endpoints: [{", ".join(BIG)}], max_answers: 40}}
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
      alias: {{CNAME: inside}}
      "*.wild": {{CNAME: inside}}
      led: {{DNAME: gtm.test.}}
      hosts: {{pools: to-inside}}
      big: {{pools: big}}
"""

PAIRS = [
    ("w1.gtm.test", {A: 1, B: 1}),
    ("w3.gtm.test", {A: 1, B: 3}),
    ("w99.gtm.test", {A: 1, B: 99}),
]
THREE = {A: 1, B: 2, C: 5}


def dig(server: Server, name: str, times: int) -> Counter[str]:
    """Count what a plain loop of `dig +short` prints."""
    loop = f"for i in $(seq {times}); do dig +short @127.0.0.1 -p {server.port} {name}; done"
    done = subprocess.run(
        ["sh", "-c", loop], capture_output=True, text=True, check=True, timeout=100
    )
    return Counter(done.stdout.split("\n")[:-1])


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
