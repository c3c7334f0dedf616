"""What happened, told to whoever listens, and for a while to those who come later.

An id is START-NUMBER: numbers grow by one, and START is that of this process, so that a listener
who comes back after a restart is given all that there is rather than nothing.
"""

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

KEPT = 1_000  # events for listeners who come back
WAITING = 512  # events that may wait for a listener; one who is slower than that is left out
MAX_LISTENERS = 16


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `text`: it as JSON."""

    number: int
    kind: str
    text: str


@dataclass(slots=True, eq=False)
class Listener:
    """Whoever reads events. `gone`: was too slow, or the server stops: nothing more will come."""

    waiting: deque[Event] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False

    async def take(self) -> list[Event]:
        """Wait for events and return them; none: there will be no more."""
        while not self.waiting and not self.gone:
            self.wake.clear()
            await self.wake.wait()
        events = list(self.waiting)
        self.waiting.clear()
        return events


class TooManyListeners(Exception):
    """There are MAX_LISTENERS already."""


class Events:
    """The last KEPT events, and who listens for more."""

    def __init__(self) -> None:
        self.start = format(time.time_ns() // 1_000_000, "x")
        self._number = 0
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._listeners: set[Listener] = set()

    def tell(self, kind: str, **what: Any) -> None:
        """Something happened. `what`: plain data."""
        self._number += 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = Event(self._number, kind, json.dumps({"at": at, **what}))
        self._kept.append(event)
        for listener in list(self._listeners):
            if len(listener.waiting) >= WAITING:
                self._leave_out(listener)
                continue
            listener.waiting.append(event)
            listener.wake.set()

    def id_of(self, event: Event) -> str:
        return f"{self.start}-{event.number}"

    def listen(self, last_id: str = "") -> Listener:
        """Return a listener who gets what comes, after what came since `last_id`.

        Without an id only what comes. An id of another start, or none of ours: all that is kept.
        Raises TooManyListeners.
        """
        if len(self._listeners) >= MAX_LISTENERS:
            raise TooManyListeners
        listener = Listener()
        if last_id:
            start, _, number = last_id.rpartition("-")
            known = start == self.start and number.isascii() and number.isdigit()
            seen = int(number) if known else 0
            listener.waiting.extend(event for event in self._kept if event.number > seen)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def close(self) -> None:
        """Tell every listener that this is the end."""
        for listener in list(self._listeners):
            self._leave_out(listener)

    def _leave_out(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        listener.gone = True
        listener.wake.set()
