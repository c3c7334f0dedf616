"""A snapshot made by hand, without the compiler: what the tests of the query path ask.

Zone example.com with a zone inner.example.com below it. RDATA is written by dnspython, so
that an answer in a test is what somebody else's library made of the text here.
"""

from struct import pack
from typing import Any

import dns.name
import dns.rdata

from gtmdns.answers.answer import (
    FIRST_TAG,
    STATIC,
    Answer,
    Fixed,
    Nested,
    Several,
    leaf,
    shuffled,
    weighted,
)
from gtmdns.answers.cache import client_number
from gtmdns.answers.choice import alias_table
from gtmdns.answers.route import MAPPED, RouteTable
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.wire.constants import AAAA, CNAME, MX, NS, SERVFAIL, SOA, TXT, A
from gtmdns.wire.name import WireName, from_text

APEX, INNER = from_text("example.com"), from_text("inner.example.com")
APEX_BASE, STEERED_BASE, INNER_BASE = 1 << 16, 2 << 16, 3 << 16  # tally bases
STEERED, OTHER = FIRST_TAG, FIRST_TAG + 1  # tally tags
TTL = 60
HTTPS = 65  # an "A" as an octet: the trap of lowering a whole packet

EU, US, ELSEWHERE = "192.0.2.77", "198.51.100.77", "203.0.113.77"
EU6 = "2001:db8:e::77"
OFFICE, HOME = "10.1.2.3", "10.9.9.9"  # private: the networks of EU hold the first one
IN_EU, IN_US, IN_ELSEWHERE = map(client_number, (EU, US, ELSEWHERE))


def rdata(rtype: str, text: str) -> bytes:
    """Return RDATA as dnspython writes it; names relative to example.com."""
    origin = dns.name.from_text("example.com.")
    wire = dns.rdata.from_text("IN", rtype, text, origin=origin, relativize=False).to_wire()
    assert wire is not None
    return wire


def rr(rtype: int, data: bytes, owner: bytes = b"\xc0\x0c") -> bytes:
    """Return a record, owned by the name of the question where nothing else is said."""
    return owner + pack("!HHIH", rtype, 1, TTL, len(data)) + data


def address(text: str) -> bytes:
    """Return an address record."""
    return rr(AAAA, rdata("AAAA", text)) if ":" in text else rr(A, rdata("A", text))


def fixed(*records: bytes, tag: int = STATIC) -> Fixed:
    return Fixed(leaf(b"".join(records), tag, len(records)))


def empty(rcode: int, tag: int) -> Fixed:
    """Return an answer without records: NODATA or SERVFAIL."""
    return Fixed(leaf(None, tag, rcode))


# 10.1.0.0/16, 192.0.2.0/24 and 2001:db8:e::/48 are EU (rule 0), 198.51.100.0/24 is US (rule 1),
# the rest is rule 2.
ROUTE = RouteTable(
    [0x0A010000, 0x0A020000, 0xC0000200, 0xC0000300, 0xC6336400, 0xC6336500],
    [2, 0, 2, 0, 2, 1, 2],
    [0xFFFF << 32, 0x10000 << 32, 0x20010DB8000E << 80, 0x20010DB8000F << 80],
    [2, MAPPED, 2, 0, 2],
)
KNOWN_PRIVATE = ((client_number("10.1.0.0"), client_number("10.1.255.255")),)

SOA_RDATA = rdata("SOA", "ns1 hostmaster 7 86400 7200 3600000 30")
NS1 = (from_text("ns1.example.com"), A, TTL, rdata("A", "192.0.2.53"))
NS_SUB = from_text("ns.sub.example.com")
GLUE = (
    (NS_SUB, A, TTL, rdata("A", "192.0.2.54")),
    (NS_SUB, AAAA, TTL, rdata("AAAA", "2001:db8::54")),
)
WEIGHTED = weighted(
    [(1, fixed(address("192.0.2.1"), tag=STEERED)), (3, fixed(address("192.0.2.2"), tag=OTHER))]
)
SHUFFLED = shuffled([address(f"192.0.2.{n}") for n in range(1, 5)], 4, STEERED)
SEVERAL = Several((5, 3, 2, 1), tuple(address(f"192.0.2.{n}") for n in range(1, 5)), 2, STEERED)

ANSWERS: dict[str, Answer] = {
    "www": fixed(address("192.0.2.10")),
    "www6": fixed(address("2001:db8::10")),
    "www https": fixed(rr(HTTPS, rdata("HTTPS", "1 . alpn=h2"))),
    "apps": fixed(address("192.0.2.20")),
    "text": fixed(rr(TXT, rdata("TXT", '"exact"'))),
    "eu": fixed(address("192.0.2.1"), tag=STEERED),
    "us": fixed(address("198.51.100.1"), tag=OTHER),
    "elsewhere": fixed(address("203.0.113.1"), tag=OTHER),
    "alias eu": fixed(rr(CNAME, rdata("CNAME", "eu.example.net.")), tag=STEERED),
    "alias us": fixed(rr(CNAME, rdata("CNAME", "us.example.net.")), tag=STEERED),
    "alias www": fixed(rr(CNAME, rdata("CNAME", "www")), tag=STEERED),
    "alias region": fixed(rr(CNAME, rdata("CNAME", "region")), tag=STEERED),
    "weighted": WEIGHTED,
    "shuffled": SHUFFLED,
    "several": SEVERAL,
    "nested": Nested(alias_table([1, 2]), (WEIGHTED, SHUFFLED)),
    "nodata": empty(0, STEERED),
    "servfail": empty(SERVFAIL, OTHER),
    "big": shuffled([address(f"192.0.2.{n}") for n in range(40)], 40, STEERED),  # 640 octets
    "huge": fixed(*(rr(TXT, rdata("TXT", f'"{n:0200}"')) for n in range(8))),  # 1 704 octets
    "inner www": fixed(address("192.0.2.30")),
}
NUMBERS = {name: number for number, name in enumerate(ANSWERS)}

