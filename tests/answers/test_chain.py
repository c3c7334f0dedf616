"""CNAME and DNAME followed in one answer (RFC 1034 section 4.3.2, RFC 6672), read by dnspython."""

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.answers.cache import AnswerCache, client_number
from gtmdns.answers.chain import MAX_LINKS
from gtmdns.answers.responder import respond
from tests.compiler.support import NOW, ask, compile_text, rcode, section, snapshot_of, with_records
from tests.laws import LAW

RED, BLUE = "192.0.2.7", "198.51.100.1"
DIGEST = "ab" * 32
MANY = ", ".join(f'"2001:db8::{n:x}"' for n in range(200))
RECORDS = f"""
  host:    {{A: [192.0.2.1, 192.0.2.2, 192.0.2.3], TXT: [x, y], ttl: 5}}
  one:     {{CNAME: HOST, ttl: 9}}
  two:     {{CNAME: one}}
  "*.wild": {{CNAME: two}}
  many:    {{CNAME: big}}
  big:     {{AAAA: [{MANY}]}}
  mail:    {{CNAME: mails}}
  mails:   {{MX: 10 Host}}
  out:     {{CNAME: away}}
  away:    {{CNAME: www.example.net.}}
  gone:    {{CNAME: nothing}}
  ring:    {{CNAME: ring2}}
  ring2:   {{CNAME: ring3}}
  ring3:   {{CNAME: ring2}}
  self:    {{CNAME: self}}
  steered: {{CNAME: www}}
  www:     {{pools: p}}
  ent:     {{CNAME: between}}
  a.between: {{TXT: below}}
  sub:     {{NS: ns.sub, DS: "1 13 2 {DIGEST}"}}
  ns.sub:  {{A: 192.0.2.8}}
  cut:     {{CNAME: sub}}
  under:   {{CNAME: x.sub}}
  child:   {{CNAME: www.lower}}
  lower:   {{NS: ns.other.test., DS: "2 13 2 {DIGEST}"}}
  tods:    {{CNAME: lower}}
  apex:    {{CNAME: "@"}}
  tolower: {{CNAME: any.wild}}
  star:    {{CNAME: "*.wild"}}
  led:     {{DNAME: LED.Other, TXT: here}}
  "*.led.other": {{TXT: found}}
  toled:   {{CNAME: a.led}}
  tonone:  {{DNAME: none}}
  toent:   {{DNAME: "@"}}
  grow:    {{DNAME: x.grow}}
  fullest: {{DNAME: "{"d" * 63}.{"d" * 63}.{"d" * 63}."}}
  tofull:  {{CNAME: "{"e" * 60}.fullest"}}
  names:   {{pools: names}}
  tonames: {{CNAME: names}}
  ours:    {{pools: ours}}
  onward:  {{pools: onward}}
  lost:    {{pools: lost}}
  round:   {{pools: round}}
  fall:    {{pools: p, when_all_down: {{cname: one}}}}
  byred:   {{route: {{red: p, default: q}}}}
  tored:   {{CNAME: byred}}
  redname: {{route: {{red: tored, default: names}}}}
  l0:      {{CNAME: host}}
"""
RECORDS += "".join(f"  l{n}: {{CNAME: l{n - 1}}}\n" for n in range(1, 20))
RECORDS += "  lours: {CNAME: l19}\n  ln: {pools: l15}\n  f0: {CNAME: ours}\n"
RECORDS += "".join(f"  f{n}: {{CNAME: f{n - 1}}}\n" for n in range(1, 16))
REST = """
regions: {red: {networks: [192.0.2.0/24]}}
pools:
  p: {endpoints: [203.0.113.1]}
  q: {endpoints: [203.0.113.2]}
  names: {endpoints: [cdn.example.net]}
  ours: {endpoints: [one.example.test]}
  onward: {endpoints: [ours.example.test]}
  lost: {endpoints: [nothing.example.test]}
  round: {endpoints: [round.example.test]}
  tored: {endpoints: [byred.example.test]}
  l15: {endpoints: [l15.example.test]}
"""
LOWER = """
  lower.example.test:
    nameservers: {ns.other.test.: []}
    contact: hostmaster@other.test
    records:
      www: {TXT: in the zone below}
"""
SNAPSHOT = snapshot_of(compile_text(with_records(RECORDS, REST) + LOWER))
SOA = f"example.test. 30 SOA ns1.example.test. hostmaster.example.test. {NOW} 86400 7200 3600000 30"
LOWER_SOA = (
    f"lower.example.test. 30 SOA ns.other.test. hostmaster.other.test. {NOW} 86400 7200 3600000 30"
)
SUB_NS = "sub.example.test. 60 NS ns.sub.example.test."
ONE = "one 9 CNAME host"
TWO = "two 60 CNAME one"
HOSTS = [f"host 5 A 192.0.2.{n}" for n in (1, 2, 3)]
D189 = ".".join(["d" * 63] * 3)


