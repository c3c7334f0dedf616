"""Weighted choice in constant time with integers only (Vose's alias method), and sub-draws."""

from math import gcd
from typing import NamedTuple

MASK64 = (1 << 64) - 1


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
