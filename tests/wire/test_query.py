"""What strangers send: every packet is a Query, a BadQuery with an RCODE, or silence."""

import sys
from struct import pack
from types import FrameType
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gtmdns.wire.constants import BADVERS, FORMERR, NOTIMP
from gtmdns.wire.query import MAX_ADDITIONAL, MAX_OPTIONS, MAX_PASSED, BadQuery, Query, parse_query
from tests.laws import LAW

QNAME = b"\x03www\x07example\x03com\x00"
A_IN = b"\x00\x01\x00\x01"
QUESTION = QNAME + A_IN
IXFR = QNAME + b"\x00\xfb\x00\x01"
SOA_RECORD = QNAME + pack("!HHIH", 6, 1, 0, 22) + bytes(2) + pack("!5I", 0x80000007, 1, 2, 3, 4)
TSIG = b"\x03key\x00" + pack("!HHIH", 250, 255, 0, 16) + bytes(16)
LONGEST = b"\x3f" + b"a" * 63
NAME_255 = LONGEST * 3 + b"\x3d" + b"a" * 61 + b"\x00"
NAME_256 = LONGEST * 3 + b"\x3e" + b"a" * 62 + b"\x00"


def header(
    flags: int = 0x0100, qd: int = 1, an: int = 0, ns: int = 0, ar: int = 0, number: int = 0x1234
) -> bytes:
    return pack("!HHHHHH", number, flags, qd, an, ns, ar)


def opt(options: bytes = b"", size: int = 1232, version: int = 0, flags: int = 0) -> bytes:
    return b"\x00" + pack("!HHBBHH", 41, size, 0, version, flags, len(options)) + options


def option(code: int, data: bytes = b"", length: int | None = None) -> bytes:
    return pack("!HH", code, len(data) if length is None else length) + data


def with_opt(octets: bytes) -> bytes:
    return header(ar=1) + QUESTION + octets


SUBNET = bytes.fromhex("00011800c00002")
NO_ANSWER = None

