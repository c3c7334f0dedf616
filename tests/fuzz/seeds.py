"""Packets that mutations begin with: built ones, and what the coverage-guided fuzzer found."""

from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.message
import dns.rrset

CORPUS = Path(__file__).parent / "corpus"

NAMES = [
    ".", "example.com", "www.example.com", "WWW.Example.COM", "region.example.com", "no.example.com",
    "x.y.apps.example.com", "a.sub.example.com", "nested.example.com", "big.example.com",
    "huge.example.com", "alias-region.example.com", "www.inner.example.com", "servfail.example.com",
    "down.example.com", "www.example.net", ".".join(["l" * 63] * 3) + ".example.com",
    "kinds.test", "hash.kinds.test", "x.hash.kinds.test", "to-hash.kinds.test", "plain.kinds.test",
    "leads.kinds.test", "X.Leads.kinds.test", "to-leads.kinds.test", "mx.kinds.test",
    "to-mx.kinds.test", "srv.kinds.test", "a.cut.kinds.test", "to-cut.kinds.test", "no.kinds.test",
    "to-transfer.kinds.test", "a.wild.kinds.test", "A.b.Led.kinds.test", "longer.kinds.test",
    "z.longer.kinds.test", "x.away.kinds.test", "y.hashes.kinds.test", "link0.kinds.test",
    "link9.kinds.test", "a.led.example.com", "to-alias-region.example.com", "ring.example.com",
]  # fmt: skip
TYPES = ["A", "AAAA", "TXT", "ANY", "NS", "SOA", "DS", "HTTPS", "AXFR", "CNAME", "MX"]
OPTIONS: list[list[dns.edns.Option]] = [
    [],
    [dns.edns.ECSOption("192.0.2.0", 24)],
    [dns.edns.ECSOption("2001:db8:e::", 48)],
    [dns.edns.GenericOption(3, b"")],
    [dns.edns.GenericOption(10, bytes(range(8)))],
    [dns.edns.GenericOption(10, bytes(range(24))), dns.edns.GenericOption(11, b"")],
    [dns.edns.GenericOption(65_001, b"unknown"), dns.edns.GenericOption(12, bytes(40))],
]


def packets() -> Iterator[bytes]:
    """Yield queries without mistakes, some with trailing mistakes, none of them random."""
    for number, name in enumerate(NAMES):
        for place, rdtype in enumerate(TYPES):
            options = OPTIONS[(number + place) % len(OPTIONS)]
            yield dns.message.make_query(name, rdtype, id=7).to_wire()
            yield dns.message.make_query(
                name, rdtype, id=7, use_edns=0, payload=1232, options=options
            ).to_wire()
    for rdclass, name in (("CH", "version.bind"), ("CH", "id.server"), ("ANY", "www.example.com")):
        yield dns.message.make_query(name, "TXT", rdclass, id=7, use_edns=0).to_wire()
    for opcode in (1, 2, 4, 5, 6, 15):
        query = dns.message.make_query("www.example.com", "SOA", id=7)
        query.set_opcode(opcode)  # type: ignore[arg-type]
        yield query.to_wire()
    yield dns.message.make_query("www.example.com", "A", id=7, use_edns=1).to_wire()
    for serial in (6, 7):
        query = dns.message.make_query("inner.example.com", "IXFR", id=7, use_edns=0)
        query.authority.append(
            dns.rrset.from_text("inner.example.com.", 0, "IN", "SOA", f". . {serial} 1 1 1 1")
        )
        yield query.to_wire()
    yield dns.message.make_query("inner.example.com", "AXFR", id=7, use_edns=0).to_wire()
    cookie = dns.message.Message(id=7)  # a query without a question, RFC 7873 section 5.4
    cookie.use_edns(0, options=OPTIONS[4])
    yield cookie.to_wire()


def inputs() -> list[bytes]:
    """Return what `Laws.check` takes: every packet over UDP and TCP, streams of them, the corpus."""
    found = list(packets())
    single = [bytes((choice,)) + packet for packet in found for choice in (4, 0x52, 0x99)]
    streams = [
        bytes((3 | number << 4 & 0xF0,))
        + b"".join(len(packet).to_bytes(2) + packet for packet in found[number : number + 4])
        for number in range(0, len(found), 7)
    ]
    kept = [file.read_bytes() for file in sorted(CORPUS.iterdir())]
    return single + streams + kept
