"""What the workers counted, added up over all of them and over their lives.

A worker tells totals since it began, and a tally of the generation it serves. Control
adds what is new since that worker's last words, so that a worker which dies takes no
count with it, and a control that is new begins with what the living ones tell.
"""

from collections import Counter
from dataclasses import dataclass, field

from ..answers import answer as tags
from ..compiler.build import BASE_BITS, MAX_COUNTED, OTHER
from ..compiler.plan import Plan
from ..wire.constants import RCODES

GAUGES = ("tcp_connections", "compiled")  # what workers tell beside counts
KEPT_GENERATIONS = 8  # of which numbers can still be read; a worker lags by one at most

# What a tag of every generation means: (rcode, reason of an answer or nothing)
_COMMON: dict[int, tuple[str, str]] = {
    tags.STATIC: ("NOERROR", "static"),
    tags.NODATA: ("NOERROR", ""),
    tags.NXDOMAIN: ("NXDOMAIN", ""),
    tags.REFERRAL: ("NOERROR", ""),
    tags.REFUSED: ("REFUSED", ""),
    tags.FORMERR: ("FORMERR", ""),
    tags.NOTIMP: ("NOTIMP", ""),
    tags.BADVERS: ("BADVERS", ""),
    tags.SERVFAIL: ("SERVFAIL", ""),
    tags.ANY: ("NOERROR", "static"),
    tags.ABOUT: ("NOERROR", ""),
    tags.YXDOMAIN: ("YXDOMAIN", ""),
}
_DROPPED = {tags.SHORT: "short", tags.RESPONSE: "response"}


@dataclass(slots=True)
class Totals:
    """Sums by label, as the metrics show them.

    responses: by (zone, rcode)
    answers:   by (owner, pool, reason)
    dropped:   by reason
    plain:     by the worker's own names
    """

    responses: Counter[tuple[str, str]] = field(default_factory=Counter)
    answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    plain: Counter[str] = field(default_factory=Counter)
    truncated: int = 0


class Counters:
    """Adds up. `totals` is what metrics read."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._plans: dict[int, Plan] = {}
        self._last_counters: dict[int, Counter[str]] = {}  # by process
        self._last_tally: dict[int, tuple[int, Counter[int]]] = {}
        self._owners: set[str] = set()  # that have series of their own

    def know(self, generation: int, plan: Plan) -> None:
        """Remember how to read the tallies of a generation."""
        self._plans[generation] = plan
        for old in sorted(self._plans)[:-KEPT_GENERATIONS]:
            del self._plans[old]

    def forget(self, pid: int) -> None:
        """A worker is gone for good; what it told stays counted."""
        self._last_counters.pop(pid, None)
        self._last_tally.pop(pid, None)

    def add(self, pid: int, generation: int, totals: dict[str, int], tally: dict[int, int]) -> None:
        """Add a "stats" frame of one worker."""
        counted = Counter(totals)
        for gauge in GAUGES:
            del counted[gauge]
        self.totals.plain.update(counted - self._last_counters.get(pid, Counter()))
        self._last_counters[pid] = counted
        known_generation, before = self._last_tally.get(pid, (generation, Counter()))
        if known_generation != generation:
            before = Counter()
        now = Counter(tally)
        self._last_tally[pid] = (generation, now)
        plan = self._plans.get(generation)
        if plan is not None:
            for key, number in (now - before).items():
                self._add_tag(plan, key, number)

    def _add_tag(self, plan: Plan, key: int, number: int) -> None:
        base, tag = key >> BASE_BITS, key & ((1 << BASE_BITS) - 1)
        totals = self.totals
        if base == 0 and tag == tags.TRUNCATED:
            totals.truncated += number
        elif base == 0 and tag in _DROPPED:
            totals.dropped[_DROPPED[tag]] += number
        else:
            zone, owner = plan.counted[base]
            pool = ""
            if tag >= tags.FIRST_TAG:
                code, pool, reason = plan.tags[tag - tags.FIRST_TAG]
                rcode = RCODES[code]
            else:
                rcode, reason = _COMMON[tag]
            totals.responses[zone, rcode] += number
            if reason:
                totals.answers[self._label(owner), pool, reason] += number

    def _label(self, owner: str) -> str:
        """Return the name to count by: names come and go with reloads, their series stay."""
        if owner not in self._owners:
            if len(self._owners) >= MAX_COUNTED:
                return OTHER
            self._owners.add(owner)
        return owner
