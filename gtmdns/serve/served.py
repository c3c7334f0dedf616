"""What one worker serves: the snapshot, its cache, its counters. One owner, one thread."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Protocol

from ..answers.cache import AnswerCache
from ..answers.snapshot import Snapshot, empty
from ..wire.constants import MAX_TCP

MAX_PREPARED_TCP = 8192  # questions; about 4 MB when full


class Cache(Protocol):
    """An answer cache: `AnswerCache`, or its compiled twin."""

    snapshot: Snapshot

    def __len__(self) -> int: ...

    def respond(
        self, packet: bytes, host: str, draw: int, now: int | None = None
    ) -> bytes | None: ...

    def build(self) -> Iterator[None]: ...

    def release(self) -> Iterator[None]: ...


class Served:
    """The worker's state that listeners read for each batch.

    cache:     of answers over UDP
    tcp_cache: of answers over TCP, which are cut less
    counters:  plain integers by name; control adds them up over the workers once a second
    """

    __slots__ = ("_new_cache", "_snapshot", "cache", "counters", "tcp_cache")

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
        """Serve `snapshot` from the next batch on, with answer caches of its own."""
        self._snapshot = snapshot
        self.cache = self._new_cache(snapshot)
        self.tcp_cache = AnswerCache(snapshot, MAX_TCP, MAX_PREPARED_TCP)
