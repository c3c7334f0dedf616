"""Every kind of answer: shares counted exactly, and the way over the channel and back."""

import marshal
from collections import Counter
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers import answer as module
from gtmdns.answers.answer import (
    FIRST_TAG,
    SHUFFLE_OCTETS,
    SHUFFLES,
    Fixed,
    Nested,
    Several,
    Shuffled,
    Weighted,
    decode,
    leaf,
    shuffled,
    weighted,
)
from gtmdns.answers.choice import alias_table
from gtmdns.wire.constants import SERVFAIL
from tests.example_zone import ANSWERS
from tests.laws import LAW

TAG = FIRST_TAG


def records(number: int, size: int = 16) -> list[bytes]:
    """Return different records of one size; the first octet says which one."""
    return [bytes((n,)) * size for n in range(number)]


def every_ticket(answer: Shuffled | Weighted) -> list[bytes]:
    """Return what each ticket of an answer gives."""
    draws = (-(-(ticket << 64) // answer.tickets) for ticket in range(answer.tickets))
    return [answer.choose(draw)[2] or b"" for draw in draws]


def order(octets: bytes, size: int = 16) -> tuple[int, ...]:
    """Return which records stand in `octets`."""
    return tuple(octets[at] for at in range(0, len(octets), size))


def test_leaf_counts_records_and_one_more_for_opt():
    made = leaf(b"records", TAG, 1, 2, 3)

    assert made == (bytes((0, 1, 0, 2, 0, 3)), bytes((0, 1, 0, 2, 0, 4)), b"records", TAG)


def test_leaves_share_their_counts_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(module, "_COUNTS", {})
    made = [leaf(b"", TAG, number) for number in range(5000)]
    again = [leaf(b"", TAG, number) for number in range(5000)]

    assert made == again
    assert made[4095].counts is again[4095].counts
    assert made[4096].counts is not again[4096].counts


def test_one_record_is_never_shuffled():
    made = shuffled(records(1), 8, TAG)

    assert isinstance(made, Fixed)
    assert made.choose(12345).records == records(1)[0]


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_up_to_five_records_every_order_is_equally_likely(number):
    made = shuffled(records(number), number, TAG)
    assert isinstance(made, Shuffled)

    seen = Counter(order(each) for each in every_ticket(made))

    assert set(seen) == set(permutations(range(number)))
    assert len(set(seen.values())) == 1


@pytest.mark.parametrize("number", [6, 8, 40, 200])
@pytest.mark.parametrize("take", [1, 3, None], ids=["one", "three", "all"])
def test_each_record_is_equally_often_at_each_place(number, take):
    take = take or number
    made = shuffled(records(number), take, TAG)
    assert isinstance(made, Shuffled)

    orders = [order(each) for each in every_ticket(made)]

    assert all(len(each) == len(set(each)) == take for each in orders)
    for place in range(take):
        assert set(Counter(each[place] for each in orders).values()) == {len(orders) // number}


@pytest.mark.parametrize("size", [16, 28], ids=["A", "AAAA"])
@pytest.mark.parametrize("number", [6, 30, 60, 250, 5000])
def test_what_a_shuffled_answer_keeps_is_bounded(number, size):
    made = shuffled([n.to_bytes(size) for n in range(number)], number, TAG)
    assert isinstance(made, Shuffled)

    assert 1 <= len(made.bases) <= SHUFFLES
    assert len(made.bases) == 1 or sum(map(len, made.bases)) <= SHUFFLE_OCTETS


def test_a_shuffled_answer_counts_what_it_takes():
    made = shuffled(records(5), 2, TAG)

    assert tuple(made.choose(0))[:2] == (bytes((0, 2, 0, 0, 0, 0)), bytes((0, 2, 0, 0, 0, 1)))
    assert shuffled(records(3), 8, TAG).choose(0)[0] == bytes((0, 3, 0, 0, 0, 0))


@pytest.mark.parametrize("weights", [(1, 1), (1, 3), (1, 99), (2, 3, 5, 7)], ids=str)
def test_weighted_leaves_have_exact_shares(weights):
    made = weighted(
        [(w, Fixed(leaf(r, TAG, 1))) for w, r in zip(weights, records(len(weights)), strict=True)]
    )
    assert isinstance(made, Weighted)

    seen = Counter(order(each)[0] for each in every_ticket(made))

    total = seen.total()
    assert [seen[n] * sum(weights) for n in range(len(weights))] == [w * total for w in weights]


def test_one_part_is_the_answer_itself():
    part = shuffled(records(3), 3, TAG)

    assert weighted([(7, part)]) is part


def test_parts_that_draw_on_are_nested():
    parts = [(1, Fixed(leaf(b"one", TAG, 1))), (2, shuffled(records(3), 3, TAG))]

    made = weighted(parts)

    assert isinstance(made, Nested)
    assert made.choose(0).records == b"one"
    assert len(made.choose(2**64 - 1)[2] or b"") == 48


def test_a_nested_choice_does_not_depend_on_the_one_above():
    """Under the draws that lead to one part, that part still gives each record equally often."""
    inner = weighted([(1, Fixed(leaf(r, TAG, 1))) for r in records(4)])
    made = Nested(alias_table([1, 1]), (inner, Fixed(leaf(b"\xff" * 16, TAG, 1))))
    draws = [(2 * n + 1) * 2**64 // 16_000 for n in range(8000)]  # evenly over [0, 2**64)

    seen = Counter(order(made.choose(draw).records or b"")[0] for draw in draws)

    assert seen[255] == 4000
    assert all(abs(seen[n] - 1000) < 4 * (4000 * 3 / 16) ** 0.5 for n in range(4)), "within 4 sigma"


class Branch(Exception):
    """The script has ended; `shares`: what comes next, index -> exact share."""

    def __init__(self, shares: Counter[int]) -> None:
        self.shares = {index: Fraction(n, shares.total()) for index, n in shares.items()}


class Script:
    """Stands in for an alias table: what is drawn is given, not left to chance."""

    def __init__(self, several: "Followed", choices: tuple[int, ...]) -> None:
        self.first = several.first
        self.choices = iter(choices)

    def pick(self, draw: int) -> int:
        return self.next(self.first)

    def next(self, shares: Counter[int]) -> int:
        for choice in self.choices:
            return choice
        raise Branch(shares)


class Followed(Several):
    """`Several` whose every way can be followed. Its own steps run, only the draws are given."""

    def __init__(self, weights: tuple[int, ...], take: int) -> None:
        super().__init__(weights, tuple(records(len(weights))), take, TAG)
        tickets = self.table.tickets
        self.first = Counter(self.table.pick(-(-(t << 64) // tickets)) for t in range(tickets))

    def _among_the_rest(self, draw: int, taken: list[int]) -> int:
        total = sum(weight for index, weight in enumerate(self.weights) if index not in taken)
        each = super()._among_the_rest
        return self.table.next(Counter(each(-(-(t << 64) // total), taken) for t in range(total)))

    def shares(self, choices: tuple[int, ...] = ()) -> Counter[tuple[int, ...]]:
        """Return the exact share of each order in which records can be drawn."""
        self.table = Script(self, choices)  # type: ignore[assignment]
        try:
            return Counter({tuple(self.indexes(0)): Fraction(1)})  # type: ignore[dict-item]
        except Branch as branch:
            found: Counter[tuple[int, ...]] = Counter()
            for index, share in branch.shares.items():
                for drawn, part in self.shares((*choices, index)).items():
                    found[drawn] += share * part  # type: ignore[assignment]
            return found


def one_by_one(weights: tuple[int, ...], take: int) -> dict[tuple[int, ...], Fraction]:
    """Return the share of each order by definition: weight over what is left."""
    shares = {}
    for drawn in permutations(range(len(weights)), take):
        share, left = Fraction(1), sum(weights)
        for index in drawn:
            share *= Fraction(weights[index], left)
            left -= weights[index]
        shares[drawn] = share
    return shares


# fmt: off
DRAWN = [
    # weights          take
    ((1, 1),           1),
    ((1, 1),           2),
    ((5, 3, 2, 1),     2),
    ((5, 3, 2),        3),
    ((97, 2, 1),       2),
    ((1, 40, 1),       3),
    ((4, 4, 4, 4),     3),
]
# fmt: on


@pytest.mark.parametrize(("weights", "take"), DRAWN, ids=str)
def test_several_are_drawn_by_weight_without_replacement(weights, take):
    assert dict(Followed(weights, take).shares()) == one_by_one(weights, take)


@LAW
@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=12), st.data())
def test_no_record_is_drawn_twice(weights, data):
    take = data.draw(st.integers(1, len(weights)))
    made = Several(tuple(weights), tuple(records(len(weights))), take, TAG)

    drawn = order(made.choose(data.draw(st.integers(0, 2**64 - 1))).records or b"")

    assert len(drawn) == len(set(drawn)) == take


@pytest.mark.parametrize("draw", [0, 1, 2**63, 2**64 - 1])
def test_a_record_of_nearly_all_the_weight_does_not_keep_the_others_out(draw):
    made = Several((1_000_000_000, 1, 1), tuple(records(3)), 3, TAG)

    assert sorted(order(made.choose(draw).records or b"")) == [0, 1, 2]


def test_real_draws_of_several_follow_the_shares():
    """The sub-draws too: splitmix64 of evenly spread draws, each order within 4 sigma."""
    weights, number = (5, 3, 2, 1), 20_000
    made = Several(weights, tuple(records(4)), 2, TAG)

    seen = Counter(tuple(made.indexes((2 * n + 1) * 2**64 // (2 * number))) for n in range(number))

    for drawn, share in one_by_one(weights, 2).items():
        sigma = float(number * share * (1 - share)) ** 0.5
        assert abs(seen[drawn] - number * share) < 4 * sigma, drawn


CASES = ANSWERS | {
    "no rcode, no records": Fixed(leaf(None, TAG, 0)),
    "servfail": Fixed(leaf(None, TAG, SERVFAIL)),
    "nested in nested": Nested(alias_table([1, 2]), (ANSWERS["nested"], ANSWERS["several"])),
    "weighted with an empty one": weighted(
        [(1, Fixed(leaf(None, TAG, 0))), (2, Fixed(leaf(b"", TAG, 0)))]
    ),
    "weights up to a million": weighted(
        [(n * 1000 + 1, Fixed(leaf(r, TAG, 1))) for n, r in enumerate(records(99))]
    ),
}


@pytest.mark.parametrize("name", CASES)
@settings(LAW, max_examples=25)
@given(draw=st.integers(0, 2**64 - 1))
def test_answers_survive_the_channel(name, draw):
    """Encoded, marshalled and decoded, an answer chooses the same for the same draw."""
    answer = CASES[name]

    again = decode(marshal.loads(marshal.dumps(answer.encoded())))

    assert type(again) is type(answer)
    assert again.encoded() == answer.encoded()
    assert tuple(again.choose(draw)) == tuple(answer.choose(draw))


def test_decoded_leaves_share_their_counts():
    """A million answers must not keep a million copies of the same six octets."""
    codes = [marshal.loads(marshal.dumps(ANSWERS["www"].encoded())) for _ in range(2)]
    one, other = (decode(code).choose(0) for code in codes)

    assert one.counts is other.counts
    assert one.counts_opt is other.counts_opt


@pytest.mark.parametrize("name", CASES)
def test_draws_at_the_ends_choose_something(name):
    for draw in (0, 2**64 - 1):
        assert len(CASES[name].choose(draw)) == 4
