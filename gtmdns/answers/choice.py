"""Choosing: by weight in constant time, integers only (Vose's alias method), sub-draws, hashing.

Hashing is weighted rendezvous: each endpoint gets a score from its key and the client's network,
the best score answers. It is the same on every node and version, so nothing here ever changes:

- the network N: of IPv4 the first 24 bits, with 0xFFFF above them; of IPv6 the first 56 bits
- the key K of an endpoint: 64 bits that the compiler made of its address
- x = mix(split(N) ^ K), mix being the output function of splitmix64 (the last three steps of
  `split`), and u = (x + 1) / 2**64
- the score is -ln(u) / weight, and the smallest is the best

So an endpoint that goes away leaves its own clients alone without an answer, and they are spread
over the others by weight.
"""

from collections.abc import Sequence
from math import gcd, log
from typing import NamedTuple

from .route import EMBEDDINGS, NAT64, SIX_TO_FOUR, TEREDO, embedded_ipv4

MASK64 = (1 << 64) - 1
NETWORK4, NETWORK6 = 24, 56  # bits of a client's address that a hash looks at
_UNIT = 2.0**-64
_EMBEDDED = tuple(
    (marker, 128 - length, EMBEDDINGS[marker][0] >> (128 - length))
    for marker, length in ((m, EMBEDDINGS[m][1]) for m in (SIX_TO_FOUR, NAT64, TEREDO))
)


class AliasTable(NamedTuple):
    """Pick index i with share weights[i] / sum(weights); a 64-bit draw errs by < tickets / 2**64.

    Slot s holds `keep[s]` tickets for index s; its other tickets, up to
    `tickets_per_slot`, belong to index `other[s]`. Integers, not floats: the pure
    and a compiled responder must pick the same index for the same draw.
    """

    keep: tuple[int, ...]
    other: tuple[int, ...]
    tickets_per_slot: int

    @property
    def tickets(self) -> int:
        return len(self.keep) * self.tickets_per_slot

    def pick(self, draw: int) -> int:
        """Return an index. `draw`: uniform in [0, 2**64), made by the caller."""
        slot, ticket = divmod(draw * self.tickets >> 64, self.tickets_per_slot)
        return slot if ticket < self.keep[slot] else self.other[slot]


def alias_table(weights: list[int]) -> AliasTable:
    """Build the table in O(n). Weights are non-negative; at least one is positive."""
    if not weights or min(weights) < 0 or sum(weights) == 0:
        raise ValueError(f"weights must be >= 0 with a positive sum, got {weights}")
    unit = gcd(*weights)
    per_slot = sum(weights) // unit
    left = [weight // unit * len(weights) for weight in weights]  # tickets still to place
    keep, other = [per_slot] * len(weights), list(range(len(weights)))
    poor = [i for i, tickets in enumerate(left) if tickets < per_slot]
    rich = [i for i, tickets in enumerate(left) if tickets > per_slot]
    while poor:
        needy, donor = poor.pop(), rich[-1]
        keep[needy], other[needy] = left[needy], donor
        left[donor] -= per_slot - left[needy]
        if left[donor] <= per_slot:
            rich.pop()
        if left[donor] < per_slot:
            poor.append(donor)
    return AliasTable(tuple(keep), tuple(other), per_slot)


def split(draw: int) -> int:
    """Return the next draw of the same query: one step of splitmix64.

    Nested choices need draws that do not depend on each other, and a query brings one.
    """
    draw = (draw + 0x9E3779B97F4A7C15) & MASK64
    draw = ((draw ^ draw >> 30) * 0xBF58476D1CE4E5B9) & MASK64
    draw = ((draw ^ draw >> 27) * 0x94D049BB133111EB) & MASK64
    return draw ^ draw >> 31


def network_of(client: int) -> int:
    """Return the network N of a client; IPv4 inside IPv6 counts as IPv4.

    client: 128 bits, IPv4 mapped into ::ffff:0:0/96
    """
    if client >> 32 == 0xFFFF:
        return client >> 32 - NETWORK4
    for marker, shift, prefix in _EMBEDDED:
        if client >> shift == prefix:
            return 0xFFFF << NETWORK4 | embedded_ipv4(client, marker) >> 32 - NETWORK4
    return client >> 128 - NETWORK6


def network_scope(client: int) -> int:
    """Return the shortest prefix around a client, of 128 bits, in which all have one network."""
    if client >> 32 == 0xFFFF:
        return 96 + NETWORK4
    for marker, shift, prefix in _EMBEDDED:
        if client >> shift == prefix:
            return 96 + NETWORK4 - EMBEDDINGS[marker][2]
    return NETWORK6


def best(seed: int, keys: Sequence[int], shares: Sequence[float], take: int) -> list[int]:
    """Return the indexes of the `take` best scores, the best first.

    seed:   split(N), or any uniform 64 bits for a client that is not known
    shares: 1 / weight of each
    """
    scores = []
    for key, share in zip(keys, shares):  # noqa: B905  # of one length, and on the query path
        x = seed ^ key  # mix, written out: a call for each would cost as much again
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & 0xFFFF_FFFF_FFFF_FFFF
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & 0xFFFF_FFFF_FFFF_FFFF
        scores.append(-log(((x ^ x >> 31) + 1) * _UNIT) * share)
    if take == 1:
        return [scores.index(min(scores))]
    return sorted(range(len(scores)), key=scores.__getitem__)[:take]
