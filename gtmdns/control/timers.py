"""What is to be looked at again at a known time: one heap, one timer of the loop.

For all that changes answers without a probe's result: overrides that end, weights that grow
back, pools that may be returned to, TTLs that follow a moment to come. Times are those of the
loop's monotonic clock.
"""

import asyncio
from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Any

LITTER = 1_000  # entries that count no more which may lie in the heap before it is swept


class Timers:
    """A time for each key. Make and use it inside the loop.

    on_due: called with all keys whose time has come; it may set new times
    """

    def __init__(self, on_due: Callable[[list[Any]], None]) -> None:
        self._on_due = on_due
        self._times: dict[Hashable, float] = {}
        self._heap: list[tuple[float, int, Hashable]] = []
        self._order = count()  # keys of one moment need not be comparable
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._times)

    def set(self, key: Hashable, when: float) -> None:
        """Look at `key` at `when`, and at no other time; inf: not at all."""
        if self._times.get(key, inf) == when:
            return
        if when == inf:
            del self._times[key]
            return
        self._times[key] = when
        heappush(self._heap, (when, next(self._order), key))
        if len(self._heap) > LITTER + 2 * len(self._times):
            self._sweep()
        self._arm()

    def keep_only(self, wanted: Callable[[Any], bool]) -> None:
        """Forget every key that is not wanted."""
        self._times = {key: when for key, when in self._times.items() if wanted(key)}

    def close(self) -> None:
        self._times.clear()
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self) -> None:
        first = self._heap[0][0]
        if self._handle is not None:
            if self._handle.when() <= first:
                return
            self._handle.cancel()
        self._handle = asyncio.get_running_loop().call_at(first, self._wake)

    def _wake(self) -> None:
        self._handle = None
        now = asyncio.get_running_loop().time()
        due = []
        while self._heap and self._heap[0][0] <= now:
            when, _, key = heappop(self._heap)
            if self._times.get(key) == when:  # else it was given another time
                del self._times[key]
                due.append(key)
        if self._heap:
            self._arm()
        if due:
            self._on_due(due)

    def _sweep(self) -> None:
        self._heap = [(when, next(self._order), key) for key, when in self._times.items()]
        heapify(self._heap)
