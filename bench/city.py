"""A database of cities as large as the real ones, made up: the same octets for the same numbers.

    python bench/city.py FILE [--networks4 3000000] [--networks6 1000000]

Written as MaxMind writes theirs: one tree for IPv6 with IPv4 below ::/96, records of 28 bits, maps
whose keys and common parts are pointers. Countries come in runs of some networks, so that a route
by countries has as many intervals as the real files give.
"""

import argparse
import random
import struct
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from gtmdns.compiler.locations import COUNTRY_PLACES
from gtmdns.compiler.places import CONTINENT_OF

NETWORKS4, NETWORKS6 = 3_000_000, 1_000_000
CITIES = 180_000  # different records
RUN = 8  # networks of one country in a row, on average
SUBDIVISIONS = 16  # of each country: "01" to "16"
COUNTRIES = sorted(COUNTRY_PLACES)
MARKER = b"\xab\xcd\xefMaxMind.com"
EMPTY = 1 << 40  # a leaf without data
_POINTER, _STRING, _DOUBLE, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY = 1, 2, 3, 5, 6, 7, 9, 11


class Records:
    """The data section: octets as they grow; what is told twice is told by a pointer."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self._known: dict[bytes, bytes] = {}

    def shared(self, field: bytes) -> bytes:
        """Return a pointer to this field, which is written when it first comes."""
        if field not in self._known:
            self._known[field] = _pointer(len(self.octets))
            self.octets += field
        return self._known[field]

    def mapping(self, **values: bytes) -> bytes:
        fields = (self.shared(_text(key)) + value for key, value in values.items())
        return _head(_MAP, len(values)) + b"".join(fields)

    @staticmethod
    def mapping_alone(**values: bytes) -> bytes:
        """Return a map without pointers, as the metadata wants it."""
        fields = (_text(key) + value for key, value in values.items())
        return _head(_MAP, len(values)) + b"".join(fields)


def _head(kind: int, size: int) -> bytes:
    """Return the control octets of a field; sizes below 285."""
    more = b"" if size < 29 else bytes([size - 29])
    size = min(size, 29)
    return (bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])) + more


def _text(text: str) -> bytes:
    octets = text.encode()
    return _head(_STRING, len(octets)) + octets


def _number(kind: int, number: int) -> bytes:
    octets = number.to_bytes((number.bit_length() + 7) // 8)
    return _head(kind, len(octets)) + octets


def _double(number: float) -> bytes:
    return _head(_DOUBLE, 8) + struct.pack(">d", number)


def _pointer(at: int) -> bytes:
    if at < 2_048:
        return bytes([_POINTER << 5 | at >> 8, at & 255])
    if at < 526_336:
        at -= 2_048
        return bytes([_POINTER << 5 | 1 << 3 | at >> 16]) + (at & 0xFFFF).to_bytes(2)
    return bytes([_POINTER << 5 | 3 << 3]) + at.to_bytes(4)


def write_records(records: Records, cities: int, draw: random.Random) -> dict[str, list[int]]:
    """Write the records of so many cities; return where they begin, by country."""
    places: dict[str, list[int]] = {country: [] for country in COUNTRIES}
    for number in range(cities):
        country = COUNTRIES[number % len(COUNTRIES)]
        latitude, longitude = COUNTRY_PLACES[country]
        code = f"{number // len(COUNTRIES) % SUBDIVISIONS + 1:02}"
        where = records.mapping(
            accuracy_radius=_number(_UINT16, draw.choice((5, 20, 100))),
            latitude=_double(round(max(-90.0, min(90.0, latitude + draw.uniform(-4, 4))), 4)),
            longitude=_double(round((longitude + draw.uniform(-6, 6) + 540) % 360 - 180, 4)),
            time_zone=records.shared(_text(f"Zone/{country}")),
        )
        subdivision = records.mapping(iso_code=_text(code))
        city = records.mapping(
            city=records.mapping(names=records.mapping(en=_text(f"City {number}"))),
            continent=records.shared(records.mapping(code=_text(CONTINENT_OF[country]))),
            country=records.shared(records.mapping(iso_code=_text(country))),
            location=where,
            registered_country=records.shared(records.mapping(iso_code=_text(country))),
            subdivisions=_head(_ARRAY, 1) + records.shared(subdivision),
        )
        places[country].append(len(records.octets))
        records.octets += city
    return places


class Tree:
    """The search tree. A leaf is written as -1 - where its record begins, until all is counted."""

    def __init__(self) -> None:
        self.sides = (array("q"), array("q"))

    def node(self) -> int:
        for side in self.sides:
            side.append(0)
        return len(self.sides[0]) - 1

    def grow(
        self, root: int, depth: int, leaves: int, cities: Iterator[int], draw: random.Random
    ) -> None:
        """Hang so many leaves below a node, in the order of addresses, at most `depth` deep."""
        left, right = self.sides
        half = leaves // 2
        waiting = [(right, root, depth - 1, leaves - half), (left, root, depth - 1, half)]
        while waiting:
            side, parent, below, count = waiting.pop()
            if count == 1:
                side[parent] = -1 - next(cities)
                continue
            left.append(0)
            right.append(0)
            side[parent] = node = len(left) - 1
            most = 1 << below - 1
            share = max(count - most, 1, min(count - 1, most, int(count * draw.gauss(0.5, 0.15))))
            waiting.append((right, node, below - 1, count - share))
            waiting.append((left, node, below - 1, share))

    def octets(self) -> bytes:
        """Return the tree with records of 28 bits."""
        count = len(self.sides[0])
        result = bytearray(7 * count)
        high: list[bytes] = []
        for number, side in enumerate(self.sides):
            places = (count if at == EMPTY else at if at >= 0 else count + 15 - at for at in side)
            numbers = array("I", places)
            numbers.byteswap()  # little-endian machines only, as benches go
            octets = numbers.tobytes()
            high.append(octets[0::4])
            for place in range(3):
                result[4 * number + place :: 7] = octets[1 + place :: 4]
        result[3::7] = bytes(one << 4 | other for one, other in zip(*high, strict=True))
        return bytes(result)


def cities_in_runs(places: dict[str, list[int]], draw: random.Random) -> Iterator[int]:
    """Yield cities for neighbouring networks: some of one country, then of another, for ever."""
    while True:
        cities = places[draw.choice(COUNTRIES)]
        for _ in range(1 + int(draw.expovariate(1 / (RUN - 1)))):
            yield draw.choice(cities)


def write_city(
    path: Path, networks4: int = NETWORKS4, networks6: int = NETWORKS6, places: int = CITIES
) -> Path:
    """Write a file with so many networks of each family, in so many places."""
    draw = random.Random(1)
    records, tree = Records(), Tree()
    cities = cities_in_runs(write_records(records, places, draw), draw)
    chain = [tree.node() for _ in range(97)]  # the nodes of ::/0 to ::/96
    for node, below in pairwise(chain):
        tree.sides[0][node], tree.sides[1][node] = below, EMPTY
    tree.grow(chain[96], 24, networks4, cities, draw)
    tree.sides[1][chain[2]] = tree.node()  # 2000::/3
    tree.grow(tree.sides[1][chain[2]], 45, networks6, cities, draw)
    metadata = records.mapping_alone(
        binary_format_major_version=_number(_UINT16, 2),
        binary_format_minor_version=_number(_UINT16, 0),
        build_epoch=_number(_UINT64, 1_700_000_000),
        database_type=_text("Bench-City"),
        description=records.mapping_alone(en=_text("made up")),
        ip_version=_number(_UINT16, 6),
        languages=_head(_ARRAY, 1) + _text("en"),
        node_count=_number(_UINT32, len(tree.sides[0])),
        record_size=_number(_UINT16, 28),
    )
    path.write_bytes(b"".join((tree.octets(), bytes(16), records.octets, MARKER, metadata)))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="a database of cities, made up")
    parser.add_argument("file", type=Path)
    parser.add_argument("--networks4", type=int, default=NETWORKS4)
    parser.add_argument("--networks6", type=int, default=NETWORKS6)
    parser.add_argument("--places", type=int, default=CITIES, help="at least one for each country")
    options = parser.parse_args()
    path = write_city(options.file, options.networks4, options.networks6, options.places)
    print(f"{path}: {path.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
