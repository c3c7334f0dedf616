"""Operations on intervals, point by point."""

from hypothesis import given
from hypothesis import strategies as st

from gtmdns.compiler.intervals import Intervals, from_ranges, joined, mapped, overlaid, replaced

flat = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=12).map(
    lambda pairs: Intervals([0, *sorted(dict(pairs))], [0, *dict(sorted(pairs)).values()])
)


def spread(intervals: Intervals) -> list[int]:
    return [
        intervals.values[sum(start <= at for start in intervals.starts) - 1] for at in range(50)
    ]


@given(flat, flat)
def test_overlaid_is_point_by_point(one: Intervals, two: Intervals) -> None:
    both = overlaid(one, two, lambda below, above: 10 * below + above)

    assert spread(both) == [10 * a + b for a, b in zip(spread(one), spread(two), strict=True)]
    assert both.starts == sorted({*one.starts, *two.starts})


@given(flat, st.integers(1, 30), st.integers(0, 10))
def test_replaced_and_mapped_are_point_by_point(one: Intervals, first: int, more: int) -> None:
    expected = spread(one)
    expected[first : first + more + 1] = [9] * (more + 1)

    assert spread(replaced(one, first, first + more, 9)) == expected
    halves = mapped(one, lambda value: value // 2)
    assert spread(halves) == [value // 2 for value in spread(one)]
    assert all(a != b for a, b in zip(halves.values, halves.values[1:]))  # noqa: B905


@given(
    st.lists(st.tuples(st.integers(0, 49), st.integers(0, 20), st.sampled_from([1, 2, 4])), max_size=9)
)  # fmt: skip
def test_ranges_are_joined_bit_by_bit(drawn: list[tuple[int, int, int]]) -> None:
    ranges = [(first, min(first + more, 49), bit) for first, more, bit in drawn]
    expected = [0] * 50
    for first, last, bit in ranges:
        for at in range(first, last + 1):
            expected[at] |= bit

    assert spread(from_ranges(ranges, 50)) == expected
    covered = {at for first, last in joined([row[:2] for row in ranges]) for at in range(first, last + 1)}  # fmt: skip
    assert covered == {at for at in range(50) if expected[at]}
