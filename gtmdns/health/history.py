"""How often the state of an endpoint changed, and when it did last: who flaps, and why.

Kept while the process runs and the check stays the same; not saved.
"""

from collections import deque
from dataclasses import dataclass

from .verdict import State

KEPT = 20  # changes for each address and check
HOUR = 60  # minutes


@dataclass(frozen=True, slots=True)
class Change:
    """One change of state. `at`: seconds since the epoch."""

    at: float
    state: State
    reason: str


class History:
    """The last KEPT changes of one key, and how many there were within the hour."""

    __slots__ = ("_changes", "_minutes")

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=KEPT)
        self._minutes: deque[tuple[int, int]] = deque()  # number of the minute, flaps in it

    def add(self, change: Change, now: float, *, flap: bool) -> None:
        """Note a change. `now`: monotonic seconds; `flap`: it was between up and down."""
        self._changes.append(change)
        if not flap:  # a first verdict, or back to none
            return
        minute, count = int(now // 60), 1
        if self._minutes and self._minutes[-1][0] == minute:
            count += self._minutes.pop()[1]
        self._minutes.append((minute, count))
        self._forget(minute)

    def changes(self) -> tuple[Change, ...]:
        """Return the last changes, the oldest first."""
        return tuple(self._changes)

    def flaps(self, now: float) -> int:
        """Return the changes between up and down in 60 minutes, the running one included."""
        self._forget(int(now // 60))
        return sum(count for _, count in self._minutes)

    def _forget(self, minute: int) -> None:
        while self._minutes and self._minutes[0][0] <= minute - HOUR:
            self._minutes.popleft()
