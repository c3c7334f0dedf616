"""NSID, cookies, TCP keepalive and extended errors in responses, as dnspython reads them."""

from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import example as case
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers import answer as tags
from gtmdns.answers.answer import Fixed, leaf
from gtmdns.answers.cache import AnswerCache, client_number
from gtmdns.answers.responder import respond
from gtmdns.wire.constants import MAX_TCP
from gtmdns.wire.name import from_text
from tests.answers.asking import rcode, told
from tests.example_zone import EU, NUMBERS, example
from tests.laws import LAW

NOW = 1_800_000_000
COOKIE = bytes.fromhex("2464c4abcf10c957")
SERVED = example(nsid=b"edge-1", cookie_secrets=(bytes(range(16)),))
LONGEST = example(udp_payload=512, nsid=b"n" * 255, cookie_secrets=(bytes(16),))
NAME_255 = ".".join(["a" * 63] * 3 + ["b" * 49]) + ".example.com"
OUTSIDE_255 = ".".join(["a" * 63] * 3 + ["b" * 49]) + ".example.net"


def generic(code: int, data: bytes = b"") -> dns.edns.Option:
    return dns.edns.GenericOption(code, data)


NSID, KEEPALIVE = generic(3), generic(11)
SUBNET = dns.edns.ECSOption("192.0.2.0", 24)


def ask(
    qname: str,
    *options: dns.edns.Option,
    qtype: str = "A",
    snapshot: Any = SERVED,
    host: str = EU,
    tcp: bool = False,
    now: int | None = NOW,
    **more: Any,
) -> dns.message.Message:
    """Return the response; over UDP the cache gives the same, before and after others ask."""
    query = dns.message.make_query(qname, qtype, options=list(options), use_edns=0, **more)
    packet, client = query.to_wire(), client_number(host)
    limit, keepalive = (MAX_TCP, 100) if tcp else (None, None)
    octets = respond(packet, client, snapshot, 0, limit, now, keepalive)
    assert octets is not None
    if not tcp:
        cache = AnswerCache(snapshot)
        plain = dns.message.make_query(qname, qtype, use_edns=0, **more).to_wire()
        for asked in (packet, plain, packet):
            expected = respond(asked, client, snapshot, 0, None, now)
            assert cache.respond(asked, host, 0, now) == expected
    response = dns.message.from_wire(octets)
    assert query.is_response(response)
    return response


def options_of(response: dns.message.Message) -> dict[int, bytes]:
    found = {int(option.otype): option.to_wire() or b"" for option in response.options}
    assert len(found) == len(response.options), "no option twice"
    return found


# NSID


@pytest.mark.parametrize(
    "qname", ["www.example.com", "no.example.com", "region.example.com", "servfail.example.com",
              "a.sub.example.com", "www.example.net"]
)  # fmt: skip
@pytest.mark.parametrize("tcp", [False, True])
def test_the_name_of_the_server_is_told_where_it_is_asked_for(qname, tcp):
    assert options_of(ask(qname, NSID, tcp=tcp))[3] == b"edge-1"
    assert 3 not in options_of(ask(qname, tcp=tcp))
    assert 3 not in options_of(ask(qname, NSID, tcp=tcp, snapshot=example()))


def test_data_of_the_question_does_not_matter():
    assert options_of(ask("www.example.com", generic(3, b"x" * 9)))[3] == b"edge-1"
    assert options_of(ask("www.example.com", NSID, NSID)) == {3: b"edge-1"}


@pytest.mark.parametrize(("qname", "told_"), [("www.example.com", True), (NAME_255, False)])
def test_a_long_name_is_left_out_where_no_truncated_response_has_room(qname, told_):
    response = ask(qname, NSID, generic(10, COOKIE), SUBNET, snapshot=LONGEST)

    assert (3 in options_of(response)) == told_
    assert {8, 10} <= options_of(response).keys()


# Cookies


def test_a_cookie_is_answered_and_goes_on():
    first = options_of(ask("www.example.com", generic(10, COOKIE)))[10]

    assert (len(first), first[:12]) == (24, COOKIE + b"\x01\0\0\0")
    again = ask("region.example.com", generic(10, first), now=NOW + 1800)
    assert options_of(again)[10] == first
    late = options_of(ask("www.example.com", generic(10, first), now=NOW + 1801))[10]
    assert (late[:12], late[12:16]) == (first[:12], (NOW + 1801).to_bytes(4))


