"""Overrides as control has them: put, ended, expired, and told of."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from ..health.overrides import Override, Overrides, Target
from .events import Events

log = logging.getLogger(__name__)


class Wake(Protocol):
    """Sets the time at which `Overriding.end_ended` is to be called, monotonic seconds."""

    def __call__(self, when: float) -> None: ...


class Overriding:
    """Those that hold, and whoever must know.

    touch: called with the pool of which answers may change; wake: as Wake
    """

    def __init__(self, events: Events, touch: Callable[[str], None], wake: Wake) -> None:
        self.overrides = Overrides()
        self._events = events
        self._touch = touch
        self._wake = wake

    def all(self) -> list[Override]:
        """Return those that hold; where the time of day was set, they end as it is now."""
        return self.overrides.all(asyncio.get_running_loop().time(), time.time())

    def trial(self, override: Override) -> Overrides:
        """Return how it would be with `override`."""
        trial = self.overrides.trial()
        trial.put(override, asyncio.get_running_loop().time(), time.time())
        return trial

    def put(self, override: Override) -> None:
        """Let an override hold from now on."""
        self.overrides.put(override, asyncio.get_running_loop().time(), time.time())
        log.warning(
            "override: %s is %s, says %s: %s",
            shown(override.target), override.state, override.owner, override.reason,
        )  # fmt: skip
        self._tell("set", override)
        self.end_ended()

    def end(self, target: Target) -> Override | None:
        """End an override; return it, or None where there is none."""
        override = self.overrides.drop(target)
        if override is not None:
            log.warning("the override of %s to %s was ended", shown(target), override.state)
            self._tell("ended", override)
            self.end_ended()
        return override

    def restore(self, saved: Iterable[Override]) -> None:
        """Let what was saved hold on; what has ended meanwhile is told as ended now."""
        now, wall = asyncio.get_running_loop().time(), time.time()
        for override in saved:
            self.overrides.put(override, now, wall)
        self.end_ended()

    def end_ended(self) -> None:
        """End those whose time is over."""
        for override in self.overrides.drop_ended(asyncio.get_running_loop().time()):
            log.warning("the override of %s to %s is over", shown(override.target), override.state)
            self._tell("expired", override)
        self._wake(self.overrides.next_end())

    def _tell(self, change: str, override: Override) -> None:
        self._events.tell(
            "override",
            change=change,
            target=shown(override.target),
            state=override.state,
            owner=override.owner,
            reason=override.reason,
        )
        self._touch(override.pool)


def shown(target: Target) -> str:
    """Return a target as people write it: POOL or POOL/ADDRESS."""
    pool, address = target
    return pool if address is None else f"{pool}/{address}"
