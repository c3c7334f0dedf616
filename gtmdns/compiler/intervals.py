"""Address space cut into intervals, each with a value, and the few things done to them at once.

The loops run in C (map, slices, compress) where they can: a country file has half a million
boundaries, and they are walked again at each reload.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import compress, islice
from operator import ne
from typing import NamedTuple


class Intervals(NamedTuple):
    """The whole of an address family: interval i holds starts[i] up to starts[i + 1] - 1."""

    starts: list[int]  # sorted; the first is 0
    values: list[int]  # as many


class _Memo(dict[int, int]):
    """A function of one integer that is computed once for each."""

    def __init__(self, compute: Callable[[int], int]) -> None:
        self._compute = compute

    def __missing__(self, key: int) -> int:
        value = self[key] = self._compute(key)
        return value


def mapped(intervals: Intervals, function: Callable[[int], int]) -> Intervals:
    """Apply a function to all values and merge neighbours that become equal.

    The function is called once for each distinct value.
    """
    return merged(
        Intervals(intervals.starts, [*map(_Memo(function).__getitem__, intervals.values)])
    )


def merged(intervals: Intervals) -> Intervals:
    """Return the same with neighbours of equal value joined."""
    starts, values = intervals
    keep = [True, *map(ne, values, islice(values, 1, None))]
    return Intervals([*compress(starts, keep)], [*compress(values, keep)])


def overlaid(below: Intervals, above: Intervals, combine: Callable[[int, int], int]) -> Intervals:
    """Return every piece on which both are constant, with combine(below, above) as its value.

    `combine` is called once for each distinct pair. Time goes with the shorter of the two in
    Python, and with the longer in C. Neighbours of equal value are not joined.
    """
    if len(below.starts) < len(above.starts):
        return overlaid(above, below, lambda one, other: combine(other, one))
    rows: dict[int, _Memo] = {}
    starts: list[int] = []
    values: list[int] = []
    first = 0  # of below: its interval that begins at or after the interval of above
    for start, end, value in _spans(above):
        row = rows.get(value)
        if row is None:
            row = rows[value] = _Memo(lambda one, other=value: combine(one, other))  # type: ignore[misc]
        if first == len(below.starts) or below.starts[first] != start:
            starts.append(start)
            values.append(row[below.values[first - 1]])
        last = len(below.starts) if end is None else bisect_left(below.starts, end, first)
        starts += below.starts[first:last]
        values += map(row.__getitem__, below.values[first:last])
        first = last
    return Intervals(starts, values)


def _spans(intervals: Intervals) -> Iterator[tuple[int, int | None, int]]:
    """Yield (first address, first address after it or None at the end, value)."""
    starts, values = intervals
    yield from zip(starts, [*starts[1:], None], values, strict=True)


def replaced(intervals: Intervals, first: int, last: int, value: int) -> Intervals:
    """Return the intervals with this value from first to last, both included.

    Nothing may lie above `last` unless the intervals already reach there: they are endless.
    """
    starts, values = intervals
    low = bisect_left(starts, first)
    high = bisect_right(starts, last + 1)
    after = values[high - 1]
    return Intervals(
        [*starts[:low], first, last + 1, *starts[high:]],
        [*values[:low], value, after, *values[high:]],
    )


def from_ranges(ranges: Iterable[tuple[int, int, int]], end: int) -> Intervals:
    """Return intervals whose value has the bits of every range (first, last, bits) that holds them.

    Ranges may overlap, of equal and of different bits; where none is, the value is 0. `end`: the
    first number that is no address any more.
    """
    flips: dict[int, int] = {0: 0}  # address -> bits that begin or end there
    by_bits: dict[int, list[tuple[int, int]]] = {}
    for first, last, bits in ranges:
        by_bits.setdefault(bits, []).append((first, last))
    for bits, spans in by_bits.items():
        for first, last in joined(spans):
            flips[first] = flips.get(first, 0) ^ bits
            flips[last + 1] = flips.get(last + 1, 0) ^ bits
    starts = sorted(start for start in flips if start < end)
    values, value = [], 0
    for start in starts:
        value ^= flips[start]
        values.append(value)
    return merged(Intervals(starts, values))


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return sorted spans (first, last) of integers with those that touch or overlap made one."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result
