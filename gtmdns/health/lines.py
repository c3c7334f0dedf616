"""Log lines of changed states: each one in quiet times, few and a sum when much fails at once."""

import asyncio
import logging
import time
from collections import Counter

from .standing import CheckKey, Standing
from .verdict import State

LINES = 20  # in each second; what more there is comes as one line at its end

log = logging.getLogger(__name__)


class Lines:
    """Writes a line for each change, at most LINES in a second. Use it inside one loop."""

    def __init__(self) -> None:
        self._ends = 0.0  # loop time of the end of the running second
        self._left = LINES
        self._more: Counter[State] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, key: CheckKey, before: Standing, after: Standing, why: str, at: float) -> None:
        """Write that the state of `key` changed, or count it for the sum.

        at: seconds since the epoch.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= self._ends:
            self.finish()
            self._ends, self._left = loop.time() + 1.0, LINES
        if self._left:
            self._left -= 1
            _log_change(key, before, after, why, at)
            return
        self._more[after.state] += 1
        if self._timer is None:
            self._timer = loop.call_at(self._ends, self.finish)

    def finish(self) -> None:
        """Write the sum of what has been counted, if anything has."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        more, self._more = self._more, Counter()
        if more:
            each = ", ".join(f"{more[state]} {state.value}" for state in State if more[state])
            level = logging.WARNING if more[State.DOWN] else logging.INFO
            log.log(level, "checks: and %d more changed: %s", more.total(), each)


def _log_change(key: CheckKey, before: Standing, after: Standing, why: str, at: float) -> None:
    """Write one line with both times: how long the old state held, and since when the new does."""
    host, name = key
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(after.since))
    held = ""
    was_set_back = at < before.since  # the time of day
    if State.UNKNOWN not in (before.state, after.state) and not was_set_back:
        held = f", {before.state.value} for {at - before.since:.1f} s before"
    level = logging.WARNING if after.state is State.DOWN else logging.INFO
    text = "check %s: %s is %s since %s (%s)%s"
    log.log(level, text, name, host, after.state.value, since, why, held)
