"""Writes the state down: when asked to, and soon after something changed."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

from .state import State, read_state, state_text, write_text

SAVE_EVERY = 2.0  # seconds between two writes of the state, where there is news

log = logging.getLogger(__name__)


class Keeper:
    """Keeps the state in every folder that can be written to.

    state: as it was read, then as it was written last
    """

    def __init__(self, folders: Sequence[Path], fill: Callable[[State], None]) -> None:
        """fill: puts what is true now into the state that is about to be written."""
        self._folders = folders
        self._fill = fill
        # The newest: where state_dir cannot be written, the runtime folder still knows more.
        self.state = max(map(read_state, folders), key=lambda state: state.generation)
        self._dirty = asyncio.Event()
        self._unwritable: set[Path] = set()  # folders that cannot be written, as was told
        self._writing = Lock()
        self._taken = 0  # states that were taken to be written
        self._written = 0  # the number of the newest that is written

    def soon(self) -> None:
        """Something changed that must outlive control."""
        self._dirty.set()

    async def run(self) -> None:
        """Write what changed, until cancelled. Disks and large states do not hold up the loop."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await asyncio.to_thread(self._put, *self._take())
            await asyncio.sleep(SAVE_EVERY)

    def write(self) -> frozenset[Path]:
        """Write now. Returns the folders that took it."""
        return self._put(*self._take())

    def _take(self) -> tuple[int, State]:
        """Return the state as it is now, which nobody changes any more, and its number."""
        self._fill(self.state)
        self._taken += 1
        return self._taken, replace(self.state)

    def _put(self, number: int, state: State) -> frozenset[Path]:
        text = state_text(state)
        with self._writing:
            if number < self._written:  # what was taken after it was quicker
                return frozenset()
            self._written = number
            for folder in self._folders:
                self._put_in(folder, text)
            return frozenset(self._folders) - self._unwritable

    def _put_in(self, folder: Path, text: str) -> None:
        try:
            write_text(folder, text)
            self._unwritable.discard(folder)
        except OSError as error:
            if folder not in self._unwritable:  # once, until it works again
                log.warning("the state cannot be saved in %s: %s", folder, error)
            self._unwritable.add(folder)
