"""The zone that all servers have: static names of several types, and names that are steered."""

from collections.abc import Iterator
from dataclasses import dataclass

ZONE = "bench.example"
STATIC_NAMES = 1000  # n0 to n999, an address each
TYPED_NAMES = 100  # m0 to m99: AAAA, MX, TXT
STEERED_NAMES = 100  # w0 to w99 by weight, r0 to r99 by the client's network
WEIGHTS = {"192.0.2.1": 1, "192.0.2.2": 3}
NEAR, FAR = "192.0.2.1", "192.0.2.2"  # what r0 to r99 answer to 127.0.0.0/9, and to all others


@dataclass(frozen=True)
class Setup:
    """How large a server is. names: static ones; workers: threads or processes for queries."""

    names: int = STATIC_NAMES
    workers: int = 1


USUAL = Setup()


def static_address(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def static_lines(setup: Setup) -> Iterator[str]:
    """Yield the master file without what is steered, each line with its owner."""
    yield f"$ORIGIN {ZONE}."
    yield "$TTL 60"
    yield f"@ SOA ns1 hostmaster.{ZONE}. 1 3600 900 604800 30"
    yield "@ NS ns1"
    yield "ns1 A 192.0.2.53"
    for n in range(setup.names):
        yield f"n{n} A {static_address(n)}"
    for n in range(TYPED_NAMES):
        yield f"m{n} AAAA 2001:db8::{n + 1:x}"
        yield f"m{n} MX 10 mail.{n}.test."
        yield f'm{n} TXT "v=spf1 ip4:192.0.2.0/24 -all"'


def master_file(setup: Setup, steered: list[str]) -> str:
    return "\n".join([*static_lines(setup), *steered]) + "\n"


def steered_as_static() -> list[str]:
    """Return what stands for steered names where a server steers nothing."""
    return [f"w{n} A {FAR}\nr{n} A {NEAR}" for n in range(STEERED_NAMES)]
