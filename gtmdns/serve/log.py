"""How a worker logs: over the channel to control, and never so that it has to wait.

Lines wait in a queue with a bound. While there is no channel they go to standard
error, if that can be written at once.
"""

import logging
import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable

QUEUE = 256  # lines that wait for control; further ones are dropped and counted
MAX_TEXT = 8192  # characters of one line, traceback included
ATOMIC = 4096  # octets that a pipe which polls as writable takes without blocking (PIPE_BUF)
QUIET = 1.0  # seconds between two lines about the same thing


def write_error(line: str) -> None:
    """Write one line to standard error if that does not block, else lose it."""
    octets = line.encode("utf-8", "replace")[: ATOMIC - 1] + b"\n"
    try:
        number = sys.stderr.fileno()
        if select.select([], [number], [], 0)[1]:
            os.write(number, octets)
    except (OSError, ValueError):  # closed, or the reader is gone: there is nobody to tell
        return


class ChannelHandler(logging.Handler):
    """The one handler of a worker. `dropped`: lines that found the queue full."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker
        self._lines: deque[tuple[str, str]] = deque()
        self._wake: Callable[[], None] | None = None
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._put(record.levelname.lower(), self.format(record)[:MAX_TEXT])

    def attach(self, wake: Callable[[], None]) -> None:
        """From now on lines wait in the queue; `wake` is called for each."""
        self._wake = wake

    def detach(self) -> None:
        """The channel is gone: what waits, and what comes, goes to standard error."""
        self._wake = None
        for level, text in self.take():
            self._put(level, text)

    def take(self) -> list[tuple[str, str]]:
        """Return the (level, text) pairs that wait, and forget them."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def _put(self, level: str, text: str) -> None:
        if self._wake is None:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            write_error(f"{now} {level} worker {self._worker}: {text}")
        elif len(self._lines) < QUEUE:
            self._lines.append((level, text))
            self._wake()
        else:
            self.dropped += 1


class Rarely:
    """Lets a line through once in a while, so that a flood of packets is no flood of lines."""

    def __init__(self) -> None:
        self._until = 0.0
        self._left_out = 0

    def warning(self, log: logging.Logger, text: str, now: float) -> None:
        """Log `text`, or count it where there was a line within QUIET. `now`: monotonic seconds."""
        if now < self._until:
            self._left_out += 1
            return
        more = f" ({self._left_out} more like it before)" if self._left_out else ""
        self._until, self._left_out = now + QUIET, 0
        log.warning("%s%s", text, more)
