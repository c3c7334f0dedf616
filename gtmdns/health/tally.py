"""Counts of probe results for metrics: plain numbers, owned by the monitor alone."""

from bisect import bisect_left
from dataclasses import dataclass, field

# Upper bounds in seconds: from a neighbour in the same rack to the longest usual timeout.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class CheckTally:
    """All results of one check, over all its endpoints.

    buckets: durations by bound of BUCKETS, not cumulative; the last one is above them all.
    """

    successes: int = 0
    failures: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def add(self, success: bool, elapsed: float) -> None:
        if success:
            self.successes += 1
        else:
            self.failures += 1
        self.seconds += elapsed
        self.buckets[bisect_left(BUCKETS, elapsed)] += 1
