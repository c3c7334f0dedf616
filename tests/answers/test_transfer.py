"""Who gets a zone, who gets its version alone, and who gets neither."""

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from gtmdns.answers import answer as tags
from gtmdns.answers.axfr import whole_zone
from gtmdns.answers.cache import AnswerCache, client_number
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.wire.constants import MAX_TCP, SOA
from tests.answers.asking import rcode, section
from tests.example_zone import APEX, APEX_BASE, INNER, SOA_RDATA, example, pieces, rr

FRIEND, STRANGER = "192.0.2.77", "192.0.3.77"
NOW = 1_800_000_000
SERIAL = 7  # of the example zone
RECORD = rr(SOA, SOA_RDATA)
MESSAGES = ((1, RECORD), (2, rr(1, bytes(4)) * 2), (1, RECORD))
COOKIE = dns.edns.GenericOption(10, b"cookie 1")


def served(serial: int = SERIAL) -> Snapshot:
    """Return the example zone with a transfer of three messages, as it comes to a worker."""
    settings = Settings(nsid=b"edge-1", cookie_secrets=(bytes(16),))
    network = (client_number("192.0.2.0"), client_number("192.0.2.255"))
    builder = SnapshotBuilder(1, settings)
    for piece in (
        *pieces(),
        ("transfer", 0, (network,), serial, RECORD, APEX_BASE),
        ("messages", 0, MESSAGES[:2]),
        ("messages", 0, MESSAGES[2:]),
    ):
        builder.add(piece)
    return builder.finish()


def question(
    name: str = "example.com",
    qtype: str = "AXFR",
    serial: int | None = None,
    **options: object,
) -> dns.message.Message:
    query = dns.message.make_query(name, qtype, **options)  # type: ignore[arg-type]
    if serial is not None:
        text = f". . {serial} 1 1 1 1"
        query.authority.append(dns.rrset.from_text(query.question[0].name, 0, "IN", "SOA", text))
    return query


def sent(query: dns.message.Message, snapshot: Snapshot, host: str = FRIEND) -> list[bytes] | None:
    messages = whole_zone(query.to_wire(), client_number(host), snapshot, NOW, 100)
    return None if messages is None else list(messages)


# fmt: off
WHOLE = [
    # id                        query                             whole zone
    ("AXFR",                    question(),                       True),
    ("AXFR in upper case",      question("EXAMPLE.com"),          True),
    ("IXFR of an older one",    question("example.com", "IXFR", 6), True),
    ("half the circle older",   question("example.com", "IXFR", SERIAL + 2**31), True),
    ("IXFR without a serial",   question("example.com", "IXFR"),  True),
    ("IXFR of this one",        question("example.com", "IXFR", 7), False),
    ("IXFR of a newer one",     question("example.com", "IXFR", 8), False),
    ("almost half newer",       question("example.com", "IXFR", SERIAL + 2**31 - 1), False),
    ("a name that is no apex",  question("www.example.com"),      False),
    ("a zone that no one gets", question("inner.example.com"),    False),
    ("another zone",            question("example.net"),          False),
    ("another class",           question(rdclass="CH"),           False),
    ("another type",            question(qtype="SOA"),            False),
    ("octets of AXFR in a name", question("a\\000\\000\\252\\000\\001", "A"), False),
    ("a cookie of no form",     question(use_edns=0, options=[dns.edns.GenericOption(10, b"short")]), False),
    ("keepalive with a time",   question(use_edns=0, options=[dns.edns.GenericOption(11, b"\x00\x01")]), False),
]
# fmt: on


@pytest.mark.parametrize(("query", "whole"), [r[1:] for r in WHOLE], ids=[r[0] for r in WHOLE])
def test_what_is_answered_with_a_zone(query, whole):
    assert (sent(query, served()) is not None) == whole
    assert sent(query, served(), STRANGER) is None
    assert sent(query, example()) is None


def test_each_message_repeats_the_question_and_has_its_records():
    query = question("Example.COM")

    messages = sent(query, served())

    assert messages is not None
    assert len(messages) == len(MESSAGES)
    for octets, (count, records) in zip(messages, MESSAGES, strict=True):
        response = dns.message.from_wire(octets, one_rr_per_rrset=True)
        assert query.is_response(response)
        assert octets[12:29] == query.to_wire()[12:29]
        assert dns.flags.to_text(response.flags) == "QR AA RD"
        assert (len(response.answer), response.edns) == (count, -1)
        assert octets.endswith(records)