def links(first: int, count: int) -> list[str]:
    names = [f"l{n}" for n in range(first, -1, -1)] + ["host"]
    return [f"{names[at]} 60 CNAME {names[at + 1]}" for at in range(count)]


def led(name: str) -> list[str]:
    return ["led 60 DNAME led.other", f"{name}.led 60 CNAME {name}.led.other"]


# fmt: off
CASES = [
    # name, type, answer (names relative to the zone), authority, RCODE
    ("one",      "A",     [ONE, *HOSTS], None, "NOERROR"),
    ("one",      "TXT",   [ONE, 'host 5 TXT "x"', 'host 5 TXT "y"'], None, "NOERROR"),
    ("one",      "AAAA",  [ONE], SOA, "NOERROR"),
    ("one",      "CNAME", [ONE], None, "NOERROR"),
    ("one",      "ANY",   [ONE], None, "NOERROR"),
    ("two",      "A",     [TWO, ONE, *HOSTS], None, "NOERROR"),
    ("two",      "MX",    [TWO, ONE], SOA, "NOERROR"),
    ("two",      "CNAME", [TWO], None, "NOERROR"),
    ("q.wild",   "A",     ["q.wild 60 CNAME two", TWO, ONE, *HOSTS], None, "NOERROR"),
    ("many",     "AAAA",  ["many 60 CNAME big", *(f"big 60 AAAA 2001:db8::{n:x}".removesuffix("0") if not n else f"big 60 AAAA 2001:db8::{n:x}" for n in range(200))], None, "NOERROR"),
    ("many",     "A",     ["many 60 CNAME big"], SOA, "NOERROR"),
    ("mail",     "MX",    ["mail 60 CNAME mails", "mails 60 MX 10 host"], None, "NOERROR"),
    ("out",      "A",     ["out 60 CNAME away", "away 60 CNAME www.example.net."], None, "NOERROR"),
    ("out",      "CNAME", ["out 60 CNAME away"], None, "NOERROR"),
    ("gone",     "A",     ["gone 60 CNAME nothing"], SOA, "NXDOMAIN"),
    ("self",     "A",     ["self 60 CNAME self"], None, "NOERROR"),
    ("ring",     "A",     ["ring 60 CNAME ring2", "ring2 60 CNAME ring3", "ring3 60 CNAME ring2"], None, "NOERROR"),
    ("steered",  "A",     ["steered 60 CNAME www", "www 60 A 203.0.113.1"], None, "NOERROR"),
    ("steered",  "TXT",   ["steered 60 CNAME www"], SOA, "NOERROR"),
    ("ent",      "A",     ["ent 60 CNAME between"], SOA, "NOERROR"),
    ("cut",      "A",     ["cut 60 CNAME sub"], SUB_NS, "NOERROR"),
    ("cut",      "DS",    ["cut 60 CNAME sub", f"sub 60 DS 1 13 2 {DIGEST}"], None, "NOERROR"),
    ("under",    "A",     ["under 60 CNAME x.sub"], SUB_NS, "NOERROR"),
    ("child",    "TXT",   ["child 60 CNAME www.lower", 'www.lower 60 TXT "in the zone below"'], None, "NOERROR"),
    ("child",    "A",     ["child 60 CNAME www.lower"], LOWER_SOA, "NOERROR"),
    ("tods",     "DS",    ["tods 60 CNAME lower", f"lower 60 DS 2 13 2 {DIGEST}"], None, "NOERROR"),
    ("tods",     "NS",    ["tods 60 CNAME lower", "lower 60 NS ns.other.test."], None, "NOERROR"),
    ("apex",     "NS",    ["apex 60 CNAME @", "@ 60 NS ns1"], None, "NOERROR"),
    ("apex",     "A",     ["apex 60 CNAME @"], SOA, "NOERROR"),
    ("apex",     "DS",    ["apex 60 CNAME @"], SOA, "NOERROR"),
    ("tolower",  "A",     ["tolower 60 CNAME any.wild", "any.wild 60 CNAME two", TWO, ONE, *HOSTS], None, "NOERROR"),
    ("star",     "A",     ["star 60 CNAME *.wild", "*.wild 60 CNAME two", TWO, ONE, *HOSTS], None, "NOERROR"),
    ("l15",      "A",     [*links(15, 16), *HOSTS], None, "NOERROR"),
    ("l16",      "A",     links(16, 16), None, "NOERROR"),
    # DNAME
    ("led",      "TXT",   ['led 60 TXT "here"'], None, "NOERROR"),
    ("led",      "DNAME", ["led 60 DNAME led.other"], None, "NOERROR"),
    ("led",      "A",     [], SOA, "NOERROR"),
    ("led",      "ANY",   ['led 3600 HINFO "RFC8482" ""'], None, "NOERROR"),
    ("a.led",    "TXT",   [*led("a"), 'a.led.other 60 TXT "found"'], None, "NOERROR"),
    ("b.a.led",  "TXT",   [*led("b.a"), 'b.a.led.other 60 TXT "found"'], None, "NOERROR"),
    ("a.led",    "A",     led("a"), SOA, "NOERROR"),
    ("a.led",    "CNAME", led("a"), None, "NOERROR"),
    ("a.led",    "ANY",   [*led("a"), 'a.led.other 3600 HINFO "RFC8482" ""'], None, "NOERROR"),
    ("toled",    "ANY",   ["toled 60 CNAME a.led"], None, "NOERROR"),
    ("a.tonone", "ANY",   ["tonone 60 DNAME none", "a.tonone 60 CNAME a.none"], SOA, "NXDOMAIN"),
    ("between.toent", "ANY", ["toent 60 DNAME @", "between.toent 60 CNAME between"], SOA, "NOERROR"),
    ("a.led",    "DNAME", led("a"), SOA, "NOERROR"),
    ("toled",    "TXT",   ["toled 60 CNAME a.led", *led("a"), 'a.led.other 60 TXT "found"'], None, "NOERROR"),
    ("a.tonone", "TXT",   ["tonone 60 DNAME none", "a.tonone 60 CNAME a.none"], SOA, "NXDOMAIN"),
    ("a.grow",   "A",     ["grow 60 DNAME x.grow", *(f"a.{'x.' * n}grow 60 CNAME a.{'x.' * (n + 1)}grow" for n in range(16))], None, "NOERROR"),
    ("a.fullest", "A",    [f"fullest 60 DNAME {D189}.", f"a.fullest 60 CNAME a.{D189}."], None, "NOERROR"),
    (f"{'f' * 62}.fullest", "A", [f"fullest 60 DNAME {D189}."], None, "YXDOMAIN"),
    ("tofull",   "A",     [f"tofull 60 CNAME {'e' * 60}.fullest", f"fullest 60 DNAME {D189}.", f"{'e' * 60}.fullest 60 CNAME {'e' * 60}.{D189}."], None, "NOERROR"),
    # names as endpoints
    ("names",    "A",     ["names 60 CNAME cdn.example.net."], None, "NOERROR"),
    ("tonames",  "A",     ["tonames 60 CNAME names", "names 60 CNAME cdn.example.net."], None, "NOERROR"),
    ("ours",     "A",     ["ours 60 CNAME one", ONE, *HOSTS], None, "NOERROR"),
    ("ours",     "AAAA",  ["ours 60 CNAME one", ONE], SOA, "NOERROR"),
    ("ours",     "CNAME", ["ours 60 CNAME one"], None, "NOERROR"),
    ("ours",     "ANY",   ["ours 60 CNAME one"], None, "NOERROR"),
    ("onward",   "A",     ["onward 60 CNAME ours", "ours 60 CNAME one", ONE, *HOSTS], None, "NOERROR"),
    ("f15",      "A",     [*(f"f{n} 60 CNAME f{n - 1}" for n in range(15, 0, -1)), "f0 60 CNAME ours", "ours 60 CNAME one"], None, "NOERROR"),
    ("fall",     "A",     ["fall 60 A 203.0.113.1"], None, "NOERROR"),
    ("fall",     "TXT",   [], SOA, "NOERROR"),
    ("lost",     "A",     ["lost 60 CNAME nothing"], SOA, "NXDOMAIN"),
    ("round",    "A",     ["round 60 CNAME round"], None, "NOERROR"),
    ("ln",       "A",     ["ln 60 CNAME l15", *links(15, 15)], None, "NOERROR"),
    ("lours",    "A",     ["lours 60 CNAME l19", *links(19, 15)], None, "NOERROR"),
    ("tored",    "A",     ["tored 60 CNAME byred", "byred 60 A 203.0.113.2"], None, "NOERROR"),
]
# fmt: on


