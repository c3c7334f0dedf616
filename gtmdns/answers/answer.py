"""Answers: records that are octets before the query comes, with their weights.

Every record begins with a pointer to the question (0xC00C), so an answer does not
depend on the name that asks, and all names with the same target share it. A name
refers to an answer by number: when a verdict changes, the answers that look at the
endpoint are replaced under their numbers, and no name is touched.

`choose(draw)` ends at a `Leaf`, whatever the kind. The kinds:

- `Fixed`: always the same leaf.
- `Shuffled`: records of one size, each equally often first.
- `Weighted`: one of several leaves, by weight.
- `Several`: several different records, drawn by weight without replacement.
- `Hashed`: several different records, by weight and the client's network: no draw changes them.
- `Nested`: one of several answers, by weight.

`by_client` says whether the client's network matters; where it does, `choose_for` gives a client
its own, and `choose` that of a client at random.

`encoded()` gives a tuple of integers, octets and tuples (what marshal carries to
the workers), `decode` reads it back.
"""

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, permutations
from random import Random
from typing import Any, ClassVar, NamedTuple

from ..wire.message import counts
from .choice import AliasTable, alias_table, best, network_of, split

# Tally tags that hold in every generation; the compiler numbers its own from FIRST_TAG.
STATIC, NODATA, NXDOMAIN, REFERRAL, REFUSED, FORMERR, NOTIMP, BADVERS, SERVFAIL, ANY = range(10)
TRUNCATED, SHORT, RESPONSE, ABOUT, YXDOMAIN = range(10, 15)
FIRST_TAG = 16

SHUFFLES = 16  # orders kept of a larger answer; up to 5 records all orders are kept
SHUFFLE_OCTETS = 32_768  # per answer, at most, where more than one order is kept

_COUNTS: dict[tuple[int, int, int], tuple[bytes, bytes]] = {}


class Leaf(NamedTuple):
    """What one choice ends at.

    counts:     octets 6 to 11 of the header
    counts_opt: the same with one additional record more, the OPT
    records:    all sections; None stands for an answer without records, whose `rcode` says which
    tag:        what is counted
    """

    counts: bytes
    counts_opt: bytes
    records: bytes | None
    tag: int


def leaf(records: bytes | None, tag: int, answer: int, authority: int = 0, more: int = 0) -> Leaf:
    """Return a leaf; answer, authority and more are the records in each section."""
    key = (answer, authority, more)
    pair = _COUNTS.get(key)
    if pair is None:  # shared: millions of leaves have the same few counts
        pair = counts(answer, authority, more), counts(answer, authority, more + 1)
        if len(_COUNTS) < 4096:
            _COUNTS[key] = pair
    return Leaf(*pair, records, tag)


class _ForAnyone:
    """An answer to which every client has the same chances."""

    __slots__ = ()
    by_client: ClassVar[bool] = False

    @abstractmethod
    def choose(self, draw: int) -> Leaf:
        """Return what this draw gets."""

    def choose_for(self, draw: int, client: int) -> Leaf:
        return self.choose(draw)


class Fixed(_ForAnyone):
    """An answer with one outcome."""

    __slots__ = ("leaf",)

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf

    def choose(self, draw: int) -> Leaf:
        return self.leaf

    def encoded(self) -> tuple[Any, ...]:
        return (0, tuple(self.leaf))


class Shuffled(_ForAnyone):
    """`take` of the records, each equally often first and equally often among them.

    bases: orders of all records, each written twice so that any rotation is one slice
    size:  octets of one record
    """

    __slots__ = ("bases", "count", "counts", "counts_opt", "size", "tag", "take", "tickets")

    def __init__(self, bases: tuple[bytes, ...], size: int, take: int, tag: int) -> None:
        self.bases = bases
        self.size = size
        self.take = take
        self.tag = tag
        self.count = len(bases[0]) // size // 2
        self.tickets = len(bases) * self.count
        self.counts, self.counts_opt, _, _ = leaf(None, tag, take)

    def choose(self, draw: int) -> Leaf:
        base, first = divmod(draw * self.tickets >> 64, self.count)
        start = first * self.size
        records = self.bases[base][start : start + self.take * self.size]
        return self.counts, self.counts_opt, records, self.tag  # type: ignore[return-value]  # a plain tuple costs a third of a Leaf

    def encoded(self) -> tuple[Any, ...]:
        return (1, self.bases, self.size, self.take, self.tag)


