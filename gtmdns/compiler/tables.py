"""Tables of routes as pieces of a snapshot, each distinct one once."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

from ..answers.route import RouteTable

LARGE = 1 << 16  # octets; from here on a table goes where all workers read it
PART = 1 << 18  # octets of columns in one piece

_ALIGNMENT = 8  # octets: columns have numbers of up to 64 bits


def distinct_tables(tables: Sequence[RouteTable]) -> tuple[list[RouteTable], list[int]]:
    """Return each table once, and for each route the number of its table.

    Tables of equal content are one, whatever the names of the regions that they were made from.
    """
    numbers: dict[bytes, int] = {}
    known: dict[int, int] = {}
    distinct: list[RouteTable] = []
    for table in tables:
        if id(table) in known:
            continue
        number = known[id(table)] = numbers.setdefault(_digest(table), len(distinct))
        if number == len(distinct):
            distinct.append(table)
    return distinct, [known[id(table)] for table in tables]


def _digest(table: RouteTable) -> bytes:
    content = blake2b(digest_size=32)
    for octets in table.encode():
        content.update(len(octets).to_bytes(8))
        content.update(octets)
    return content.digest()


def route_pieces(tables: Sequence[RouteTable]) -> Iterator[tuple[Any, ...]]:
    """Yield the pieces of these tables: all columns of the large ones, then each table in order."""
    told: list[tuple[Any, ...]] = []
    at = 0  # octets of columns so far
    for table in tables:
        columns = table.encode()
        if sum(map(len, columns)) < LARGE:
            told.append(("routes", (columns,)))
            continue
        places = []
        for octets in columns:
            places.append((at, len(octets)))
            for first in range(0, len(octets), PART):
                yield "columns", octets[first : first + PART]
            padding = -len(octets) % _ALIGNMENT
            if padding:
                yield "columns", bytes(padding)
            at += len(octets) + padding
        told.append(("large", (tuple(places),)))
    yield from told
