"""Random names: what a query costs that nothing was kept for, beside one that everything was."""

from pathlib import Path

import dns.message

from gtmdns.serve.compiled import PURE_BECAUSE
from tests.conformance.server import Server
from tests.conformance.waiting import Late
from tests.drills.pouring import LABEL, pouring, serving_apart
from tests.drills.silence import cpu

SECONDS = 20.0  # of each kind, no name asked twice
LEAST = {"compiled": 0.7, "pure": 0.45}  # of the rate of a known name
GROWTH = 0.05  # of the memory
NO_ERROR, NO_SUCH_NAME = (0, 1), (3, 0)  # RCODE, answers
RANDOM = LABEL.decode()
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
    """T16, of both paths, each on a core that is never idle."""
    lines = [_flood(folder, "pure", {"GTMDNS_PURE_PYTHON": "1"})]
    if not PURE_BECAUSE:
        lines.append(_flood(folder, "compiled", {}))
    return "\n".join(lines)


def _flood(folder: Path, path: str, environment: dict[str, str]) -> str:
    """As CPU time of the worker for each query, so that who asks cannot be the limit."""
    own = folder / path
    own.mkdir(exist_ok=True)
    with serving_apart(own, CONFIG, environment=environment) as server:
        usual = _cost(server, "www.gtm.test", NO_ERROR)
        memory = sum(p.rss for p in server.lasting())
        lines = [f"{path}: {usual:.2f} µs of CPU time for a known name"]
        for kind, suffix, expected in (
            ("no such name", "gtm.test", NO_SUCH_NAME),
            ("wildcard", "wild.gtm.test", NO_ERROR),
        ):
            each = _cost(server, f"{RANDOM}.{suffix}", expected)
            lines.append(f"{kind} {each:.2f} µs, {usual / each:.0%} of the rate")
            if usual / each < LEAST[path]:
                raise Late(", ".join(lines))
        grown = sum(p.rss for p in server.lasting()) / memory - 1
    assert grown <= GROWTH, f"memory {grown:+.1%}"
    return f"{', '.join(lines)}, memory {grown:+.1%}"


def _cost(server: Server, name: str, expected: tuple[int, int]) -> float:
    """Return the microseconds of CPU time that the worker takes for a query."""
    packet = dns.message.make_query(name, "A", use_edns=0).to_wire()
    with pouring(server, packet, seed=16) as source:
        source.closely(0.5)
        before = cpu(server)
        poured = source.closely(SECONDS)
        taken = cpu(server) - before
    assert set(poured.kinds) == {expected}, poured.kinds
    return 1e6 * taken / poured.answered
