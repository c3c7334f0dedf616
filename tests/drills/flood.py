"""Random names: what a query costs that nothing was kept for, beside one that everything was."""

import uuid
from pathlib import Path

import dns.rcode

from tests.conformance.load import Outcome, Plan, run_load
from tests.conformance.server import Late, Server, serving
from tests.drills.silence import cpu

NAMES = 20_000  # of each kind, none of them asked twice
RATE, SECONDS = 4000.0, 10.0
LEAST = 0.5  # of the rate of a known name; `make bench` tells it for a worker that is never idle
CONFIG = """
zones:
  gtm.test:
    nameservers: {ns1: [127.0.0.1]}
    contact: hostmaster@example.com
    records:
      www: {A: [192.0.2.1]}
      "*.wild": {A: [192.0.2.2]}
"""


def flood(folder: Path) -> str:
    """T16. As CPU time of the workers for each query, so that the source cannot be the limit."""
    with serving(folder, CONFIG) as server:
        lines = []
        usual = _cost(server, ["www.gtm.test"])
        memory = sum(p.rss for p in server.lasting())
        for kind, suffix, answer in (
            ("no such name", "gtm.test", dns.rcode.to_text(dns.rcode.NXDOMAIN)),
            ("wildcard", "wild.gtm.test", "192.0.2.2"),
        ):
            names = [f"{uuid.UUID(int=n * 7919)}.{suffix}" for n in range(NAMES)]
            each = _cost(server, names, answer)
            lines.append(f"{kind}: {each:.1f} µs, {usual / each:.0%} of the rate of a known name")
            if usual / each < LEAST:
                raise Late("\n".join(lines))
        grown = sum(p.rss for p in server.lasting()) / memory - 1
    assert grown <= 0.05, f"memory {grown:+.1%}"
    return "\n".join([f"known name: {usual:.1f} µs of CPU time", *lines, f"memory {grown:+.1%}"])


def _cost(server: Server, names: list[str], answer: str = "192.0.2.1") -> float:
    """Return the microseconds of CPU time that the workers take for a query."""
    before = cpu(server)
    outcome: Outcome = run_load(
        Plan(server.host, server.port, names, rate=RATE, seconds=SECONDS, most=60_000)
    )
    taken = cpu(server) - before
    outcome.assert_none_lost()
    assert set(outcome.counts) == {answer}
    return 1e6 * taken / len(outcome)
