"""What is known of one address and check, and what of it outlives the process."""

from dataclasses import dataclass
from hashlib import sha256
from math import inf

from .check import Check
from .verdict import State, Verdict, needed

CheckKey = tuple[str, str]  # endpoint address or host name; name of the check

UNPROVEN = Verdict()


@dataclass(frozen=True, slots=True)
class LastResult:
    success: bool
    reason: str
    elapsed: float  # seconds
    at: float  # seconds since the epoch
    address: str | None  # what was probed; None: a name without an address
    certificate_expires: float | None = None  # seconds since the epoch; None: none was seen


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is known of one key. Counts run since the key was first applied.

    deadline: loop time at which silence becomes a failure; None: it is probed
    """

    verdict: Verdict = UNPROVEN
    last: LastResult | None = None
    successes: int = 0
    failures: int = 0
    deadline: float | None = None

    @property
    def state(self) -> State:
        return self.verdict.state

    @property
    def usable(self) -> bool:
        return self.verdict.usable

    @property
    def since(self) -> float:
        return self.verdict.since

    @property
    def ejections(self) -> int:
        """Ejections in a row: this one included while down, and as of the last result while up."""
        return self.verdict.ejections

    @property
    def ejected_until(self) -> float | None:
        """Loop time before which it does not come up, possibly past; None: not ejected."""
        return self.verdict.ejected_until

    def ejected_for(self, now: float) -> float:
        """Return for how many seconds more it is ejected, 0 where it is not. `now`: loop time."""
        until = self.verdict.ejected_until
        return 0.0 if until is None else max(0.0, until - now)

    def until(self, check: Check | None, now: float) -> float:
        """Return in how many seconds the state could change at the soonest, inf without a check.

        The results that are still needed, an interval apart, and no sooner than an ejection
        allows; where silence would be the first of them, what is left of it. `now`: loop time.
        """
        if check is None:
            return inf
        results = needed(self.verdict, check) * check.interval
        if self.deadline is not None and self.usable:
            results += max(0.0, self.deadline - now) - check.interval
        return max(results, self.ejected_for(now))

    def countdown(self, check: Check, now: float) -> float:
        """Return `until` where it is nearer with each second, as an end is known, else inf."""
        if self.deadline is not None and self.usable:
            return self.until(check, now)
        return self.ejected_for(now) or inf


@dataclass(frozen=True, slots=True)
class SavedVerdict:
    """A verdict as it outlives the process: text and numbers, fit for JSON.

    What is counted and what happened before is not kept.
    """

    host: str
    check: str
    definition: str  # digest of the check that it was made with
    state: str
    since: float  # seconds since the epoch
    ejections: int = 0
    ejected_for: float = 0.0  # seconds more, at the time `at`
    at: float = 0.0  # seconds since the epoch


def save(key: CheckKey, definition: str, standing: Standing, now: float, at: float) -> SavedVerdict:
    """Return what to keep of a standing. `now`: loop time; `at`: seconds since the epoch."""
    verdict, left = standing.verdict, standing.ejected_for(now)
    return SavedVerdict(
        *key, definition, verdict.state.value, verdict.since, verdict.ejections, left, at
    )


def recall(
    saved: SavedVerdict | None, definition: str, check: Check, now: float, at: float
) -> Standing:
    """Return the standing to begin with: unknown where nothing was saved for this definition.

    Counts begin at zero: a restored verdict needs as many results against it as any other. An
    ejection goes on for what is left of it, at most for `eject.max`, wherever the time of day
    was set to meanwhile. Time spent up is set against ejections from now on: nobody saw it pass.
    """
    if saved is None or saved.definition != definition:
        return Standing()
    state = State(saved.state)
    until = None
    if state is State.DOWN and saved.ejected_for > 0:
        left = saved.ejected_for - max(0.0, at - saved.at)
        until = now + min(max(0.0, left), check.eject.max)
    return Standing(
        Verdict(
            state, since=saved.since, ejections=saved.ejections, ejected_until=until, steady=now
        )
    )


def digest(check: Check) -> str:
    """Return a short text that changes with the definition."""
    return sha256(repr(check).encode()).hexdigest()[:16]
