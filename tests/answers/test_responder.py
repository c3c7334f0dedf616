"""One table for the query path, and the laws that hold for every packet; dnspython is the judge."""

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdataclass
import dns.rdatatype
import dnslib
import pytest

from gtmdns.answers import responder
from gtmdns.answers.cache import client_number
from gtmdns.answers.responder import prepare, respond, servfail
from gtmdns.answers.snapshot import Settings, SnapshotBuilder, empty
from gtmdns.answers.zone import Node
from gtmdns.wire.name import ROOT
from gtmdns.wire.query import parse_query
from tests.answers.asking import answered, ask, rcode, section, told
from tests.example_zone import (
    APEX,
    ELSEWHERE,
    EU,
    EU6,
    EXAMPLE,
    IN_EU,
    INNER,
    SOA_RDATA,
    US,
    rr,
)
from tests.example_zone import example as new_example

SOA = [("example.com.", "SOA", "ns1.example.com. hostmaster.example.com. 7 86400 7200 3600000 30")]
ALL_FOUR = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]

# fmt: off
CASES = [
    # id                        qname                       type     client     rcode       answer
    ("static",                  "www.example.com",          "A",     EU,        "NOERROR",  ["192.0.2.10"]),
    ("case is echoed",          "wWw.eXample.COM",          "A",     EU,        "NOERROR",  ["192.0.2.10"]),
    ("another type",            "dual.example.com",         "AAAA",  EU,        "NOERROR",  ["2001:db8::10"]),
    ("HTTPS is not A",          "www.example.com",          "HTTPS", EU,        "NOERROR",  ['1 . alpn="h2"']),
    ("type 97 is not HTTPS",    "www.example.com",          "TYPE97", EU,       "NOERROR",  []),
    ("type missing: NODATA",    "www.example.com",          "AAAA",  EU,        "NOERROR",  []),
    ("several records",         "example.com",              "MX",    EU,        "NOERROR",  ["10 mail.example.com.", "20 mail2.example.com."]),
    ("SOA",                     "example.com",              "SOA",   EU,        "NOERROR",  [SOA[0][2]]),
    ("name missing",            "no.example.com",           "A",     EU,        "NXDOMAIN", []),
    ("below a name",            "a.www.example.com",        "A",     EU,        "NXDOMAIN", []),
    ("not our zone",            "www.example.net",          "A",     EU,        "REFUSED",  []),
    ("above our zone",          "com",                      "NS",    EU,        "REFUSED",  []),
    ("the root",                ".",                        "NS",    EU,        "REFUSED",  []),
    ("the zone below",          "www.inner.example.com",    "A",     EU,        "NOERROR",  ["192.0.2.30"]),
    ("missing in it",           "no.inner.example.com",     "A",     EU,        "NXDOMAIN", []),
    # aliases
    ("alias asked for",         "alias.example.com",        "CNAME", EU,        "NOERROR",  ["www.example.com."]),
    ("alias, ANY",              "alias.example.com",        "ANY",   EU,        "NOERROR",  ["www.example.com."]),
    ("alias by region",         "alias-region.example.com", "A",     EU,        "NOERROR",  ["eu.example.net."]),
    ("alias, other region",     "alias-region.example.com", "A",     US,        "NOERROR",  ["us.example.net."]),
    # wildcards, RFC 4592
    ("wildcard",                "x.apps.example.com",       "A",     EU,        "NOERROR",  ["192.0.2.20"]),
    ("wildcard, two labels",    "x.y.apps.example.com",     "A",     EU,        "NOERROR",  ["192.0.2.20"]),
    ("wildcard, other type",    "x.apps.example.com",       "TXT",   EU,        "NOERROR",  []),
    ("the wildcard itself",     "*.apps.example.com",       "A",     EU,        "NOERROR",  ["192.0.2.20"]),
    ("a name beside it",        "exact.apps.example.com",   "TXT",   EU,        "NOERROR",  ['"exact"']),
    ("no wildcard for it",      "exact.apps.example.com",   "A",     EU,        "NOERROR",  []),
    ("below the name beside",   "x.exact.apps.example.com", "A",     EU,        "NXDOMAIN", []),
    ("below the wildcard",      "x.*.apps.example.com",     "A",     EU,        "NXDOMAIN", []),
    ("its encloser",            "apps.example.com",         "A",     EU,        "NOERROR",  []),
    # empty non-terminals, RFC 8020
    ("empty non-terminal",      "ent.example.com",          "A",     EU,        "NOERROR",  []),
    ("empty non-terminal, ANY", "ent.example.com",          "ANY",   EU,        "NOERROR",  []),
    ("below it",                "a.ent.example.com",        "A",     EU,        "NOERROR",  ["192.0.2.10"]),
    ("missing below it",        "b.ent.example.com",        "A",     EU,        "NXDOMAIN", []),
    # steered names
    ("region",                  "region.example.com",       "A",     EU,        "NOERROR",  ["192.0.2.1"]),
    ("other region",            "region.example.com",       "A",     US,        "NOERROR",  ["198.51.100.1"]),
    ("default",                 "region.example.com",       "A",     ELSEWHERE, "NOERROR",  ["203.0.113.1"]),
    ("region over IPv6",        "region.example.com",       "A",     EU6,       "NOERROR",  ["192.0.2.1"]),
    ("no region for this type", "region.example.com",       "AAAA",  US,        "NOERROR",  ["2001:db8::10"]),
    ("NODATA in a region",      "down.example.com",         "A",     EU,        "NOERROR",  []),
    ("SERVFAIL in a region",    "down.example.com",         "A",     US,        "SERVFAIL", []),
    ("still up elsewhere",      "down.example.com",         "A",     ELSEWHERE, "NOERROR",  ["192.0.2.1"]),
    ("nothing usable: empty",   "nodata.example.com",       "A",     EU,        "NOERROR",  []),
    ("nothing usable: servfail", "servfail.example.com",    "A",     EU,        "SERVFAIL", []),
    ("by weight",               "weighted.example.com",     "A",     EU,        "NOERROR",  ["192.0.2.1"]),
    ("shuffled",                "shuffled.example.com",     "A",     EU,        "NOERROR",  ALL_FOUR),
    ("several by weight",       "several.example.com",      "A",     EU,        "NOERROR",  ["192.0.2.1", "192.0.2.2"]),
    ("nested",                  "nested.example.com",       "A",     EU,        "NOERROR",  ["192.0.2.2"]),
    # minimal ANY, RFC 8482
    ("ANY",                     "www.example.com",          "ANY",   EU,        "NOERROR",  ['"RFC8482" ""']),
    ("ANY at the apex",         "example.com",              "ANY",   EU,        "NOERROR",  ['"RFC8482" ""']),
    ("ANY by a wildcard",       "x.apps.example.com",       "ANY",   EU,        "NOERROR",  ['"RFC8482" ""']),
    ("ANY, steered",            "region.example.com",       "ANY",   EU,        "NOERROR",  ['"RFC8482" ""']),
    ("ANY, no such name",       "no.example.com",           "ANY",   EU,        "NXDOMAIN", []),
    # transfers and DNSSEC types
    ("AXFR",                    "example.com",              "AXFR",  EU,        "REFUSED",  []),
    ("IXFR",                    "example.com",              "IXFR",  EU,        "REFUSED",  []),
    ("DS at the apex",          "example.com",              "DS",    EU,        "NOERROR",  []),
    ("DS at the cut",           "sub.example.com",          "DS",    EU,        "NOERROR",  []),
    ("RRSIG",                   "www.example.com",          "RRSIG", EU,        "NOERROR",  []),
]
# fmt: on