class Weighted(_ForAnyone):
    """One of several leaves, by weight."""

    __slots__ = ("keep", "leaves", "other", "per_slot", "tickets")

    def __init__(self, table: AliasTable, leaves: tuple[Leaf, ...]) -> None:
        self.keep, self.other, self.per_slot = table
        self.tickets = table.tickets
        self.leaves = leaves

    def choose(self, draw: int) -> Leaf:
        slot, ticket = divmod(draw * self.tickets >> 64, self.per_slot)
        return self.leaves[slot if ticket < self.keep[slot] else self.other[slot]]

    def encoded(self) -> tuple[Any, ...]:
        return (2, (self.keep, self.other, self.per_slot), tuple(map(tuple, self.leaves)))


class Several(_ForAnyone):
    """`take` different records, drawn one after the other by weight, without replacement.

    weights: positive, one per record, at least `take` of them
    """

    __slots__ = ("counts", "counts_opt", "records", "table", "tag", "take", "weights")

    def __init__(
        self, weights: tuple[int, ...], records: tuple[bytes, ...], take: int, tag: int
    ) -> None:
        self.weights = weights
        self.records = records
        self.take = take
        self.tag = tag
        self.table = alias_table(list(weights))
        self.counts, self.counts_opt, _, _ = leaf(None, tag, take)

    def choose(self, draw: int) -> Leaf:
        return Leaf(
            self.counts,
            self.counts_opt,
            b"".join([self.records[index] for index in self.indexes(draw)]),
            self.tag,
        )

    def indexes(self, draw: int) -> list[int]:
        """Return the indexes drawn, in the order of drawing.

        A record that was drawn before is drawn again, which gives the same shares as
        leaving it out; after a few times in vain the rest is added up instead, so that
        a record of nearly all the weight costs no more than one pass.
        """
        taken: list[int] = []
        for _ in range(self.take):
            for _ in range(4):
                index = self.table.pick(draw)
                draw = split(draw)
                if index not in taken:
                    break
            else:
                index = self._among_the_rest(draw, taken)
                draw = split(draw)
            taken.append(index)
        return taken

    def _among_the_rest(self, draw: int, taken: list[int]) -> int:
        rest = [i for i in range(len(self.weights)) if i not in taken]
        ends = list(accumulate(self.weights[i] for i in rest))
        return rest[bisect_right(ends, draw * ends[-1] >> 64)]

    def encoded(self) -> tuple[Any, ...]:
        return (3, self.weights, self.records, self.take, self.tag)


class Hashed:
    """`take` different records, those with the best scores for the client's network (choice.py).

    keys: 64 bits for each endpoint; weights: positive
    """

    __slots__ = ("counts", "counts_opt", "keys", "leaves", "records", "shares", "tag", "take",
                 "weights")  # fmt: skip
    by_client: ClassVar[bool] = True

    def __init__(
        self,
        keys: tuple[int, ...],
        weights: tuple[int, ...],
        records: tuple[bytes, ...],
        take: int,
        tag: int,
    ) -> None:
        self.keys = keys
        self.weights = weights
        self.records = records
        self.take = take
        self.tag = tag
        self.shares = tuple(1 / weight for weight in weights)
        self.leaves = tuple(leaf(record, tag, 1) for record in records) if take == 1 else ()
        self.counts, self.counts_opt, _, _ = leaf(None, tag, take)

    def choose(self, draw: int) -> Leaf:
        return self._chosen(draw)

    def choose_for(self, draw: int, client: int) -> Leaf:
        return self._chosen(split(network_of(client)))

    def _chosen(self, seed: int) -> Leaf:
        indexes = best(seed, self.keys, self.shares, self.take)
        if self.leaves:
            return self.leaves[indexes[0]]
        records = b"".join([self.records[index] for index in indexes])
        return Leaf(self.counts, self.counts_opt, records, self.tag)

    def encoded(self) -> tuple[Any, ...]:
        return (5, self.keys, self.weights, self.records, self.take, self.tag)


