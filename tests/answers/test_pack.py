"""Records in a response, judged by dnspython: names once, and the same records as without."""

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.answers.pack import MAX_POINTER, Packer, Records, Referral, owned, soa_parts
from gtmdns.answers.responder import respond
from gtmdns.wire.constants import CNAME, DNAME, HTTPS, MX, NS, PTR, SOA, SRV, A
from gtmdns.wire.name import MAX_NAME, ROOT, WireName, from_text
from tests.compiler.support import compile_text, snapshot_of, with_records
from tests.laws import LAW

QNAME = from_text("www.example.com")
HEAD = bytes.fromhex("0000 8400 0001")
LABEL = st.sampled_from([b"a", b"B", b"www", b"example", b"com", b"\x03com", b"x" * 63])
NAME = st.lists(LABEL, max_size=3).map(lambda labels: b"".join(bytes((len(o),)) + o for o in labels) + b"\0")  # fmt: skip
SOA_TAIL = bytes(range(20))


def message(qname: bytes, octets: bytes, answer: int, authority: int = 0, more: int = 0) -> bytes:
    counts = b"".join(number.to_bytes(2) for number in (answer, authority, more))
    return HEAD + counts + qname + b"\0\1\0\1" + octets


def read(qname: bytes, octets: bytes, number: int) -> list[tuple[str, int, int, str]]:
    """Return (owner, type, TTL, RDATA) of records in the answer section, in lower case."""
    response = dns.message.from_wire(message(qname, octets, number), one_rr_per_rrset=True)
    return [
        (str(each.name).lower(), each.rdtype, each.ttl, str(each[0]).lower())
        for each in response.answer
    ]


def written(owner: bytes, rtype: int, ttl: int, rdata: bytes) -> tuple[str, int, int, str]:
    data = dns.rdata.from_wire("IN", dns.rdatatype.RdataType.make(rtype), rdata, 0, len(rdata))
    return str(dns.name.from_wire(owner, 0)[0]).lower(), rtype, ttl, str(data).lower()


def rdatas(rtype: int) -> st.SearchStrategy[bytes]:
    if rtype == SOA:
        return st.builds(lambda m, r: m + r + SOA_TAIL, NAME, NAME)
    before = {MX: b"\0\7", SRV: b"\0\1\0\2\0\3", HTTPS: b"\0\1"}.get(rtype, b"")
    return NAME.map(lambda name: before + name)


RECORD = st.sampled_from([NS, CNAME, SOA, PTR, MX, SRV, DNAME, HTTPS]).flatmap(
    lambda rtype: st.tuples(NAME, st.just(rtype), st.integers(0, 9), rdatas(rtype))
)


@LAW
@given(NAME, st.lists(RECORD, max_size=6))
def test_packed_records_read_as_they_were_written(qname, records):
    packer = Packer(WireName(qname.lower()))
    for record in records:
        packer.record(*record)

    assert read(qname, bytes(packer.octets), len(records)) == [written(*r) for r in records]


def test_names_stand_once_where_old_resolvers_know_the_type():
    packer = Packer(QNAME)
    for rtype in (NS, SRV):
        before = b"\0\0\0\0\0\0" if rtype == SRV else b""
        packer.record(QNAME, rtype, 60, before + from_text("ns.Example.COM".lower()))
    packer.record(from_text("ns.example.com"), A, 60, bytes(4))

    first = b"\xc0\x0c\0\2\0\1\0\0\0\x3c\0\5\2ns\xc0\x10"
    second = b"\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\x16" + bytes(6) + from_text("ns.example.com")
    assert packer.octets == first + second + b"\xc0\x2d\0\1\0\1\0\0\0\x3c\0\4" + bytes(4)


def test_no_pointer_reaches_further_than_14_bits():
    packer = Packer(QNAME)
    packer.record(QNAME, 16, 60, bytes(MAX_POINTER))
    far = from_text("far.test")
    packer.record(far, A, 60, bytes(4))
    packer.record(far, A, 60, bytes(4))

    assert packer.octets.count(far) == 2


def test_a_copy_goes_its_own_way():
    packer = Packer(QNAME)
    packer.record(QNAME, CNAME, 60, from_text("a.test"))
    before = bytes(packer.octets)

    copy = packer.copy()
    copy.record(from_text("a.test"), CNAME, 60, from_text("b.a.test"))
    packer.record(from_text("a.test"), CNAME, 60, from_text("c.a.test"))

    for each, target in ((copy, "b.a.test."), (packer, "c.a.test.")):
        assert bytes(each.octets).startswith(before)
        assert read(QNAME, bytes(each.octets), 2)[1] == ("a.test.", CNAME, 60, target)


