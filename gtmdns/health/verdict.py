"""From single probe results to a steady verdict. Pure: no clock, no network, no logging.

Rule 1  UNKNOWN: the first result decides alone.
Rule 2  UP: each failure is counted, and `fall` counted failures make it DOWN.
        `clear` successes in a row wipe the count: with `clear` 1 the failures must be
        consecutive, with more an endpoint that fails every other time goes down too.
Rule 3  DOWN: `rise` successes in a row make it UP; a failure starts them afresh.
"""

from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    UNKNOWN = "unknown"  # no result yet; usable, so that a restart blanks nothing
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held to be true of one address and check.

    counted: results against `state` so far: failures while UP, successes in a row while DOWN.
    calm: successes in a row since the last counted failure; 0 unless UP with `counted` above 0.
    since: seconds since the epoch of the last change of `state`; for people, not for arithmetic.
    """

    state: State = State.UNKNOWN
    counted: int = 0
    calm: int = 0
    since: float = 0.0

    @property
    def usable(self) -> bool:
        return self.state is not State.DOWN


def judge(
    verdict: Verdict, success: bool, *, fall: int, rise: int, clear: int, now: float
) -> Verdict:
    """Return the verdict after one more probe result. The thresholds are at least 1."""
    if verdict.state is State.UNKNOWN:
        return Verdict(State.UP if success else State.DOWN, since=now)
    if verdict.state is State.UP:
        return _while_up(verdict, success, fall, clear, now)
    return _while_down(verdict, success, rise, now)


def _while_up(verdict: Verdict, success: bool, fall: int, clear: int, now: float) -> Verdict:
    if not success:
        if verdict.counted + 1 >= fall:
            return Verdict(State.DOWN, since=now)
        return replace(verdict, counted=verdict.counted + 1, calm=0)
    if verdict.counted == 0:  # the common case: nothing to wipe, nothing to allocate
        return verdict
    if verdict.calm + 1 >= clear:
        return replace(verdict, counted=0, calm=0)
    return replace(verdict, calm=verdict.calm + 1)


def _while_down(verdict: Verdict, success: bool, rise: int, now: float) -> Verdict:
    if not success:
        return replace(verdict, counted=0) if verdict.counted else verdict
    if verdict.counted + 1 >= rise:
        return Verdict(State.UP, since=now)
    return replace(verdict, counted=verdict.counted + 1)


def needed(verdict: Verdict, *, fall: int, rise: int) -> int:
    """Return how many results, at least, stand between this verdict and another state."""
    if verdict.state is State.UNKNOWN:
        return 1
    return max(1, (fall if verdict.state is State.UP else rise) - verdict.counted)
