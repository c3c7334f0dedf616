"""CNAME chains in one answer (RFC 1034 section 4.3.2, step 3a), read by dnspython."""

import dns.rdatatype
import pytest

from gtmdns.compiler.alias import MAX_LINKS
from tests.compiler.support import NOW, ask, compile_text, rcode, section, snapshot_of, with_records

RECORDS = """
  host:    {A: [192.0.2.1, 192.0.2.2, 192.0.2.3], TXT: [x, y], ttl: 5}
  one:     {CNAME: HOST, ttl: 9}
  two:     {CNAME: one}
  "*.wild": {CNAME: two}
  many:    {CNAME: big}
  big:     {AAAA: [%s]}
  out:     {CNAME: away}
  away:    {CNAME: www.example.net.}
  gone:    {CNAME: nothing}
  ring:    {CNAME: ring2}
  ring2:   {CNAME: ring3}
  ring3:   {CNAME: ring2}
  self:    {CNAME: self}
  steered: {CNAME: www}
  www:     {pools: p}
  ent:     {CNAME: between}
  a.between: {TXT: below}
  sub:     {NS: ns.other.test.}
  cut:     {CNAME: sub}
  under:   {CNAME: x.sub}
  child:   {CNAME: www.lower}
  www.lower: {TXT: hidden}
  apex:    {CNAME: "@"}
  tolower: {CNAME: any.wild}
  star:    {CNAME: "*.wild"}
  l0:      {CNAME: host}
""" % ", ".join(f'"2001:db8::{n:x}"' for n in range(200))  # noqa: UP031  # braces all over
RECORDS += "".join(f"  l{n}: {{CNAME: l{n - 1}}}\n" for n in range(1, 20))
REST = "pools: {p: {endpoints: [203.0.113.1]}}"
LOWER = """
  lower.example.test:
    nameservers: {ns.other.test.: []}
    contact: hostmaster@other.test
"""
SNAPSHOT = snapshot_of(compile_text(with_records(RECORDS, REST) + LOWER))
SOA = f"example.test. 30 SOA ns1.example.test. hostmaster.example.test. {NOW} 86400 7200 3600000 30"
ONE = "one 9 CNAME host"
TWO = "two 60 CNAME one"
HOSTS = [f"host 5 A 192.0.2.{n}" for n in (1, 2, 3)]


def links(first: int, count: int) -> list[str]:
    names = [f"l{n}" for n in range(first, -1, -1)] + ["host"]
    return [f"{names[at]} 60 CNAME {names[at + 1]}" for at in range(count)]


# fmt: off
CASES = [
    # name, type, answer (names relative to the zone), whether the SOA is in the authority section
    ("one",      "A",     [ONE, *HOSTS], False),
    ("one",      "TXT",   [ONE, 'host 5 TXT "x"', 'host 5 TXT "y"'], False),
    ("one",      "AAAA",  [ONE], True),
    ("one",      "CNAME", [ONE], False),
    ("one",      "ANY",   [ONE], False),
    ("two",      "A",     [TWO, ONE, *HOSTS], False),
    ("two",      "MX",    [TWO, ONE], True),
    ("two",      "CNAME", [TWO], False),
    ("q.wild",   "A",     ["q.wild 60 CNAME two", TWO, ONE, *HOSTS], False),
    ("many",     "AAAA",  ["many 60 CNAME big"], False),  # too many for every order
    ("many",     "A",     ["many 60 CNAME big"], True),
    ("out",      "A",     ["out 60 CNAME away", "away 60 CNAME www.example.net."], False),
    ("out",      "CNAME", ["out 60 CNAME away"], False),
    ("gone",     "A",     ["gone 60 CNAME nothing"], False),
    ("self",     "A",     ["self 60 CNAME self"], False),
    ("ring",     "A",     ["ring 60 CNAME ring2", "ring2 60 CNAME ring3", "ring3 60 CNAME ring2"], False),
    ("steered",  "A",     ["steered 60 CNAME www"], False),
    ("steered",  "TXT",   ["steered 60 CNAME www"], False),
    ("ent",      "A",     ["ent 60 CNAME between"], True),
    ("cut",      "A",     ["cut 60 CNAME sub"], False),
    ("under",    "A",     ["under 60 CNAME x.sub"], False),
    ("child",    "TXT",   ["child 60 CNAME www.lower"], False),
    ("apex",     "NS",    ["apex 60 CNAME @", "@ 60 NS ns1"], False),
    ("apex",     "A",     ["apex 60 CNAME @"], True),
    ("apex",     "DS",    ["apex 60 CNAME @"], False),
    ("tolower",  "A",     ["tolower 60 CNAME any.wild"], False),
    ("star",     "A",     ["star 60 CNAME *.wild", "*.wild 60 CNAME two", TWO, ONE, *HOSTS], False),
    ("l15",      "A",     [*links(15, 16), *HOSTS], False),
    ("l16",      "A",     links(16, 16), False),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "rtype", "answer", "soa"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES]
)
def test_answer(name: str, rtype: str, answer: list[str], soa: bool) -> None:
    response = ask(SNAPSHOT, f"{name}.example.test.", rtype)

    assert (rcode(response), section(response.authority)) == ("NOERROR", [SOA] if soa else [])
    shown = [
        " ".join(
            word.lower().removesuffix(".example.test.") if word != "example.test." else "@"
            for word in (f"{rrset.name} {rrset.ttl} {kind} {rdata}".split(" "))
        )
        for rrset in response.answer
        for kind in [dns.rdatatype.to_text(rrset.rdtype)]
        for rdata in rrset
    ]
    chain = [line for line in answer if " CNAME " in line]
    assert shown[: len(chain)] == [line.lower() for line in chain]  # in the order of the chain
    assert sorted(shown) == sorted(line.lower() for line in answer)


def test_the_bound_is_that_of_the_chain_above() -> None:
    assert MAX_LINKS == 16


def test_each_address_is_equally_often_at_each_place() -> None:
    """Exactly, over draws that part the space evenly: following must not make one address first."""
    seen: dict[tuple[str, ...], int] = {}
    for part in range(300):
        response = ask(SNAPSHOT, "two.example.test.", "A", draw=(part * 2**64 + 2**63) // 300)
        order = tuple(rdata.address for rdata in response.answer[-1])
        seen[order] = seen.get(order, 0) + 1

    assert len(seen) == 3
    for place in range(3):
        counts: dict[str, int] = {}
        for order, count in seen.items():
            counts[order[place]] = counts.get(order[place], 0) + count
        assert set(counts.values()) == {100}
