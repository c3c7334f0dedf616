"""What people say of endpoints, which beats what checks say. Pure: time is an argument.

Rule 1  An override of a pool to down beats any of an endpoint.
Rule 2  Else the endpoint's own override beats its verdict.
Rule 3  Else an override of its pool to up does.

While this process runs an override ends by the monotonic clock, so that nobody who sets the
time of day ends or prolongs it; what outlives the process is seconds since the epoch.
"""

from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from .verdict import State

Target = tuple[str, str | None]  # pool; address or host name, None: the whole pool
Said = Literal["up", "down"]

SLACK = 1.0  # seconds by which two clocks may differ before the time that is shown follows


@dataclass(frozen=True, slots=True)
class Override:
    """What somebody said of a pool, or of one endpoint of it.

    since, expires: seconds since the epoch; expires None: it stays until somebody ends it
    """

    pool: str
    address: str | None
    state: Said
    owner: str
    reason: str
    since: float
    expires: float | None

    @property
    def target(self) -> Target:
        return self.pool, self.address

    @property
    def usable(self) -> bool:
        return State(self.state) is State.UP


@dataclass(frozen=True, slots=True)
class Ruling:
    """The override that decides of an endpoint. `ends`: monotonic seconds, inf: by itself never."""

    override: Override
    ends: float


class Overrides:
    """Those that hold. `now` is monotonic seconds, `wall` seconds since the epoch."""

    def __init__(self) -> None:
        self._ruling: dict[Target, Ruling] = {}

    def __len__(self) -> int:
        return len(self._ruling)

    def put(self, override: Override, now: float, wall: float) -> None:
        """Let `override` hold from now on, in place of what held of its target."""
        ends = inf if override.expires is None else now + override.expires - wall
        self._ruling[override.target] = Ruling(override, ends)

    def drop(self, target: Target) -> Override | None:
        """End the override of `target`; return it, or None where there was none."""
        ruling = self._ruling.pop(target, None)
        return None if ruling is None else ruling.override

    def drop_ended(self, now: float) -> list[Override]:
        """End those whose time is over, and return them."""
        over = [target for target, ruling in self._ruling.items() if ruling.ends <= now]
        return [self._ruling.pop(target).override for target in over]

    def next_end(self) -> float:
        """Return when the first of them ends by itself, monotonic seconds; inf: none does."""
        return min((ruling.ends for ruling in self._ruling.values()), default=inf)

    def ruling(self, pool: str, address: str) -> Ruling | None:
        """Return what decides of an endpoint, None where its verdict does."""
        if not self._ruling:  # the common case, for thousands of endpoints
            return None
        of_pool = self._ruling.get((pool, None))
        if of_pool is not None and not of_pool.override.usable:
            return of_pool
        return self._ruling.get((pool, address)) or of_pool

    def of(self, target: Target, now: float, wall: float) -> Override | None:
        """Return the override of exactly this target."""
        ruling = self._ruling.get(target)
        return None if ruling is None else _shown(ruling, now, wall)

    def all(self, now: float, wall: float) -> list[Override]:
        """Return all, by pool and address; where the time of day was set, they end as it is now."""
        found = [_shown(ruling, now, wall) for ruling in self._ruling.values()]
        return sorted(found, key=lambda override: (override.pool, override.address or ""))

    def trial(self) -> "Overrides":
        """Return a copy, to try on."""
        copy = Overrides()
        copy._ruling = dict(self._ruling)
        return copy


def _shown(ruling: Ruling, now: float, wall: float) -> Override:
    override = ruling.override
    if override.expires is None or abs(wall + ruling.ends - now - override.expires) < SLACK:
        return override
    return replace(override, expires=wall + ruling.ends - now)