# Routed entries: (route, answer by rule, whether the client's network counts)
ROUTED = {
    "region": (0, (NUMBERS["eu"], NUMBERS["us"], NUMBERS["elsewhere"]), False),
    "by region": (0, (NUMBERS["alias eu"], NUMBERS["alias us"], NUMBERS["alias region"]), False),
    "down": (0, (NUMBERS["nodata"], NUMBERS["servfail"], NUMBERS["weighted"]), False),
}

# Static RRsets with names that are compressed: (type, TTL, values, additional records)
RECORDS = {
    "soa": (SOA, TTL, (SOA_RDATA,), ()),
    "ns": (NS, TTL, (rdata("NS", "ns1"),), (NS1,)),
    "mx": (MX, TTL, (rdata("MX", "10 mail"), rdata("MX", "20 mail2")), ()),
    "sub": (NS, TTL, (rdata("NS", "ns.sub"),), GLUE),
    "inner cut": (NS, TTL, (rdata("NS", "ns1"),), (NS1,)),
}


def node(
    name: str, base: int = APEX_BASE, cname: str | None = None, cut: str | None = None, **types: str
) -> tuple[Any, ...]:
    """Return a node as it travels. types: A="name of an answer or of a routed entry"."""
    numbers = {"A": A, "AAAA": AAAA, "NS": NS, "SOA": SOA, "MX": MX, "TXT": TXT, "HTTPS": HTTPS}
    return (
        from_text(name, APEX),
        base,
        tuple((numbers[rtype], _entry(entry)) for rtype, entry in types.items()),
        None if cname is None else _entry(cname),
        None if cut is None else list(RECORDS).index(cut),
    )


def _entry(name: str) -> int | tuple[int]:
    if name in RECORDS:
        return (list(RECORDS).index(name),)
    return ~list(ROUTED).index(name) if name in ROUTED else NUMBERS[name]


def alias(name: str, target: str) -> tuple[Any, ...]:
    """Return a name with a static CNAME as it travels."""
    return from_text(name, APEX), APEX_BASE, TTL, rdata("CNAME", target)


NODES = (
    node("@", SOA="soa", NS="ns", MX="mx"),
    node("www", A="www", HTTPS="www https"),
    node("dual", A="www", AAAA="www6"),
    node("apps"),  # an empty non-terminal with a wildcard below
    node("*.apps", A="apps"),
    node("exact.apps", TXT="text"),
    node("ent"),
    node("a.ent", A="www"),
    node("alias-apps"),
    node("sub", cut="sub"),
    node("inner", cut="inner cut"),  # a zone of its own, which is here too
    node("region", STEERED_BASE, A="region", AAAA="www6"),
    node("alias-region", STEERED_BASE, cname="by region"),
    node("alias-www", STEERED_BASE, cname="alias www"),
    node("weighted", STEERED_BASE, A="weighted"),
    node("shuffled", STEERED_BASE, A="shuffled"),
    node("several", STEERED_BASE, A="several"),
    node("nested", STEERED_BASE, A="nested"),
    node("nodata", STEERED_BASE, A="nodata"),
    node("servfail", STEERED_BASE, A="servfail"),
    node("down", STEERED_BASE, A="down"),
    node("big", STEERED_BASE, A="big"),
    node("huge", STEERED_BASE, TXT="huge"),
)
ALIASES = (
    alias("alias", "www"),
    alias("*.alias-apps", "www"),
    alias("to-region", "region"),
    alias("to-alias-region", "alias-region"),
    alias("to-inner", "WWW.Inner"),
    alias("to-nothing", "nothing"),
    alias("to-sub", "a.sub"),
    alias("to-ns", "@"),
    alias("to-down", "down"),
    alias("away", "www.example.net."),
    alias("ring", "ring2"),
    alias("ring2", "ring"),
)
DNAMES = ((from_text("led", APEX), APEX_BASE, (), TTL, rdata("DNAME", "apps")),)
INNER_NODES = (
    node("inner", INNER_BASE, SOA="soa"),
    node("www.inner", INNER_BASE, A="inner www"),
)


NEGATIVE = pack("!HHIH", SOA, 1, 30, len(SOA_RDATA)) + SOA_RDATA


def pieces() -> list[tuple[Any, ...]]:
    """Return the snapshot as it travels to a worker."""
    names = {each[0] for each in (*NODES, *ALIASES)}
    return [
        ("private", KNOWN_PRIVATE),
        ("routes", (ROUTE.encode(),)),
        ("answers", tuple(answer.encoded() for answer in ANSWERS.values())),
        ("routed", tuple(ROUTED.values())),
        ("zone", APEX, APEX_BASE, NEGATIVE),
        ("zone", INNER, INNER_BASE, NEGATIVE),
        ("records", tuple(RECORDS.values())),
        ("nodes", 0, NODES),
        ("aliases", 0, ALIASES),
        ("dnames", 0, DNAMES),
        ("nodes", 1, INNER_NODES),
        (
            "wildcards",
            0,
            tuple((WireName(name[2:]), name) for name in names if name[:2] == b"\x01*"),
        ),
    ]


def example(client_subnet: bool = True, udp_payload: int = 1232, **settings: Any) -> Snapshot:
    """Return a new snapshot; a test that counts or changes something takes one of its own."""
    builder = SnapshotBuilder(1, Settings(client_subnet, udp_payload, **settings))
    for piece in pieces():
        builder.add(piece)
    return builder.finish()


EXAMPLE = example()