def test_the_transport_s_client_counts_not_the_subnet():
    cookie = generic(10, COOKIE)
    found = {
        options_of(ask("region.example.com", cookie, *more, host=host))[10]
        for host in ("192.0.2.1", "2001:db8::1")
        for more in ([], [SUBNET], [dns.edns.ECSOption("198.51.100.0", 24)])
    }

    assert len(found) == 2


def test_a_cookie_that_is_wrong_is_answered_like_none():
    """No BADCOOKIE: who forges an address learns nothing, and nobody is turned away."""
    response = ask("www.example.com", generic(10, COOKIE + bytes(16)))

    assert (rcode(response), told(response)) == ("NOERROR", ["192.0.2.10"])
    assert options_of(response)[10] != COOKIE + bytes(16)


@pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 41, 100])
@pytest.mark.parametrize("snapshot", [SERVED, example()], ids=["cookies", "none"])
def test_a_cookie_of_a_wrong_length_is_formerr(length, snapshot):
    response = ask("www.example.com", generic(10, bytes(length)), snapshot=snapshot)

    assert (rcode(response), response.edns, response.options) == ("FORMERR", 0, ())


def test_the_first_of_two_cookies_counts():
    other = generic(10, bytes(8))

    assert options_of(ask("www.example.com", generic(10, COOKIE), other))[10][:8] == COOKIE


def test_no_secret_or_no_time_is_no_cookie():
    assert options_of(ask("www.example.com", generic(10, COOKIE), snapshot=example())) == {}
    assert options_of(ask("www.example.com", generic(10, COOKIE), now=None)) == {}


def only_options(*options: dns.edns.Option) -> dns.message.Message:
    """Return a query without a question, for a cookie (RFC 7873 section 5.4)."""
    query = dns.message.Message(id=7)
    query.use_edns(0, options=list(options))
    return query


@pytest.mark.parametrize("limit", [None, MAX_TCP], ids=["UDP", "TCP"])
def test_a_query_for_a_cookie_alone_has_no_question_and_gets_it(limit):
    packet = only_options(generic(10, COOKIE), NSID).to_wire()

    octets = respond(packet, client_number(EU), SERVED, 0, limit, NOW)

    assert octets is not None
    response = dns.message.from_wire(octets)
    assert (response.id, rcode(response), response.flags) == (7, "NOERROR", dns.flags.QR)
    assert [response.question, response.answer, response.authority] == [[], [], []]
    found = options_of(response)
    assert (found[10][:12], found[3]) == (COOKIE + b"\x01\0\0\0", b"edge-1")
    again = respond(only_options(generic(10, found[10])).to_wire(), client_number(EU), SERVED, 0, limit, NOW)  # fmt: skip
    assert options_of(dns.message.from_wire(again or b"")) == {10: found[10]}
    if limit is None:
        assert AnswerCache(SERVED).respond(packet, EU, 0, NOW) == octets


@pytest.mark.parametrize("options", [[], [NSID], [generic(10, b"x" * 9)]])
def test_no_question_and_no_cookie_is_formerr_with_edns(options):
    octets = respond(only_options(*options).to_wire(), client_number(EU), SERVED, 0, None, NOW)

    response = dns.message.from_wire(octets or b"")
    assert (rcode(response), response.edns, response.options) == ("FORMERR", 0, ())
    assert response.question == []


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_not_implemented_comes_with_edns_to_who_sent_it(opcode):
    for edns in (-1, 0):
        query = dns.message.make_query("example.com", "SOA", use_edns=edns)
        packet = query.to_wire()
        packet = packet[:2] + bytes((opcode << 3,)) + packet[3:]

        octets = respond(packet, client_number(EU), SERVED, 0, None, NOW)

        response = dns.message.from_wire(octets or b"")
        assert (rcode(response), response.opcode(), response.edns) == ("NOTIMP", opcode, edns)


# TCP keepalive


