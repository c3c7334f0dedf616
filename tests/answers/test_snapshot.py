"""A snapshot grows from pieces, changes answer by answer, and is freed to the last node."""

import gc
import marshal
import mmap
import weakref
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.answers import snapshot as module
from gtmdns.answers.answer import Fixed
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import (
    RELEASE_STEP,
    Settings,
    SnapshotBuilder,
    empty,
    unplaced,
)
from gtmdns.answers.zone import Node, Routed
from gtmdns.compiler.regions import client_span
from gtmdns.wire.name import from_text
from tests.example_zone import (
    ANSWERS,
    APEX,
    EXAMPLE,
    INNER,
    KNOWN_PRIVATE,
    NUMBERS,
    ROUTE,
    address,
    example,
    fixed,
    pieces,
)
from tests.laws import LAW


def test_pieces_survive_marshal_and_make_the_snapshot():
    builder = SnapshotBuilder(9, Settings(False, 4096))
    for piece in pieces():
        builder.add(marshal.loads(marshal.dumps(piece)))
    snapshot = builder.finish()

    assert (snapshot.generation, snapshot.settings) == (9, Settings(False, 4096))
    assert [answer.encoded() for answer in snapshot.answers] == [
        a.encoded() for a in ANSWERS.values()
    ]
    assert [route.encode() for route in snapshot.routes] == [ROUTE.encode()]
    assert list(snapshot.zones) == [APEX, INNER]
    assert snapshot.unplaced == unplaced(KNOWN_PRIVATE)
    region = snapshot.zones[APEX].get(from_text("region.example.com"))
    assert region is not None
    assert isinstance(region.entry(1), Routed)
    assert region.entry(28) == NUMBERS["www6"]
    encloser = snapshot.zones[APEX].get(from_text("apps.example.com"))
    assert encloser is not None
    assert encloser.wildcard is snapshot.zones[APEX].get(from_text("*.apps.example.com"))


def test_nodes_may_come_in_any_number_of_pieces():
    builder = SnapshotBuilder(1, Settings())
    for kind, *rest in pieces():
        if kind in ("nodes", "aliases", "dnames", "wildcards"):
            zone, items = rest
            for item in items:
                builder.add((kind, zone, (item,)))
        elif kind == "zone":
            builder.add((kind, *rest))
        else:
            for item in rest[0]:
                builder.add((kind, (item,)))
    snapshot = builder.finish()

    packet = (
        bytes.fromhex("0001 0100 0001 0000 0000 0000")
        + from_text("x.apps.example.com")
        + b"\0\1\0\1"
    )
    assert respond(packet, 0, snapshot, 0) == respond(packet, 0, EXAMPLE, 0)


def test_a_transfer_may_come_in_parts():
    builder = SnapshotBuilder(1, Settings())
    for piece in pieces():
        builder.add(piece)
    builder.add(("transfer", 0, ((0, 9),), 7, b"soa", 5))
    builder.add(("messages", 0, ((1, b"one"),)))
    builder.add(("messages", 0, ((2, b"two"),)))

    transfer = builder.finish().transfers[APEX]
    assert (transfer.serial, transfer.soa, transfer.base) == (7, b"soa", 5)
    assert (transfer.allows(9), transfer.allows(10)) == (True, False)
    sent = list(transfer.messages(b"id" + bytes(10), 12, b"flag", b""))
    assert [each[6:8] + each[12:] for each in sent] == [b"\0\1one", b"\0\2two"]


def test_an_unknown_piece_is_refused():
    with pytest.raises(ValueError, match="unknown piece 'tree'"):
        SnapshotBuilder(1, Settings()).add(("tree", ()))


# fmt: off
ZONES = [
    # id                          qname                          apex of the zone
    ("apex",                      "example.com",                 "example.com"),
    ("below the apex",            "a.b.example.com",             "example.com"),
    ("the longest apex wins",     "www.inner.example.com",       "inner.example.com"),
    ("the inner apex",            "inner.example.com",           "inner.example.com"),
    ("above",                     "com",                         None),
    ("the root",                  ".",                           None),
    ("beside",                    "example.net",                 None),
    ("same octets, other labels", r"x\007example.com",           None),
    ("127 labels below",          "a." * 121 + "example.com",    "example.com"),
    ("127 labels elsewhere",      "a." * 127,                    None),
]
# fmt: on


@pytest.mark.parametrize(
    ("qname", "apex"), [row[1:] for row in ZONES], ids=[row[0] for row in ZONES]
)
def test_the_zone_of_a_name(qname, apex):
    zone = EXAMPLE.zone_of(from_text(qname))

    assert (zone and zone.apex) == (apex and from_text(apex))


