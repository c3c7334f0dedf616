"""What one worker serves: the snapshot, its cache, its counters. One owner, one thread."""

from collections import defaultdict

from ..answers.cache import AnswerCache
from ..answers.snapshot import Snapshot, empty


class Served:
    """The worker's state that listeners read for each batch.

    counters: plain integers by name; control adds them up over the workers once a second
    """

    __slots__ = ("_snapshot", "cache", "counters")

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.counters: defaultdict[str, int] = defaultdict(int)
        self.snapshot = empty() if snapshot is None else snapshot

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    @snapshot.setter
    def snapshot(self, snapshot: Snapshot) -> None:
        """Serve `snapshot` from the next batch on, with an answer cache of its own."""
        self._snapshot = snapshot
        self.cache = AnswerCache(snapshot)