@LAW
@given(st.lists(st.sampled_from([b"\1a", b"\2bb", b"\x3f" + b"c" * 63]), max_size=3), NAME)
def test_a_referral_for_a_longer_name_is_the_same_referral(below, server):
    cut = from_text("sub.example.com")
    glue = ((server, A, 5, bytes(4)), (from_text("ns.sub.example.com"), A, 5, bytes(4)))
    values = (server, from_text("ns.sub.example.com"), from_text("x.sub.example.com"))
    referral = Referral(cut, Records(NS, 60, values, glue))
    qname = WireName(b"".join(below) + cut)

    found = referral.leaf(qname)

    at_cut = referral.leaf(cut)
    assert (found.counts, found.tag) == (at_cut.counts, at_cut.tag)
    expected = [written(cut, NS, 60, value) for value in values] + [written(*g) for g in glue]
    assert read(qname, found.records, 5) == expected
    assert read(cut, at_cut.records, 5) == expected
    assert len(qname) <= MAX_NAME


@LAW
@given(
    st.sampled_from(["example.com", "com", "."]).map(from_text),
    st.lists(st.sampled_from([b"\1a", b"\2bb"]), max_size=3),
    NAME,
    NAME,
)
def test_the_parts_of_an_soa_are_joined_by_a_pointer_to_the_apex(apex, below, mname, rname):
    rdata = mname + rname + SOA_TAIL
    soa = SOA.to_bytes(2) + b"\0\1\0\0\0\x1e" + len(rdata).to_bytes(2) + rdata
    qname = b"".join(below) + apex
    pointer = (0xC000 | 12 + len(qname) - len(apex)).to_bytes(2)

    octets = pointer.join(soa_parts(apex, soa))

    assert read(qname, octets, 1) == [written(apex, SOA, 30, rdata)]


def test_records_get_another_owner():
    one = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes(4)
    packer = Packer(QNAME)

    assert owned(one + one, packer.place(from_text("com"))) == (b"\xc0\x18" + one[2:]) * 2
    assert owned(one, packer.place(ROOT)) == b"\xc0\x1c" + one[2:]


@pytest.mark.parametrize(
    "name", ["mail.example.test", "alias.example.test", "to-mail.example.test"]
)
def test_records_that_will_not_fit_are_not_packed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand names take milliseconds: over UDP a query must not cost them, by any way."""
    values = ", ".join(f'"{n} mx{n}"' for n in range(1000))
    snapshot = snapshot_of(
        compile_text(
            with_records(
                f"mail: {{MX: [{values}]}}\nalias: {{CNAME: mail}}\nto-mail: {{pools: hosts}}",
                "pools: {hosts: {endpoints: [mail.example.test]}}",
            )
        )
    )
    packed = []
    record = Packer.record
    monkeypatch.setattr(Packer, "record", lambda *given: packed.append(0) or record(*given))  # type: ignore[func-returns-value]
    query = dns.message.make_query(name, "MX", use_edns=0, payload=1232).to_wire()

    short = dns.message.from_wire(respond(query, 1, snapshot, 0) or b"")

    assert len(packed) < 100
    assert (short.flags & dns.flags.TC, short.answer) == (dns.flags.TC, [])
    whole = dns.message.from_wire(respond(query, 1, snapshot, 0, 65_535) or b"")
    assert len(whole.answer[-1]) == 1000


def test_addresses_that_will_not_fit_are_left_out_and_the_rest_stays() -> None:
    names = "\n".join(f"mx{n}: {{A: [192.0.2.{n}], AAAA: ['2001:db8::{n}']}}" for n in range(20))
    values = ", ".join(f'"{n} mx{n}"' for n in range(20))
    snapshot = snapshot_of(compile_text(with_records(f"mail: {{MX: [{values}]}}\n{names}")))
    query = dns.message.make_query("mail.example.test", "MX", use_edns=0, payload=800).to_wire()

    response = dns.message.from_wire(respond(query, 1, snapshot, 0) or b"")

    assert not response.flags & dns.flags.TC
    assert (len(response.answer[0]), response.additional) == (20, [])