# fmt: off
BAD = [
    # id                              packet                                                 RCODE, None: silence
    # T11, T10: never answered
    ("nothing",                       b"",                                                   NO_ANSWER),
    ("one octet",                     b"\x00",                                               NO_ANSWER),
    ("eleven octets",                 header()[:11],                                         NO_ANSWER),
    ("a response",                    header(0x8180) + QUESTION,                             NO_ANSWER),
    ("a response, opcode 5",          header(0xA800) + QUESTION,                             NO_ANSWER),
    ("a response without question",   header(0x8000, qd=0),                                  NO_ANSWER),
    # T6, T41: opcodes
    *((f"opcode {n}",                 header(n << 11) + QUESTION,                            NOTIMP) for n in range(1, 16)),
    ("NOTIFY with an answer",         header(0x2000, an=1) + QUESTION + SOA_RECORD,          NOTIMP),
    ("opcode before the question",    header(0x2800, qd=0),                                  NOTIMP),
    # T4: counts
    ("QDCOUNT 0",                     header(qd=0),                                          FORMERR),
    ("QDCOUNT 0 with a question",     header(qd=0) + QUESTION,                               FORMERR),
    ("QDCOUNT 2",                     header(qd=2) + QUESTION * 2,                           FORMERR),
    ("QDCOUNT 65535",                 header(qd=65535) + QUESTION,                           FORMERR),
    ("QDCOUNT 256",                   header(qd=256) + QUESTION,                             FORMERR),
    ("only a header",                 header(),                                              FORMERR),
    ("an answer",                     header(an=1) + QUESTION + SOA_RECORD,                  FORMERR),
    ("an answer announced",           header(an=1) + QUESTION,                               FORMERR),
    ("65535 answers announced",       header(an=65535) + QUESTION,                           FORMERR),
    ("an authority record",           header(ns=1) + QUESTION + SOA_RECORD,                  FORMERR),
    ("an additional one announced",   header(ar=1) + QUESTION,                               FORMERR),
    ("65535 additional announced",    header(ar=65535) + QUESTION + opt(),                   FORMERR),
    ("too many additional records",   header(ar=MAX_ADDITIONAL + 1) + QUESTION + TSIG * (MAX_ADDITIONAL + 1), FORMERR),
    ("two announced, one there",      header(ar=2) + QUESTION + opt(),                       FORMERR),
    ("one octet behind",              header() + QUESTION + b"\x00",                         FORMERR),
    ("an OPT that no count tells of", header() + QUESTION + opt(),                           FORMERR),
    ("octets behind OPT",             with_opt(opt() + b"\x00"),                             FORMERR),
    # T2: pointers in the question
    ("pointer to itself",             header() + b"\xc0\x0c" + A_IN,                         FORMERR),
    ("pointer ahead",                 header() + b"\xc0\x12" + A_IN + QNAME,                 FORMERR),
    ("pointers in a ring",            header() + b"\x01a\xc0\x10\xc0\x0e" + A_IN,            FORMERR),
    ("pointer into the header",       header() + b"\x03www\xc0\x00" + A_IN,                  FORMERR),
    ("chain of 200 pointers",         header() + b"".join(pack("!H", 0xC000 + 14 + 2 * n) for n in range(200)) + b"\x00" + A_IN, FORMERR),
    ("half a pointer",                header() + b"\xc0",                                    FORMERR),
    # T3: labels and names
    ("label of 64 octets",            header() + b"\x40" + b"a" * 64 + b"\x00" + A_IN,       FORMERR),
    ("label type 0x40",               header() + b"\x41\x00\x00" + A_IN,                     FORMERR),
    ("label type 0x80",               header() + b"\x81\x00\x00" + A_IN,                     FORMERR),
    ("name of 256 octets",            header() + NAME_256 + A_IN,                            FORMERR),
    ("128 labels",                    header() + b"\x01a" * 128 + b"\x00" + A_IN,            FORMERR),
    ("2 000 labels",                  header() + b"\x01a" * 2000 + b"\x00" + A_IN,           FORMERR),
    ("name without an end",           header() + b"\x03www",                                 FORMERR),
    ("label cut",                     header() + b"\x3fwww",                                 FORMERR),
    ("no type",                       header() + QNAME,                                      FORMERR),
    ("half a type",                   header() + QNAME + b"\x00",                            FORMERR),
    ("no class",                      header() + QNAME + b"\x00\x01",                        FORMERR),
    ("half a class",                  header() + QNAME + b"\x00\x01\x00",                    FORMERR),
    # the additional section
    ("owner cut",                     header(ar=1) + QUESTION + b"\x03ww",                   FORMERR),
    ("owner of label type 0x80",      header(ar=1) + QUESTION + b"\x80\x0c" + TSIG[5:],      FORMERR),
    ("owner of label type 0x40",      header(ar=1) + QUESTION + b"\x40" + opt(),             FORMERR),
    ("owner of 256 octets",           header(ar=1) + QUESTION + NAME_256 + opt()[1:],        FORMERR),
    ("owner a half pointer",          header(ar=1) + QUESTION + b"\xc0",                     FORMERR),
    ("record cut",                    header(ar=1) + QUESTION + TSIG[:-1],                   FORMERR),
    ("fixed part cut",                header(ar=1) + QUESTION + opt()[:-1],                  FORMERR),
    ("data longer than the packet",   header(ar=1) + QUESTION + opt()[:-2] + b"\xff\xff",    FORMERR),
    # T8, T9: EDNS
    ("two OPT",                       header(ar=2) + QUESTION + opt() * 2,                   FORMERR),
    ("OPT with a name",               header(ar=1) + QUESTION + b"\x01a" + opt(),            FORMERR),
    ("OPT owned by a pointer",        header(ar=1) + QUESTION + b"\xc0\x1c" + opt()[1:],     FORMERR),
    ("version 1",                     with_opt(opt(version=1)),                              BADVERS),
    ("version 255",                   with_opt(opt(version=255)),                            BADVERS),
    ("version 1, options of no form", with_opt(opt(b"\xff", version=1)),                     BADVERS),
    ("version 1, two OPT",            header(ar=2) + QUESTION + opt(version=1) * 2,          FORMERR),
    ("option past the end",           with_opt(opt(option(12, b"ab", length=3))),            FORMERR),
    ("option of 65535 octets",        with_opt(opt(option(12, b"ab", length=65535))),        FORMERR),
    ("option without a length",       with_opt(opt(b"\x00\x0c\x00")),                        FORMERR),
    ("half an option behind another", with_opt(opt(option(12, b"ab") + b"\x00")),            FORMERR),
    ("two client subnets",            with_opt(opt(option(8, SUBNET) * 2)),                  FORMERR),
    *((f"a cookie of {n} octets",     with_opt(opt(option(10, bytes(n)))),                       FORMERR) for n in (0, 7, 9, 15, 41, 65)),
    ("more options than anyone has",  with_opt(opt(option(12) * (MAX_OPTIONS + 1))),         FORMERR),
    # T41: transfers
    ("IXFR with another record",      header(ns=1) + IXFR + QNAME + pack("!HHIH", 1, 1, 0, 22) + bytes(22), FORMERR),
    ("IXFR with a SOA too short",     header(ns=1) + IXFR + QNAME + pack("!HHIH", 6, 1, 0, 21) + bytes(21), FORMERR),
    ("IXFR with a SOA cut",           header(ns=1) + IXFR + SOA_RECORD[:-1],                 FORMERR),
    ("IXFR, octets behind its SOA",   header(ns=1) + IXFR + SOA_RECORD + b"\x00",            FORMERR),
    ("IXFR with two SOA",             header(ns=2) + IXFR + SOA_RECORD * 2,                  FORMERR),
    ("IXFR with an answer",           header(an=1) + IXFR + SOA_RECORD,                      FORMERR),
    ("AXFR with a SOA",               header(ns=1) + QNAME + b"\x00\xfc\x00\x01" + SOA_RECORD, FORMERR),
    # RFC 7873 section 5.4: no question is one for a cookie, or it is a mistake
    ("no question, no cookie",        header(qd=0, ar=1) + opt(option(3)),                   FORMERR),
    ("no question, an empty OPT",     header(qd=0, ar=1) + opt(),                            FORMERR),
    ("no question, OPT not counted",  header(qd=0) + opt(option(10, bytes(8))),              FORMERR),
    ("no question, a cookie too long", header(qd=0, ar=1) + opt(option(10, bytes(41))),      FORMERR),
    ("no question, an answer",        header(qd=0, an=1, ar=1) + SOA_RECORD + opt(option(10, bytes(8))), FORMERR),
    ("no question, version 1",        header(qd=0, ar=1) + opt(option(10, bytes(8)), version=1), BADVERS),
]
# fmt: on


