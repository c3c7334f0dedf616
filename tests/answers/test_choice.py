"""Alias tables, counted ticket by ticket: exact shares, no statistics, no luck."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.answers.choice import MASK64, alias_table, split
from tests.laws import LAW


def draw_of(ticket: int, tickets: int) -> int:
    """Return the smallest draw that buys this ticket."""
    return -(-(ticket << 64) // tickets)


def bought(weights: list[int]) -> list[int]:
    """Return how many tickets each index gets."""
    table = alias_table(weights)
    count = [0] * len(weights)
    for ticket in range(table.tickets):
        count[table.pick(draw_of(ticket, table.tickets))] += 1
    return count


def assert_exact(weights: list[int]) -> None:
    count = bought(weights)

    assert [n * sum(weights) for n in count] == [w * sum(count) for w in weights]


@LAW
@given(st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any))
def test_shares_are_exact(weights):
    assert_exact(weights)


@pytest.mark.parametrize(
    "weights",
    [
        [1],
        [1, 1],
        [1, 3],
        [1, 99],
        [99, 1],
        [0, 1],
        [0, 0, 7],
        [1, 0, 1, 0],
        [1] * 300,
        [3, 3, 3],
        [1, 2, 3, 10_000],
    ],
    ids=str,
)
def test_shares_of_the_usual_weights_are_exact(weights):
    assert_exact(weights)


@LAW
@given(st.lists(st.integers(0, 1_000_000), min_size=1, max_size=200).filter(any))
def test_the_largest_weights_are_exact_by_their_slots(weights):
    """Too many tickets to try each: the slots are added up."""
    table = alias_table(weights)
    count = [0] * len(weights)
    for slot, (keep, other) in enumerate(zip(table.keep, table.other, strict=True)):
        assert 0 <= keep <= table.tickets_per_slot
        count[slot] += keep
        count[other] += table.tickets_per_slot - keep

    assert [n * sum(weights) for n in count] == [w * table.tickets for w in weights]


@LAW
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8))
def test_the_ends_of_the_draw_are_in_the_table(weights):
    table = alias_table(weights)

    assert 0 <= table.pick(0) < len(weights)
    assert 0 <= table.pick(MASK64) < len(weights)


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [3, -1]], ids=str)
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ValueError, match="positive sum"):
        alias_table(weights)


def test_split_is_splitmix64():
    """First outputs of the reference implementation for the seeds 0 and 1234567."""
    assert split(0) == 0xE220A8397B1DCDAF
    assert split(1234567) == 6457827717110365317


@LAW
@given(st.integers(0, MASK64), st.integers(0, MASK64))
def test_different_draws_split_differently(one, other):
    assert 0 <= split(one) <= MASK64
    assert (split(one) == split(other)) == (one == other)