def relative(line: str) -> str:
    return " ".join(
        word.lower().removesuffix(".example.test.") if word != "example.test." else "@"
        for word in line.split(" ")
    )


def shown(response: dns.message.Message) -> list[str]:
    """Return the answer section, names relative to the zone, in its order."""
    return [
        relative(f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}")
        for rrset in response.answer
        for rdata in rrset
    ]


@pytest.mark.parametrize(
    ("name", "rtype", "answer", "authority", "code"),
    CASES,
    ids=[f"{c[0][:9]} {c[1]}" for c in CASES],
)
def test_answer(name: str, rtype: str, answer: list[str], authority: str | None, code: str) -> None:
    response = ask(SNAPSHOT, f"{name}.example.test.", rtype)

    assert (rcode(response), sorted(shown(response))) == (code, sorted(map(str.lower, answer)))
    assert section(response.authority) == ([authority] if authority else [])
    assert response.flags & dns.flags.AA, "the first name is ours"
    chain = [line.lower() for line in answer if " CNAME " in line or " DNAME " in line]
    assert shown(response)[: len(chain)] == chain, "in the order of the chain"


def test_glue_goes_with_the_servers_of_a_zone_cut() -> None:
    response = ask(SNAPSHOT, "under.example.test.", "A")

    assert section(response.additional) == ["ns.sub.example.test. 60 A 192.0.2.8"]


