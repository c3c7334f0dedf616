"""The answer cache gives the same octets as `respond`, asked once, twice, and after others."""

from typing import Any

import dns.edns
import dns.message
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gtmdns.answers import cache as module
from gtmdns.answers.cache import AnswerCache, client_number
from gtmdns.answers.responder import respond
from tests.answers.asking import told
from tests.answers.interleaving import HOSTS, NAMES, interleave, packet
from tests.example_zone import (
    EU,
    EXAMPLE,
    NUMBERS,
    US,
    address,
    fixed,
)
from tests.example_zone import example as new_example
from tests.laws import LAW

LAST = 2**64 - 1  # the largest draw
TYPES = [1, 28, 65, 97, 2, 6, 15, 16, 43, 255, 252, 5, 0, 41, 65_535, 321, 0x4101]
SUBNET = bytes.fromhex("0008 0007 00011800c00002")


packets = st.builds(
    packet,
    st.sampled_from(NAMES),
    st.sampled_from(TYPES),
    st.sampled_from([1, 1, 1, 3, 255]),
    st.integers(0, 0xFFFF),
    st.sampled_from([0x0100, 0, 0x0110, 0x0120, 0x07FF, 0x0900]),
    st.sampled_from(
        [None, (0, 0), (512, 0), (1232, 0), (1232, 0x8000), (4096, 0), (65_535, 0xFFFF)]
    ),
    st.sampled_from([b"", b"", SUBNET, b"\x00\x0c\x00\x00", b"\xff"]),
    st.integers(0, 2**60 - 1),
)


@settings(LAW, max_examples=200)
@given(
    st.lists(
        st.tuples(packets, st.sampled_from(HOSTS), st.integers(0, LAST)), min_size=1, max_size=12
    )
)
def test_the_same_octets_in_any_order(queries):
    """Each query is asked among others, then all once more: kept or not, the response is that of `respond`."""
    cache = AnswerCache(EXAMPLE)
    for query, host, draw in queries + queries:
        expected = respond(query, client_number(host), EXAMPLE, draw)

        assert cache.respond(query, host, draw) == expected


def test_interleaved_queries_are_never_mixed_up():
    """DO, EDNS size, subnet, class, type, case, flags and client; 100 000 are a drill."""
    print(interleave(EXAMPLE, 5000, seed=40))


@settings(LAW, max_examples=200)
@given(
    packets, st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), min_size=1, max_size=3)
)
@example(packet(), [(12, 0x43)])
@example(packet("ent"), [(12, 0x43)])
def test_a_kept_question_answers_no_mutation_of_it(query, changes):
    """What is kept for a packet must not be found by another one that means something else."""
    mutated = bytearray(query)
    for at, octet in changes:
        mutated[at % len(mutated)] = octet
    cache = AnswerCache(EXAMPLE)
    for each in (query, bytes(mutated), query):
        assert cache.respond(each, EU, 5) == respond(each, client_number(EU), EXAMPLE, 5)


@settings(LAW, max_examples=100)
@given(st.binary(max_size=300))
@example(b"")
@example(b"\x01" * 60)
def test_any_octets_give_the_same(octets):
    """Without a zero, without a name, shorter than a header."""
    cache = AnswerCache(EXAMPLE)
    for _ in range(2):
        assert cache.respond(octets, US, 3) == respond(octets, client_number(US), EXAMPLE, 3)


# fmt: off
TRAPS = [
    # id                                        asked first                       then
    ("HTTPS is 65, an A; 97 is an a",           packet(qtype=65),                 packet(qtype=97)),
    ("97 first",                                packet(qtype=97),                 packet(qtype=65)),
    ("type 0x4101 and 0x6101",                  packet(qtype=0x4101),             packet(qtype=0x6101)),
    ("class 0x0041 and 0x0061",                 packet(qclass=0x41),              packet(qclass=0x61)),
    ("EDNS size 0x4141 and 0x6161",             packet("big", edns=(0x4141, 0)),  packet("big", edns=(0x6161, 0))),
    ("a zero within a label",                   packet(r"w\000w"),                packet(r"w\000w", case=LAST)),
    ("label length 65 and 97",                  packet("ent"),                    packet("ent").replace(b"\x03ent", b"\x43ent")),
    ("DO",                                      packet(edns=(1232, 0)),           packet(edns=(1232, 0x8000))),
    ("with and without EDNS",                   packet("big", edns=(1232, 0)),    packet("big")),
    ("EDNS sizes",                              packet("big", edns=(1232, 0)),    packet("big", edns=(512, 0))),
    ("classes",                                 packet(),                         packet(qclass=3)),
    ("RD",                                      packet(),                         packet(flags=0)),
    ("opcodes",                                 packet(),                         packet(flags=0x2900)),
    ("a query and a response",                  packet(),                         packet(flags=0x8100)),
    ("trailing octets",                         packet(),                         packet() + b"\x00"),
    ("an option more",                          packet(edns=(1232, 0)),           packet(edns=(1232, 0), options=SUBNET)),
]
# fmt: on


@pytest.mark.parametrize(
    ("first", "then"), [row[1:] for row in TRAPS], ids=[row[0] for row in TRAPS]
)
def test_neighbours_are_not_mixed_up(first, then):
    for queries in ([first, then], [then, first]):
        cache = AnswerCache(EXAMPLE)
        for query in queries * 2:
            assert cache.respond(query, EU, 7) == respond(query, client_number(EU), EXAMPLE, 7)


