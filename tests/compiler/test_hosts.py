"""Additional records: of which hosts, and how many."""

import dns.flags
import dns.message
import pytest

from gtmdns.answers.responder import respond
from tests.compiler.support import ask, compile_text, section, snapshot_of, with_records

POOL = "pools: {p: {endpoints: [203.0.113.1]}}"
RECORDS = """
  m: {MX: [10 mx1, 20 MX1, 30 mx2, 40 www, 50 ns.sub, 60 mx.other.test., 70 .]}
  s: {SRV: [1 1 1 mx2, 1 1 2 mx2]}
  mx1: {A: [192.0.2.1, 192.0.2.2], AAAA: "2001:db8::1", ttl: 5}
  mx2: {AAAA: "2001:db8::2"}
  www: {pools: p}
  sub: {NS: [sub, ns.sub], A: 192.0.2.4}
  ns.sub: {A: 192.0.2.3}
  tocut: {MX: 10 sub}
  own: {HTTPS: 1 . alpn=h2, SVCB: 0 ., A: 192.0.2.5}
  "*.own": {HTTPS: 1 . alpn=h2, A: 192.0.2.5}
  two: {HTTPS: [1 MX2, 2 www.lower], TXT: x}
  three: {SVCB: 0 mx2}
  kid: {MX: [1 www.lower, 2 ns.deep.lower, 3 mx.third.test.]}
  tokid: {CNAME: kid}
  steered: {pools: p, HTTPS: 1 .}
"""
OTHERS = """
  lower.example.test:
    nameservers: {ns1.example.test.: []}
    contact: hostmaster@other.test
    records:
      www: {A: 192.0.2.6}
      deep: {NS: ns.deep}
      ns.deep: {A: 192.0.2.7}
  third.test:
    nameservers: {ns1.example.test.: [], ns.deep.lower.example.test.: []}
    contact: hostmaster@other.test
    records:
      mx: {A: 192.0.2.8}
"""
SNAPSHOT = snapshot_of(compile_text(with_records(RECORDS, POOL) + OTHERS))
NS1 = "ns1.example.test. 60 A 192.0.2.53"
MX1 = [
    "mx1.example.test. 5 A 192.0.2.1",
    "mx1.example.test. 5 A 192.0.2.2",
    "mx1.example.test. 5 AAAA 2001:db8::1",
]
MX2 = "mx2.example.test. 60 AAAA 2001:db8::2"
KID = ["mx.third.test. 60 A 192.0.2.8", "www.lower.example.test. 60 A 192.0.2.6"]

# fmt: off
CASES = [
    # what                                    name                       type     additional
    ("neither steered, occluded nor foreign", "m.example.test.",         "MX",    [*MX1, MX2]),
    ("each once",                             "s.example.test.",         "SRV",   [MX2]),
    ("not glue of a cut",                     "tocut.example.test.",     "MX",    []),
    ("HTTPS of the owner itself",             "own.example.test.",       "HTTPS", ["own.example.test. 60 A 192.0.2.5"]),
    ("by a wildcard: of the name asked for",  "x.own.example.test.",     "HTTPS", ["x.own.example.test. 60 A 192.0.2.5"]),
    ("no service at all (priority 0)",        "own.example.test.",       "SVCB",  []),
    ("HTTPS of other names and zones",        "two.example.test.",       "HTTPS", [MX2, KID[1]]),
    ("an alias of a service",                 "three.example.test.",     "SVCB",  [MX2]),
    ("steered addresses are not added",       "steered.example.test.",   "HTTPS", []),
    ("in other zones, not below their cuts",  "kid.example.test.",       "MX",    KID),
    ("at the end of a chain",                 "tokid.example.test.",     "MX",    KID),
    ("name servers in another zone",          "third.test.",             "NS",    [NS1]),
    ("a type that names no host",             "two.example.test.",       "TXT",   []),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "rtype", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_addresses_of_hosts(name: str, rtype: str, expected: list[str]) -> None:
    response = ask(SNAPSHOT, name, rtype)

    lines = [line.replace("MX2", "mx2") for line in section(response.additional)]
    assert sorted(lines) == sorted(expected)
    assert response.answer


def test_addresses_are_left_out_rather_than_truncated() -> None:
    """RFC 2181 section 9: of 20 mail servers 16 have theirs added, where that fits."""
    records = "m: {{MX: [{}]}}\n".format(", ".join(f"{n} mx{n}" for n in range(20)))
    records += "".join(f"mx{n}: {{A: 192.0.2.{n}}}\n" for n in range(20))
    snapshot = snapshot_of(compile_text(with_records(records)))
    query = dns.message.make_query("m.example.test.", "MX", use_edns=0)

    sizes = {}
    for limit in (65_535, 709, 708, 453, 452):
        octets = respond(query.to_wire(), 0, snapshot, 0, limit)
        assert octets is not None
        assert len(octets) <= limit
        response = dns.message.from_wire(octets)
        assert response.edns == 0
        full = bool(response.flags & dns.flags.TC), len(section(response.answer))
        sizes[limit] = (*full, len(section(response.additional)))

    whole, short, cut = (False, 20, 16), (False, 20, 0), (True, 0, 0)
    assert sizes == {65_535: whole, 709: whole, 708: short, 453: short, 452: cut}