def test_additional_records_stand_behind_a_chain() -> None:
    response = ask(SNAPSHOT, "mail.example.test.", "MX")

    assert section(response.additional) == [
        f"Host.example.test. 5 A 192.0.2.{n}" for n in (1, 2, 3)
    ]


def test_one_answer_at_most_depends_on_the_client() -> None:
    """redname is steered by region to byred, which is too: a second scope has no place."""
    chosen = ask(SNAPSHOT, "redname.example.test.", "A", client=RED)

    assert shown(chosen) == ["redname 60 cname byred"]
    assert shown(ask(SNAPSHOT, "tored.example.test.", "A", client=RED))[1:] == [
        "byred 60 a 203.0.113.1"
    ]


@pytest.mark.parametrize(
    ("name", "scope"), [("tored", 24), ("redname", 24), ("one", 0), ("steered", 0), ("ours", 0)]
)
def test_the_scope_is_that_of_the_answer_that_depends_on_the_client(name: str, scope: int) -> None:
    subnet = dns.edns.ECSOption("192.0.2.0", 24)
    query = dns.message.make_query(f"{name}.example.test.", "A", use_edns=0, options=[subnet])
    octets = respond(query.to_wire(), client_number(BLUE), SNAPSHOT, 0)

    options = dns.message.from_wire(octets or b"").options
    assert [option.scopelen for option in options] == [scope]


