"""The compiled path gives the octets of the reference, and takes what it is there for."""

import pytest

from gtmdns.answers.answer import shuffled
from gtmdns.answers.responder import respond
from gtmdns.answers.route import client_number
from gtmdns.answers.snapshot import Settings, SnapshotBuilder
from gtmdns.wire.name import from_text
from tests.answers.compiled import IN_OPT, both, fast, subnet
from tests.answers.interleaving import HOSTS, NAMES, packet
from tests.answers.test_cache import TYPES
from tests.example_zone import APEX, EU, NEGATIVE, NUMBERS, STEERED, US, address, example, node

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
    ("a static alias",          packet("alias"),                                            True),
    ("a zone cut",              packet("sub"),                                              True),
    ("ANY",                     packet("www", 255),                                         True),
    ("not ours",                packet("www.example.net.", edns=IN_OPT),                    True),
    ("the root",                packet("."),                                                True),
    ("too long for this size",  packet("big"),                                              True),
    ("no endpoint up",          packet("servfail"),                                         True),
    ("below a zone cut",        packet("a.sub"),                                            True),
    ("below a DNAME",           packet("a.led"),                                            True),
    ("a long referral",         packet("a." + "b" * 60 + ".sub"),                                   True),
    ("NODATA of an answer",     packet("nodata", edns=IN_OPT),                                      True),
    ("NODATA or none by region",packet("down", edns=IN_OPT),                                        True),
    ("an alias to that",        packet("to-down", edns=IN_OPT),                                     True),
    ("an alias to a region",    packet("to-region", edns=IN_OPT, options=subnet(US, 24)),           True),
    ("an alias to nothing",     packet("to-nothing"),                                               True),
    ("an alias to a zone cut",  packet("to-sub"),                                                   True),
    ("an alias to itself",      packet("ring"),                                                     True),
    ("by a wildcard, an alias", packet("x.alias-apps"),                                             True),
    ("ANY by a wildcard",       packet("x.apps", 255),                                              True),
    ("DS at a zone cut",        packet("sub", 43),                                                  True),
    ("the type of a CNAME",     packet("alias-region", 5),                                          True),
    ("an alias by region",      packet("alias-region"),                                     True),
    ("another class",           packet("www", 1, 3),                                        False),
    ("a transfer",              packet("@", 252),                                           False),
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

    assert (cache.respond_compiled(query, EU, 0) is not None) == compiled


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
