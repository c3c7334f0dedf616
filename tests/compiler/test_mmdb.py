"""Trees and records against maxminddb, and files that are damaged."""

import os
import random
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import maxminddb
import pytest

from gtmdns.compiler.intervals import Intervals
from gtmdns.compiler.mmdb import BadMmdb, Mmdb
from tests.compiler.mmdb_files import write_mmdb

CITY = {
    "continent": {"code": "AS", "names": {"en": "Asia"}},
    "country": {"iso_code": "CN", "names": {"en": "China", "zh-CN": "中国"}},
    "location": {"latitude": 30.2936, "longitude": 120.1614, "accuracy_radius": 20},
    "subdivisions": [{"iso_code": "ZJ", "names": {"en": "Zhejiang"}}],
}


def numbers_of(file: Mmdb, label: Callable[[Any], int]) -> dict[int, int]:
    """Label all records of a file, by the keys that these tests use."""
    return {
        number: label(record)
        for numbers, record in file.records({"number", "country", "subdivisions"})
        for number in numbers
    }


def _good(path: Path) -> Path:
    return write_mmdb(path, {"192.0.2.0/24": {"country_code": "CN"}}, ip_version=4)


def bad_tree(path: Path, node: int) -> None:
    """Let the first node of a 24-bit tree lead to `node` on both sides."""
    data = bytearray(path.read_bytes())
    data[:6] = node.to_bytes(3, "big") * 2
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (PermissionError(13, "Permission denied"), "no permission to read it"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
    ],
)
def test_unreadable_files_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, problem: str
) -> None:
    """By a fake: the tests may run as root, who may read everything."""

    def failing(path: Path) -> bytes:
        raise error

    monkeypatch.setattr(Path, "read_bytes", failing)

    with pytest.raises(BadMmdb, match=problem):
        Mmdb(tmp_path / "x.mmdb")


def test_damaged_trees_and_records_are_refused(tmp_path: Path) -> None:
    """A tree that leads in a circle, one that leads nowhere, and a record cut by zeros."""
    circle = _good(tmp_path / "circle.mmdb")
    bad_tree(circle, 0)
    nowhere = _good(tmp_path / "nowhere.mmdb")
    count = Mmdb(nowhere).count
    bad_tree(nowhere, count + 3)
    beyond = _good(tmp_path / "beyond.mmdb")
    bad_tree(beyond, count + 16 + 1_000_000)

    with pytest.raises(BadMmdb, match="deeper than an address"):
        Mmdb(circle).walk4({})
    with pytest.raises(BadMmdb, match="points at no record"):
        numbers_of(Mmdb(nowhere), bool)
    with pytest.raises(BadMmdb, match="cannot be read"):
        numbers_of(Mmdb(beyond), bool)


def test_a_tree_of_shared_branches_ends(tmp_path: Path) -> None:
    """Thirty nodes, each leading twice to the next, would be a billion networks."""
    path = _good(tmp_path / "shared.mmdb")
    file = Mmdb(path)
    data = bytearray(path.read_bytes())
    assert file.count > 20
    for node in range(20):
        data[6 * node : 6 * node + 6] = (node + 1).to_bytes(3) * 2
    path.write_bytes(data)
    shared = Mmdb(path)

    with pytest.raises(BadMmdb, match="not a tree"):
        shared.walk4(numbers_of(shared, lambda record: 1))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mmdb")

    with pytest.raises(BadMmdb, match="not a regular file"):
        Mmdb(tmp_path / "pipe.mmdb")