def test_keepalive_is_answered_over_tcp_only():
    assert options_of(ask("www.example.com", KEEPALIVE, tcp=True)) == {11: b"\x00\x64"}
    assert options_of(ask("www.example.com", KEEPALIVE)) == {}
    assert options_of(ask("www.example.com", tcp=True)) == {}


def test_keepalive_with_a_time_is_formerr_over_tcp_and_ignored_over_udp():
    with_time = generic(11, b"\x00\x64")

    assert rcode(ask("www.example.com", with_time, tcp=True)) == "FORMERR"
    assert rcode(ask("www.example.com", with_time)) == "NOERROR"


# Extended errors

# fmt: off
ERRORS = [
    # id                     qname                   type    class  RCODE       (code, text)
    ("not our zone",         "www.example.net",      "A",    "IN",  "REFUSED",  (20, None)),
    ("a transfer",           "example.com",          "AXFR", "IN",  "REFUSED",  (18, None)),
    ("its differences",      "inner.example.com",    "IXFR", "IN",  "REFUSED",  (18, None)),
    ("a transfer of no zone", "www.example.com",     "AXFR", "IN",  "REFUSED",  (20, None)),
    ("of nothing of ours",   "example.net",          "AXFR", "IN",  "REFUSED",  (20, None)),
    ("another class",        "www.example.com",      "A",    "HS",  "REFUSED",  (21, None)),
    ("nothing to tell",      "version.bind",         "TXT",  "CH",  "REFUSED",  (21, None)),
    ("all down",             "servfail.example.com", "A",    "IN",  "SERVFAIL", (0, "no endpoint is up")),
    ("no such name",         "no.example.com",       "A",    "IN",  "NXDOMAIN", None),
    ("no such type",         "www.example.com",      "AAAA", "IN",  "NOERROR",  None),
]
# fmt: on


@pytest.mark.parametrize(
    ("qname", "qtype", "qclass", "code", "error"),
    [r[1:] for r in ERRORS],
    ids=[r[0] for r in ERRORS],
)
@pytest.mark.parametrize("more", [[], [NSID, generic(10, COOKIE)]], ids=["alone", "with options"])
def test_extended_errors(qname, qtype, qclass, code, error, more):
    response = ask(qname, *more, qtype=qtype, rdclass=qclass)

    assert rcode(response) == code
    found = [option for option in response.options if option.otype == dns.edns.OptionType.EDE]
    assert [(option.code, option.text) for option in found] == ([error] if error else [])
    assert len(response.options) == len(more) + bool(error)


def test_nodata_says_that_all_are_down_where_there_is_room():
    """`when_all_down: empty`; a name that only lacks addresses of the family says nothing."""
    snapshot = example(nsid=b"n" * 200)
    down = Fixed(leaf(None, tags.FIRST_TAG, 1 << 8)).encoded()
    told_before = ask("nodata.example.com", snapshot=snapshot)
    snapshot.change([(NUMBERS["nodata"], down)])

    response = ask("nodata.example.com", snapshot=snapshot)
    crowded = ask("nodata.example.com", NSID, snapshot=snapshot, payload=512)
    octets = respond(
        dns.message.make_query("nodata.example.com", "A", use_edns=0).to_wire(),
        client_number(EU), snapshot, 0, 80,
    )  # fmt: skip

    assert told_before.options == ()
    for each in (response, crowded):
        assert (rcode(each), each.flags & dns.flags.AA, len(each.authority)) == ("NOERROR", dns.flags.AA, 1)  # fmt: skip
    assert options_of(response) == {15: b"\0\0no endpoint is up"}
    assert 3 in options_of(crowded)
    assert dns.message.from_wire(octets or b"").flags & dns.flags.TC
    assert len(octets or b"") <= 80


def test_no_extended_error_without_edns():
    query = dns.message.make_query("www.example.net", "A").to_wire()
    octets = respond(query, client_number(EU), SERVED, 0)

    assert octets is not None
    assert (len(octets), dns.message.from_wire(octets).edns) == (len(query), -1)


# All of them together

options = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([3, 8, 10, 11, 12, 15, 65001]), st.binary(max_size=42)),
        st.sampled_from([(10, COOKIE), (3, b""), (11, b""), (8, bytes.fromhex("00013800c00002")[:7])]),
    ),
    max_size=6,
)  # fmt: skip