def test_the_root_can_be_a_zone():
    builder = SnapshotBuilder(1, Settings())
    builder.add(("zone", b"\x00", 0, b""))
    snapshot = builder.finish()

    for qname in (".", "www.example.com"):
        assert snapshot.zone_of(from_text(qname)) is snapshot.zones[from_text(".")]


def test_the_empty_snapshot_knows_no_name():
    assert empty().zone_of(from_text("example.com")) is None
    assert empty().zone_of(from_text(".")) is None
    assert list(empty().release()) == []


def test_change_replaces_answers_under_their_numbers():
    snapshot = example()
    before = list(snapshot.answers)
    www, eu = fixed(address("192.0.2.99")), fixed(address("192.0.2.98"))

    snapshot.change(((NUMBERS["www"], www.encoded()), (NUMBERS["eu"], eu.encoded())))

    assert snapshot.answers[NUMBERS["www"]].encoded() == www.encoded()
    assert snapshot.answers[NUMBERS["eu"]].encoded() == eu.encoded()
    kept = [n for n in range(len(before)) if n not in (NUMBERS["www"], NUMBERS["eu"])]
    assert all(snapshot.answers[n] is before[n] for n in kept)


class Watched(Node):
    """A node that can be watched while it goes."""

    __slots__ = ("__weakref__",)


def test_release_frees_every_node_and_answer_in_slices(monkeypatch):
    monkeypatch.setattr(module, "Node", Watched)
    builder = SnapshotBuilder(1, Settings())
    for piece in pieces():
        builder.add(piece)
    names = [from_text(f"n{n}.example.com") for n in range(3 * RELEASE_STEP)]
    builder.add(("nodes", 0, [(name, 0, ((1, 0),), None, None) for name in names]))
    builder.add(("answers", [Fixed(ANSWERS["www"].choose(0)).encoded()] * (2 * RELEASE_STEP)))
    snapshot = builder.finish()
    del builder
    nodes = [
        weakref.ref(node)
        for zone in snapshot.zones.values()
        for shard in zone.shards
        for node in shard.values()
        if isinstance(node, Watched)
    ]
    assert len(nodes) > 3 * RELEASE_STEP
    answers = len(snapshot.answers)

    alive, most = len(nodes), 0
    gc.disable()
    try:
        for _ in snapshot.release():
            now = sum(node() is not None for node in nodes) if alive else 0
            most = max(most, alive - now, answers - len(snapshot.answers))
            alive, answers = now, len(snapshot.answers)
    finally:
        gc.enable()

    assert alive == 0, "without the garbage collector"
    assert (snapshot.answers, snapshot.routed) == ([], [])
    assert most <= RELEASE_STEP


def span(text: str) -> tuple[int, int]:
    return client_span(ip_network(text))


# fmt: off
UNPLACED = [
    # id                       known                        a client in 10.0.0.0/8        unplaced
    ("nothing known",          [],                          "10.1.2.3",                   True),
    ("public",                 [],                          "11.0.0.0",                   False),
    ("last private",           [],                          "10.255.255.255",             True),
    ("known",                  ["10.1.0.0/16"],             "10.1.2.3",                   False),
    ("first known",            ["10.1.0.0/16"],             "10.1.0.0",                   False),
    ("before the known",       ["10.1.0.0/16"],             "10.0.255.255",               True),
    ("behind the known",       ["10.1.0.0/16"],             "10.2.0.0",                   True),
    ("known from the start",   ["10.0.0.0/16"],             "10.0.0.0",                   False),
    ("known to the end",       ["10.255.0.0/16"],           "10.255.255.255",             False),
    ("all of it known",        ["10.0.0.0/8"],              "10.9.9.9",                   False),
    ("between two known",      ["10.3.0.0/16", "10.1.0.0/16"], "10.2.0.0",                True),
    ("another block is known", ["192.168.0.0/16"],          "10.1.2.3",                   True),
    ("IPv6",                   [],                          "fd00::1",                    True),
    ("loopback",               [],                          "::1",                        True),
    ("link-local",             [],                          "fe80::1",                    True),
    ("global IPv6",            [],                          "2001:db8::1",                False),
]
# fmt: on


@pytest.mark.parametrize(
    ("known", "client", "expected"), [row[1:] for row in UNPLACED], ids=[row[0] for row in UNPLACED]
)
def test_unplaced(known, client, expected):
    bounds = unplaced([span(text) for text in known])
    number = span(client)[0]

    assert list(bounds) == sorted(bounds)
    assert sum(bound <= number for bound in bounds) % 2 == expected