@pytest.mark.parametrize("size", [512, 1232, 4096])
def test_a_chain_that_is_too_long_is_truncated_whole(size: int) -> None:
    query = dns.message.make_query("many.example.test.", "AAAA", use_edns=0, payload=size)
    octets = respond(query.to_wire(), client_number(BLUE), SNAPSHOT, 0)
    response = dns.message.from_wire(octets or b"")

    assert response.flags & dns.flags.TC
    assert response.answer == []


def test_addresses_are_left_out_before_a_chain_is_truncated() -> None:
    """RFC 2181 section 9."""
    packet = dns.message.make_query("mail.example.test.", "MX", use_edns=0).to_wire()
    whole = respond(packet, client_number(BLUE), SNAPSHOT, 0)
    assert whole is not None

    octets = respond(packet, client_number(BLUE), SNAPSHOT, 0, len(whole) - 1)
    response = dns.message.from_wire(octets or b"")

    assert not response.flags & dns.flags.TC
    assert (len(response.answer), response.additional) == (2, [])


def test_the_bound_is_that_of_the_chains_above() -> None:
    assert MAX_LINKS == 16


def test_each_address_is_equally_often_at_each_place() -> None:
    """Exactly, over draws that part the space evenly: following must not make one address first."""
    seen: dict[tuple[str, ...], int] = {}
    for part in range(600):
        draw = (part * 2**64 + 2**63) // 600
        response = ask(SNAPSHOT, "two.example.test.", "A", draw=draw)
        order = tuple(rdata.address for rdata in response.answer[-1])
        seen[order] = seen.get(order, 0) + 1

    assert len(seen) == 6, "every order"
    assert set(seen.values()) == {100}


NAMES = st.one_of(
    st.sampled_from([case[0] for case in CASES]),
    st.lists(st.sampled_from(["a", "led", "grow", "wild", "sub", "lower", "l3", "fullest"]), min_size=1, max_size=5).map(".".join),
)  # fmt: skip


@LAW
@given(NAMES, st.sampled_from(["A", "AAAA", "MX", "CNAME", "DS", "TXT", "SOA", "NS", "ANY"]), st.integers(0, 2**64 - 1))  # fmt: skip
def test_a_chain_ends_and_reads_as_it_was_written(name: str, rtype: str, draw: int) -> None:
    """A bounded number of links, no record twice, and the cache says the same."""
    query = dns.message.make_query(f"{name}.example.test.", rtype)
    packet = query.to_wire()
    octets = respond(packet, client_number(BLUE), SNAPSHOT, draw, 65_535)
    assert octets is not None

    response = dns.message.from_wire(octets)
    number = sum(len(rrset) for rrset in response.answer if rrset.rdtype == dns.rdatatype.CNAME)
    records = section([*response.answer, *response.authority, *response.additional])

    assert number <= MAX_LINKS + 1, "the last may be chosen"
    assert len(records) == sum(int.from_bytes(octets[at : at + 2]) for at in (6, 8, 10))
    again = dns.message.from_wire(response.to_wire(max_size=65_535))
    assert section([*again.answer, *again.authority, *again.additional]) == records
    whole = respond(packet, client_number(BLUE), SNAPSHOT, draw)
    cache = AnswerCache(SNAPSHOT)
    assert [cache.respond(packet, BLUE, draw) for _ in range(2)] == [whole, whole]
