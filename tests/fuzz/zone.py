"""A zone beside that of tests/example_zone.py, for the fuzzer: names that lead on in every way.

Numbers go on from those of the example. Chains leave the zone and come back, a DNAME makes names
longer until they are too long, answers look at the client's network, additional records go
before the rest.
"""

from typing import Any

from gtmdns.answers.answer import Answer, Hashed, Several, shuffled, weighted
from gtmdns.wire.constants import AAAA, CNAME, MX, NS, SOA, A
from gtmdns.wire.name import WireName, from_text
from tests.example_zone import (
    ANSWERS,
    HTTPS,
    NEGATIVE,
    NUMBERS,
    OTHER,
    RECORDS,
    ROUTED,
    SOA_RDATA,
    STEERED,
    TTL,
    address,
    fixed,
    rdata,
    rr,
)

APEX = from_text("kinds.test")
NUMBER = 2  # of this zone; the example has two
BASE = 4 << 16
SRV = 33

POOL = tuple(address(f"198.51.100.{n}") for n in range(1, 9))
KEYS = tuple(0x0123456789ABCDEF * n & (1 << 64) - 1 for n in range(1, 9))
HASHED = Hashed(KEYS, tuple(range(1, 9)), POOL, 1, STEERED)
HASHED_SOME = Hashed(KEYS, (1,) * 8, POOL, 3, STEERED)


def _cname(target: str) -> bytes:
    return rr(CNAME, rdata("CNAME", target))


NEW: dict[str, Answer] = {
    "hash": HASHED,
    "hash some": HASHED_SOME,
    "hash or not": weighted([(1, HASHED), (1, fixed(*POOL[:2], tag=OTHER))]),
    "all": shuffled(POOL, 8, STEERED),
    "drawn": Several(tuple(range(1, 9)), POOL, 3, STEERED),
    "leads": weighted(
        [
            (weight, fixed(_cname(target), tag=STEERED))
            for weight, target in enumerate(
                ("www.example.com.", "hash.kinds.test.", "a.led.kinds.test.", "nothing.kinds.test.",
                 "a.sub.example.com.", "leads.kinds.test.", "mx.kinds.test.", "www.example.net.",
                 "region.example.com.", "down.example.com."), 1,
            )
        ]
    ),
}  # fmt: skip
AT = {name: len(ANSWERS) + number for number, name in enumerate(NEW)}

NEW_ROUTED = {
    "hashed": (0, (AT["hash"], AT["hash some"], AT["hash or not"]), True),
    "plain": (0, (AT["all"], AT["drawn"], AT["all"]), False),
    "leading": (0, (AT["leads"], NUMBERS["alias www"], NUMBERS["alias region"]), False),
}
ROUTED_AT = {name: ~(len(ROUTED) + number) for number, name in enumerate(NEW_ROUTED)}

HOSTS = tuple(
    (from_text(f"mail{n}.kinds.test"), rtype, TTL, rdata(name, text))
    for n in range(12)
    for rtype, name, text in ((A, "A", f"192.0.2.{n}"), (AAAA, "AAAA", f"2001:db8::{n}"))
)
NEW_RECORDS = {
    "soa": (SOA, TTL, (SOA_RDATA,), ()),
    "mx": (MX, TTL, tuple(rdata("MX", f"{n} mail{n}.kinds.test.") for n in range(12)), HOSTS),
    "https": (HTTPS, TTL, (rdata("HTTPS", "1 . alpn=h2"),), tuple(
        (WireName(b""), *host[1:]) for host in HOSTS[:2])),
    "srv": (SRV, TTL, (rdata("SRV", "0 1 443 mail1.kinds.test."),), HOSTS[2:4]),
    "cut": (NS, TTL, tuple(rdata("NS", f"mail{n}.cut.kinds.test.") for n in range(4)), tuple(
        (from_text(f"mail{n}.cut.kinds.test"), *HOSTS[n][1:]) for n in range(4))),
}  # fmt: skip
RECORDS_AT = {name: (len(RECORDS) + number,) for number, name in enumerate(NEW_RECORDS)}


def _name(text: str) -> WireName:
    return from_text(text, APEX)


def _nodes() -> tuple[Any, ...]:
    types = {
        "@": ((SOA, RECORDS_AT["soa"]),),
        "hash": ((A, ROUTED_AT["hashed"]),),
        "*.hash": ((A, ROUTED_AT["hashed"]),),
        "plain": ((A, ROUTED_AT["plain"]), (HTTPS, RECORDS_AT["https"])),
        "drawn": ((A, AT["drawn"]),),
        "mx": ((MX, RECORDS_AT["mx"]), (A, AT["all"])),
        "srv": ((SRV, RECORDS_AT["srv"]),),
    }
    plain = tuple((_name(name), BASE, entries, None, None) for name, entries in types.items())
    return (
        *plain,
        (_name("leads"), BASE, (), ROUTED_AT["leading"], None),
        (_name("*.leads"), BASE, (), AT["leads"], None),
        (_name("cut"), BASE, (), None, RECORDS_AT["cut"][0]),
    )


LINKS = tuple(
    (_name(name), BASE, TTL, rdata("CNAME", target))
    for name, target in (
        ("to-hash", "hash.kinds.test."),
        ("to-plain", "plain.kinds.test."),
        ("to-leads", "x.leads.kinds.test."),
        ("to-mx", "mx.kinds.test."),
        ("to-cut", "a.b.cut.kinds.test."),
        ("to-transfer", "www.inner.example.com."),
        ("*.wild", "deep.led.kinds.test."),
        *((f"link{n}", f"link{n + 1}.kinds.test.") for n in range(20)),
    )
)
LED = tuple(
    (_name(name), BASE, (), TTL, rdata("DNAME", target))
    for name, target in (
        ("led", "wild.kinds.test."),
        ("longer", "x.longer.kinds.test."),
        ("away", "apps.example.com."),
        ("hashes", "hash.kinds.test."),
    )
)
WILDCARDS = tuple((_name(name), _name(f"*.{name}")) for name in ("hash", "leads", "wild"))


def more_pieces() -> list[tuple[Any, ...]]:
    """Return what comes after `example_zone.pieces()`."""
    return [
        ("answers", tuple(answer.encoded() for answer in NEW.values())),
        ("routed", tuple(NEW_ROUTED.values())),
        ("zone", APEX, BASE, NEGATIVE),
        ("records", tuple(NEW_RECORDS.values())),
        ("nodes", NUMBER, (*_nodes(), (_name("wild"), BASE, (), None, None))),
        ("aliases", NUMBER, LINKS),
        ("dnames", NUMBER, LED),
        ("wildcards", NUMBER, WILDCARDS),
    ]