def test_any_damage_is_refused_or_read(tmp_path: Path) -> None:
    """Octets changed at random: never anything but BadMmdb, and never without an end."""
    whole = write_mmdb(tmp_path / "good.mmdb", {"192.0.2.0/24": CITY, "2001:db8::/32": CITY})
    data = whole.read_bytes()
    draw = random.Random(7)
    file = tmp_path / "damaged.mmdb"
    refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(draw.randrange(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        file.write_bytes(damaged)
        try:
            opened = Mmdb(file)
            labels = numbers_of(opened, lambda record: len(record))
            opened.walk4(labels)
            opened.walk6(labels)
        except BadMmdb:
            refused += 1

    assert 0 < refused < 400


def test_fields_of_all_types_are_read_as_maxminddb_does(tmp_path: Path) -> None:
    record = {
        "text": "x" * 28, "long": "y" * 29, "longer": "z" * 300, "longest": "w" * 70_000,
        "u16": 65_535, "u32": 2**32 - 1, "u64": 2**64 - 1, "u128": 2**100, "negative": -5,
        "double": 1.5, "yes": True, "no": False, "list": [1, {"a": "b"}], "octets": b"\x00\x01",
        "same": {"text": "x" * 28, "long": "y" * 29},
    }  # fmt: skip
    path = write_mmdb(tmp_path / "all.mmdb", {"2001:db8::/32": record, "1.2.3.0/24": {"a": record}})
    with maxminddb.open_database(path) as reader:
        expected = [reader.get("2001:db8::1"), reader.get("1.2.3.4")]

    for keys in ({*record, "a"}, {"text", "a"}, {"yes"}, {"same", "a"}):
        found = [value for _, value in Mmdb(path).records(keys)]
        assert len(found) == 2
        for value in expected:
            assert {key: value[key] for key in keys & value.keys()} in found


def test_records_that_differ_elsewhere_are_one(tmp_path: Path) -> None:
    """All but the keys that were asked for is stepped over, whatever its type and size."""
    rest = {
        "list": [1, [2.5, {"deep": True}]], "map": {"a": {"b": [{}]}}, "text": "x" * 400,
        "u128": 2**100, "octets": b"12", "negative": -1, "no": False, "half": 0.5,
    }  # fmt: skip
    networks = {
        f"192.0.{number}.0/24": {"place": number, **rest, "country": "CN" if number < 3 else "DE"}
        for number in range(5)
    }
    file = Mmdb(write_mmdb(tmp_path / "a.mmdb", networks))

    found = {record["country"]: len(numbers) for numbers, record in file.records({"country"})}

    assert found == {"CN": 3, "DE": 2}
    assert len(list(file.records({"place"}))) == 5


def test_records_that_are_no_small_map_are_told_apart(tmp_path: Path) -> None:
    large = {f"key{number}": number for number in range(40)}
    networks = {"192.0.2.0/24": "text", "192.0.3.0/24": large, "192.0.4.0/24": ["a"]}
    file = Mmdb(write_mmdb(tmp_path / "a.mmdb", networks))

    found = [record for _, record in file.records({"key1"})]

    assert len(found) == 3
    assert all(record in found for record in networks.values())


def pointer(to: int, length: int) -> bytes:
    """A pointer of so many octets after the first (the format's own arithmetic)."""
    rest = to - (0, 2_048, 526_336, 0)[length - 1]
    head = 1 << 5 | length - 1 << 3
    if length == 4:
        return bytes([head]) + rest.to_bytes(4)
    return bytes([head | rest >> 8 * length]) + (rest & (1 << 8 * length) - 1).to_bytes(length)


def text(value: str) -> bytes:
    return bytes([2 << 5 | len(value)]) + value.encode()


def handmade(path: Path, data: bytes, records: tuple[int, int]) -> Path:
    """A file of one node of 24 bits: the places of the two records in the data."""
    metadata = b"".join(
        text(key) + value
        for key, value in {
            "binary_format_major_version": b"\xa1\x02", "binary_format_minor_version": b"\xa0",
            "build_epoch": b"\x04\x02\x5f\x00\x00\x00", "database_type": text("Test"),
            "description": b"\xe0", "ip_version": b"\xa1\x04", "languages": b"\x00\x04",
            "node_count": b"\xc1\x01", "record_size": b"\xa1\x18",
        }.items()
    )  # fmt: skip
    tree = b"".join((1 + 16 + place).to_bytes(3) for place in records)
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com\xe9" + metadata)
    return path


def test_pointers_of_all_lengths(tmp_path: Path) -> None:
    """MaxMind's files say almost everything by pointers; the other writer here makes none."""
    data = bytearray(1_100_000)
    shared = b"\xe1" + text("iso_code") + text("CN")
    for place in (100, 3_000, 600_000):
        data[place : place + len(shared)] = shared
    data[10:18] = text("country")
    a_float = b"\x04\x08\x3f\x00\x00\x00"
    one = b"\xe3" + pointer(10, 1) + pointer(100, 1) + text("far") + pointer(600_000, 3)
    one += text("list") + b"\x02\x04" + pointer(3_000, 2) + a_float
    two = b"\xe2" + pointer(10, 2 if 10 >= 2_048 else 4) + pointer(600_000, 4)
    two += text("map") + b"\xe1" + text("x") + pointer(3_000, 2)
    data[1_000_000 : 1_000_000 + len(one)] = one
    data[1_050_000 : 1_050_000 + len(two)] = two
    path = handmade(tmp_path / "p.mmdb", bytes(data), (1_000_000, 1_050_000))
    china = {"iso_code": "CN"}

    found = [record for _, record in Mmdb(path).records({"country", "far", "list", "map"})]

    with maxminddb.open_database(path) as reader:
        expected = [reader.get("1.0.0.0"), reader.get("200.0.0.0")]
    assert expected == [
        {"country": china, "far": china, "list": [china, 0.5]},
        {"country": china, "map": {"x": china}},
    ]
    assert all(record in found for record in expected)


def test_records_without_an_end_are_refused(tmp_path: Path) -> None:
    """A map that holds itself, and one that claims more fields than a record may have."""
    itself = b"\xe1" + text("a") + pointer(0, 1)
    endless = b"\xe1" + text("a") + b"\x1f\x04\xff\xff\xff" + bytes([0xA0]) * 70_000

    for data, problem in ((itself, "has no end"), (endless, "has no end")):
        file = Mmdb(handmade(tmp_path / "x.mmdb", data, (0, 0)))
        with pytest.raises(BadMmdb, match=problem):
            list(file.records({"a"}))


def _networks(draw: random.Random, count: int) -> dict[str, Any]:
    """Networks of both families, of all lengths, some inside others."""
    networks = {}
    for number in range(count):
        if draw.random() < 0.5:
            length = draw.randrange(4, 33)
            address = str(IPv4Address(draw.getrandbits(32) >> 32 - length << 32 - length))
        else:
            length = draw.randrange(16, 65)
            value = 0x2001 << 112 | draw.getrandbits(112)
            address = str(IPv6Address(value >> 128 - length << 128 - length))
        networks[f"{address}/{length}"] = {"number": number % 5 + 1}
    return networks


def value_at(intervals: Intervals, address: int) -> int:
    return intervals.values[sum(start <= address for start in intervals.starts) - 1]


@pytest.mark.parametrize("ip_version", [4, 6])
def test_walk_finds_what_maxminddb_finds(tmp_path: Path, ip_version: int) -> None:
    draw = random.Random(ip_version)
    networks = _networks(draw, 60)
    if ip_version == 4:
        networks = {network: record for network, record in networks.items() if "." in network}
    path = write_mmdb(tmp_path / "some.mmdb", networks, ip_version)
    file = Mmdb(path)
    labels = numbers_of(file, lambda record: record["number"])
    four, six = file.walk4(labels), file.walk6(labels)

    with maxminddb.open_database(path) as reader:
        for world, version in ((four, 4), (six, 6)):
            edges = [edge for start in world.starts for edge in (start, start - 1) if edge >= 0]
            for edge in edges:
                address = IPv4Address(edge) if version == 4 else IPv6Address(edge)
                if version == 6 and (ip_version == 4 or edge < 1 << 32):
                    expected = 0
                else:
                    expected = (reader.get(address) or {"number": 0})["number"]
                assert value_at(world, edge) == expected, address
            assert world.starts == sorted(set(world.starts))
            assert all(one != two for one, two in zip(world.values, world.values[1:]))  # noqa: B905


@pytest.mark.parametrize("record_size", [24, 28, 32])
def test_record_sizes(tmp_path: Path, record_size: int) -> None:
    """The same file with its tree written anew in each width."""
    source = write_mmdb(tmp_path / "a.mmdb", _networks(random.Random(3), 30))
    file = Mmdb(source)
    nodes = list(zip(*file._sides, strict=True))
    tree = b""
    for left, right in nodes:
        if record_size == 28:
            middle = left >> 24 << 4 | right >> 24
            tree += (left & 0xFFFFFF).to_bytes(3) + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3)
        else:
            tree += left.to_bytes(record_size // 8) + right.to_bytes(record_size // 8)
    data = source.read_bytes()
    key = b"record_size"
    at = data.rindex(key) + len(key) + 1
    rest = bytearray(data[file.count * file.metadata.record_size // 4 :])
    rest[at - len(data)] = record_size
    copy = tmp_path / "b.mmdb"
    copy.write_bytes(tree + rest)

    assert Mmdb(copy).metadata.record_size == record_size
    labels = numbers_of(file, lambda record: record["number"])
    assert Mmdb(copy).walk4(labels) == file.walk4(labels)
    assert Mmdb(copy).walk6(labels) == file.walk6(labels)


def test_aliases_of_ipv4_are_no_data(tmp_path: Path) -> None:
    """2002::/16 led into the IPv4 tree, as MaxMind's files do it: IPv6 sees nothing there."""
    path = write_mmdb(
        tmp_path / "a.mmdb", {"1.0.0.0/8": {"number": 1}, "2002::/16": {"number": 2}, "2400::/12": {"number": 3}}
    )  # fmt: skip
    file = Mmdb(path)
    labels = numbers_of(file, lambda record: record["number"])
    [two] = [number for number, label in labels.items() if label == 2]
    data = bytearray(path.read_bytes())
    width = file.metadata.record_size // 8
    for side in (0, 1):
        for node, number in enumerate(file._sides[side]):
            if number == two:
                at = (2 * node + side) * width
                data[at : at + width] = file._root4.to_bytes(width)
    path.write_bytes(data)
    with maxminddb.open_database(path) as reader:
        assert reader.get("2002:101:101::") == {"number": 1}

    world = Mmdb(path).walk6({**labels, two: 2})

    assert value_at(world, int(IPv6Address("2002:101:101::"))) == 0
    assert value_at(world, int(IPv6Address("2400::1"))) == 3
    assert value_at(world, 0x0101_0101) == 0
