"""How endpoints stand at a moment, as decisions need it: verdicts, overrides and ramps together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

FULL = 10  # parts of a weight: an endpoint that comes back gains them one after the other


@dataclass(frozen=True, slots=True)
class Condition:
    """One endpoint of one pool.

    usable:     its verdict is not down, and no override says down
    barred:     an override says down: it is not answered even where everything is down
    overridden: an override decides, of the endpoint or of its pool
    parts:      of its weight that it has by now, 1 to FULL
    until:      seconds from now in which any of this could change, at the soonest
    """

    usable: bool = True
    barred: bool = False
    overridden: bool = False
    parts: int = FULL
    until: float = inf


WELL = Condition()  # nothing is known against it, nothing can change

Conditions = Mapping[str, Sequence[Condition]]  # by pool: one for each endpoint, in file order
