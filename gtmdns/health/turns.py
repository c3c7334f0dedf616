"""Who may probe now: a bound on probes at once, and a tighter one on those that just began.

A probe that hangs costs a descriptor and no time, so many may be open. One that just began
costs the loop time, a TLS handshake most of all: where too many begin together each gets so
little of it that good endpoints run into their timeouts.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

STARTING = 128  # probes in their first SETTLED seconds: 512 may begin each second if all hang
SETTLED = 0.25  # seconds


class Turns:
    """Hands out turns in the order in which they were asked for. Use it inside one loop.

    at_once: probes with a turn at the same time, at least 1.
    """

    def __init__(self, at_once: int, starting: int = STARTING) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._starts = asyncio.Semaphore(starting)
        self.running = 0
        self.waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it for the body."""
        self.waiting += 1
        try:
            await self._turns.acquire()
            try:
                await self._starts.acquire()
            except asyncio.CancelledError:
                self._turns.release()
                raise
        finally:
            self.waiting -= 1
        start = _Start(self._starts)
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            start.end()
            self._turns.release()


class _Start:
    """One place among those that just began; given back once, after SETTLED or at the end."""

    def __init__(self, starts: asyncio.Semaphore) -> None:
        self._starts: asyncio.Semaphore | None = starts
        self._timer = asyncio.get_running_loop().call_later(SETTLED, self.end)

    def end(self) -> None:
        starts, self._starts = self._starts, None
        if starts is not None:
            self._timer.cancel()
            starts.release()
