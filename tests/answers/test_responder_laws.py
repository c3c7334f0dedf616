"""Sizes, counters, and the laws that hold for every packet, whatever it asks."""

import dns.flags
import dns.message
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gtmdns.answers import answer as tags
from gtmdns.answers.cache import client_number
from gtmdns.answers.responder import respond
from gtmdns.wire.constants import MAX_TCP
from gtmdns.wire.query import BadQuery, parse_query
from tests.answers.asking import ask, told
from tests.example_zone import (
    APEX_BASE,
    EU,
    EXAMPLE,
    IN_EU,
    INNER_BASE,
    OTHER,
    STEERED,
    STEERED_BASE,
    US,
)
from tests.example_zone import example as new_example
from tests.laws import LAW

LAST = 2**64 - 1  # the largest draw
ERRORS = {1, 4, 5, 16}  # FORMERR, NOTIMP, REFUSED, BADVERS

# Sizes

# fmt: off
SIZES = [
    # id                           qname   type   size of the client, ours, transport    answers, truncated
    ("512 without EDNS",           "big",  "A",   None,  1232,  None,                    0,       True),
    ("EDNS of 512",                "big",  "A",   512,   1232,  None,                    0,       True),
    ("EDNS below 512 means 512",   "big",  "A",   100,   1232,  None,                    0,       True),
    ("EDNS of 1232",               "big",  "A",   1232,  1232,  None,                    40,      False),
    ("our own size is smaller",    "big",  "A",   4096,  512,   None,                    0,       True),
    ("1 704 octets in 1232",       "huge", "TXT", 4096,  1232,  None,                    0,       True),
    ("1 704 octets in 4096",       "huge", "TXT", 4096,  4096,  None,                    8,       False),
    ("the client's size counts",   "huge", "TXT", 1232,  4096,  None,                    0,       True),
    ("TCP without EDNS",           "huge", "TXT", None,  1232,  MAX_TCP,                 8,       False),
    ("TCP, small EDNS size",       "huge", "TXT", 512,   512,   MAX_TCP,                 8,       False),
    ("TCP, big",                   "big",  "A",   None,  1232,  MAX_TCP,                 40,      False),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "qtype", "client_size", "our_size", "limit", "number", "truncated"),
    [row[1:] for row in SIZES],
    ids=[row[0] for row in SIZES],
)
def test_size(name, qtype, client_size, our_size, limit, number, truncated):
    edns = {"use_edns": False} if client_size is None else {"use_edns": 0, "payload": client_size}
    snapshot = new_example(udp_payload=our_size)

    response = ask(f"{name}.example.com", qtype, snapshot=snapshot, limit=limit, **edns)

    assert (len(told(response)), bool(response.flags & dns.flags.TC)) == (number, truncated)
    assert response.flags & dns.flags.AA
    assert snapshot.tally[tags.TRUNCATED] == truncated


def test_a_response_of_exactly_the_limit_is_whole():
    query = dns.message.make_query("big.example.com", "A", use_edns=0, payload=4096).to_wire()
    whole = respond(query, IN_EU, EXAMPLE, 0, MAX_TCP)
    assert whole is not None

    assert respond(query, IN_EU, EXAMPLE, 0, len(whole)) == whole
    cut = respond(query, IN_EU, EXAMPLE, 0, len(whole) - 1)
    assert cut is not None
    assert dns.message.from_wire(cut).flags & dns.flags.TC


def test_amplification_of_any_is_small():
    query = dns.message.make_query("weighted.example.com", "ANY", use_edns=0).to_wire()
    response = respond(query, IN_EU, EXAMPLE, 0)

    assert response is not None
    assert len(response) <= len(query) + 21, "one HINFO"


# Counting