def test_the_first_message_alone_has_edns_and_its_options():
    messages = sent(question(use_edns=0, want_dnssec=True, options=[COOKIE, dns.edns.GenericOption(3, b"")]), served())  # fmt: skip

    assert messages is not None
    first, *others = map(dns.message.from_wire, messages)
    assert {int(option.otype) for option in first.options} == {3, 10}
    assert (first.edns, first.ednsflags & dns.flags.DO) == (0, dns.flags.DO)
    assert [message.edns for message in others] == [-1, -1]


def test_a_transfer_counts_once_and_when_it_begins():
    snapshot = served()
    messages = whole_zone(question().to_wire(), client_number(FRIEND), snapshot, NOW, 100)
    assert messages is not None
    assert snapshot.tally == {}

    assert len(list(messages)) == 3
    assert snapshot.tally == {APEX_BASE + tags.STATIC: 1}


@pytest.mark.parametrize("serial", [None, 6, 7, 8])
@pytest.mark.parametrize("edns", [False, 0])
def test_ixfr_over_udp_is_answered_with_the_version_alone(serial, edns):
    """RFC 1995 section 2: what is newer comes over TCP, and what is not needs no more."""
    snapshot, query = served(), question("example.com", "IXFR", serial, use_edns=edns)
    packet = query.to_wire()

    octets = respond(packet, client_number(FRIEND), snapshot, 0, None, NOW)

    response = dns.message.from_wire(octets or b"")
    assert query.is_response(response)
    assert (rcode(response), dns.flags.to_text(response.flags)) == ("NOERROR", "QR AA RD")
    assert [row[:2] for row in section(response.answer)] == [("example.com.", "SOA")]
    assert (response.edns, response.options) == (-1 if edns is False else 0, ())
    assert AnswerCache(snapshot).respond(packet, FRIEND, 0, NOW) == octets
    assert respond(packet, client_number(FRIEND), snapshot, 0, MAX_TCP, NOW, 100) == octets
    assert snapshot.tally[APEX_BASE + tags.STATIC] == 3


@pytest.mark.parametrize("limit", [None, MAX_TCP], ids=["UDP", "TCP"])
@pytest.mark.parametrize(
    ("query", "host", "code"),
    [
        (question(use_edns=0), STRANGER, 18),
        (question("example.com", "IXFR", 6, use_edns=0), STRANGER, 18),
        (question("inner.example.com", "IXFR", 6, use_edns=0), FRIEND, 18),
        (question("www.example.com", "IXFR", 6, use_edns=0), FRIEND, 20),
        (question("example.net", use_edns=0), FRIEND, 20),
    ],
)
def test_others_are_refused_without_a_record(query, host, code, limit):
    snapshot = served()

    octets = respond(query.to_wire(), client_number(host), snapshot, 0, limit, NOW)

    response = dns.message.from_wire(octets or b"")
    assert query.is_response(response)
    assert rcode(response) == "REFUSED"
    assert [response.answer, response.authority, response.additional] == [[], [], []]
    assert [option.to_wire() for option in response.options] == [code.to_bytes(2)]
    if limit is None:
        assert AnswerCache(snapshot).respond(query.to_wire(), host, 0, NOW) == octets


def test_axfr_over_udp_is_refused_to_friends_too():
    """RFC 5936 section 4.2 knows none."""
    octets = respond(question().to_wire(), client_number(FRIEND), served(), 0, None, NOW)

    assert rcode(dns.message.from_wire(octets or b"")) == "REFUSED"


def test_the_client_is_that_of_the_socket_not_of_a_subnet():
    subnet = dns.edns.ECSOption("192.0.2.0", 24)

    assert sent(question(use_edns=0, options=[subnet]), served(), STRANGER) is None


def test_a_subnet_is_echoed_and_looked_at_as_elsewhere():
    wrong = dns.edns.GenericOption(dns.edns.OptionType.ECS, b"\0\1\x18\0\1\2")
    query = question(use_edns=0, options=[wrong])
    octets = respond(query.to_wire(), client_number(FRIEND), served(), 0, MAX_TCP, NOW)
    messages = sent(question(use_edns=0, options=[dns.edns.ECSOption("192.0.2.0", 24, 0)]), served())  # fmt: skip

    assert sent(query, served()) is None
    assert rcode(dns.message.from_wire(octets or b"")) == "FORMERR"
    assert messages is not None
    assert [o.to_text() for o in dns.message.from_wire(messages[0]).options] == ["ECS 192.0.2.0/24 scope/0"]  # fmt: skip


def test_a_zone_inside_another_has_transfers_of_its_own():
    snapshot = served()
    snapshot.transfers[INNER] = snapshot.transfers.pop(APEX)

    assert sent(question(), snapshot) is None
    assert sent(question("inner.example.com"), snapshot) is not None