@LAW
@given(
    st.sets(st.tuples(st.integers(6, 14), st.integers(0, 2**14 - 1)), max_size=5),
    st.integers(0, 2**14 - 1),
)
def test_unplaced_is_private_space_that_is_not_known(known, high):
    """For any known networks, overlapping or not, and any address of 10.0.0.0/10."""
    base = 10 << 24
    networks = [
        (base + (at >> 14 - length << 14 - length << 8), length + 10) for length, at in known
    ]
    spans = [
        (0xFFFF << 32 | first, 0xFFFF << 32 | first + (1 << 32 - length) - 1)
        for first, length in networks
    ]
    client = 0xFFFF << 32 | base + (high << 8)

    inside = sum(bound <= client for bound in unplaced(spans)) % 2

    assert inside == (not any(first <= client <= last for first, last in spans))


def test_a_name_of_127_labels_does_not_cost_127_looks():
    class Counting(dict[Any, Any]):
        looks = 0

        def get(self, name: Any, default: Any = None) -> Any:
            self.looks += 1
            return super().get(name, default)

    snapshot = example()
    snapshot.zones = counting = Counting(snapshot.zones)

    assert snapshot.zone_of(from_text("a." * 127)) is None
    assert counting.looks <= (len(INNER) + 1) // 2


def test_beyond_the_bound_entries_are_not_shared_and_the_same(monkeypatch):
    """Equal entries are one object as long as few different ones are known."""
    shared = example().zone_of(APEX)
    monkeypatch.setattr(module, "MAX_SHARED", 0)
    alone = example().zone_of(APEX)
    www, region = from_text("www", APEX), from_text("region", APEX)

    assert alone.get(www).types == shared.get(www).types
    assert [number for number, _ in alone.get(region).types] == [1, 28]


NO_SOA = b"\x00\x06\x00\x01" + bytes(4) + b"\x00\x16\x00\x00" + bytes(20)


def test_a_record_in_its_node_answers_as_the_same_record_under_a_number():
    """Alone, behind a CNAME and in a wildcard: the same octets, and the same counts."""
    answer = fixed(address("192.0.2.7"))

    def served(entry: object) -> Any:
        builder = SnapshotBuilder(1, Settings())
        builder.add(("answers", (answer.encoded(),)))
        builder.add(("zone", APEX, 1 << 20, NO_SOA))
        names = [from_text(name, APEX) for name in ("@", "one", "*")]
        nodes = [(names[0], 1 << 20, (), None, None)]
        nodes += [(name, 2 << 20, ((1, entry),), None, None) for name in names[1:]]
        builder.add(("nodes", 0, tuple(nodes)))
        builder.add(("aliases", 0, ((from_text("alias", APEX), 3 << 20, 60, names[1]),)))
        builder.add(("wildcards", 0, ((APEX, names[2]),)))
        return builder.finish()

    numbered, inline = served(0), served(answer.leaf.records)
    for name in ("one", "alias", "any", "*"):
        for qtype in (1, 28, 255):
            packet = bytes.fromhex("0001010000010000000000") + b"\x00" + from_text(name, APEX)
            packet += qtype.to_bytes(2) + b"\x00\x01"
            assert respond(packet, 0, inline, 5) == respond(packet, 0, numbered, 5)
    assert inline.tally == numbered.tally


def test_nodes_with_equal_entries_share_them():
    builder = SnapshotBuilder(1, Settings())
    builder.add(("zone", APEX, 0, NO_SOA))
    names = [from_text(name, APEX) for name in ("a", "b", "c")]
    types = (((1, 1000), (28, 1001)), ((1, 1000), (28, 1001)), ((1, 1000),))
    for name, each in zip(names, types, strict=True):
        piece = ("nodes", 0, ((name, 0, each, None, None),))
        builder.add(marshal.loads(marshal.dumps(piece)))
    first, second, third = (builder.finish().zones[APEX].get(name) for name in names)

    assert first is not None
    assert second is not None
    assert third is not None
    assert first.types is second.types
    assert (first.types, third.types) == (types[0], types[2])


def test_release_lets_mapped_columns_go_in_slices_that_stay_readable(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "FORGET_STEP", 4096)
    content = bytes(range(256)) * 50
    (tmp_path / "columns").write_bytes(content)
    with (tmp_path / "columns").open("rb") as file:
        columns = memoryview(
            mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        )
    snapshot = SnapshotBuilder(1, Settings(), columns).finish()
    assert bytes(columns) == content

    assert len(list(snapshot.release())) == 4
    assert bytes(columns) == content
