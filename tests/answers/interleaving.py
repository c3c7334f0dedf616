"""Queries that differ in everything an answer may depend on, asked in turn of one answer cache."""

import random
from struct import pack

from gtmdns.answers.cache import AnswerCache, client_number
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Snapshot
from gtmdns.wire.name import from_text
from tests.example_zone import ELSEWHERE, EU, EU6, HOME, OFFICE, US

HOSTS = [EU, US, ELSEWHERE, EU6, OFFICE, HOME, "::ffff:192.0.2.9", "fe80::1%eth0"]
NAMES = [
    "@", "www", "dual", "alias", "ent", "a.ent", "sub", "region", "alias-region", "weighted", "shuffled", "several",
    "nested", "nodata", "servfail", "down", "big", "huge", "*.apps", "apps", "exact.apps",  # these exist
    "no", "x.apps", "X.Y.apps", "a.sub", "www.www", r"w\000w", "www.inner", "no.inner", "www.example.net.",
    "x.led", "to-region", "to-alias-region", "to-inner", "ring",
]  # fmt: skip
TYPES = [1, 28, 65, 97, 2, 6]
CLASSES = [1, 1, 1, 3, 255]
FLAGS = [0x0100, 0, 0x0110, 0x0120, 0x0010]  # RD, CD, AD
EDNS = [None, (0, 0), (512, 0), (1232, 0), (1232, 0x8000), (4096, 0), (4096, 0x8000)]
SUBNETS = ["00011800c00002", "00011800c63364", "00011000c000", "00010000", "0002300020010db8000e"]
OPTIONS = [b"", b"", *(pack("!HH", 8, len(s) // 2) + bytes.fromhex(s) for s in SUBNETS)]


def packet(
    name: str = "www",
    qtype: int = 1,
    qclass: int = 1,
    number: int = 1,
    flags: int = 0x0100,
    edns: tuple[int, int] | None = None,
    options: bytes = b"",
    case: int = 0,
) -> bytes:
    """Return a query. edns: size and flags. case: which letters are upper case, as bits."""
    qname = bytes(
        octet - 32 if 97 <= octet <= 122 and case >> at % 60 & 1 else octet
        for at, octet in enumerate(from_text(name, from_text("example.com")))
    )
    question = qname + pack("!HH", qtype, qclass)
    opt = b""
    if edns is not None:
        opt = b"\x00" + pack("!HHBBHH", 41, edns[0], 0, 0, edns[1], len(options)) + options
    return pack("!HHHHHH", number, flags, 1, 0, 0, 1 if opt else 0) + question + opt


def interleave(snapshot: Snapshot, number: int, seed: int) -> str:
    """Ask so many queries of one cache; each response is that of `respond`, which has no memory.

    Returns a line of figures. Raises AssertionError at the first mix-up.
    """
    chance = random.Random(seed)
    cache = AnswerCache(snapshot)
    kinds = [
        packet(
            chance.choice(NAMES),
            chance.choice(TYPES),
            chance.choice(CLASSES),
            flags=chance.choice(FLAGS),
            edns=chance.choice(EDNS),
            options=chance.choice(OPTIONS),
            case=chance.choice([0, chance.getrandbits(60)]),
        )
        for _ in range(2000)
    ]
    seen = set()
    for at in range(number):
        query = pack("!H", chance.getrandbits(16)) + chance.choice(kinds)[2:]
        host, draw = chance.choice(HOSTS), chance.getrandbits(64)
        expected = respond(query, client_number(host), snapshot, draw)
        found = cache.respond(query, host, draw)
        assert found == expected, f"query {at}, {query.hex()} from {host}, draw {draw}"
        seen.add(expected[2:] if expected else b"")
    assert len(cache) > 200, "hardly anything was kept: this shows nothing"
    assert len(seen) > 500, "the responses hardly differ: this shows nothing"
    return f"{number} queries of {len(set(kinds))} kinds, {len(seen)} responses, {len(cache)} questions kept: 0 mix-ups"
