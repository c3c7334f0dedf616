"""From single probe results to a steady verdict. Pure: no clock, no network, no logging.

Rule 1  UNKNOWN: the first result decides alone.
Rule 2  UP: each failure is counted, and `fall` counted failures make it DOWN.
        `clear` successes in a row wipe the count: with `clear` 1 the failures must be
        consecutive, with more an endpoint that fails every other time goes down too.
Rule 3  DOWN: `rise` successes in a row make it UP; a failure starts them afresh.
Rule 4  Going from UP to DOWN ejects for `eject.base` times the ejections in a row, at most for
        `eject.max`. Successes count meanwhile, but UP comes no sooner than the ejection is over:
        then by itself where enough have been collected (`next_change`, `settle`).
Rule 5  Each `eject.base` spent UP takes one off the ejections in a row.

Two times are passed in: `now`, seconds of a monotonic clock, for all arithmetic; `at`, seconds
since the epoch, which anybody may set, for people alone.
"""

from dataclasses import dataclass, replace
from enum import Enum
from math import inf
from typing import Protocol


class State(Enum):
    UNKNOWN = "unknown"  # no result yet; usable, so that a restart blanks nothing
    UP = "up"
    DOWN = "down"


class Eject(Protocol):
    """Seconds; `base` 0: nothing is ejected."""

    @property
    def base(self) -> float: ...
    @property
    def max(self) -> float: ...


class Rules(Protocol):
    """The thresholds, each at least 1."""

    @property
    def fall(self) -> int: ...
    @property
    def rise(self) -> int: ...
    @property
    def clear(self) -> int: ...
    @property
    def eject(self) -> Eject: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held to be true of one address and check.

    counted: results against `state` so far: failures while UP, successes in a row while DOWN.
    calm: successes in a row since the last counted failure; 0 unless UP with `counted` above 0.
    since: seconds since the epoch of the last change of `state`; for people, not for arithmetic.
    ejections: in a row, this one included while DOWN; 0 where nothing is ejected.
    ejected_until: monotonic seconds, possibly past; None unless DOWN by an ejection.
    steady: monotonic seconds up to which time spent UP was set against `ejections`.
    """

    state: State = State.UNKNOWN
    counted: int = 0
    calm: int = 0
    since: float = 0.0
    ejections: int = 0
    ejected_until: float | None = None
    steady: float = 0.0

    @property
    def usable(self) -> bool:
        return self.state is not State.DOWN


def judge(verdict: Verdict, success: bool, rules: Rules, *, now: float, at: float) -> Verdict:
    """Return the verdict after one more result."""
    verdict = settle(verdict, rules, now=now, at=at)
    if verdict.state is State.UNKNOWN:
        return Verdict(State.UP if success else State.DOWN, since=at, steady=now)
    if verdict.state is State.UP:
        return _while_up(verdict, success, rules, now, at)
    return _while_down(verdict, success, rules, now, at)


def settle(verdict: Verdict, rules: Rules, *, now: float, at: float) -> Verdict:
    """Return what time alone has made of the verdict by `now`: UP where only that was waited for.

    It is up since its ejection was over, however late this is called.
    """
    ended = next_change(verdict, rules)
    if now < ended:
        return verdict
    return Verdict(State.UP, since=at - (now - ended), ejections=verdict.ejections, steady=ended)


def next_change(verdict: Verdict, rules: Rules) -> float:
    """Return when the verdict changes without another result, monotonic seconds; inf: never."""
    if verdict.ejected_until is None or verdict.counted < rules.rise:
        return inf
    return verdict.ejected_until


def needed(verdict: Verdict, rules: Rules) -> int:
    """Return how many results, at least, stand between this verdict and another state.

    0 where an ejection's end is all that is missing.
    """
    if verdict.state is State.UNKNOWN:
        return 1
    return (rules.fall if verdict.state is State.UP else rules.rise) - verdict.counted


def anew(verdict: Verdict) -> Verdict:
    """Return the verdict with nothing counted against it."""
    return replace(verdict, counted=0, calm=0) if verdict.counted else verdict


def _while_up(verdict: Verdict, success: bool, rules: Rules, now: float, at: float) -> Verdict:
    if verdict.ejections:
        verdict = _forgive(verdict, rules.eject.base, now)
    if not success:
        if verdict.counted + 1 >= rules.fall:
            return _go_down(verdict, rules.eject, now, at)
        return replace(verdict, counted=verdict.counted + 1, calm=0)
    if verdict.counted == 0:  # the common case: nothing to wipe, nothing to allocate
        return verdict
    if verdict.calm + 1 >= rules.clear:
        return replace(verdict, counted=0, calm=0)
    return replace(verdict, calm=verdict.calm + 1)


def _while_down(verdict: Verdict, success: bool, rules: Rules, now: float, at: float) -> Verdict:
    if not success:
        return anew(verdict)
    if verdict.counted + 1 < rules.rise:
        return replace(verdict, counted=verdict.counted + 1)
    if verdict.ejected_until is not None and now < verdict.ejected_until:
        return replace(verdict, counted=rules.rise)
    return Verdict(State.UP, since=at, ejections=verdict.ejections, steady=now)


def _go_down(verdict: Verdict, eject: Eject, now: float, at: float) -> Verdict:
    if not eject.base:
        return Verdict(State.DOWN, since=at)
    ejections = verdict.ejections + 1
    until = now + min(eject.base * ejections, eject.max)
    return Verdict(State.DOWN, since=at, ejections=ejections, ejected_until=until)


def _forgive(verdict: Verdict, base: float, now: float) -> Verdict:
    """Set the time spent up against the ejections, in whole bases; the rest stays to be set."""
    bases = int((now - verdict.steady) // base)
    if bases <= 0:
        return verdict
    left = max(0, verdict.ejections - bases)
    return replace(verdict, ejections=left, steady=verdict.steady + bases * base)
