"""The index of the compiled path: names are found as the dicts of zones find them, and counted so."""

import random
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers.cache import client_number
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.wire.constants import ANY, DS, NS, TXT, A
from gtmdns.wire.name import ROOT, WireName, ancestors, from_text, is_below
from tests.answers.test_cache import packet
from tests.example_zone import APEX, EU, NEGATIVE, address, fixed, rdata
from tests.laws import LAW

fast = pytest.importorskip(
    "gtmdns.answers.fast", reason="the compiled path was not built: no compiler, or no Cython"
)

AAAA = 28
BATCH = 25
BASE, STATIC_BASE = 1 << 20, 9 << 20  # for counting
OTHERS = ["@", "wild", "x.wild", "y.x.wild", "steered", "x.steered", "cut", "a.cut", "led", "a.led",
          "n7", "*.n7", "x.n7", "n8.n8", "no", "a.no", "n", "n00", "x" * 63, "a." * 110 + "n1", ".",
          "example.net."]  # fmt: skip


def built(snapshot: Snapshot, bound: int = 65_536) -> Any:
    cache = fast.FastCache(snapshot, bound)
    for _ in cache.build():
        assert not cache.indexed
    assert cache.indexed
    return cache


def ask(cache: Any, queries: list[bytes]) -> list[bytes]:
    """Ask in batches; what is not answered there is asked of the pure path, as the drain does."""
    responses: list[bytes] = []
    for at in range(0, len(queries), BATCH):
        asked = queries[at : at + BATCH]
        for query, said in zip(
            asked, cache.respond_batch(asked, EU, [5] * len(asked)), strict=True
        ):
            responses.append(said or cache.pure.respond(query, EU, 5))
    return responses


def expected(snapshot: Snapshot, queries: list[bytes]) -> list[bytes | None]:
    return [respond(query, client_number(EU), snapshot, 5) for query in queries]


def question(name: bytes, qtype: int = A) -> bytes:
    return bytes.fromhex("000101000001000000000000") + name + qtype.to_bytes(2) + b"\0\1"


