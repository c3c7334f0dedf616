"""What one answer costs in Python alone: `respond` (a miss) and the answer cache (a hit).

No sockets. The snapshot is made by hand: a zone of 1 000 static names, and names that are steered
by weight, by the client's network, shuffled, and drawn without replacement. Each row asks names in
turn; the best of several rounds counts, because what else the machine does only ever adds.

    python bench/respond.py [--rounds 7]
"""

import argparse
import json
import random
from collections.abc import Callable
from time import perf_counter

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gtmdns.answers.answer import Fixed, Several, leaf, shuffled, weighted
from gtmdns.answers.cache import AnswerCache
from gtmdns.answers.responder import respond
from gtmdns.answers.route import RouteTable
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.wire.name import from_text

ZONE = "bench.example"
CALLS = 10_000  # in one round
HOST, CLIENT = "127.0.0.1", 0xFFFF << 32 | 127 << 24 | 1
A, IN = b"\x00\x01", b"\x00\x01"
TAG = 16  # what is counted; any will do
PLAIN_OPT = bytes.fromhex("00002904d0000000000000")
SUBNET_OPT = bytes.fromhex("00002904d000000000000b" + "00080007" + "00011800" + "653900")

Packets = list[bytes]
Answering = Callable[[bytes, int], bytes | None]


def address(number: int) -> bytes:
    """Return one A record that belongs to the name of the question, TTL 60."""
    rdata = (198 << 24 | 51 << 16 | number).to_bytes(4)
    return b"\xc0\x0c" + A + IN + (60).to_bytes(4) + b"\x00\x04" + rdata


def snapshot() -> Snapshot:
    builder = SnapshotBuilder(1, Settings())
    networks = sorted(
        random.Random(1).sample(range(1 << 24), 50_000)
    )  # as many as a country file has
    route = RouteTable([n << 8 for n in networks], [n % 2 for n in range(50_001)], [], [0])
    first, second = (Fixed(leaf(address(n), TAG, 1)) for n in (1, 2))
    answers = [Fixed(leaf(address(n), TAG, 1)) for n in range(1000)]
    answers += [
        weighted([(1, first), (3, second)]),
        shuffled([address(n) for n in range(4)], 4, TAG),
        Several((5, 3, 2, 1), tuple(address(n) for n in range(4)), 2, TAG),
        first,
        second,
    ]
    builder.add(("routes", (route.encode(),)))
    builder.add(("answers", tuple(answer.encoded() for answer in answers)))
    builder.add(("routed", ((0, (1003, 1004), False),)))
    apex = from_text(ZONE)
    soa = b"\x00\x06" + IN + (30).to_bytes(4) + b"\x00\x16" + b"\x00\x00" + bytes(20)
    builder.add(("zone", apex, 0, soa))
    names = {f"n{n}": n for n in range(1000)}
    names |= {f"w{n}": 1000 for n in range(100)} | {f"s{n}": 1001 for n in range(100)}
    names |= {f"d{n}": 1002 for n in range(100)} | {f"r{n}": ~0 for n in range(100)}
    nodes = [
        (from_text(f"{name}.{ZONE}"), 0, ((1, entry),), None, None) for name, entry in names.items()
    ]
    builder.add(("nodes", 0, ((apex, 0, (), None, None), *nodes)))
    return builder.finish()


def packets(names: list[str], opt: bytes = b"") -> Packets:
    head = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00" + (b"\x01" if opt else b"\x00")
    return [
        (number & 0xFFFF).to_bytes(2) + head + from_text(f"{name}.{ZONE}") + A + IN + opt
        for number, name in enumerate(names)
    ]


def rows() -> dict[str, Packets]:
    chance = random.Random(2)
    static = [f"n{n}" for n in range(1000)]
    missing = [f"{chance.getrandbits(60):x}" for _ in range(CALLS)]
    return {
        "static A": packets(static),
        "static A, EDNS": packets(static, PLAIN_OPT),
        "by weight": packets([f"w{n}" for n in range(100)]),
        "four addresses, shuffled": packets([f"s{n}" for n in range(100)]),
        "two of four, by weight": packets([f"d{n}" for n in range(100)]),
        "by network": packets([f"r{n}" for n in range(100)]),
        "by network, client subnet": packets([f"r{n}" for n in range(100)], SUBNET_OPT),
        "NXDOMAIN, random names": packets(missing),
        "NXDOMAIN, random names, EDNS": packets(missing, PLAIN_OPT),
        "not our zone": [
            p.replace(b"\x07example\x00", b"\x07exampel\x00") for p in packets(static)
        ],
    }


def microseconds(answer: Answering, asked: Packets, rounds: int) -> float:
    """Return the time of one call, the best of `rounds`."""
    turns = [asked[n % len(asked)] for n in range(CALLS)]
    chance = random.Random(3)
    draws = [chance.getrandbits(64) for _ in range(CALLS)]
    best = float("inf")
    for _ in range(rounds):
        started = perf_counter()
        for packet, draw in zip(turns, draws, strict=True):
            answer(packet, draw)
        best = min(best, perf_counter() - started)
    return best * 1e6 / CALLS


def main() -> None:
    parser = argparse.ArgumentParser(description="microseconds for one answer, without sockets")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.rounds)
    if options.json:
        print(json.dumps({"rows": found}))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("queries")
    for title in ("respond", "with the cache"):
        table.add_column(title, justify="right")
    for words, (miss, hit) in found.items():
        table.add_row(words, f"{miss:.2f}", f"{hit:.2f}")
    print(f"microseconds for one answer, without sockets; the best of {options.rounds} rounds")
    Console(width=max(100, Console().width)).print(table)


def measure(rounds: int) -> dict[str, tuple[float, float]]:
    """Return the microseconds of a miss and of a hit, for each kind of query."""
    found = {}
    served = snapshot()
    for words, asked in rows().items():
        cache = AnswerCache(served)
        for packet in asked[:2]:
            response = cache.respond(packet, HOST, 0)
            assert response is not None
            assert response == respond(packet, CLIENT, served, 0), "both ways, the same octets"
        miss = microseconds(
            lambda packet, draw: respond(packet, CLIENT, served, draw), asked, rounds
        )
        hit = microseconds(
            lambda packet, draw, c=cache: c.respond(packet, HOST, draw), asked, rounds
        )
        found[words] = miss, hit
    return found


if __name__ == "__main__":
    main()
