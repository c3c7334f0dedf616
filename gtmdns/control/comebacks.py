"""Endpoints that come back: each gains its weight over its pool's `ramp` (docs/decisions.md).

Only an endpoint that was seen unusable by this process comes back: a restart ramps nothing.
Times are monotonic seconds.
"""

from collections.abc import Mapping
from math import inf

from ..config.model import Pool
from ..health.condition import FULL


class Comebacks:
    """When each endpoint was seen usable again. `see` before `parts`."""

    def __init__(self) -> None:
        self._lost: set[tuple[str, str]] = set()  # (pool, address) of those that are not usable
        self._back: dict[tuple[str, str], float] = {}  # since when those are that were not

    def see(self, pool: str, address: str, usable: bool, now: float) -> None:
        """Note whether an endpoint may be given out now."""
        key = (pool, address)
        if not usable:
            self._lost.add(key)
            self._back.pop(key, None)
        elif key in self._lost:
            self._lost.discard(key)
            self._back[key] = now

    def parts(self, pool: str, address: str, ramp: float, now: float) -> tuple[int, float]:
        """Return the parts of its weight that an endpoint has, and in how many seconds the next.

        1 to FULL: one from the first moment, all of them when `ramp` is over.
        """
        since = self._back.get((pool, address)) if ramp else None
        if since is None:
            return FULL, inf
        step = ramp / FULL
        # Half a step in a million is forgiven: a timer's time minus another is not exact.
        parts = max(1, int((now - since) / step + 1e-6))
        if parts >= FULL:
            return FULL, inf
        return parts, max(0.0, since + (parts + 1) * step - now)

    def keep_only(self, pools: Mapping[str, Pool]) -> None:
        """Forget endpoints that the configuration has no more."""
        there = {(name, e.address) for name, pool in pools.items() for e in pool.endpoints}
        self._lost &= there
        self._back = {key: since for key, since in self._back.items() if key in there}
