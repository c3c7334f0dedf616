"""How likely each address is in an answer: fractions, exact but where that would take too long."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache, lru_cache
from random import Random

from ..answers.answer import Several
from ..answers.choice import best, network_of, split
from ..compiler.draws import Choice, Drawn, draws_of
from ..compiler.octets import hash_key

EXACT_DRAWS = 8  # endpoints up to which shares of several draws are exact: 4 ms
SUMMED_DRAWS = 14  # up to which they are added up as floats: 50 ms, where fractions take 17 s
ESTIMATES = 50_000  # draws of an estimate for more, which takes 0.6 s

ANYONE = None  # a client at random


def shares_of(choice: Choice, client: int | None = ANYONE) -> Mapping[str, Fraction]:
    """Return for each address the probability that an answer holds it, in the order written.

    client: of 128 bits, IPv4 mapped into ::ffff:0:0/96: what is hashed gives it its own
    """
    shares: dict[str, Fraction] = {}
    for chance, drawn in weighted_draws(choice):
        for address, share in zip(drawn.addresses, shares_drawn(drawn, client), strict=True):
            shares[address] = shares.get(address, Fraction(0)) + share * chance
    return {address: share for address, share in shares.items() if share}


def weighted_draws(
    choice: Choice, chance: Fraction = Fraction(1)
) -> Iterator[tuple[Fraction, Drawn]]:
    """Yield every draw that a choice may come to, and how likely it does."""
    if isinstance(choice, Drawn):
        yield chance, choice
        return
    total = sum(weight for weight, _ in choice.parts)
    for weight, part in choice.parts:
        yield from weighted_draws(part, chance * weight / total)


def is_exact(choice: Choice, client: int | None = ANYONE) -> bool:
    """Return whether the shares of a choice are exact."""
    return all(
        drawn.take == 1
        or drawn.kind == "shuffled"
        or (drawn.kind == "hashed" and client is not None)
        or len(drawn.addresses) <= EXACT_DRAWS
        for drawn in draws_of(choice)
    )


def is_hashed(drawn: Drawn) -> bool:
    """Return whether the client's network decides what is drawn."""
    return drawn.kind == "hashed" and len(drawn.addresses) > 1


def shares_drawn(drawn: Drawn, client: int | None = ANYONE) -> list[Fraction]:
    """Return for each address of a draw the probability that an answer holds it."""
    total = len(drawn.addresses)
    if client is not None and is_hashed(drawn):
        keys = tuple(map(hash_key, drawn.addresses))
        shares = tuple(1 / weight for weight in drawn.weights)
        own = best(split(network_of(client)), keys, shares, drawn.take)
        return [Fraction(index in own) for index in range(total)]
    if drawn.kind == "shuffled" and drawn.take > 1:
        return [Fraction(drawn.take, total)] * total
    if drawn.take == 1:
        return [Fraction(weight, sum(drawn.weights)) for weight in drawn.weights]
    if total > SUMMED_DRAWS:
        return _estimated_shares(drawn.weights, drawn.take)
    one = Fraction(1) if total <= EXACT_DRAWS else 1.0
    return [Fraction(share) for share in _summed_shares(drawn.weights, drawn.take, one)]


@lru_cache(maxsize=256)
def _estimated_shares(weights: tuple[int, ...], take: int) -> list[Fraction]:
    several = Several(weights, (b"",) * len(weights), take, 0)
    chance = Random(0)  # seeded: the same question gets the same answer
    counts = [0] * len(weights)
    for _ in range(ESTIMATES):
        for index in several.indexes(chance.getrandbits(64)):
            counts[index] += 1
    return [Fraction(count, ESTIMATES) for count in counts]


@lru_cache(maxsize=256)
def _summed_shares(
    weights: tuple[int, ...], take: int, one: Fraction | float
) -> list[Fraction | float]:
    """Return how likely each index is among `take` draws by weight without replacement.

    one: 1 as the kind of number to calculate with
    """
    zero = one - one

    @cache
    def reached(drawn: int) -> Fraction | float:
        """Return how likely exactly the indexes of this bit set are the first ones drawn."""
        if not drawn:
            return one
        left = sum(weight for i, weight in enumerate(weights) if not drawn >> i & 1)
        return sum(
            (
                reached(drawn & ~(1 << i)) * weight / (left + weight)
                for i, weight in enumerate(weights)
                if drawn >> i & 1
            ),
            zero,
        )

    sets = [drawn for drawn in range(1 << len(weights)) if drawn.bit_count() == take]
    count = len(weights)
    return [sum((reached(each) for each in sets if each >> i & 1), zero) for i in range(count)]
