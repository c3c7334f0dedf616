"""What is read out of records, files that are none, and the files that come with gtmdns."""

import random
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import maxminddb
import pytest

from gtmdns.compiler.geodata import (
    FACT_KEYS,
    BadDatabase,
    Facts,
    builtin_databases,
    client_facts,
    facts_of,
    files_of,
    open_databases,
)
from gtmdns.compiler.intervals import Intervals
from gtmdns.compiler.mmdb import BadMmdb, Mmdb
from gtmdns.compiler.places import CONTINENT_OF, subdivision_code
from tests.compiler.mmdb_files import write_mmdb

CITY = {
    "city": {"geoname_id": 1808926, "names": {"en": "Hangzhou", "zh-CN": "杭州"}},
    "continent": {"code": "AS", "names": {"en": "Asia"}},
    "country": {"iso_code": "CN", "names": {"en": "China"}},
    "registered_country": {"iso_code": "US"},
    "location": {"latitude": 30.2936, "longitude": 120.1614, "accuracy_radius": 20},
    "subdivisions": [{"iso_code": "ZJ", "names": {"en": "Zhejiang"}}],
}

# fmt: off
RECORDS = [
    ("flat country",        {"country_code": "CN"},                       Facts("AS", "CN")),
    ("flat lower case",     {"country_code": "de"},                       Facts("EU", "DE")),
    ("flat plain keys",     {"continent": "EU", "country": "GB"},         Facts("EU", "GB")),
    ("continent in file",   {"continent_code": "AS", "country_code": "RU"}, Facts("AS", "RU")),
    ("no country",          {"country_code": ""},                         Facts()),
    ("unknown country",     {"country_code": "ZZ"},                       Facts()),
    ("a name, not a code",  {"country": "Germany"},                       Facts()),
    ("country not in table", {"country_code": "QX"},                      Facts(None, "QX")),
    ("bad continent",       {"continent_code": "XX"},                     Facts()),
    ("MaxMind city",        CITY,                                         Facts("AS", "CN", ("CN-ZJ",))),
    ("registered country",  {"registered_country": {"iso_code": "AU"}},   Facts("OC", "AU")),
    ("represented country", {"represented_country": {"iso_code": "US"}},  Facts()),
    ("two levels",          {"country": {"iso_code": "GB"}, "subdivisions": [{"iso_code": "ENG"}, {"iso_code": "WSM"}]},
                            Facts("EU", "GB", ("GB-ENG", "GB-WSM"))),
    ("GB/T 2260 number",    {"country": {"iso_code": "CN"}, "subdivisions": [{"iso_code": "22"}]},
                            Facts("AS", "CN", ("CN-JL",))),
    ("name only",           {"country": {"iso_code": "CN"}, "subdivisions": [{"names": {"en": "Tibet"}}]},
                            Facts("AS", "CN", ("CN-XZ",))),
    ("Chinese name only",   {"country": {"iso_code": "CN"}, "subdivisions": [{"names": {"zh-CN": "浙江省"}}]},
                            Facts("AS", "CN", ("CN-ZJ",))),
    ("flat name",           {"country_code": "CN", "state1": "Inner Mongolia"}, Facts("AS", "CN", ("CN-NM",))),
    ("flat name, no table", {"country_code": "US", "state1": "California"}, Facts("NA", "US", ("US-CALIFORNIA",))),
    ("state without land",  {"state1": "Zhejiang"},                       Facts()),
    ("empty state",         {"country_code": "CN", "state1": ""},         Facts("AS", "CN")),
    ("MaxMind ASN",         {"autonomous_system_number": 4134, "autonomous_system_organization": "Chinanet"}, Facts(asn=4134)),
    ("ASN as text",         {"asn": "AS4809"},                            Facts(asn=4809)),
    ("ASN nonsense",        {"asn": "none"},                              Facts()),
    ("MaxMind ISP",         {"isp": "China Telecom", "organization": "x"}, Facts(isp="telecom")),
    ("organization",        {"organization": "Example Net"},              Facts(isp="example net")),
    ("Chinese ISP",         {"isp": "联通"},                              Facts(isp="unicom")),
    ("enterprise traits",   {"traits": {"isp": "CERNET", "autonomous_system_number": 4538}}, Facts(isp="education", asn=4538)),
    ("not a map",           ["CN"],                                       Facts()),
    ("odd types",           {"country": 86, "subdivisions": "ZJ", "continent": [], "isp": 1, "asn": 0}, Facts()),
]