@pytest.mark.parametrize(("packet", "rcode"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_packets(packet, rcode):
    with pytest.raises(BadQuery) as bad:
        parse_query(packet)

    assert bad.value.rcode == rcode


@pytest.mark.parametrize("cut", range(len(with_opt(opt(option(8, SUBNET))))))
def test_every_beginning_of_a_query_is_bad(cut):
    """Fed octet by octet, a query is silence up to 11 octets and FORMERR up to its last."""
    whole = with_opt(opt(option(8, SUBNET)))

    with pytest.raises(BadQuery) as bad:
        parse_query(whole[:cut])

    assert bad.value.rcode == (None if cut < 12 else FORMERR)
    assert (bad.value.query is not None) == (cut >= 12 + len(QUESTION))


def test_what_was_understood_before_the_mistake_is_kept():
    with pytest.raises(BadQuery) as bad:
        parse_query(with_opt(opt(version=3, flags=0x8000, size=4096)))

    query = bad.value.query
    assert query is not None
    assert (query.qname, query.edns, query.dnssec_ok, query.size) == (QNAME, True, True, 4096)


# fmt: off
GLIMPSES = [
    # id                              packet                                                    end, EDNS
    ("NOTIFY with an answer, EDNS",   header(0x2000, an=1, ar=1) + QUESTION + SOA_RECORD + opt(flags=0x8000), (12, True)),
    ("opcode 6 without a question",   header(0x3000, qd=0, ar=1) + opt(flags=0x8000),           (12, True)),
    ("UPDATE, OPT behind TSIG",       header(0x2800, ar=2) + QUESTION + TSIG + opt(flags=0x8000), (12, True)),
    ("STATUS without EDNS",           header(0x1000) + QUESTION,                                (12, False)),
    ("opcode 15, of another form",    header(0x7800, ar=1) + b"\xff" * 30,                      (12, False)),
    ("opcode 15, its question cut",   header(0x7800, ar=1) + QUESTION[:-1],                     (12, False)),
    ("OPT with a name",               header(0x2800, ar=1) + QUESTION + b"\x01a" + opt(),       (12, False)),
    ("two questions and EDNS",        header(qd=2, ar=1) + QUESTION * 2 + opt(flags=0x8000),    (12, True)),
    ("as many records as are passed", header(qd=1, an=2, ns=1, ar=MAX_PASSED - 3) + QUESTION + SOA_RECORD * 3 + TSIG * (MAX_PASSED - 4) + opt(flags=0x8000), (33, True)),
    ("more records than are passed",  header(qd=2, an=2, ns=1, ar=MAX_PASSED - 4) + QUESTION * 2 + SOA_RECORD * 3 + TSIG * (MAX_PASSED - 5) + opt(), (12, False)),
    ("an answer and EDNS",            header(an=1, ar=1) + QUESTION + SOA_RECORD + opt(flags=0x8000), (33, True)),
    ("IXFR, another record and EDNS", header(ns=1, ar=1) + IXFR + TSIG + opt(flags=0x8000),     (33, True)),
    ("OPT, and then too many",        header(ar=6) + QUESTION + opt(flags=0x8000) + TSIG * 5,   (33, True)),
    ("OPT, then octets",              header(ar=1) + QUESTION + opt(flags=0x8000) + b"\x00",    (33, True)),
    ("OPT with a cut option",         header(ar=1) + QUESTION + opt(b"\x00", flags=0x8000),     (33, True)),
    ("OPT cut",                       header(ar=1) + QUESTION + opt()[:-1],                     (33, False)),
    ("OPT that no count tells of",    header() + QUESTION + opt(),                              (33, False)),
    ("no question, NSID",             header(qd=0, ar=1) + opt(option(3), flags=0x8000),        (12, True)),
]
# fmt: on


@pytest.mark.parametrize(
    ("packet", "seen"), [row[1:] for row in GLIMPSES], ids=[row[0] for row in GLIMPSES]
)
def test_the_opt_of_a_bad_packet_is_seen_where_it_can_be_read(packet, seen):
    """RFC 6891 section 6.1.1: who sends one gets one, even with an error."""
    with pytest.raises(BadQuery) as bad:
        parse_query(packet)

    query = bad.value.query
    assert query is not None
    assert (query.end, query.edns) == seen
    assert query.dnssec_ok == query.edns


# fmt: off
GOOD = [
    # id                          packet                                             what is read
    ("plain",                     header() + QUESTION,                               {"qname": QNAME, "qtype": 1, "qclass": 1, "end": 33, "edns": False, "size": 512, "plain": True, "subnet": None, "dnssec_ok": False, "recursion_desired": True}),
    ("without RD",                header(0) + QUESTION,                              {"recursion_desired": False}),
    ("all other flags",           header(0x07FF) + QUESTION,                         {"recursion_desired": True, "plain": True}),
    ("upper case",                header() + QUESTION.upper(),                       {"qname": QNAME}),
    ("the root",                  header() + b"\x00\x00\x02\x00\x01",                {"qname": b"\x00", "qtype": 2, "end": 17}),
    ("name of 255 octets",        header() + NAME_255 + A_IN,                        {"qname": NAME_255, "end": 271}),
    ("127 labels",                header() + b"\x01a" * 127 + b"\x00" + A_IN,        {"end": 271}),
    ("label of 63 octets",        header() + LONGEST + b"\x00" + A_IN,               {"qname": LONGEST + b"\x00"}),
    ("NUL and dot in a label",    header() + b"\x03a\x00.\x00" + A_IN,               {"qname": b"\x03a\x00.\x00"}),
    ("type 65535, class 254",     header() + QNAME + b"\xff\xff\x00\xfe",            {"qtype": 65535, "qclass": 254}),
    ("EDNS",                      with_opt(opt()),                                   {"edns": True, "size": 1232, "plain": True, "end": 33}),
    ("EDNS of 0 octets",          with_opt(opt(size=0)),                             {"size": 512}),
    ("EDNS of 511 octets",        with_opt(opt(size=511)),                           {"size": 512}),
    ("EDNS of 65535 octets",      with_opt(opt(size=65535)),                         {"size": 65535}),
    ("DO",                        with_opt(opt(flags=0x8000)),                       {"dnssec_ok": True}),
    ("all EDNS flags but DO",     with_opt(opt(flags=0x7FFF)),                       {"dnssec_ok": False, "plain": True}),
    ("an unknown option",         with_opt(opt(option(65001, b"abc"))),              {"edns": True, "plain": True, "subnet": None}),
    ("no option that is answered", with_opt(opt(option(12) + option(8, SUBNET))),    {"options": None}),
    ("NSID, cookie, keepalive",   with_opt(opt(option(3) + option(10, bytes(8)) + option(11, b"x"))), {"options": {3: b"", 10: bytes(8), 11: b"x"}, "plain": True}),
    ("a cookie of 16 octets",     with_opt(opt(option(10, bytes(16)))),              {"options": {10: bytes(16)}}),
    ("a cookie of 40 octets",     with_opt(opt(option(10, bytes(40)))),              {"options": {10: bytes(40)}}),
    ("the first cookie counts",   with_opt(opt(option(10, b"a" * 8) + option(10))),  {"options": {10: b"a" * 8}}),
    ("an empty option",           with_opt(opt(option(3))),                          {"plain": True}),
    ("400 octets of padding",     with_opt(opt(option(12, bytes(400)))),             {"plain": True}),
    ("200 options",               with_opt(opt(option(12) * 200)),                   {"plain": True}),
    ("client subnet",             with_opt(opt(option(8, SUBNET))),                  {"subnet": SUBNET, "plain": True}),
    ("subnet among others",       with_opt(opt(option(10, bytes(8)) + option(8, SUBNET) + option(12))), {"subnet": SUBNET}),
    ("option 0x0108 is no subnet", with_opt(opt(option(0x0108, SUBNET))),            {"subnet": None}),
    ("TSIG",                      header(ar=1) + QUESTION + TSIG,                    {"edns": False, "plain": False}),
    ("OPT, then TSIG",            header(ar=2) + QUESTION + opt() + TSIG,            {"edns": True, "plain": False}),
    ("SIG(0), then OPT",          header(ar=2) + QUESTION + b"\x00" + pack("!HHIH", 24, 255, 0, 0) + opt(), {"edns": True, "plain": False}),
    ("owner with a pointer",      header(ar=1) + QUESTION + b"\x01a\xc0\x0c" + TSIG[5:], {"plain": False}),
    ("owner of 255 octets",       header(ar=1) + QUESTION + NAME_255 + TSIG[5:],     {"plain": False}),
    ("IXFR with its SOA",         header(ns=1) + IXFR + SOA_RECORD,                  {"qtype": 251, "serial": 0x80000007, "end": 33, "plain": False}),
    ("its owner a pointer",       header(ns=1) + IXFR + b"\xc0\x0c" + SOA_RECORD[17:], {"serial": 0x80000007}),
    ("IXFR with EDNS",            header(ns=1, ar=1) + IXFR + SOA_RECORD + opt(),    {"serial": 0x80000007, "edns": True}),
    ("IXFR without a SOA",        header() + IXFR,                                   {"qtype": 251, "serial": None}),
    ("only a cookie",             header(qd=0, ar=1) + opt(option(10, bytes(8))),    {"qname": b"", "end": 12, "edns": True, "options": {10: bytes(8)}}),
    ("a cookie and a subnet",     header(qd=0, ar=1) + opt(option(8, SUBNET) + option(10, bytes(8))), {"end": 12, "subnet": SUBNET}),
]
# fmt: on


@pytest.mark.parametrize(
    ("packet", "expected"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD]
)
def test_good_packets(packet, expected):
    query = parse_query(packet)

    assert {field: getattr(query, field) for field in expected} == expected


@LAW
@given(st.binary(max_size=700))
@example(bytes(12))
def test_any_octets_are_a_query_or_bad(packet):
    assert read(packet) is None or isinstance(read(packet), Query | int)


def read(packet: bytes) -> Query | int | None:
    """Return the Query, the RCODE, or None for silence."""
    try:
        return parse_query(packet)
    except BadQuery as bad:
        return bad.rcode


SEEDS = [
    header() + QUESTION,
    with_opt(opt(option(8, SUBNET) + option(12, b"ab"), flags=0x8000)),
    header(ar=2) + QUESTION + opt() + TSIG,
]


@LAW
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=3),
    st.integers(0, 3),
)
def test_what_dnspython_reads_too_is_read_alike(seed, changes, cut):
    """A mutated packet that both take for a query means the same to both."""
    mutated = bytearray(seed[: len(seed) - cut])
    for at, octet in changes:
        mutated[at % len(mutated)] = octet
    query = read(bytes(mutated))
    try:
        judge = dns.message.from_wire(bytes(mutated), keyring=False, continue_on_error=False)
    except (dns.exception.DNSException, ValueError, AssertionError):
        return
    if not isinstance(query, Query):
        return

    [question] = judge.question
    assert query.qname == question.name.canonicalize().to_wire()
    assert (query.qtype, query.qclass) == (question.rdtype, question.rdclass)
    assert query.edns == (judge.edns == 0)
    assert query.size == max(512, judge.payload)
    assert query.dnssec_ok == bool(judge.ednsflags & dns.flags.DO)
    assert query.recursion_desired == bool(judge.flags & dns.flags.RD)
    subnets = [each for each in judge.options if each.otype == dns.edns.ECS]
    assert (query.subnet is not None) == bool(subnets)


