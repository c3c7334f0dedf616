"""Zones as they are answered: texts compiled and asked through the responder, read by dnspython."""

import pytest

from gtmdns.compiler.zones import wildcards
from gtmdns.wire.name import WireName, from_text
from tests.compiler.support import (
    NOW,
    ask,
    compile_text,
    mistakes_in,
    rcode,
    section,
    snapshot_of,
    with_records,
)

CONFIG = """
pools:
  home: {endpoints: [203.0.113.1, "2001:db8::1"]}
  alias: {endpoints: [target.example.net]}
zones:
  Example.Test:
    nameservers: {ns1: [192.0.2.53, "2001:db8::53"], ns2.other.test.: []}
    contact: host.master@example.test
    ttl: 60
    negative_ttl: 30
    records:
      "@":          {TXT: "v=spf1 -all", MX: ["20 mail2", "10 mail"], CAA: '0 issue "ca.example"'}
      static:       {A: [192.0.2.10, 192.0.2.11, 192.0.2.12], ttl: 300}
      WWW:          {pools: home}
      www.v4:       {A: 192.0.2.20}
      alias:        {CNAME: static}
      steered-alias: {pools: alias, ttl: 5}
      _sip._tcp:    {SRV: "10 5 5060 static"}
      4.2.0:        {PTR: host.example.test.}
      a.b.ent:      {A: 192.0.2.30}
      "*.wild":     {A: 192.0.2.40, TXT: wild}
      known.wild:   {TXT: known}
      "*.steered":  {pools: home, ttl: 7}
      "*.x.alias":  {CNAME: static.example.test.}
      mixed:        {pools: home, TXT: beside, MX: 10 mail}
      sub:          {NS: [ns.sub, ns.elsewhere.test., ns1]}
      ns.sub:       {A: 192.0.2.60, AAAA: "2001:db8::60"}
      deep.sub:     {TXT: occluded}
      "*.sub":      {A: 192.0.2.61}
      absolute.example.test.: {TXT: absolute}
      weird\\.label: {TXT: dot inside}
      svc:          {HTTPS: "1 . alpn=h2", TYPE64: "0 www", TYPE4711: '\\# 2 abcd', pools: home}
      signed:       {NS: ns.elsewhere.test., DS: 1 13 2 abababababababababababababababababababababababababababababababab}
  lower.example.test:
    nameservers: {ns9.other.test.: []}
    contact: hostmaster@other.test
    serial: 7
    records:
      www: {A: 192.0.2.90}
"""
SNAPSHOT = snapshot_of(compile_text(CONFIG))
SOA = f"example.test. 30 SOA ns1.example.test. host\\.master.example.test. {NOW} 86400 7200 3600000 30"
LOWER_SOA = (
    "lower.example.test. 30 SOA ns9.other.test. hostmaster.other.test. 7 86400 7200 3600000 30"
)
NODATA = ("NOERROR", [], [SOA], [])