@pytest.mark.parametrize("edns", [False, 0], ids=["plain", "EDNS"])
@pytest.mark.parametrize(
    ("qname", "qtype", "client", "code", "expected"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_answer(qname, qtype, client, code, expected, edns):
    response = ask(qname, qtype, client_number(client), use_edns=edns)

    assert (rcode(response), told(response)) == (code, expected)
    assert all(str(rrset.name) == qname.rstrip(".") + "." for rrset in response.answer)
    assert bool(response.flags & dns.flags.AA) == (code not in ("REFUSED", "SERVFAIL"))
    if code in ("NOERROR", "NXDOMAIN") and not expected:
        apex = "inner.example.com." if "inner" in qname else "example.com."
        assert section(response.authority) == [(apex, *SOA[0][1:])]
        assert response.authority[0].ttl == 30, "the negative TTL, RFC 2308 section 3"
    else:
        assert response.authority == []


@pytest.mark.parametrize(
    ("qname", "qtype", "client"), [row[1:4] for row in CASES], ids=[row[0] for row in CASES]
)
def test_a_second_library_reads_the_same(qname, qtype, client):
    packet = dns.message.make_query(qname, qtype, use_edns=0).to_wire()
    octets = respond(packet, client_number(client), EXAMPLE, 0)

    first, second = dns.message.from_wire(octets), dnslib.DNSRecord.parse(octets)

    assert second.header.rcode == first.rcode()
    assert [(str(rr.rname), rr.rtype, rr.ttl) for rr in second.rr + second.auth] == [
        (str(rrset.name), int(rrset.rdtype), rrset.ttl)
        for rrset in (*first.answer, *first.authority)
        for _ in rrset
    ]


def test_name_servers_come_with_their_addresses():
    response = ask("example.com", "NS")

    assert response.flags & dns.flags.AA
    assert section(response.answer) == [("example.com.", "NS", "ns1.example.com.")]
    assert section(response.additional) == [("ns1.example.com.", "A", "192.0.2.53")]


@pytest.mark.parametrize(
    "qname", ["sub.example.com", "a.sub.example.com", "ns.sub.example.com", "x.y.sub.example.com"]
)
@pytest.mark.parametrize("qtype", ["A", "NS", "ANY", "SOA", "TXT"])
def test_at_and_below_a_zone_cut_is_a_referral(qname, qtype):
    response = ask(qname, qtype)

    assert (rcode(response), response.answer) == ("NOERROR", [])
    assert not response.flags & dns.flags.AA
    assert section(response.authority) == [("sub.example.com.", "NS", "ns.sub.example.com.")]
    assert section(response.additional) == [
        ("ns.sub.example.com.", "A", "192.0.2.54"),
        ("ns.sub.example.com.", "AAAA", "2001:db8::54"),
    ]


def test_ds_below_a_zone_cut_is_the_childs_to_answer():
    """At the cut DS is the parent's (RFC 4035 section 3.1.4.1), below it nothing is."""
    assert not ask("a.sub.example.com", "DS").flags & dns.flags.AA
    assert ask("sub.example.com", "DS").flags & dns.flags.AA


def test_ds_of_a_zone_that_is_here_too_is_its_parents():
    """Where the parent delegates it, DS is answered from there, all else from the zone itself."""
    assert section(ask("inner.example.com", "DS").authority) == SOA
    assert section(ask("inner.example.com", "MX").authority) == [
        ("inner.example.com.", *SOA[0][1:])
    ]
    lonely = new_example()
    del lonely.zones[APEX]
    assert (
        section(ask("inner.example.com", "DS", snapshot=lonely).authority)[0][0]
        == "inner.example.com."
    )
    undelegated = new_example()
    undelegated.zones[APEX].add(INNER, Node(0, ()))
    assert (
        section(ask("inner.example.com", "DS", snapshot=undelegated).authority)[0][0]
        == "inner.example.com."
    )


def test_the_root_zone_has_no_parent_for_its_ds():
    builder = SnapshotBuilder(1, Settings())
    builder.add(("zone", ROOT, 0, rr(6, SOA_RDATA)[2:]))
    builder.add(("nodes", 0, ((ROOT, 0, (), None, None),)))

    response = ask(".", "DS", snapshot=builder.finish())

    assert (rcode(response), response.authority[0].name) == ("NOERROR", dns.name.root)


@pytest.mark.parametrize("qclass", [0, 2, 3, 4, 254, 255, 65535])
@pytest.mark.parametrize("qname", ["www.example.com", "version.bind"])
def test_other_classes_are_refused(qclass, qname):
    response = ask(qname, "TXT", rdclass=dns.rdataclass.from_text(f"CLASS{qclass}"))

    assert (rcode(response), response.answer) == ("REFUSED", [])


@pytest.mark.parametrize("opcode", range(1, 16))
def test_other_opcodes_are_not_implemented(opcode):
    query = dns.message.Message()
    query.set_opcode(dns.opcode.Opcode(opcode))
    packet = query.to_wire() + b"\x03www\x00\x00\x06\x00\x01"

    octets = respond(packet, IN_EU, EXAMPLE, 0)

    assert octets is not None
    response = dns.message.from_wire(octets)
    assert (response.id, response.opcode(), rcode(response)) == (query.id, opcode, "NOTIMP")


@pytest.mark.parametrize("first", range(0, 65_536, 8192))
def test_every_type_is_answered(first):
    """A sample of all types, the odd ones included: an answer, NODATA or REFUSED, never a mistake."""
    known = {1: 1, 65: 1, 255: 1}  # A, HTTPS, ANY
    for number in {*range(first, first + 8192, 97), *range(max(first, 0), first + 300)}:
        packet = bytes.fromhex(
            "0001 0100 0001 0000 0000 0000 03777777 076578616d706c65 03636f6d 00"
        )
        response = respond(packet + number.to_bytes(2) + b"\0\1", IN_EU, EXAMPLE, 0)

        assert response is not None
        assert (response[3] & 15, response[7]) == (
            (5, 0) if number in (251, 252) else (0, known.get(number, 0))
        )


def test_every_draw_of_a_weighted_name_is_one_of_its_addresses():
    seen = {tuple(told(ask("weighted.example.com", draw=draw))) for draw in range(0, 2**64, 2**60)}

    assert seen == {("192.0.2.1",), ("192.0.2.2",)}


def test_the_empty_snapshot_refuses():
    assert rcode(ask("www.example.com", snapshot=empty())) == "REFUSED"


# EDNS

# fmt: off
VERSIONS = [
    ("version 1",             1,    "BADVERS"),
    ("version 255",           255,  "BADVERS"),
]
# fmt: on


@pytest.mark.parametrize(
    ("version", "code"), [row[1:] for row in VERSIONS], ids=[row[0] for row in VERSIONS]
)
@pytest.mark.parametrize("dnssec", [False, True])
def test_another_edns_version(version, code, dnssec):
    """BADVERS says which version we have, and nothing of the zone (RFC 6891 section 6.1.3)."""
    response = ask(
        "www.example.com",
        use_edns=version,
        want_dnssec=dnssec,
        options=[dns.edns.GenericOption(3, b"")],
    )

    assert (rcode(response), response.edns, response.answer) == (code, 0, [])
    assert (response.payload, response.options) == (1232, ())


@pytest.mark.parametrize("payload", [512, 1232, 4096])
def test_our_own_payload_is_told(payload):
    response = ask("www.example.com", snapshot=new_example(udp_payload=payload), use_edns=0)

    assert response.payload == payload


def test_unknown_options_are_ignored_and_not_echoed():
    options = [dns.edns.GenericOption(code, b"x") for code in (3, 11, 12, 65001)]

    response = ask("www.example.com", use_edns=0, options=options)

    assert (told(response), response.options) == (["192.0.2.10"], ())


def test_formerr_behind_the_opt_record_keeps_edns():
    query = dns.message.make_query(
        "www.example.com", "A", use_edns=0, options=[dns.edns.GenericOption(8, b"")]
    )

    response = answered(query)

    assert (rcode(response), response.edns, response.answer) == ("FORMERR", 0, [])


def test_prepare_alone_tells_what_is_known_of_a_question():
    """What the cache keeps: names that exist, whatever the type; no wildcard, no stranger."""
    kept = {
        name: prepare(packet, parse_query(packet), EXAMPLE, None).keep
        for name in ("www", "ent", "sub", "*.apps", "x.apps", "a.sub", "no")
        for packet in [dns.message.make_query(f"{name}.example.com", "A").to_wire()]
    }

    assert kept == {
        "www": True,
        "ent": True,
        "sub": True,
        "*.apps": True,
        "x.apps": False,
        "a.sub": False,
        "no": False,
    }


def test_servfail_answers_what_could_not_be_answered():
    query = dns.message.make_query("www.example.com", "A")
    octets = servfail(query.to_wire())

    assert octets is not None
    response = dns.message.from_wire(octets)
    assert query.is_response(response)
    assert rcode(response) == "SERVFAIL"
    assert [str(question.name) for question in response.question] == ["www.example.com."]
    assert servfail(b"\x00" * 11) is None
    assert servfail(b"\x00\x00\x80" + b"\x00" * 9) is None


def test_servfail_repeats_what_can_be_read(monkeypatch):
    """The question and EDNS; a header where reading itself is what fails."""
    query = dns.message.make_query("www.example.com", "A", use_edns=0, want_dnssec=True)
    packet = query.to_wire()

    response = dns.message.from_wire(servfail(packet) or b"")
    assert query.is_response(response)
    assert (response.edns, response.ednsflags & dns.flags.DO) == (0, dns.flags.DO)
    half_understood = dns.message.from_wire(servfail(packet + b"\x00") or b"")
    assert (half_understood.question, half_understood.edns) == (query.question, 0)
    assert servfail(packet[:20]) == packet[:2] + b"\x81\x02" + bytes(8)

    def fails(packet: bytes) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(responder, "parse_query", fails)
    assert servfail(packet) == packet[:2] + b"\x81\x02" + bytes(8)
