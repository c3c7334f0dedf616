"""The compiled path gives the octets of the reference, and takes what it is there for."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers.answer import Hashed, Nested, Several, Weighted, leaf, shuffled
from gtmdns.answers.cache import client_number
from gtmdns.answers.choice import AliasTable, alias_table
from gtmdns.answers.responder import respond
from gtmdns.answers.route import MAPPED, NAT64, SIX_TO_FOUR, TEREDO, RouteTable
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.wire.name import from_text
from tests.answers.test_cache import HOSTS, NAMES, TYPES, packet
from tests.example_zone import (
    APEX,
    EU,
    NEGATIVE,
    NUMBERS,
    STEERED,
    US,
    address,
    example,
    fixed,
    node,
    pieces,
)
from tests.fuzz.zone import more_pieces
from tests.laws import LAW

fast = pytest.importorskip(
    "gtmdns.answers.fast", reason="the compiled path was not built: no compiler, or no Cython"
)

IN_OPT = (1232, 0)


def subnet(text: str, length: int) -> bytes:
    """Return a Client Subnet option; the address is cut to `length` bits."""
    number = client_number(text)
    family, width = (2, 128) if ":" in text else (1, 32)
    number &= (1 << width) - (1 << (width - length))
    octets = number.to_bytes(width // 8)[: (length + 7) // 8]
    data = bytes((0, family, length, 0)) + octets
    return b"\0\x08" + len(data).to_bytes(2) + data


def both(cache: Any, query: bytes, host: str = EU, draw: int = 0) -> tuple[Any, Any]:
    """Return what the compiled path and the reference say."""
    expected = respond(query, client_number(host), cache.snapshot, draw)
    return cache.respond(query, host, draw), expected


# fmt: off
TAKEN = [
    # id                        query                                                       compiled
    ("static",                  packet("www"),                                              True),
    ("upper case",              packet("www", case=-1),                                     True),
    ("without RD",              packet("www", flags=0),                                     True),
    ("EDNS",                    packet("www", edns=IN_OPT),                                 True),
    ("EDNS and DO",             packet("www", edns=(512, 0x8000)),                          True),
    ("by weight",               packet("weighted"),                                         True),
    ("shuffled",                packet("shuffled"),                                         True),
    ("several",                 packet("several"),                                          True),
    ("nested",                  packet("nested"),                                           True),
    ("by region",               packet("region"),                                           True),
    ("by client subnet",        packet("region", edns=IN_OPT, options=subnet(US, 24)),      True),
    ("a subnet of a static",    packet("www", edns=IN_OPT, options=subnet(US, 24)),         True),
    ("a subnet of IPv6",        packet("region", edns=IN_OPT, options=subnet("2001:db8:e::", 48)), True),
    ("a private subnet",        packet("region", edns=IN_OPT, options=subnet("10.9.0.0", 16)), True),
    ("no address in it",        packet("region", edns=IN_OPT, options=subnet("0.0.0.0", 0)), True),
    ("no family in it",         packet("region", edns=IN_OPT, options=bytes.fromhex("0008000400000000")), True),
    ("NXDOMAIN",                packet("no", edns=IN_OPT),                                  True),
    ("NXDOMAIN far below",      packet("a.b.c.d.e.f.g.no"),                                 True),
    ("NODATA",                  packet("www", 28),                                          True),
    ("by a wildcard",           packet("x.y.apps"),                                         True),
    ("NODATA by a wildcard",    packet("x.apps", 28),                                       True),
    ("records with names",      packet("@", 15),                                            True),
    ("a static alias",          packet("alias"),                                            False),
    ("a zone cut",              packet("sub"),                                              True),
    ("ANY",                     packet("www", 255),                                         True),
    ("not ours",                packet("www.example.net.", edns=IN_OPT),                    True),
    ("the root",                packet("."),                                                True),
    ("too long for this size",  packet("big"),                                              False),
    ("no endpoint up",          packet("servfail"),                                         False),
    ("below a zone cut",        packet("a.sub"),                                            False),
    ("below a DNAME",           packet("a.led"),                                            False),
    ("an alias by region",      packet("alias-region"),                                     False),
    ("another class",           packet("www", 1, 3),                                        False),
    ("a transfer",              packet("@", 252),                                           False),
    ("a cookie",                packet("www", edns=IN_OPT, options=bytes.fromhex("000a00081122334455667788")), False),
    ("two options",             packet("www", edns=IN_OPT, options=subnet(US, 24) + subnet(US, 24)), False),
    ("an unknown option",       packet("www", edns=IN_OPT, options=b"\xff\x01\0\0"),        False),
    ("a subnet with a scope",   packet("www", edns=IN_OPT, options=bytes.fromhex("0008000700011818c00002")), False),
    ("a subnet too long",       packet("www", edns=IN_OPT, options=bytes.fromhex("0008000800011821c0000201")), False),
    ("bits behind its prefix",  packet("www", edns=IN_OPT, options=bytes.fromhex("0008000700011700c00001")), False),
    ("version 1",               packet("www", edns=IN_OPT).replace(b"\x04\xd0\0\0", b"\x04\xd0\0\x01"), False),
    ("an opcode",               packet("www", flags=0x2800),                                False),
    ("a response",              packet("www", flags=0x8000),                                False),
    ("trailing octets",         packet("www") + b"\0",                                      False),
    ("cut",                     packet("www")[:-1],                                         False),
    ("a header",                packet("www")[:12],                                         False),
    ("nothing",                 b"",                                                        False),
    ("a pointer for a name",    packet("www")[:12] + b"\xc0\x0c\0\x01\0\x01",               False),
    ("a name of 255",           packet(".".join(["l" * 63] * 3 + ["l" * 61]) + "."),        True),
    ("a name of 256",           packet("www")[:12] + (b"\x3f" + b"l" * 63) * 4 + b"\0\0\x01\0\x01", False),
]
# fmt: on


@pytest.mark.parametrize(
    ("query", "compiled"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN]
)
@pytest.mark.parametrize("bound", [65_536, 0], ids=["kept", "nothing kept"])
def test_what_the_compiled_path_takes(query, compiled, bound):
    """With an empty table, with a full one, and without one; each time the same octets."""
    cache = fast.FastCache(example(), bound)
    for host in HOSTS:
        for draw in (0, 1 << 63, 2**64 - 1):
            said, expected = both(cache, query, host, draw)
            assert said == expected

    if bound or not compiled:
        assert (cache.respond_compiled(query, EU, 0) is not None) == compiled


def test_what_is_walked_where_nothing_more_is_kept():
    """So that the cost of a query does not jump when there are more names than the table keeps."""
    cache = fast.FastCache(example(), 0)
    queries = [packet(name, edns=IN_OPT) for name in ("www", "weighted", "region", "x.apps", "no")]

    assert all(cache.respond_compiled(query, EU, 0) for query in [*queries, packet("www", 28)])
    assert len(cache) == 0


def test_a_static_record_that_stands_at_its_name():
    """As most names of a large zone have it."""
    builder = SnapshotBuilder(1, Settings())
    builder.add(("zone", APEX, 1 << 16, NEGATIVE))
    name = from_text("one", APEX)
    builder.add(
        ("nodes", 0, (node("@"), (name, 2 << 16, ((1, address("192.0.2.1")),), None, None)))
    )
    snapshot = builder.finish()
    for bound in (0, 10):
        cache = fast.FastCache(snapshot, bound)
        for edns in (None, IN_OPT):
            for qtype in (1, 28):
                query = packet("one", qtype, edns=edns)
                said, expected = both(cache, query)
                assert said == expected == cache.respond_compiled(query, EU, 0)


@settings(LAW, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.builds(
                packet,
                st.sampled_from(NAMES),
                st.sampled_from(TYPES),
                edns=st.sampled_from([None, (0, 0), (1232, 0x8000), (4096, 0)]),
                case=st.integers(0, 2**60),
                options=st.sampled_from([b"", subnet(EU, 24), subnet(US, 22), subnet("::", 0)]),
            ),
            st.sampled_from(HOSTS),
            st.integers(0, 2**64 - 1),
            st.tuples(st.integers(0, 80), st.integers(0, 255)) | st.none(),
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([65_536, 2]),
)
def test_the_octets_are_those_of_the_reference(asked, bound):
    """For any queries one after the other, some with an octet that is wrong."""
    cache = fast.FastCache(EVERYTHING, bound)
    for query, host, draw, wrong in asked:
        octets = bytearray(query)
        if wrong is not None and wrong[0] < len(octets):
            octets[wrong[0]] = wrong[1]
        said, expected = both(cache, bytes(octets), host, draw)
        assert said == expected


def everything() -> Snapshot:
    builder = SnapshotBuilder(1, Settings(nsid=b"edge", cookie_secrets=(bytes(16),)))
    for piece in (*pieces(), *more_pieces()):
        builder.add(piece)
    return builder.finish()


EVERYTHING = everything()

# fmt: off
ANSWERS = [
    ("one",                   fixed(address("192.0.2.1"))),
    ("all orders of five",    shuffled([address(f"192.0.2.{n}") for n in range(5)], 3, STEERED)),
    ("rotations of twelve",   shuffled([address(f"192.0.2.{n}") for n in range(12)], 12, STEERED)),
    ("IPv6",                  shuffled([address(f"2001:db8::{n}") for n in range(7)], 4, STEERED)),
    ("one of many",           Weighted(alias_table([3, 1, 7, 0, 2]), tuple(leaf(address(f"192.0.2.{n}"), STEERED, 1) for n in range(5)))),
    ("several",               Several((1, 2, 3, 4, 5), tuple(address(f"192.0.2.{n}") for n in range(5)), 4, STEERED)),
    ("one heavy",             Several((1_000_000, 1, 1), tuple(address(f"192.0.2.{n}") for n in range(3)), 3, STEERED)),
]
# fmt: on
ANSWERS.append(
    (
        "nested twice",
        Nested(
            alias_table([2, 3]),
            (Nested(alias_table([1, 4]), (ANSWERS[1][1], ANSWERS[4][1])), ANSWERS[5][1]),
        ),
    )
)  # fmt: skip
IN_PYTHON = [
    ("by the client", Hashed((1, 2, 3), (1, 1, 2), tuple(address(f"192.0.2.{n}") for n in range(3)), 2, STEERED)),
    ("numbers above 64 bits", Weighted(AliasTable((1 << 64, 1 << 64), (0, 1), 1 << 64), tuple(leaf(address(f"192.0.2.{n}"), STEERED, 1) for n in range(2)))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "compiled"),
    [(row[1], True) for row in ANSWERS] + [(row[1], False) for row in IN_PYTHON],
    ids=[row[0] for row in ANSWERS + IN_PYTHON],
)
def test_every_kind_chooses_the_same(answer, compiled):
    snapshot, chance = example(), random.Random(7)
    cache = fast.FastCache(snapshot)
    cache.respond(packet("www"), EU, 0)
    snapshot.change(((NUMBERS["www"], answer.encoded()),))
    draws = [0, 1, 2**64 - 1, 1 << 63, *(chance.getrandbits(64) for _ in range(400))]
    for draw in draws:
        said, expected = both(cache, packet("www"), EU, draw)
        assert said == expected

    assert (cache.respond_compiled(packet("www"), EU, 0) is not None) == compiled


def test_a_verdict_is_seen_by_the_next_query():
    """And thousands of them one after the other, whose objects the memory is used again for."""
    snapshot = example()
    cache = fast.FastCache(snapshot)
    numbers = [NUMBERS[name] for name in ("www", "weighted", "eu")]
    queries = [packet(name) for name in ("www", "weighted", "region")]
    for turn in range(2_000):
        change = shuffled([address(f"192.0.{turn >> 8}.{turn & 255}")] * (1 + turn % 3), 3, STEERED)
        snapshot.change(((numbers[turn % 3], change.encoded()),))
        for query in queries:
            said, expected = both(cache, query, EU, turn << 50)
            assert said == expected
    assert len(cache) == 3


def test_what_is_counted_is_what_the_reference_counts():
    counted, direct = example(), example()
    cache = fast.FastCache(counted)
    queries = [packet(name, qtype) for name in NAMES for qtype in TYPES] * 3
    for query in queries:
        cache.respond(query, EU, 5)
        respond(query, client_number(EU), direct, 5)

    cache.count()
    cache.count()

    assert counted.tally == direct.tally


@pytest.mark.parametrize("client_subnet", [True, False])
@pytest.mark.parametrize("size", [0, 40, 1500])
def test_routes_are_looked_up_the_same(size, client_subnet):
    """Small ones, and those with an index by the first 16 bits; IPv4 inside IPv6 too."""
    chance = random.Random(size)
    route = some_route(chance, size)
    snapshot = routed_snapshot(route, client_subnet)
    cache = fast.FastCache(snapshot)
    edges = [start + step for start in (*route._starts4, 0) for step in (-1, 0, 1)]
    for turn in range(600):
        four = chance.choice(edges) & 0xFFFF_FFFF if turn & 1 else chance.getrandbits(32)
        shown = chance.choice([_text4(four), *(_embedded(kind, four) for kind in range(4))])
        length = chance.randrange(33 if ":" not in shown else 129)
        query = packet("r", edns=IN_OPT, options=subnet(shown, length))
        for asked, host in ((query, "192.0.2.7"), (packet("r"), shown)):
            said, expected = both(cache, asked, host)
            assert said == expected
    assert cache.answered == 1200


def some_route(chance: random.Random, size: int) -> RouteTable:
    starts4 = sorted({chance.randrange(1, 1 << 32) for _ in range(size)})
    plain = {chance.randrange(1, 1 << 128) for _ in range(size // 4)}
    inside = {0xFFFF << 32: MAPPED, 0x64FF9B << 96: NAT64, 0x2002 << 112: SIX_TO_FOUR, 0x20010000 << 96: TEREDO}  # fmt: skip
    if not size:
        return RouteTable((), (0,), (), (0,))
    ends = {0x10000 << 32, (0x64FF9B << 96) + (1 << 32), 0x2003 << 112, 0x20010001 << 96}
    starts6 = sorted(plain | set(inside) | ends)
    rules6 = [chance.randrange(5)]
    rules6 += [inside.get(start, chance.randrange(5)) for start in starts6]
    return RouteTable(starts4, [chance.randrange(5) for _ in range(len(starts4) + 1)], starts6, rules6)  # fmt: skip


def routed_snapshot(route: RouteTable, client_subnet: bool) -> Snapshot:
    builder = SnapshotBuilder(1, Settings(client_subnet))
    answers = [fixed(address(f"192.0.2.{n}")).encoded() for n in range(5)]
    for piece in (
        ("routes", (route.encode(),)),
        ("answers", tuple(answers)),
        ("routed", ((0, (0, 1, 2, 3, 4), False),)),
        ("zone", APEX, 1 << 16, NEGATIVE),
        ("nodes", 0, (node("@"), (from_text("r", APEX), 1 << 16, ((1, ~0),), None, None))),
    ):
        builder.add(piece)
    return builder.finish()


def _text4(number: int) -> str:
    return ".".join(str(octet) for octet in number.to_bytes(4))


def _embedded(kind: int, number: int) -> str:
    words = f"{number >> 16:x}:{number & 0xFFFF:x}"
    inverted = f"{~number >> 16 & 0xFFFF:x}:{~number & 0xFFFF:x}"
    return (f"::ffff:{words}", f"64:ff9b::{words}", f"2002:{words}::1", f"2001:0:1::{inverted}")[
        kind
    ]


@pytest.mark.parametrize("apex", [".", "net.", "a.b.c.d.example.com.", "x" * 60 + ".test."])
def test_negative_responses_point_to_their_zone(apex):
    builder = SnapshotBuilder(1, Settings())
    builder.add(("zone", from_text(apex), 0, NEGATIVE))
    builder.add(("nodes", 0, ((from_text(apex), 0, (), None, None),)))
    cache = fast.FastCache(builder.finish())
    below = "" if apex == "." else apex
    for name in (
        apex,
        f"a.{below}",
        f"a.b.c.{below}",
        "y" * 63 + f".{below}",
        f"{'z.' * 60}{below}",
    ):
        for edns in (None, IN_OPT):
            query = packet(name if name.endswith(".") else name + ".", edns=edns)
            said, expected = both(cache, query)
            assert said == expected
            assert cache.respond_compiled(query, EU, 0) == expected


def test_filling_stops_at_a_bound_and_a_flood_keeps_nothing():
    cache = fast.FastCache(example(), 50)
    for qtype in list(range(1000, 1300)) * 2:
        said, expected = both(cache, packet("www", qtype))
        assert said == expected
    assert len(cache) == 50
    for number in range(300):
        both(cache, packet(f"r{number}"))
        both(cache, packet(f"r{number}.apps"))
    assert len(cache) == 50


def test_release_frees_in_slices_and_what_is_asked_meanwhile_is_answered():
    cache = fast.FastCache(example())
    queries = [packet("www", qtype) for qtype in range(1000, 6000)]
    for query in queries:
        cache.respond(query, EU, 0)
    assert len(cache) == 5000

    lengths = []
    for _ in cache.release():
        lengths.append(len(cache))
        said, expected = both(cache, packet("no"))
        assert said == expected

    assert lengths == sorted(lengths, reverse=True)
    assert (lengths[0] > 0, lengths[-1]) == (True, 0)


def test_a_route_that_is_broken_is_refused_not_read_beyond():
    """It came over the channel: octets that were cut must not become a look behind their end."""
    broken = RouteTable((5, 9), (0, 1, 0), (), (0,))
    broken._rules4.pop()
    cache = fast.FastCache(routed_snapshot(broken, True))

    with pytest.raises(ValueError, match="one rule more than starts"):
        cache.respond(packet("r"), EU, 0)
