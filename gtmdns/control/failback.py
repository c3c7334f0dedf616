"""When a chain may return to a pool: the clocks of pools, and what was let return (`failback`).

Rule 1  A pool has a clock for each family, as it is available by family: dead IPv6 must not
        keep IPv4 away from a pool that serves it well.
Rule 2  A pool that was seen unavailable is held for a record until it has been available again
        for the record's delay.
Rule 3  A release ends that for one record, until the pool is unavailable again.

Who starts knows no clock: nothing is held. What is saved is in seconds since the epoch, all else
by the monotonic clock.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf

from ..compiler.decide import FAMILIES
from ..compiler.draws import Family

NOTHING: Mapping[str, float] = {}
Release = tuple[str, str, Family]  # record, pool, and for which family


@dataclass(frozen=True, slots=True)
class SavedClock:
    """A clock as it outlives the process. `back`: available since; None: it is not."""

    pool: str
    family: Family
    back: float | None


class Failback:
    """The clocks and the releases."""

    def __init__(self) -> None:
        # Pools seen unavailable for a family: available since, None while they are not
        self._back: dict[tuple[str, Family], float | None] = {}
        self._released: set[Release] = set()

    def see(self, pool: str, family: Family, available: bool, now: float) -> bool:
        """Note how a pool is. Returns whether its clock changed."""
        key = (pool, family)
        if not available:
            if key in self._back and self._back[key] is None:
                return False
            self._back[key] = None
            self._released = {each for each in self._released if each[1:] != key}
            return True
        if self._back.get(key, now) is not None:
            return False
        self._back[key] = now
        return True

    def held(
        self, record: str, delay: float, pools: Iterable[str], family: Family, now: float
    ) -> Mapping[str, float]:
        """Return which of `pools` a record must not return to, and for how many seconds more.

        delay: seconds, inf: until it is released
        """
        if not self._back:  # the common case
            return NOTHING
        found = {}
        for pool in pools:
            if (pool, family) not in self._back or (record, pool, family) in self._released:
                continue
            back = self._back[pool, family]
            left = inf if back is None else back + delay - now
            if left > 0:
                found[pool] = left
        return found

    def is_back(self, pool: str, family: Family) -> bool:
        """Return whether a pool that was seen unavailable is available again."""
        return self._back.get((pool, family)) is not None

    def release(
        self, record: str, pools: Collection[str], families: Iterable[Family] = FAMILIES
    ) -> list[str]:
        """Let a record return to those of `pools` that are available; return which are new."""
        new = {
            (record, pool, family)
            for pool in pools
            for family in families
            if self.is_back(pool, family)
        } - self._released
        self._released |= new
        return sorted({pool for _, pool, _ in new})

    def keep_only(self, pools: Collection[str], records: Collection[str]) -> None:
        """Forget pools and records that the configuration has no more."""
        self._back = {key: back for key, back in self._back.items() if key[0] in pools}
        self._released = {
            each for each in self._released if each[0] in records and each[1:] in self._back
        }

    def saved(self, now: float, wall: float) -> tuple[list[SavedClock], list[Release]]:
        """Return the clocks and the releases, fit for JSON."""
        clocks = [
            SavedClock(pool, family, None if back is None else wall - (now - back))
            for (pool, family), back in sorted(self._back.items())
        ]
        return clocks, sorted(self._released)

    def restore(
        self,
        clocks: Iterable[SavedClock],
        released: Iterable[Release],
        now: float,
        wall: float,
    ) -> None:
        """Go on with what was saved; a moment to come, as the clock was set back, is now."""
        for clock in clocks:
            back = None if clock.back is None else now - max(0.0, wall - clock.back)
            self._back[clock.pool, clock.family] = back
        self._released.update(released)
