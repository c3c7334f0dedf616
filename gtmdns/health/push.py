"""Endpoints that tell of themselves, and the silence of those that do not."""

import asyncio
from collections.abc import Callable

from .standing import CheckKey


class Silence:
    """Says when a key was silent for an interval: `on_silence(key)`, once for each in a row.

    The first ends one interval after `watch`. It follows the loop's monotonic clock.
    """

    def __init__(self, on_silence: Callable[[CheckKey], None]) -> None:
        self._on_silence = on_silence
        self._timers: dict[CheckKey, asyncio.TimerHandle] = {}

    def __contains__(self, key: CheckKey) -> bool:
        return key in self._timers

    def deadline(self, key: CheckKey) -> float | None:
        """Return when the running interval ends, loop time; None where `key` is not watched."""
        timer = self._timers.get(key)
        return None if timer is None else timer.when()

    def watch(self, key: CheckKey, interval: float) -> None:
        """Begin an interval of silence now, in place of the running one if there is one."""
        self.forget(key)
        self._begin(key, asyncio.get_running_loop().time(), interval)

    def forget(self, key: CheckKey) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _begin(self, key: CheckKey, start: float, interval: float) -> None:
        end = start + interval
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_at(end, self._end, key, end, interval)

    def _end(self, key: CheckKey, end: float, interval: float) -> None:
        # One failure where the loop stood still for many intervals: a push may lie in the socket.
        late = asyncio.get_running_loop().time() - end >= interval
        self._begin(key, asyncio.get_running_loop().time() if late else end, interval)
        self._on_silence(key)
