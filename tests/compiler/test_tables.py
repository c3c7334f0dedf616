"""Tables of routes as pieces: equal ones once, large ones where all workers can read them."""

from hypothesis import given
from hypothesis import strategies as st

from gtmdns.answers.route import RouteTable
from gtmdns.answers.snapshot import Settings, SnapshotBuilder
from gtmdns.compiler import tables
from gtmdns.compiler.tables import distinct_tables, route_pieces


def table(starts4: list[int], starts6: list[int], step: int = 1) -> RouteTable:
    return RouteTable(
        starts4,
        [number * step % 5 for number in range(len(starts4) + 1)],
        [start << 40 for start in starts6],
        [number * step % 3 for number in range(len(starts6) + 1)],
    )


starts = st.lists(st.integers(1, 2**32 - 1), unique=True, max_size=40).map(sorted)
some_tables = st.lists(st.builds(table, starts, starts, st.integers(1, 4)), max_size=6)


@given(some_tables, st.integers(0, 400), st.integers(1, 16))
def test_a_builder_makes_the_same_tables_in_the_same_order(
    made: list[RouteTable], large: int, part: int
) -> None:
    """Law: whatever counts as large, and whether its columns are pieces or lie somewhere else."""
    before = tables.LARGE, tables.PART
    tables.LARGE, tables.PART = large, 8 * part
    try:
        pieces = list(route_pieces(made))
    finally:
        tables.LARGE, tables.PART = before
    together, apart = SnapshotBuilder(1, Settings()), []
    for piece in pieces:
        together.add(piece)
        if piece[0] == "columns":
            assert 0 < len(piece[1]) <= 8 * part
            apart.append(piece[1])
    elsewhere = SnapshotBuilder(1, Settings(), memoryview(b"".join(apart)))
    for piece in pieces:
        if piece[0] != "columns":
            elsewhere.add(piece)

    expected = [each.encode() for each in made]
    for builder in (together, elsewhere):
        assert [each.encode() for each in builder.finish().routes] == expected


def test_only_large_tables_are_apart() -> None:
    large = table(list(range(1, 20_001)), [])
    pieces = list(route_pieces([table([1, 2], [3]), large, table([], [])]))

    assert {piece[0] for piece in pieces[:-3]} == {"columns"}
    assert [piece[0] for piece in pieces[-3:]] == ["routes", "large", "routes"]


def test_equal_tables_are_one() -> None:
    one, again, other = table([5], [6]), table([5], [6]), table([5], [7])

    distinct, numbers = distinct_tables([one, other, one, again])

    assert distinct == [one, other]
    assert numbers == [0, 1, 0, 0]


def test_the_same_octets_in_other_columns_are_another_table() -> None:
    one = RouteTable([], [0], [1 << 64], [0, 0])
    other = RouteTable([], [0], [1], [0, 0])

    assert distinct_tables([one, other])[1] == [0, 1]