def steps(packet: bytes) -> int:
    """Return how many lines of Python reading the packet takes."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read(packet)
    finally:
        sys.settrace(before)
    return count


# fmt: off
COSTLY = [
    # id                          packet                                                            lines at most
    ("chain of pointers",         header() + b"\xc0\x0e" * 2000 + A_IN,                             60),
    ("TCP message of labels",     header() + b"\x01a" * 32_000,                                     600),
    ("longest owners",            header(ar=MAX_ADDITIONAL) + QUESTION + (b"\x01a" * 127 + b"\x00" + TSIG[5:]) * MAX_ADDITIONAL, 3500),
    ("owner of endless labels",   header(ar=1) + QUESTION + b"\x01a" * 32_000,                      900),
    ("65535 records announced",   header(ar=65535) + QUESTION + TSIG * 2000,                        160),
    ("longest owners, an opcode", header(0x2800, ar=MAX_PASSED - 1) + QUESTION + (b"\x01a" * 127 + b"\x00" + TSIG[5:]) * MAX_PASSED, 4500),
    ("65535 records, an opcode",  header(0x2800, ar=65535) + QUESTION + TSIG * 2000,                40),
    ("256 names of the server asked", with_opt(opt(option(3) * MAX_OPTIONS)),                       4500),
    ("16 000 options",            with_opt(opt(option(12) * 16_000)),                               2500),
]
# fmt: on


@pytest.mark.parametrize(
    ("packet", "most"), [row[1:] for row in COSTLY], ids=[row[0] for row in COSTLY]
)
def test_the_cost_of_a_packet_is_bounded(packet, most):
    """However long the packet is; an ordinary one with EDNS takes about 60 lines."""
    assert steps(packet) <= most
    assert steps(header() + QUESTION) <= 60
