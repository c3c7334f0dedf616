"""What one worker serves: the snapshot, its cache, its counters. One owner, one thread."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Protocol

from ..answers.cache import AnswerCache
from ..answers.snapshot import Snapshot, empty


class Cache(Protocol):
    """An answer cache: `AnswerCache`, or its compiled twin."""

    snapshot: Snapshot

    def __len__(self) -> int: ...

    def respond(
        self, packet: bytes, host: str, draw: int, now: int | None = None
    ) -> bytes | None: ...

    def release(self) -> Iterator[None]: ...


class Served:
    """The worker's state that listeners read for each batch.

    counters: plain integers by name; control adds them up over the workers once a second
    """

    __slots__ = ("_new_cache", "_snapshot", "cache", "counters")

    def __init__(
        self,
        snapshot: Snapshot | None = None,
        new_cache: Callable[[Snapshot], Cache] = AnswerCache,
    ) -> None:
        self.counters: defaultdict[str, int] = defaultdict(int)
        self._new_cache = new_cache
        self.snapshot = empty() if snapshot is None else snapshot

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    @snapshot.setter
    def snapshot(self, snapshot: Snapshot) -> None:
        """Serve `snapshot` from the next batch on, with an answer cache of its own."""
        self._snapshot = snapshot
        self.cache = self._new_cache(snapshot)