SPELLINGS = [
    ("CN-ZJ", "CN-ZJ"), ("cn-zj", "CN-ZJ"), ("CN-33", "CN-ZJ"), ("CN-330000", "CN-ZJ"),
    ("CN-Zhejiang", "CN-ZJ"), ("CN-浙江", "CN-ZJ"), ("CN-浙江省", "CN-ZJ"), ("CN-Zhejiang Sheng", "CN-ZJ"),
    ("CN-Inner Mongolia", "CN-NM"), ("CN-Nei Mongol Zizhiqu", "CN-NM"), ("CN-内蒙古自治区", "CN-NM"),
    ("CN-Guangxi Zhuang Autonomous Region", "CN-GX"), ("CN-广西壮族自治区", "CN-GX"),
    ("CN-新疆维吾尔自治区", "CN-XJ"), ("CN-宁夏回族自治区", "CN-NX"), ("CN-Xizang", "CN-XZ"),
    ("CN-Shaanxi", "CN-SN"), ("CN-Shanxi", "CN-SX"), ("CN-上海市", "CN-SH"), ("CN-香港特别行政区", "CN-HK"),
    ("US-CA", "US-CA"), ("US-California", "US-CALIFORNIA"), ("CN-99", "CN-99"), ("ZJ", None), ("CN-", None),
]
# fmt: on


@pytest.mark.parametrize(
    ("record", "facts"), [row[1:] for row in RECORDS], ids=[row[0] for row in RECORDS]
)
def test_facts_of_a_record(record: Any, facts: Facts) -> None:
    assert facts_of(record) == facts


@pytest.mark.parametrize(("text", "code"), SPELLINGS)
def test_subdivision_spellings(text: str, code: str | None) -> None:
    assert subdivision_code(text) == code


def test_provinces_by_letters_and_numbers_are_all_there() -> None:
    """34 provinces, each reached by letters, by number and by at least two names."""
    numbers = [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55)]
    numbers += [*range(61, 66), 71, 81, 82]
    codes = {subdivision_code(f"CN-{number}") for number in numbers}

    assert len(numbers) == len(codes) == 34
    assert all(code and subdivision_code(code) == code and code[3:].isalpha() for code in codes)


def test_every_country_has_one_continent() -> None:
    assert len(CONTINENT_OF) == 250  # the 249 of ISO 3166-1, and XK
    assert {CONTINENT_OF[code] for code in ("CN", "DE", "US", "BR", "NG", "NZ", "AQ")} == {
        "AS", "EU", "NA", "SA", "AF", "OC", "AN",
    }  # fmt: skip


def test_first_file_that_knows_a_kind_wins(tmp_path: Path) -> None:
    one = write_mmdb(tmp_path / "one.mmdb", {"192.0.2.0/24": {"country_code": "CN"}})
    two = write_mmdb(
        tmp_path / "two.mmdb",
        {"192.0.2.0/25": {"country_code": "JP", "continent_code": "EU", "isp": "移动"}},
    )
    client = 0xFFFF << 32 | int(IPv4Address("192.0.2.1"))

    assert client_facts(client, [one, two]) == Facts("AS", "CN", (), "mobile")._asdict()
    assert client_facts(client, [two, one]) == Facts("EU", "JP", (), "mobile")._asdict()


def numbers_of(file: Mmdb, label: Callable[[Any], int]) -> dict[int, int]:
    """Label all records of a file, by all keys that tests use."""
    return {
        number: label(record)
        for numbers, record in file.records({*FACT_KEYS, "number"})
        for number in numbers
    }