# fmt: off
CASES: list[tuple[str, str, str, tuple[str, list[str], list[str], list[str]]]] = [
    # what, name, type, RCODE, answer, authority, additional
    ("SOA", "example.test.", "SOA",
        ("NOERROR", [SOA.replace(" 30 SOA", " 60 SOA")], [], [])),
    ("NS with glue", "example.test.", "NS",
        ("NOERROR", ["example.test. 60 NS ns1.example.test.", "example.test. 60 NS ns2.other.test."], [],
         ["ns1.example.test. 60 A 192.0.2.53", "ns1.example.test. 60 AAAA 2001:db8::53"])),
    ("a name server's address", "ns1.example.test.", "A",
        ("NOERROR", ["ns1.example.test. 60 A 192.0.2.53"], [], [])),
    ("TXT at the apex", "example.test.", "TXT",
        ("NOERROR", ['example.test. 60 TXT "v=spf1 -all"'], [], [])),
    ("MX", "example.test.", "MX",
        ("NOERROR", ["example.test. 60 MX 10 mail.example.test.", "example.test. 60 MX 20 mail2.example.test."], [], [])),
    ("CAA", "example.test.", "CAA", ("NOERROR", ['example.test. 60 CAA 0 issue "ca.example"'], [], [])),
    ("no address at the apex", "example.test.", "A", NODATA),
    ("static addresses and their TTL", "static.example.test.", "A",
        ("NOERROR", [f"static.example.test. 300 A 192.0.2.{n}" for n in (10, 11, 12)], [], [])),
    ("steered", "www.example.test.", "A", ("NOERROR", ["www.example.test. 60 A 203.0.113.1"], [], [])),
    ("steered, IPv6", "www.example.test.", "AAAA", ("NOERROR", ["www.example.test. 60 AAAA 2001:db8::1"], [], [])),
    ("steered, another type", "www.example.test.", "TXT", NODATA),
    ("below a steered name", "www.v4.example.test.", "A", ("NOERROR", ["www.v4.example.test. 60 A 192.0.2.20"], [], [])),
    ("CNAME", "alias.example.test.", "CNAME", ("NOERROR", ["alias.example.test. 60 CNAME static.example.test."], [], [])),
    ("CNAME for every type", "alias.example.test.", "TXT", ("NOERROR", ["alias.example.test. 60 CNAME static.example.test."], [SOA], [])),
    ("a steered CNAME", "steered-alias.example.test.", "AAAA",
        ("NOERROR", ["steered-alias.example.test. 5 CNAME target.example.net."], [], [])),
    ("SRV", "_sip._tcp.example.test.", "SRV", ("NOERROR", ["_sip._tcp.example.test. 60 SRV 10 5 5060 static.example.test."], [],
        [f"static.example.test. 300 A 192.0.2.{n}" for n in (10, 11, 12)])),
    ("PTR", "4.2.0.example.test.", "PTR", ("NOERROR", ["4.2.0.example.test. 60 PTR host.example.test."], [], [])),
    ("TXT beside pools", "mixed.example.test.", "TXT", ("NOERROR", ['mixed.example.test. 60 TXT "beside"'], [], [])),
    ("pools beside TXT", "mixed.example.test.", "A", ("NOERROR", ["mixed.example.test. 60 A 203.0.113.1"], [], [])),
    ("an owner with a final dot", "absolute.example.test.", "TXT", ("NOERROR", ['absolute.example.test. 60 TXT "absolute"'], [], [])),
    ("a dot inside a label", r"weird\.label.example.test.", "TXT",
        ("NOERROR", [r'weird\.label.example.test. 60 TXT "dot inside"'], [], [])),

    ("NXDOMAIN", "no.example.test.", "A", ("NXDOMAIN", [], [SOA], [])),
    ("NXDOMAIN below a name", "no.static.example.test.", "A", ("NXDOMAIN", [], [SOA], [])),
    ("NODATA", "static.example.test.", "AAAA", NODATA),
    ("an empty non-terminal", "ent.example.test.", "A", NODATA),
    ("another, deeper", "b.ent.example.test.", "TXT", NODATA),
    ("beside an empty non-terminal", "c.ent.example.test.", "A", ("NXDOMAIN", [], [SOA], [])),
    ("an unknown type", "static.example.test.", "TYPE65280", NODATA),

    ("a wildcard", "any.wild.example.test.", "A", ("NOERROR", ["any.wild.example.test. 60 A 192.0.2.40"], [], [])),
    ("a wildcard, labels deep", "a.b.c.wild.example.test.", "TXT", ("NOERROR", ['a.b.c.wild.example.test. 60 TXT "wild"'], [], [])),
    ("a wildcard's NODATA", "any.wild.example.test.", "AAAA", NODATA),
    ("a wildcard's owner", "wild.example.test.", "A", NODATA),
    ("the asterisk itself", "*.wild.example.test.", "A", ("NOERROR", ["*.wild.example.test. 60 A 192.0.2.40"], [], [])),
    ("a name that exists is no wildcard's", "known.wild.example.test.", "A", NODATA),
    ("below a name that exists neither", "x.known.wild.example.test.", "A", ("NXDOMAIN", [], [SOA], [])),
    ("a steered wildcard", "any.steered.example.test.", "A", ("NOERROR", ["any.steered.example.test. 7 A 203.0.113.1"], [], [])),
    ("a wildcard CNAME", "q.x.alias.example.test.", "MX", ("NOERROR", ["q.x.alias.example.test. 60 CNAME static.example.test."], [SOA], [])),

    ("a referral", "sub.example.test.", "A",
        ("NOERROR", [], [f"sub.example.test. 60 NS {ns}" for ns in ("ns.elsewhere.test.", "ns.sub.example.test.", "ns1.example.test.")],
         ["ns.sub.example.test. 60 A 192.0.2.60", "ns.sub.example.test. 60 AAAA 2001:db8::60",
          "ns1.example.test. 60 A 192.0.2.53", "ns1.example.test. 60 AAAA 2001:db8::53"])),
    ("HTTPS", "svc.example.test.", "HTTPS", ("NOERROR", ['svc.example.test. 60 HTTPS 1 . alpn="h2"'], [], [])),
    ("by number in the file", "svc.example.test.", "SVCB", ("NOERROR", ["svc.example.test. 60 SVCB 0 www.example.test."], [], [])),
    ("a type without a name", "svc.example.test.", "TYPE4711", ("NOERROR", [r"svc.example.test. 60 TYPE4711 \# 2 abcd"], [], [])),
    ("DS of a signed child", "signed.example.test.", "DS", ("NOERROR", [f"signed.example.test. 60 DS 1 13 2 {'ab' * 32}"], [], [])),
    ("and else a referral", "signed.example.test.", "A", ("NOERROR", [], ["signed.example.test. 60 NS ns.elsewhere.test."], [])),
    ("DS at a zone cut is ours", "sub.example.test.", "DS", NODATA),

    ("the deeper zone", "www.lower.example.test.", "A", ("NOERROR", ["www.lower.example.test. 60 A 192.0.2.90"], [], [])),
    ("the deeper zone's own SOA", "no.lower.example.test.", "A", ("NXDOMAIN", [], [LOWER_SOA], [])),
    ("the deeper zone's NS", "lower.example.test.", "NS", ("NOERROR", ["lower.example.test. 60 NS ns9.other.test."], [], [])),

    ("above our zones", "test.", "SOA", ("REFUSED", [], [], [])),
    ("beside our zones", "notexample.test.", "A", ("REFUSED", [], [], [])),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "rtype", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_answer(
    name: str, rtype: str, expected: tuple[str, list[str], list[str], list[str]]
) -> None:
    response = ask(SNAPSHOT, name, rtype)

    assert (
        rcode(response),
        section(response.answer),
        section(response.authority),
        section(response.additional),
    ) == expected
    referral = bool(response.authority) and not any("SOA" in r for r in section(response.authority))
    refused = expected[0] == "REFUSED"
    assert bool(response.flags & 0x0400) == (not referral and not refused)  # AA


@pytest.mark.parametrize("name", ["ns.sub", "deep.sub", "any.sub", "a.b.c.sub"])
def test_below_a_zone_cut_all_is_a_referral(name: str) -> None:
    response = ask(SNAPSHOT, f"{name}.example.test.", "A")

    at_the_cut = ask(SNAPSHOT, "sub.example.test.", "A")
    assert not response.answer
    assert section(response.authority) == section(at_the_cut.authority)
    assert section(response.additional) == section(at_the_cut.additional)


def test_static_addresses_are_shuffled() -> None:
    draws = range(0, 1 << 64, 1 << 56)

    firsts = [str(ask(SNAPSHOT, "static.example.test.", "A", draw=d).answer[0][0]) for d in draws]

    assert set(firsts) == {"192.0.2.10", "192.0.2.11", "192.0.2.12"}


@pytest.mark.parametrize(("ttl", "negative", "expected"), [(60, 30, 30), (10, 30, 10), (60, 0, 0)])
def test_negative_ttl_is_the_smaller_of_the_two(ttl: int, negative: int, expected: int) -> None:
    """RFC 2308 section 5: of the SOA's own TTL and its MINIMUM, which both are sent."""
    text = with_records("www: {A: 192.0.2.1}").replace("ttl: 60", f"ttl: {ttl}", 1)
    text = text.replace("negative_ttl: 30", f"negative_ttl: {negative}")

    response = ask(snapshot_of(compile_text(text)), "no.example.test.", "A")

    assert response.authority[0].ttl == expected
    assert response.authority[0][0].minimum == negative


POOL = "pools: {p: {endpoints: [192.0.2.1]}, n: {endpoints: [n.example.net]}}"

# fmt: off
MISTAKES = [
    # what, records, mistakes: "LINE key: problem" with the line of the record, from 1
    ("bad records, all of them", "a: {A: 192.0.2.300, MX: mail}\nb: {A: [192.0.2.1, x]}", [
        "1 zones.example.test.records.a.A: '192.0.2.300' is no A record",
        "1 zones.example.test.records.a.MX: 'mail' is no MX record",
        "2 zones.example.test.records.b.A[1]: 'x' is no A record",
    ]),
    ("one owner in two spellings", "www: {A: 192.0.2.1}\nWWW: {A: 192.0.2.2}", [
        "2 zones.example.test.records.WWW: the same name as 'www' at ",
    ]),
    ("one owner, relative and not", "www: {A: 192.0.2.1}\nwww.example.test.: {TXT: x}", [
        "2 zones.example.test.records.www.example.test.: the same name as 'www' at ",
    ]),
    ("the apex twice", '"@": {TXT: x}\nexample.test.: {TXT: y}', [
        "2 zones.example.test.records.example.test.: the same name as '@' at ",
    ]),
    ("escaped spelling", "www: {TXT: x}\n\\119ww: {TXT: y}", [
        "2 zones.example.test.records.\\119ww: the same name as 'www' at ",
    ]),
    ("out of the zone", "www.example.net.: {A: 192.0.2.1}", [
        "1 zones.example.test.records.www.example.net.: the name is not in the zone example.test",
    ]),
    ("out of the zone, but alike", "xexample.test.: {A: 192.0.2.1}", [
        "1 zones.example.test.records.xexample.test.: the name is not in the zone example.test",
    ]),
    ("a name that is none", "a..b: {A: 192.0.2.1}\n" + "x" * 64 + ": {TXT: x}", [
        "1 zones.example.test.records.a..b: 'a..b' has an empty label",
        "2 zones.example.test.records." + "x" * 64 + ": '" + "x" * 64 + "' has a label of 64 octets",
    ]),
    ("other scripts", '"münchen": {A: 192.0.2.1}', [
        "1 zones.example.test.records.münchen: 'münchen': only ASCII in names",
    ]),
    ("a name server's address twice", "ns1: {A: 192.0.2.1}", [
        "1 zones.example.test.records.ns1.A: set by `nameservers` of the zone too",
    ]),
    ("a steered name server", "ns1: {pools: p}", [
        "1 zones.example.test.records.ns1: a name server's addresses stand here already",
    ]),
    ("NS of the apex twice", '"@": {NS: ns2.other.test.}', [
        "1 zones.example.test.records.@.NS: set by `nameservers` of the zone too",
    ]),
    ("a CNAME at the apex", '"@": {CNAME: x.example.net.}', [
        "1 zones.example.test.records.@: the apex cannot be a CNAME",
    ]),
    ("a CNAME at a name server", "ns1: {CNAME: x.example.net.}", [
        "1 zones.example.test.records.ns1: a CNAME allows no other records at its name",
    ]),
    ("two CNAMEs", "www: {CNAME: [a, b]}", [
        "1 zones.example.test.records.www.CNAME: one name only",
    ]),
    ("a record twice", "www: {A: [192.0.2.1, '192.0.2.1 ']}", [
        "1 zones.example.test.records.www.A[1]: '192.0.2.1 ' stands there twice",
    ]),
    ("more than NS at a cut", "sub: {NS: ns.other.test., TXT: x}", [
        "1 zones.example.test.records.sub: a delegated name has NS, DS, and addresses as glue",
    ]),
    ("DS without NS", "sub: {DS: 1 13 2 abababababababababababababababababababababababababababababababab}", [
        "1 zones.example.test.records.sub.DS: stands beside NS of a delegated name alone",
    ]),
    ("DS of the zone itself", "'@': {TYPE43: 1 13 2 abababababababababababababababababababababababababababababababab}", [
        "1 zones.example.test.records.@.DS: stands beside NS of a delegated name alone",
    ]),
    ("pools at a cut", "sub: {NS: ns.other.test., pools: p}", [
        "1 zones.example.test.records.sub: a delegated name has NS, DS, and addresses as glue",
    ]),
    ("a wildcard cut", '"*.sub": {NS: ns.other.test.}', [
        "1 zones.example.test.records.*.sub: a wildcard cannot be delegated",
    ]),
    ("two DNAMEs", "d: {DNAME: [a, b]}", [
        "1 zones.example.test.records.d.DNAME: one name only, expected a single DNAME",
    ]),
    ("a DNAME at a cut", "d: {DNAME: a, NS: ns.other.test.}", [
        "1 zones.example.test.records.d: a delegated name has NS, DS, and addresses as glue",
    ]),
    ("a DNAME at a wildcard", '"*.d": {DNAME: a}', [
        "1 zones.example.test.records.*.d.DNAME: a wildcard cannot have a DNAME",
    ]),
    ("names below a DNAME", "d: {DNAME: a, TXT: x}\na.b.d: {A: 192.0.2.1}\n'*.d': {pools: p}", [
        "2 zones.example.test.records.a.b.d: below d.example.test., which has a DNAME at ",
        "3 zones.example.test.records.*.d: below d.example.test., which has a DNAME at ",
    ]),
    ("a name server below the apex's", "'@': {DNAME: other.test.}", [
        "-4 zones.example.test.nameservers.ns1: below example.test., which has a DNAME at ",
    ]),
    ("no way to a name server", "sub: {NS: [ns.sub, ns1, ns.other.test.]}", [
        "1 zones.example.test.records.sub.NS[0]: ns.sub.example.test. is reached by its addresses alone",
    ]),
    ("nor where it is the cut itself", "sub: {NS: sub}", [
        "1 zones.example.test.records.sub.NS: sub.example.test. is reached by its addresses alone",
    ]),
]
# fmt: on


@pytest.mark.parametrize(
    ("records", "expected"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_mistake(records: str, expected: list[str]) -> None:
    text = with_records(records, POOL)
    above = text[: text.index("records:\n")].count("\n") + 1

    found = mistakes_in(text)

    for mistake, start in zip(found, expected, strict=True):
        line, _, rest = mistake.partition(" ")
        assert f"{int(line) - above} {rest}".startswith(start)


def test_a_name_server_without_address_and_one_with_too_many() -> None:
    text = with_records("").replace(
        "{ns1: [192.0.2.53]}", "{ns1: [], ns2.other.test.: [192.0.2.53]}"
    )

    assert [mistake.partition(" ")[2] for mistake in mistakes_in(text)] == [
        "zones.example.test.nameservers.ns1: a name in the zone needs one or more addresses",
        "zones.example.test.nameservers.ns2.other.test.: a name outside the zone cannot have "
        "addresses here; expected []",
    ]


def test_every_name_is_inside_the_root_zone() -> None:
    text = with_records("").replace("example.test:", '".":').replace("ns1:", "ns1.test.:")

    response = ask(snapshot_of(compile_text(text)), "ns1.test.", "A")

    assert section(response.answer) == ["ns1.test. 60 A 192.0.2.53"]


def test_glue_at_the_cut_itself_is_enough() -> None:
    compiled = compile_text(with_records("sub: {NS: sub, A: 192.0.2.60}"))

    response = ask(snapshot_of(compiled), "sub.example.test.", "A")

    assert section(response.additional) == ["sub.example.test. 60 A 192.0.2.60"]
    assert section(response.authority) == ["sub.example.test. 60 NS sub.example.test."]


def test_wildcards_hang_on_their_parents() -> None:
    names = [from_text(name) for name in ("*.a.test", "x.a.test", "a.test", "*.*.a.test")]

    assert wildcards(names) == [
        (from_text("a.test"), names[0]),
        (WireName(names[3][2:]), names[3]),
    ]
