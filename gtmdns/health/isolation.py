"""Whether so much is down at once because it is, or because this machine is cut off.

`Doubt` decides, without a clock or a network. `Canaries` asks.

Rule 1  The share is reached while more than `share` percent of the hosts that have a verdict went
        down within the last `window` seconds and are down still.
Rule 2  When it is reached the canaries are looked at, at once and then each second. Until the
        first look is over, further downs are held back: HOLDING.
Rule 3  A canary answers: what was held back is let through, TRUSTING, and looks go on until the
        share is not reached any more, CALM.
Rule 4  None answers, and one has since they are watched: FROZEN. What went down within the window
        is as it was before, and no result changes a verdict, until two looks in a row found a
        canary that answers.
Rule 5  Canaries that never answered prove nothing: they may be mistyped, and freezing for them
        would hide real deaths for ever. So they are looked at while all is well too, and a log
        line tells that none has answered yet.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from enum import Enum
from functools import cache
from typing import Protocol

from ..config.model import HealthCheck
from .check import Check, Exhausted, ProbeResult

PATIENCE = 2.0  # seconds for the look at one canary
EACH = 1.0  # seconds between looks while in doubt
SELDOM = 10.0  # seconds between looks while all is well
RETURNS = 2  # looks in a row with an answer that end a freeze
UNPROVEN = 3  # looks without any answer yet after which a line tells so

log = logging.getLogger(__name__)


class Isolation(Protocol):
    """`server.isolation` of the configuration. Equal ones compare equal."""

    @property
    def canaries(self) -> tuple[str, ...]: ...  # "192.0.2.1:443", "[2001:db8::1]:443"
    @property
    def share(self) -> int: ...  # percent
    @property
    def window(self) -> float: ...  # seconds


class Phase(Enum):
    CALM = "calm"
    HOLDING = "holding"
    TRUSTING = "trusting"
    FROZEN = "frozen"


Key = tuple[str, str]  # (host, check)


class Doubt:
    """The phase, from what goes down and how looks end. `now`: seconds of a monotonic clock.

    share: percent of the hosts; window: seconds.
    """

    def __init__(self, share: int, window: float) -> None:
        self._share, self._window = share, window
        self.phase = Phase.CALM
        self.proven = False  # a canary has answered
        self._downs: dict[Key, float] = {}  # when each went down, the latest last
        self._hosts: Counter[str] = Counter()  # how many of them are of a host
        self._returns = 0

    def went_down(self, key: Key, now: float, hosts: int) -> Phase:
        """Note that a key went down, of `hosts` with a verdict. Returns what that leads to."""
        self.forget(key)
        self._downs[key] = now
        self._hosts[key[0]] += 1
        if self.phase is Phase.CALM and self.reached(now, hosts):
            self.phase = Phase.HOLDING
        return self.phase

    def forget(self, key: Key) -> None:
        """The key came up again, or is not watched any more."""
        if self._downs.pop(key, None) is not None:
            self._hosts[key[0]] -= 1
            if not self._hosts[key[0]]:
                del self._hosts[key[0]]

    def recent(self, now: float) -> Collection[Key]:
        """Return what went down within the window and is down still."""
        while self._downs:
            oldest = next(iter(self._downs))
            if self._downs[oldest] >= now - self._window:
                break
            self.forget(oldest)
        return self._downs.keys()

    def reached(self, now: float, hosts: int) -> bool:
        """Return whether the share is reached, of `hosts` with a verdict."""
        self.recent(now)
        return len(self._hosts) * 100 > self._share * hosts

    def looked(self, answered: bool | None, now: float, hosts: int) -> Phase:
        """Note how a look at the canaries ended; None: it could not be made. Returns the phase."""
        self.proven = self.proven or answered is True
        if self.phase is Phase.FROZEN:
            self._returns = self._returns + 1 if answered else 0
            if self._returns >= RETURNS:
                self.phase = Phase.CALM
                self._returns = 0
                self._downs.clear()
                self._hosts.clear()
        elif self.phase is not Phase.CALM:
            if not self.reached(now, hosts):
                self.phase = Phase.CALM
            elif answered is False and self.proven:
                self.phase = Phase.FROZEN
            else:
                self.phase = Phase.TRUSTING
        return self.phase


@cache
def canary_check(port: int) -> Check:
    """Return the check that a canary is looked at with."""
    return HealthCheck(type="tcp", port=port, timeout=PATIENCE)


def host_and_port(canary: str) -> tuple[str, int]:
    """Split "192.0.2.1:443" or "[2001:db8::1]:443"."""
    host, _, port = canary.rpartition(":")
    return host.strip("[]"), int(port)


class Canaries:
    """Looks at the canaries, again and again, and tells how each look ended.

    on_look: is given whether any of them answered, None where none could be asked; it returns in
        how many seconds to look again.
    ask: a probe of (host as configured, check).
    """

    def __init__(
        self,
        canaries: tuple[str, ...],
        ask: Callable[[str, Check], Awaitable[ProbeResult]],
        on_look: Callable[[bool | None], float],
    ) -> None:
        self.names = canaries
        self._asked = [host_and_port(canary) for canary in canaries]
        self._ask = ask
        self._on_look = on_look
        self._proven = False  # one has answered
        self._looks = 0
        self._ending: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self.look_now()

    def look_now(self) -> None:
        """Begin a look at this moment; one that is under way does not count."""
        self.stop()
        self._task = asyncio.get_running_loop().create_task(self._keep_looking())

    def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Stop, and wait until every connection is closed."""
        self.stop()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _keep_looking(self) -> None:
        while True:
            answered = await self._look()
            self._proven = self._proven or answered is True
            self._looks += 1
            if self._looks == UNPROVEN and not self._proven:
                log.warning(
                    "isolation: no canary has answered yet (%s); verdicts are not frozen before "
                    "one has", ", ".join(self.names)
                )  # fmt: skip
            await asyncio.sleep(self._on_look(answered))

    async def _look(self) -> bool | None:
        """Ask all at once, until one answers."""
        loop = asyncio.get_running_loop()
        pending = {loop.create_task(self._answers(host, port)) for host, port in self._asked}
        seen: set[bool | None] = set()
        try:
            while pending and True not in seen:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                seen |= {task.result() for task in done}
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        if True in seen:
            return True
        return None if None in seen else False

    async def _answers(self, host: str, port: int) -> bool | None:
        try:
            return (await self._ask(host, canary_check(port))).success
        except Exhausted:
            return None
