"""MMDB files walked as a whole: the search tree once, each distinct record decoded once.

The format is that of MaxMind DB 2.0. `maxminddb` reads the metadata and judges the file; its own
iteration decodes a record for every network, which takes minutes for a city file.

The tree: nodes of two numbers, the next node for bit 0 and for bit 1. A number below the count of
nodes is a node, the count itself is "no data", above it stands a record. In a tree of IPv6, IPv4
lies below ::/96, and other prefixes may lead there again (::ffff:0:0/96, 2002::/16 ...): aliases
are no data of their own, and neither is ::/96 for clients of IPv6.
"""

import io
import struct
from array import array
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import maxminddb
from maxminddb.const import MODE_FD

from .intervals import Intervals

_SEPARATOR = 16  # zero octets between tree and records
_MAX_DEPTH = 32  # maps and arrays inside each other; real records have four
_MAX_FIELDS = 1 << 16  # in one record, as the format recommends
_HIGH_NIBBLE = bytes(octet >> 4 for octet in range(256))
_LOW_NIBBLE = bytes(octet & 15 for octet in range(256))


class BadMmdb(Exception):
    """The file is not a usable MMDB file; the text says why."""


class Mmdb:
    """One file, wholly in memory."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises BadMmdb in plain words."""
        self._data = _octets(path)
        try:
            with maxminddb.open_database(io.BytesIO(self._data), MODE_FD) as reader:
                metadata = reader.metadata()
        except (maxminddb.InvalidDatabaseError, TypeError, ValueError) as error:
            raise BadMmdb("not an MMDB file, or cut short") from error
        self.path = path
        self.metadata = metadata
        self.count: int = metadata.node_count
        self._tree_size = self.count * metadata.record_size // 4
        self._base = self._tree_size + _SEPARATOR
        self._memo: dict[int, Any] = {}  # what pointers point at

    @cached_property
    def _sides(self) -> "tuple[array[int], array[int]]":
        """The left and the right number of every node; unpacked when first asked for."""
        return _children(self._data[: self._tree_size], self.metadata.record_size)

    @cached_property
    def _root4(self) -> int:
        """The node, or what else, below which IPv4 lies."""
        node = 0
        if self.metadata.ip_version == 6:
            for _ in range(96):
                if node < self.count:
                    node = self._sides[0][node]
        return node

    def records(self, keys: Collection[str]) -> Iterator[tuple[list[int], Any]]:
        """Yield each record that differs in these keys: (numbers in the tree, those keys of it).

        Keys are those of the outermost map; a record that is no plain map comes whole. A city file
        has half a million records, most of them apart by place names and coordinates only: what is
        not asked for is stepped over, not decoded.
        """
        above = self.count.__lt__
        left, right = self._sides
        alike: dict[bytes, list[int]] = {}
        wanted: dict[bytes, bool] = {}
        try:
            for number in {*filter(above, left), *filter(above, right)}:
                alike.setdefault(self._part(self._offset(number), keys, wanted), []).append(number)
            for numbers in alike.values():
                yield numbers, self._some(self._offset(numbers[0]), wanted)
        except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
            raise BadMmdb("damaged: a record of it cannot be read") from error

    def _some(self, at: int, wanted: dict[bytes, bool]) -> Any:
        """Decode a record; of a plain map the wanted keys alone, as `_part` noted them."""
        data = self._data
        head = data[at]
        if head >> 5 != 7 or head & 31 > 28:
            return self._value(at, 0)[0]
        values = {}
        at += 1
        for _ in range(head & 31):
            value = self._after(at)
            if wanted[data[at:value]]:
                values[self._value(at, 0)[0]], at = self._value(value, 1)
            else:
                at = self._after(value)
        return values

    def _part(self, at: int, keys: Collection[str], wanted: dict[bytes, bool]) -> bytes:
        """Return the octets of these keys and their values in the map at this place, as they stand.

        Equal octets mean equal values. A record that is no plain map is returned as its place.
        `wanted` remembers the keys that were met, as they stand in the file.
        """
        data = self._data
        head = data[at]
        if head >> 5 != 7 or head & 31 > 28:
            return at.to_bytes(8)
        found = []
        at += 1
        for _ in range(head & 31):
            value = self._after(at)
            key = data[at:value]
            if key not in wanted:
                wanted[key] = self._value(at, 0)[0] in keys
            end = self._after(value)
            if wanted[key]:
                found.append(data[at:end])
            at = end
        return b"".join(found)

    def _after(self, at: int) -> int:
        """Return where the field after the one at this place begins."""
        data = self._data
        kind, size = data[at] >> 5, data[at] & 31
        if kind == 1:  # the two usual kinds first: this runs ten million times for a city file
            return at + 2 + (size >> 3)
        if 1 < kind < 7 and size < 29:
            return at + 1 + size
        open_fields = 1
        for _ in range(_MAX_FIELDS):
            if not open_fields:
                return at
            open_fields -= 1
            kind, size = data[at] >> 5, data[at] & 31
            at += 1
            if kind == 1:
                at += (size >> 3) + 1
                continue
            if kind == 0:
                kind = data[at] + 7
                at += 1
            if size > 28:
                size, at = self._long_size(size, at)
            if kind == 7:
                open_fields += 2 * size
            elif kind == 11:
                open_fields += size
            elif kind != 14:
                at += size
        raise BadMmdb("damaged: a record of it has no end")

    def walk4(self, labels: Mapping[int, int]) -> Intervals:
        """Return the labels of IPv4 addresses, neighbours of equal label joined.

        `labels`: one for each number of `records`; addresses without data have 0.
        """
        return self._walk(self._sides, self._root4, 32, labels)

    def walk6(self, labels: Mapping[int, int]) -> Intervals:
        """Return the labels of IPv6 addresses likewise; all 0 where the file has IPv4 only."""
        if self.metadata.ip_version != 6:
            return Intervals([0], [0])
        sides = self._sides
        if self._root4 < self.count:
            left, right = sides
            sides = (
                _without(left, self._root4, self.count),
                _without(right, self._root4, self.count),
            )
        return self._walk(sides, 0, 128, labels)

    def _walk(
        self,
        sides: "tuple[array[int], array[int]]",
        node: int,
        bits: int,
        labels: Mapping[int, int],
    ) -> Intervals:
        """Walk from a node in the order of addresses: down the left, the right ones remembered."""
        left, right = sides
        count = self.count
        label_of = {**labels, count: 0}
        starts: list[int] = []
        values: list[int] = []
        last, start, half = -1, 0, 1 << bits - 1
        waiting: list[tuple[int, int, int]] = []
        for _ in range(4 * count + 1024):  # a tree has count + 1 leaves; some files share branches
            while node < count:
                if not half:
                    raise BadMmdb("damaged: its search tree is deeper than an address")
                waiting.append((right[node], start + half, half >> 1))
                node = left[node]
                half >>= 1
            label = label_of[node]
            if label != last:
                starts.append(start)
                values.append(label)
                last = label
            if not waiting:
                return Intervals(starts, values)
            node, start, half = waiting.pop()
        raise BadMmdb("damaged: its search tree is not a tree")

    def _offset(self, number: int) -> int:
        """Return where in the file the record of a number of the tree begins."""
        offset = number - self.count - _SEPARATOR
        if offset < 0:
            raise BadMmdb("damaged: its search tree points at no record")
        return self._base + offset

    def _value(self, at: int, depth: int) -> tuple[Any, int]:
        """Decode the field at this place; return its value and where the next one begins."""
        if depth > _MAX_DEPTH:
            raise BadMmdb("damaged: a record of it has no end")
        data = self._data
        kind, size = data[at] >> 5, data[at] & 31
        at += 1
        if kind == 1:
            return self._pointed(at, size, depth)
        if kind == 0:
            kind = data[at] + 7
            at += 1
        if size > 28:
            size, at = self._long_size(size, at)
        return self._plain(kind, size, at, depth)

    def _long_size(self, size: int, at: int) -> tuple[int, int]:
        """Return a size above 28, which stands in the one to three octets here, and their end."""
        end = at + size - 28
        return (29, 285, 65_821)[size - 29] + int.from_bytes(self._data[at:end], "big"), end

    def _plain(self, kind: int, size: int, at: int, depth: int) -> tuple[Any, int]:
        """Decode a field that is no pointer, its size known and its content at this place."""
        if kind == 7:
            return self._map(size, at, depth)
        if kind == 11:
            values = []
            for _ in range(size):
                value, at = self._value(at, depth + 1)
                values.append(value)
            return values, at
        if kind == 14:
            return bool(size), at
        octets = self._data[at : at + size]
        if len(octets) != size:
            raise BadMmdb("damaged: a record of it goes beyond the end of the file")
        end = at + size
        if kind == 2:
            return str(octets, "utf-8"), end
        if kind in (5, 6, 9, 10):
            return int.from_bytes(octets, "big"), end
        if kind == 8:
            return int.from_bytes(octets.rjust(4, b"\0"), "big", signed=True), end
        if kind == 3:
            return struct.unpack(">d", octets)[0], end
        if kind == 15:
            return struct.unpack(">f", octets)[0], end
        if kind == 4:
            return octets, end
        raise BadMmdb(f"damaged: a record of it has a field of unknown type {kind}")

    def _map(self, size: int, at: int, depth: int) -> tuple[dict[str, Any], int]:
        """Decode a map of so many pairs."""
        values = {}
        for _ in range(size):
            key, at = self._value(at, depth + 1)
            values[key], at = self._value(at, depth + 1)
        return values, at

    def _pointed(self, at: int, size: int, depth: int) -> tuple[Any, int]:
        """Decode what a pointer points at; once for each target, so shared parts cost nothing."""
        length = (size >> 3) + 1
        rest = int.from_bytes(self._data[at : at + length], "big")
        if length < 4:
            rest += (size & 7) << 8 * length
            rest += (0, 2_048, 526_336)[length - 1]
        if rest not in self._memo:
            self._memo[rest] = self._value(self._base + rest, depth + 1)[0]
        return self._memo[rest], at + length