class Nested:
    """One of several answers, by weight; it draws on from a draw of its own."""

    __slots__ = ("answers", "by_client", "table")

    def __init__(self, table: AliasTable, answers: "tuple[Answer, ...]") -> None:
        self.table = table
        self.answers = answers
        self.by_client: bool = any(answer.by_client for answer in answers)

    def choose(self, draw: int) -> Leaf:
        return self.answers[self.table.pick(draw)].choose(split(draw))

    def choose_for(self, draw: int, client: int) -> Leaf:
        return self.answers[self.table.pick(draw)].choose_for(split(draw), client)

    def encoded(self) -> tuple[Any, ...]:
        return (4, tuple(self.table), tuple(answer.encoded() for answer in self.answers))


Answer = Fixed | Shuffled | Weighted | Several | Hashed | Nested


def shuffled(records: Sequence[bytes], take: int, tag: int) -> Answer:
    """Return the answer that gives `take` of the records, which are of one size.

    Up to five records every order is kept, so every order is equally likely. Of more,
    a bounded number of orders and all their rotations: each record is still exactly
    as often at each place as any other.
    """
    if len(records) == 1:
        return Fixed(leaf(records[0], tag, 1))
    size = len(records[0])
    number = max(1, min(SHUFFLES, SHUFFLE_OCTETS // (2 * len(records) * size)))
    bases = tuple(
        b"".join([records[index] for index in order]) * 2 for order in _orders(len(records), number)
    )
    return Shuffled(bases, size, min(take, len(records)), tag)


@lru_cache(maxsize=1024)
def _orders(count: int, number: int) -> tuple[Sequence[int], ...]:
    """Return orders of `count` indexes: all that begin with the first, or `number` of them."""
    if count <= 5:
        return tuple((0, *order) for order in permutations(range(1, count)))
    chance = Random(count)  # seeded: the same on every node
    return tuple(chance.sample(range(count), count) for _ in range(number))


def weighted(parts: Sequence[tuple[int, Answer]]) -> Answer:
    """Return one of the answers by weight. Weights are positive."""
    if len(parts) == 1:
        return parts[0][1]
    table = alias_table([weight for weight, _ in parts])
    answers = tuple(answer for _, answer in parts)
    fixed = [answer.leaf for answer in answers if isinstance(answer, Fixed)]
    if len(fixed) == len(answers):
        return Weighted(table, tuple(fixed))
    return Nested(table, answers)


def decode(code: tuple[Any, ...]) -> Answer:
    """Return the answer that `encoded()` described."""
    kind = code[0]
    if kind == 0:
        return Fixed(_shared(code[1]))
    if kind == 1:
        return Shuffled(*code[1:])
    if kind == 2:
        return Weighted(AliasTable(*code[1]), tuple(map(_shared, code[2])))
    if kind == 3:
        return Several(*code[1:])
    if kind == 5:
        return Hashed(*code[1:])
    return Nested(AliasTable(*code[1]), tuple(map(decode, code[2])))


def _shared(parts: tuple[bytes, bytes, bytes | None, int]) -> Leaf:
    """Return a leaf whose counts are the shared ones, not copies that came over the channel."""
    numbers = parts[0]
    return leaf(
        parts[2],
        parts[3],
        int.from_bytes(numbers[0:2]),
        int.from_bytes(numbers[2:4]),
        int.from_bytes(numbers[4:6]),
    )