def ipv4(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def static(name: WireName, number: int) -> tuple[bytes, bytes]:
    """Return a name with an IPv4 address, and each third one with an IPv6 address too."""
    more = address(f"2001:db8::{number:x}") if number % 3 == 0 else b""
    return name, address(ipv4(number)) + more


def with_names(number: int) -> Snapshot:
    """Return a zone of so many static names, and some of each other kind."""
    at = {name: from_text(name, APEX) for name in OTHERS} | {"*.wild": from_text("*.wild", APEX)}
    builder = SnapshotBuilder(1, Settings())
    builder.add(("answers", (fixed(address("192.0.2.1")).encoded(),)))
    builder.add(("records", ((NS, 60, (rdata("NS", "ns"),), ()),)))
    builder.add(("zone", APEX, BASE, NEGATIVE))
    steered = ((A, 0),)
    rows = ((APEX, ()), (at["wild"], ()), (at["*.wild"], steered), (at["steered"], steered))
    builder.add(("nodes", 0, tuple((name, BASE, types, None, None) for name, types in rows)))
    builder.add(("nodes", 0, ((at["cut"], BASE, (), None, 0),)))
    builder.add(("dnames", 0, ((at["led"], BASE, (), 60, at["wild"]),)))
    names = [static(from_text(f"n{n}", APEX), n) for n in range(number)]
    builder.add(("static", 0, STATIC_BASE, (*names, static(at["*.n7"], 3))))
    builder.add(("wildcards", 0, ((at["wild"], at["*.wild"]), (at["n7"], at["*.n7"]))))
    return builder.finish()


def test_twenty_thousand_names_are_found_and_no_others():
    """Before the index is built, while it is, and after it."""
    snapshot = with_names(20_000)
    cache = fast.FastCache(snapshot, 4)
    queries = [packet(name, qtype) for name in OTHERS for qtype in (A, AAAA, TXT, DS, ANY)]
    queries += [packet(f"n{n}", (A, AAAA)[n % 2], edns=(1232, 0)) for n in range(0, 20_000, 99)]
    wanted = expected(snapshot, queries)
    slices = cache.build()
    for steps in (0, 1, 3, None):
        assert len(list(islice(slices, steps))) == steps or steps is None
        assert cache.indexed == (steps is None)
        assert ask(cache, queries) == wanted

    found = ask(cache, [packet(f"n{n}") for n in range(20_000)])
    missing = ask(cache, [packet(f"m{n}") for n in range(20_000)])

    assert [response[-4:] for response in found if response[7] == 1] == [
        bytes((10, n >> 16, n >> 8 & 255, n & 255)) for n in range(20_000)
    ]
    assert {response[3] & 15 for response in missing} == {3}
    assert len(cache) == 4, "a name with static records alone is not kept once more"


def test_no_name_is_taken_for_another():
    """A slot has 16 bits of the hash: of so many names of one length, some have those in common."""
    builder = SnapshotBuilder(1, Settings())
    builder.add(("zone", APEX, BASE, NEGATIVE))
    builder.add(("nodes", 0, ((APEX, BASE, (), None, None),)))
    names = [static(WireName(b"\x06%06d" % n + APEX), n) for n in range(20_000)]
    builder.add(("static", 0, STATIC_BASE, tuple(names)))
    cache = built(builder.finish())
    head, tail = question(ROOT)[:12], APEX + bytes.fromhex("00010001")
    for at in range(100_000, 400_000, 64):
        asked = [head + b"\x06%06d" % n + tail for n in range(at, at + 64)]
        assert {said[3] & 15 for said in cache.respond_batch(asked, EU, [5] * 64)} == {3}


@pytest.mark.parametrize("bound", [65_536, 0], ids=["kept", "nothing kept"])
def test_what_is_counted_is_what_the_reference_counts(bound):
    counted, direct = with_names(20), with_names(20)
    cache = built(counted, bound)
    queries = [
        packet(name, qtype) for name in (*OTHERS, "n1", "n3") for qtype in (A, AAAA, DS, ANY)
    ]

    assert ask(cache, queries * 2) == expected(direct, queries * 2)
    cache.count()

    assert counted.tally == direct.tally
    assert counted.tally[STATIC_BASE] > 0


LABELS = ["a", "b", "*"]
names = st.lists(st.sampled_from(LABELS), max_size=4).map(
    lambda each: from_text(".".join([*each, "z"]))
)


@settings(LAW, max_examples=150)
@given(
    st.sets(names, max_size=8),
    st.sets(names.filter(lambda name: name[:2] != b"\x01*"), max_size=3),
    st.sets(names.filter(lambda name: name[:2] != b"\x01*"), max_size=2),
    st.booleans(),
    st.lists(st.tuples(names, st.sampled_from([A, AAAA, DS, ANY])), min_size=1, max_size=30),
)
def test_zones_inside_zones(owners, apexes, cuts, root, asked):
    """A name is its deepest zone's alone, delegated or not, even where one above has it too."""
    snapshot = nested(owners, {from_text("z"), *apexes, *([ROOT] if root else [])}, cuts)
    queries = [question(name, qtype) for name, qtype in asked]
    for bound in (65_536, 0):
        assert ask(built(snapshot, bound), queries) == expected(snapshot, queries)


def nested(owners: set[WireName], apexes: set[WireName], cuts: set[WireName]) -> Snapshot:
    """Return zones with the same owners each, as far as they are below the apex."""
    builder = SnapshotBuilder(1, Settings())
    builder.add(("records", ((NS, 60, (rdata("NS", "ns"),), ()),)))
    for number, apex in enumerate(sorted(apexes)):
        builder.add(("zone", apex, number << 20, NEGATIVE))
        inside = {cut for cut in cuts if is_below(cut, apex)}
        existing = {apex}
        for name in owners | inside:
            existing |= {each for each in (name, *ancestors(name)) if is_below(each, apex)}
        existing = {each for each in existing if not any(is_below(each, cut) for cut in inside)}
        plain = owners & existing - inside - {apex}
        rows = [(name, 0, (), None, 0 if name in inside else None) for name in existing - plain]
        builder.add(("nodes", number, tuple(rows)))
        builder.add(("static", number, 1, tuple(static(name, number) for name in plain)))
        wild = [(WireName(name[2:]), name) for name in existing if name[:2] == b"\x01*"]
        builder.add(("wildcards", number, tuple(wild)))
    return builder.finish()


def test_the_longest_names():
    long = [".".join(["l" * 63] * 3 + ["l" * size]) + "." for size in (60, 61)]
    long += ["a." * 127, "b." + "a." * 126]
    builder = SnapshotBuilder(1, Settings())
    builder.add(("zone", ROOT, 0, NEGATIVE))
    builder.add(("nodes", 0, ((ROOT, 0, (), None, None),)))
    builder.add(("static", 0, 0, tuple(static(from_text(long[at]), at) for at in (1, 2))))
    snapshot = builder.finish()
    queries = [packet(name) for name in long]

    assert [len(from_text(name)) for name in long] == [254, 255, 255, 255]
    assert ask(built(snapshot), queries) == expected(snapshot, queries)


def test_more_zones_than_have_a_number():
    """The index has 16 bits for the number of a zone; the zones behind that are looked up."""
    builder = SnapshotBuilder(1, Settings())
    apexes = [WireName(b"\x04" + n.to_bytes(4) + b"\0") for n in range(65_600)]
    for number, apex in enumerate(apexes):
        builder.add(("zone", apex, number, NEGATIVE))
        builder.add(("nodes", number, ((apex, number, (), None, None),)))
    snapshot = builder.finish()
    cache = built(snapshot, 0)
    queries = [
        question(WireName(prefix + apex))
        for apex in (*apexes[:3], *apexes[65_530:65_540], apexes[-1])
        for prefix in (b"", b"\x01x")
    ]
    counted = dict.fromkeys(range(3), 0)

    assert ask(cache, queries) == expected(snapshot, queries)
    snapshot.tally.clear()
    ask(cache, queries)
    cache.count()
    assert len(snapshot.tally) >= 14 > len(counted), "each by the base of its own zone"


def test_a_snapshot_that_is_replaced_while_its_index_is_built():
    """The dicts are emptied then; what was begun ends, and nothing is looked up in it."""
    snapshot = with_names(9_000)
    cache = fast.FastCache(snapshot)
    slices = cache.build()
    assert len(list(islice(slices, 3))) == 3
    steps = 0
    for _ in (*cache.release(), *snapshot.release()):
        steps += 1
    assert steps > 4
    assert list(slices) == list(cache.build()) == []
    assert not cache.indexed


def test_what_is_asked_during_release_is_answered():
    snapshot = with_names(9_000)
    cache = built(snapshot)
    queries = [packet(name) for name in ("n1", "n8999", "x.wild", "no")]
    wanted = expected(snapshot, queries)
    for _ in cache.release():
        assert not cache.indexed
        assert ask(cache, queries) == wanted


def test_names_in_any_order_of_packets():
    """A batch is read before any of it is answered; the answers are each packet's own."""
    cache, chance = built(with_names(5_000), 8), random.Random(3)
    queries = [
        packet(chance.choice((f"n{chance.randrange(6_000)}", *OTHERS)), chance.choice((A, AAAA)))
        for _ in range(2_000)
    ]

    assert ask(cache, queries) == [cache.respond(query, EU, 5) for query in queries]
    assert cache.respond_batch([], EU, []) == []
    with pytest.raises(ValueError, match="larger than there is room for"):
        cache.respond_batch([queries[0]] * 65, EU, [0] * 65)