def _octets(path: Path) -> bytes:
    """Return the content of the file. Raises BadMmdb in plain words. Never waits at a pipe."""
    try:
        if path.is_fifo() or path.is_char_device():
            raise BadMmdb("not a regular file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadMmdb("no such file") from None
    except IsADirectoryError:
        raise BadMmdb("a folder, not a file") from None
    except PermissionError:
        raise BadMmdb("no permission to read it") from None
    except OSError as error:
        raise BadMmdb(f"cannot be read: {error.strerror}") from error
    if not data:
        raise BadMmdb("an empty file")
    return data


def _children(tree: bytes, record_size: int) -> "tuple[array[int], array[int]]":
    """Return the left and the right numbers of all nodes, unpacked by slices with a stride."""
    width = record_size // 4  # octets of a node: two numbers of 24, 28 or 32 bits
    whole = record_size // 8
    sides = []
    for side in (0, width - whole):
        octets = bytearray(
            4 * (len(tree) // width)
        )  # little-endian, turned where the machine is not
        for place in range(whole):
            octets[whole - 1 - place :: 4] = tree[side + place :: width]
        if record_size == 28:  # the middle octet holds the highest four bits of both
            octets[3::4] = tree[3::7].translate(_LOW_NIBBLE if side else _HIGH_NIBBLE)
        numbers = array("I", bytes(octets))
        if struct.pack("=H", 1) == b"\x00\x01":
            numbers.byteswap()
        sides.append(numbers)
    return sides[0], sides[1]


def _without(side: "array[int]", node: int, empty: int) -> "array[int]":
    """Return a copy in which nothing leads to this node: the number for "no data" does instead."""
    copy = side[:]
    at = -1
    for _ in range(side.count(node)):
        at = side.index(node, at + 1)
        copy[at] = empty
    return copy