@pytest.mark.parametrize("name", ["www", "weighted", "region"])
def test_one_entry_serves_every_case_id_client_and_draw(name):
    cache = AnswerCache(EXAMPLE)
    for number in range(40):
        query = packet(name, number=number * 1000, case=number * 7919, edns=(1232, 0))
        host, draw = HOSTS[number % len(HOSTS)], number << 58

        assert cache.respond(query, host, draw) == respond(
            query, client_number(host), EXAMPLE, draw
        )
    assert len(cache) == 1


# fmt: off
KEPT = [
    # id                          query                                       kept
    ("a name",                    packet(),                                   1),
    ("steered",                   packet("region"),                           1),
    ("with EDNS",                 packet(edns=(1232, 0x8000)),                1),
    ("NODATA",                    packet(qtype=28),                           1),
    ("an empty non-terminal",     packet("ent"),                              1),
    ("a zone cut",                packet("sub"),                              1),
    ("the wildcard itself",       packet("*.apps"),                           1),
    ("NXDOMAIN",                  packet("no"),                               0),
    ("by a wildcard",             packet("x.apps"),                           0),
    ("alias by a wildcard",       packet("x.alias-apps"),                     0),
    ("below a zone cut",          packet("a.sub"),                            0),
    ("not our zone",              packet("www.example.net."),                 0),
    ("another class",             packet(qclass=3),                           0),
    ("a transfer",                packet(qtype=252),                          0),
    ("client subnet",             packet(edns=(1232, 0), options=SUBNET),     1),
    ("any option",                packet(edns=(1232, 0), options=b"\x00\x0c\x00\x00"), 1),
    ("an opcode",                 packet(flags=0x2800),                       0),
    ("a response",                packet(flags=0x8000),                       0),
    ("garbage",                   b"\xff" * 40,                               0),
]
# fmt: on


@pytest.mark.parametrize(("query", "kept"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_what_is_kept(query, kept):
    cache = AnswerCache(EXAMPLE)
    cache.respond(query, EU, 0)

    assert len(cache) == kept


def test_a_flood_of_names_keeps_nothing():
    cache = AnswerCache(EXAMPLE)
    for number in range(500):
        for name in (f"r{number}", f"r{number}.apps", f"r{number}.sub", f"r{number}.example.net."):
            cache.respond(packet(name), EU, 0)

    assert len(cache) == 0


def test_filling_stops_at_a_bound():
    cache = AnswerCache(EXAMPLE, bound=3)
    for qtype in list(range(300)) * 2:
        query = packet(qtype=qtype)

        assert cache.respond(query, EU, 0) == respond(query, client_number(EU), EXAMPLE, 0)
    assert len(cache) == 3


def test_a_change_of_answers_is_seen_through_the_cache():
    snapshot = new_example()
    cache = AnswerCache(snapshot)

    def answers(name: str) -> list[str]:
        octets = cache.respond(packet(name), EU, 0)
        assert octets is not None
        return told(dns.message.from_wire(octets))

    assert (answers("www"), answers("region")) == (["192.0.2.10"], ["192.0.2.1"])
    snapshot.change(
        (number, fixed(address("192.0.2.99")).encoded())
        for number in (NUMBERS["www"], NUMBERS["eu"])
    )

    assert (answers("www"), answers("region")) == (["192.0.2.99"], ["192.0.2.99"])
    assert len(cache) == 2


def test_a_cached_answer_is_counted_like_any_other():
    queries = [
        packet(name, number=n)
        for n in range(3)
        for name in ("www", "region", "servfail", "huge", "ent", "no")
    ]
    queries += [packet("huge", qtype=16), packet(flags=0x2800), b"", packet(flags=0x8000)] * 2
    cached, direct = new_example(), new_example()
    cache = AnswerCache(cached)
    for query in queries:
        cache.respond(query, EU, 0)
        respond(query, client_number(EU), direct, 0)

    assert cached.tally == direct.tally
    assert sum(cached.tally.values()) == len(queries) + 2, "two were truncated as well"


@pytest.mark.parametrize(
    "options", [{}, {"use_edns": 0}, {"use_edns": 0, "want_dnssec": True}], ids=str
)
def test_dnspython_takes_a_cached_response(options: dict[str, Any]):
    cache = AnswerCache(EXAMPLE)
    for _ in range(3):
        query = dns.message.make_query("WWW.example.com", "A", **options)
        octets = cache.respond(query.to_wire(), EU, 0)
        assert octets is not None
        response = dns.message.from_wire(octets)

        assert query.is_response(response)
        assert told(response) == ["192.0.2.10"]


# fmt: off
HOST_NUMBERS = [
    ("IPv4",               "192.0.2.1",        0xFFFF_C000_0201),
    ("IPv6",               "2001:db8::1",      0x20010DB8 << 96 | 1),
    ("mapped IPv4",        "::ffff:192.0.2.1", 0xFFFF_C000_0201),
    ("with a zone index",  "fe80::1%lo",       0xFE80 << 112 | 1),
    ("with a number",      "fe80::1%2",        0xFE80 << 112 | 1),
]
# fmt: on


@pytest.mark.parametrize(
    ("host", "number"), [row[1:] for row in HOST_NUMBERS], ids=[row[0] for row in HOST_NUMBERS]
)
def test_the_number_of_a_client(host, number):
    assert client_number(host) == number


def test_release_frees_what_was_kept_in_slices(monkeypatch):
    monkeypatch.setattr(module, "RELEASE_STEP", 100)
    cache = AnswerCache(EXAMPLE)
    for qtype in range(300, 650):
        cache.respond(packet(qtype=qtype), EU, 0)

    lengths = [len(cache) for _ in cache.release()]

    assert lengths == [250, 150, 50, 0]
    assert list(AnswerCache(EXAMPLE).release()) == []