@settings(LAW, max_examples=300)
@given(
    st.sampled_from(["www.example.com", "servfail.example.com", "big.example.com", "huge.example.com",
                     "region.example.com", "version.bind", NAME_255, OUTSIDE_255]),
    st.sampled_from(["A", "TXT", "AXFR"]),
    st.sampled_from(["IN", "CH"]),
    options,
    st.sampled_from([SERVED, LONGEST]),
    st.sampled_from([0, 512, 1232, 4096]),
    st.booleans(),
)  # fmt: skip
@case(OUTSIDE_255, "A", "IN", [(3, b""), (10, COOKIE), (8, b"\0\2\x80\0" + bytes(16))], LONGEST, 512, False)  # fmt: skip
@case(NAME_255, "A", "IN", [(3, b""), (10, COOKIE), (8, b"\0\2\x80\0" + bytes(16))], LONGEST, 512, False)  # fmt: skip
def test_any_options_give_a_response_of_the_allowed_length(
    qname, qtype, qclass, pairs, snapshot, payload, tcp
):
    """And one that dnspython can read; over UDP the answer cache gives the same octets."""
    query = dns.message.make_query(
        qname, qtype, qclass, use_edns=0, payload=payload,
        options=[generic(code, data) for code, data in pairs],
    )  # fmt: skip
    packet, client = query.to_wire(), client_number(EU)
    allowed = MAX_TCP if tcp else min(max(512, payload), snapshot.settings.udp_payload)

    octets = respond(
        packet, client, snapshot, 7, MAX_TCP if tcp else None, NOW, 100 if tcp else None
    )

    assert octets is not None
    assert len(octets) <= allowed
    response = dns.message.from_wire(octets)
    assert (response.id, response.edns) == (query.id, 0)
    if not tcp:
        cache = AnswerCache(snapshot)
        assert [cache.respond(packet, EU, 7, NOW) for _ in range(2)] == [octets, octets]
        assert len(cache) <= 1, "kept like the question without options, if at all"


SEED = dns.message.make_query(
    "servfail.example.com",
    "A",
    use_edns=0,
    options=[NSID, KEEPALIVE, SUBNET, generic(10, COOKIE + b"\x01\0\0\0" + NOW.to_bytes(4) + bytes(8))],
).to_wire()  # fmt: skip


@settings(LAW, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=4),
    st.binary(max_size=4),
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**33),
    st.sampled_from([None, 0, 100, 65_535]),
)
def test_mutated_options_are_answered_or_ignored(changes, tail, client, now, keepalive):
    """No packet raises, and what is answered can be read, whatever the time and the client."""
    mutated = bytearray(SEED)
    for at, octet in changes:
        mutated[at % len(mutated)] = octet
    limit = None if keepalive is None else MAX_TCP

    octets = respond(bytes(mutated) + tail, client, LONGEST, 0, limit, now, keepalive)

    if octets is None:
        assert mutated[2] & 0x80
        return
    assert len(octets) <= (limit or 512)
    assert dns.message.from_wire(octets).id == int.from_bytes(mutated[:2])


@pytest.mark.parametrize("length", range(150, 256))
def test_every_length_of_a_zone_s_name_that_is_down_fits(length):
    """The text of the extended error gives way before the length does."""
    snapshot = example(udp_payload=512, nsid=b"n" * length, cookie_secrets=(bytes(16),))
    question = from_text("servfail.example.com") + b"\x00\x01\x00\x01"
    asked = b"\x00\x03\x00\x00" + b"\x00\x0a\x00\x08" + COOKIE
    opt = b"\x00\x00\x29\x02\x00" + bytes(4) + len(asked).to_bytes(2) + asked
    packet = bytes.fromhex("000101000001000000000001") + question + opt

    for limit in (None, 300, 400, 512):
        octets = respond(packet, client_number(EU), snapshot, 0, limit, NOW)

        assert octets is not None
        assert len(octets) <= (limit or 512)
        assert dns.message.from_wire(octets).rcode() == dns.rcode.SERVFAIL