# fmt: off
TALLY = [
    # id                 qname                     type   client  tags counted
    ("static",           "www.example.com",        "A",   EU,     {APEX_BASE + tags.STATIC: 1}),
    ("NODATA",           "www.example.com",        "AAAA", EU,    {APEX_BASE + tags.NODATA: 1}),
    ("NXDOMAIN",         "no.example.com",         "A",   EU,     {APEX_BASE + tags.NXDOMAIN: 1}),
    ("in the other zone", "no.inner.example.com",  "A",   EU,     {INNER_BASE + tags.NXDOMAIN: 1}),
    ("referral",         "a.sub.example.com",      "A",   EU,     {APEX_BASE + tags.REFERRAL: 1}),
    ("ANY",              "www.example.com",        "ANY", EU,     {APEX_BASE + tags.ANY: 1}),
    ("refused",          "www.example.net",        "A",   EU,     {tags.REFUSED: 1}),
    ("steered",          "region.example.com",     "A",   EU,     {STEERED_BASE + STEERED: 1}),
    ("steered by rule",  "region.example.com",     "A",   US,     {STEERED_BASE + OTHER: 1}),
    ("empty",            "nodata.example.com",     "A",   EU,     {STEERED_BASE + STEERED: 1}),
    ("servfail",         "servfail.example.com",   "A",   EU,     {STEERED_BASE + OTHER: 1}),
    ("truncated",        "huge.example.com",       "TXT", EU,     {STEERED_BASE + tags.STATIC: 1, tags.TRUNCATED: 1}),
]
PACKETS = [
    ("short",            b"\x00" * 11,                                                {tags.SHORT: 1}),
    ("a response",       bytes.fromhex("0001 8000 0001 0000 0000 0000"),              {tags.RESPONSE: 1}),
    ("no question",      bytes.fromhex("0001 0000 0000 0000 0000 0000"),              {tags.FORMERR: 1}),
    ("an update",        bytes.fromhex("0001 2800 0000 0000 0000 0000"),              {tags.NOTIMP: 1}),
    ("an IXFR",          bytes.fromhex("0001 0000 0001 0000 0000 0000 00 00fb 0001"), {tags.REFUSED: 1}),
    ("EDNS version 1",   bytes.fromhex("0001 0000 0001 0000 0000 0001 00 0001 0001 00 0029 04d0 00 01 0000 0000"), {tags.BADVERS: 1}),
]
# fmt: on


@pytest.mark.parametrize(
    ("qname", "qtype", "client", "counted"),
    [row[1:] for row in TALLY],
    ids=[row[0] for row in TALLY],
)
def test_what_is_answered_is_counted(qname, qtype, client, counted):
    snapshot = new_example()

    ask(qname, qtype, client_number(client), snapshot)

    assert snapshot.tally == counted


@pytest.mark.parametrize(
    ("packet", "counted"), [row[1:] for row in PACKETS], ids=[row[0] for row in PACKETS]
)
def test_what_is_not_answered_is_counted_too(packet, counted):
    snapshot = new_example()

    response = respond(packet, IN_EU, snapshot, 0)

    assert snapshot.tally == counted
    assert (response is None) == bool(counted.keys() & {tags.SHORT, tags.RESPONSE})


# Laws

mutations = st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4)
queries = st.builds(
    lambda name, qtype, edns, size: dns.message.make_query(
        f"{name}.example.com", qtype, use_edns=edns, payload=size, id=7
    ).to_wire(),
    st.sampled_from(
        ["www", "region", "x.apps", "big", "huge", "a.sub", "nested", "no", "servfail"]
    ),
    st.sampled_from(["A", "AAAA", "TXT", "ANY", "NS", "HTTPS"]),
    st.sampled_from([False, 0]),
    st.sampled_from([0, 512, 513, 700, 1232, 4096, 65535]),
)


def assert_lawful(packet: bytes, draw: int, limit: int | None) -> None:
    response = respond(packet, IN_EU, EXAMPLE, draw, limit)

    if len(packet) < 12 or packet[2] & 0x80:
        assert response is None
        return
    assert response is not None
    assert response[:2] == packet[:2]
    assert response[2] & 0xF9 == 0x80 | packet[2] & 0x79, "QR, the opcode and RD of the query"
    judge = dns.message.from_wire(response)
    allowed = limit
    if allowed is None:
        allowed = 512
        try:
            query = parse_query(packet)
            allowed = min(query.size, 1232) if query.edns else 512
        except BadQuery:
            assert judge.rcode() in ERRORS
    assert len(response) <= allowed


@settings(LAW, max_examples=200)
@given(st.binary(max_size=600), st.integers(0, LAST))
@example(b"\x00" * 12, 0)
def test_any_octets_are_answered_or_ignored(packet, draw):
    """No packet raises; what is answered can be read, and is no longer than allowed."""
    assert_lawful(packet, draw, None)


@settings(LAW, max_examples=300)
@given(queries, mutations, st.integers(0, LAST), st.sampled_from([None, 512, 1232, MAX_TCP]))
def test_mutated_queries_are_answered_or_ignored(packet, changes, draw, limit):
    mutated = bytearray(packet)
    for at, octet in changes:
        mutated[at % len(mutated)] = octet

    assert_lawful(bytes(mutated), draw, limit)