def bad_tree(path: Path, node: int) -> None:
    """Let the first node of a 24-bit tree lead to `node` on both sides."""
    data = bytearray(path.read_bytes())
    data[:6] = node.to_bytes(3, "big") * 2
    path.write_bytes(data)


def _good(path: Path) -> Path:
    return write_mmdb(path, {"192.0.2.0/24": {"country_code": "CN"}}, ip_version=4)


def test_broken_files_say_what_is_wrong(tmp_path: Path) -> None:
    whole = _good(tmp_path / "good.mmdb").read_bytes()
    (tmp_path / "empty.mmdb").touch()
    (tmp_path / "text.mmdb").write_text("not a database\n" * 100)
    (tmp_path / "short.mmdb").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.mmdb").mkdir()
    problems = {
        "missing.mmdb": "no such file",
        "empty.mmdb": "an empty file",
        "text.mmdb": "not an MMDB file, or cut short",
        "short.mmdb": "not an MMDB file, or cut short",
        "folder.mmdb": "a folder, not a file",
    }

    for name, problem in problems.items():
        with pytest.raises(BadDatabase) as caught:
            open_databases(["builtin", tmp_path / "good.mmdb", tmp_path / name])
        assert caught.value.index == 2
        assert caught.value.problem == f"{tmp_path / name}: {problem}"


def test_unreadable_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a fake: the tests may run as root, who may read everything."""

    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", denied)

    with pytest.raises(BadMmdb, match="no permission to read it"):
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
            labels = numbers_of(opened, lambda record: len(facts_of(record)))
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

    found = [value for _, value in Mmdb(path).records({"text", "a"})]

    assert len(found) == 2
    assert all(value in found for value in expected)


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


# fmt: off
KNOWN = [
    ("115.236.0.1",     "AS", "CN", ("CN-ZJ",), "telecom"),    # Hangzhou
    ("60.12.0.1",       "AS", "CN", ("CN-ZJ",), "unicom"),
    ("210.32.0.1",      "AS", "CN", ("CN-ZJ",), "education"),  # Zhejiang University
    ("202.106.0.20",    "AS", "CN", ("CN-BJ",), "unicom"),     # Beijing
    ("36.112.0.1",      "AS", "CN", ("CN-BJ",), "telecom"),
    ("221.179.155.161", "AS", "CN", ("CN-BJ",), "mobile"),
    ("166.111.8.28",    "AS", "CN", ("CN-BJ",), "education"),  # Tsinghua University
    ("202.96.209.133",  "AS", "CN", ("CN-SH",), "telecom"),    # Shanghai
    ("202.96.128.86",   "AS", "CN", ("CN-GD",), "telecom"),    # Guangdong
    ("2409:8928::1",    "AS", "CN", ("CN-ZJ",), "mobile"),
    ("8.8.8.8",         "NA", "US", (),         None),
    ("193.0.6.139",     "EU", "NL", (),         None),
    ("200.160.0.8",     "SA", "BR", (),         None),
    ("196.216.2.1",     "AF", "ZA", (),         None),
    ("192.0.2.1",       None, None, (),         None),
    ("10.0.0.1",        None, None, (),         None),
]
# fmt: on


@pytest.mark.parametrize("row", KNOWN, ids=[row[0] for row in KNOWN])
def test_builtin_files_know_these_clients(row: tuple[Any, ...]) -> None:
    address = ip_address(row[0])
    client = int(address) + ((0xFFFF << 32) if address.version == 4 else 0)

    assert client_facts(client, ["builtin"]) == Facts(*row[1:])._asdict()


def test_builtin_is_two_files_of_one_place() -> None:
    files = list(files_of([Path("/a.mmdb"), "builtin"]))

    assert [index for index, _ in files] == [0, 1, 1]
    assert [path.name for path in builtin_databases()] == ["world.mmdb", "china.mmdb"]
    assert all(path.is_file() for path in builtin_databases())
