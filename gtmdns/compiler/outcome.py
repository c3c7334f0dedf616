"""What is said of a decision: how it was looked for, how each pool was found, and the outcome."""

from dataclasses import dataclass
from enum import Enum
from math import inf

from .draws import Choice


class Mode(Enum):
    """What counts as available, in the order in which it is tried."""

    MINIMUM = "min_available of its endpoints are usable"
    ANY = "any endpoint is usable"
    ALL = "every endpoint is taken for usable, but those that an override bars"


class Turn(Enum):
    """How a walk takes pools that are held back (failback)."""

    OUTSIDE = "no chain is around: nothing is held back"
    FIRST = "as not available"
    SECOND = "as any other: the first turn of the chain around found nothing"


@dataclass(frozen=True, slots=True)
class PoolTrace:
    """How a pool was looked at. `needed`: usable endpoints that make it available.

    held: it is available, and passed over all the same: a chain does not return to it yet
    """

    name: str
    available: bool
    usable: int
    total: int
    needed: int
    reason: str  # "2 of 3 endpoints usable", and what is missing
    held: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision. `choice` and `cname` None: NODATA, or SERVFAIL where `servfail` is set.

    reachable:  some pool of the target has endpoints of the family
    until:      seconds from now in which anything that was looked at could change
    cname:      the name that is answered in place of endpoints
    overridden: an override decides about something that was looked at
    returned:   pools that were held back, and answer as nothing later is available
    """

    choice: Choice | None
    all_down: bool
    servfail: bool = False
    reachable: bool = True
    trace: tuple[PoolTrace, ...] = ()
    until: float = inf
    cname: str | None = None
    overridden: bool = False
    returned: frozenset[str] = frozenset()
