"""What cookies and client subnets came to is remembered: the same octets, within bounds."""

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers import recall
from gtmdns.answers.cache import AnswerCache
from gtmdns.answers.cookies import Cookies
from gtmdns.answers.responder import respond
from gtmdns.answers.route import client_number
from gtmdns.wire.constants import MAX_TCP
from tests.answers.interleaving import packet
from tests.example_zone import ELSEWHERE, EU, EU6, HOME, OFFICE, US, example
from tests.laws import LAW

NOW = 1_800_000_000
LATER = (NOW, NOW + 1, NOW + 1799, NOW + 1801)  # a cookie is good for half an hour
HOSTS = [EU, US, ELSEWHERE, EU6, OFFICE, HOME]
SECRETS = (bytes(range(16)),)
SNAPSHOT = example(cookie_secrets=SECRETS, nsid=b"ns7")
MINE = b"client 1"
NAMES = ["www", "weighted", "region", "servfail", "hashed", "big", "huge", "ent", "no", "x.apps"]


def option(code: int, data: bytes) -> bytes:
    return pack("!HH", code, len(data)) + data


def cookie(host: str, made: int = NOW) -> bytes:
    """Return the option of a query whose cookie is right for this client."""
    return Cookies(SECRETS).option(MINE, client_number(host), made)


def subnet(text: str) -> bytes:
    return option(8, bytes.fromhex(text))


# fmt: off
SUBNETS = [subnet(text) for text in (
    "00011800c00002", "00011800c63364", "00011000cb00", "00012000c0000201", "0002300020010db8000e",
    "00010000", "00020000", "00000000",                    # whole families, and none
    "000110000a01", "000110000a09", "000118007f0000",      # private: known, not known, loopback
    "00011801c00002", "00011900c00002", "00030000", "00011800c0000200", "0001",  # not sound
)]
# fmt: on
COOKIES = [
    option(10, MINE),
    option(10, b"short"),
    option(10, MINE + bytes(16)),
    cookie(EU),
    cookie(EU6),
]  # fmt: skip
OTHERS = [b"", option(3, b""), option(11, b""), option(12, bytes(80)), option(65001, b"x"), b"\0\x0a"]  # fmt: skip
options = st.builds(
    bytes.__add__,
    st.sampled_from([*SUBNETS, *COOKIES, *COOKIES, *OTHERS]),
    st.sampled_from([b"", b"", b"", *SUBNETS[:2], *COOKIES[:1], *OTHERS]),
)
queries = st.builds(
    packet,
    st.sampled_from(NAMES),
    number=st.integers(0, 0xFFFF),
    edns=st.sampled_from([(512, 0), (1232, 0), (1232, 0x8000)]),
    options=options,
    case=st.integers(0, 2**60 - 1),
)


@settings(LAW, max_examples=250)
@given(
    st.lists(
        st.tuples(queries, st.sampled_from(HOSTS), st.integers(0, 2**64 - 1), st.sampled_from([None, *LATER])),
        min_size=1, max_size=8,
    ),
    st.sampled_from([(None, None), (MAX_TCP, 100)]),
    st.sampled_from([SNAPSHOT, example(), example(client_subnet=False, cookie_secrets=SECRETS)]),
)  # fmt: skip
def test_remembered_or_not_the_octets_are_those_of_the_reference(asked, transport, snapshot):
    """Among other options, clients, names and times, over UDP and TCP."""
    limit, keepalive = transport
    cache = AnswerCache(snapshot, limit)
    for query, host, draw, now in asked * 2:
        expected = respond(query, client_number(host), snapshot, draw, limit, now, keepalive)

        assert cache.respond(query, host, draw, now, keepalive) == expected


# fmt: off
ONCE = [
    # id                         options             remembered
    ("a client's cookie",        option(10, MINE),   1),
    ("a cookie that is right",   cookie(EU),         1),
    ("a subnet",                 SUBNETS[0],         1),
    ("a private subnet",         SUBNETS[9],         1),
    ("the whole Internet",       subnet("00010000"), 1),
    ("a cookie and a subnet",    option(10, MINE) + SUBNETS[0], 0),
    ("a cookie and NSID",        option(10, MINE) + option(3, b""), 0),
    ("a long option beside",     SUBNETS[0] + option(12, bytes(80)), 0),
    ("a subnet that is wrong",   subnet("00011801c00002"), 0),
    ("a cookie that is short",   option(10, b"short"), 0),
    ("padding",                  option(12, bytes(8)), 0),
]
# fmt: on


@pytest.mark.parametrize("name", ["www", "weighted", "region"])
@pytest.mark.parametrize(
    ("octets", "remembered"), [row[1:] for row in ONCE], ids=[row[0] for row in ONCE]
)
def test_what_is_remembered(name, octets, remembered, monkeypatch):
    """And that it serves: the packet is not read again."""
    cache = AnswerCache(SNAPSHOT)
    asked = [packet(name, number=n, edns=(1232, 0), options=octets) for n in range(3)]
    responses = [cache.respond(query, EU, 0, NOW) for query in asked[:2]]

    assert len(cache._recall) == remembered
    if remembered:
        monkeypatch.setattr("gtmdns.answers.cache.parse_query", None)
        monkeypatch.setattr(recall, "parse_query", None)
        assert cache.respond(asked[2], EU, 0, NOW)[2:] == responses[1][2:]


def test_a_cookie_is_remembered_for_its_second_and_its_client():
    cache = AnswerCache(SNAPSHOT)
    query = packet(edns=(1232, 0), options=option(10, MINE))
    cache.respond(query, EU, 0, NOW)  # keeps the question
    for now in (NOW, NOW + 1):
        for host in (EU, US):
            expected = cookie(host, now)

            assert [cache.respond(query, host, 0, now)[-28:] for _ in range(2)] == [expected] * 2
            assert len(cache._recall) == 1 + (host == US)


def test_floods_of_clients_and_of_subnets_are_bounded(monkeypatch):
    monkeypatch.setattr(recall, "MOST", 5)
    cache = AnswerCache(SNAPSHOT)
    for number in range(40):
        for octets in (option(10, MINE), subnet(f"000118000800{number:02x}")):
            query, host = packet("region", edns=(1232, 0), options=octets), f"192.0.2.{number}"
            expected = respond(query, client_number(host), SNAPSHOT, 0, now=NOW)

            assert cache.respond(query, host, 0, NOW) == expected
            assert len(cache._recall) <= 10


def test_a_verdict_is_seen_through_what_is_remembered():
    snapshot = example()
    cache = AnswerCache(snapshot)
    query = packet("region", edns=(1232, 0), options=SUBNETS[0])
    before = [cache.respond(query, US, 0) for _ in range(3)]
    snapshot.change((n, snapshot.answers[n - 1].encoded()) for n in range(1, len(snapshot.answers)))

    assert before[0] == before[2] != cache.respond(query, US, 0)
    assert cache.respond(query, US, 0) == respond(query, client_number(US), snapshot, 0)
