"""Headers, errors and truncation, with dnspython as the judge."""

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from dns.rdatatype import RdataType

from gtmdns.wire import constants
from gtmdns.wire.constants import FORMERR, NOERROR, NOTIMP, NXDOMAIN, RCODES, REFUSED
from gtmdns.wire.edns import opt_record
from gtmdns.wire.message import counts, error_response, head, truncated
from gtmdns.wire.query import BadQuery, parse_query

QUERY = dns.message.make_query("wWw.example.com", "A", id=0xBEEF, want_dnssec=True).to_wire()
OPT = opt_record(1232, dnssec_ok=True)


def test_the_tables_say_what_dnspython_says():
    assert {dns.rcode.to_text(number): number for number in RCODES} == {
        name: n for n, name in RCODES.items()
    }
    types = {name: n for name, n in vars(constants).items() if name in RdataType.__members__}
    assert {"A", "AAAA", "NS", "SOA", "OPT", "ANY"} <= types.keys()
    assert types == {name: int(RdataType[name]) for name in types}


# fmt: off
HEADS = [
    # id                        octet 2  RCODE     authoritative  flags of the response
    ("query with RD",           0x01,    NOERROR,  True,          "QR AA RD"),
    ("query without RD",        0x00,    NOERROR,  True,          "QR AA"),
    ("not authoritative",       0x01,    REFUSED,  False,         "QR RD"),
    ("AA and TC are not kept",  0x07,    NXDOMAIN, False,         "QR RD"),
    ("opcode is kept",          0x29,    NOTIMP,   False,         "QR RD"),
]
# fmt: on


@pytest.mark.parametrize(
    ("octet", "rcode", "authoritative", "flags"),
    [row[1:] for row in HEADS],
    ids=[row[0] for row in HEADS],
)
def test_head(octet, rcode, authoritative, flags):
    octets = b"\xbe\xef" + head(octet, rcode, authoritative=authoritative) + counts(0)
    assert octets[4:6] == b"\x00\x01"

    judge = dns.message.from_wire(octets[:4] + bytes(8))

    assert dns.flags.to_text(judge.flags) == flags
    assert judge.rcode() == rcode
    assert judge.opcode() == octet >> 3 & 15


def test_counts_are_three_numbers_of_two_octets():
    assert counts(1, 256, 65535) == b"\x00\x01\x01\x00\xff\xff"
    assert counts(2) == b"\x00\x02\x00\x00\x00\x00"


def test_an_error_keeps_the_question_as_it_came():
    query = dns.message.from_wire(QUERY)

    response = dns.message.from_wire(error_response(QUERY, REFUSED, parse_query(QUERY), OPT))

    assert query.is_response(response)
    assert response.rcode() == REFUSED
    assert str(response.question[0].name) == "wWw.example.com."
    assert (response.edns, response.flags & dns.flags.AA) == (0, 0)


def test_an_error_without_opt_counts_none():
    query = dns.message.make_query("www.example.com", "A", use_edns=False)
    packet = query.to_wire()

    response = dns.message.from_wire(error_response(packet, FORMERR, parse_query(packet), b""))

    assert query.is_response(response)
    assert (response.rcode(), response.edns) == (FORMERR, -1)


@pytest.mark.parametrize("opt", [b"", OPT], ids=["without EDNS", "with EDNS"])
def test_an_error_about_no_question_has_none(opt):
    packet = bytes.fromhex("beef 0100 0000 0000 0000 0001") + OPT
    with pytest.raises(BadQuery) as bad:
        parse_query(packet)

    response = dns.message.from_wire(error_response(packet, FORMERR, bad.value.query, opt))

    assert (response.id, response.rcode(), response.question) == (0xBEEF, FORMERR, [])
    assert response.edns == (0 if opt else -1)


def test_an_error_about_an_unreadable_question_is_a_header():
    packet = bytes.fromhex("beef 29ff 0001 0000 0000 0000 c00c")

    octets = error_response(packet, FORMERR, None, b"")

    assert len(octets) == 12
    judge = dns.message.from_wire(octets)
    assert (judge.id, judge.rcode(), judge.opcode()) == (0xBEEF, FORMERR, dns.opcode.UPDATE)
    assert dns.flags.to_text(judge.flags) == "QR RD"


@pytest.mark.parametrize("opt", [b"", OPT], ids=["without EDNS", "with EDNS"])
def test_a_truncated_response_has_no_records_and_says_so(opt):
    end = parse_query(QUERY).end
    record = b"\xc0\x0c" + bytes.fromhex("0001 0001 0000003c 0004 c0000201")
    whole = QUERY[:2] + head(QUERY[2], NOERROR, authoritative=True) + counts(2, 1, bool(opt))
    whole += QUERY[12:end] + record * 3 + opt

    response = dns.message.from_wire(truncated(whole, end, opt))

    assert dns.flags.to_text(response.flags) == "QR AA TC RD"
    assert (response.answer, response.authority, response.additional) == ([], [], [])
    assert str(response.question[0].name) == "wWw.example.com."
    assert response.edns == (0 if opt else -1)
