"""One process of the parent's: started with exec, heard over its lifeline, started again."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence

from .lifeline import Lifeline

QUICK = 1.0  # second; a process that lived shorter died "again", and the next waits longer
FIRST_DELAY, LAST_DELAY = 0.05, 0.5  # seconds before a start, doubled with each quick death

CommandLine = tuple[Sequence[str], Sequence[int]]  # words, and descriptors to inherit


class Child:
    """A process that has to run for as long as the parent does.

    name:    for the log: "control", "worker 0"
    command: what to run, for the descriptor of its lifeline; called for each start
    on_line: called with the child and what it said, but for "alive"
    ready:   it said so; None of the others holds before that
    silence: seconds of the parent's watch since the last "alive"; 0 before the first
    """

    def __init__(
        self,
        name: str,
        command: Callable[[int], CommandLine],
        on_line: Callable[["Child", str], None],
    ) -> None:
        self.name = name
        self.pid: int | None = None
        self.ready = False
        self.deaths = 0
        self.silence = 0.0
        self._command = command
        self._on_line = on_line
        self._lifeline: Lifeline | None = None
        self._heard = False
        self._started_at = 0.0
        self._quick_deaths = 0

    def start(self) -> None:
        """Start the process. Raises OSError where that cannot be done now."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                words, descriptors = self._command(theirs.fileno())
                process = subprocess.Popen(  # noqa: S603  # our own commands
                    words,
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), *descriptors),
                    start_new_session=True,  # Ctrl-C in a terminal is the parent's to see
                    preexec_fn=_ignore_hangup,
                )
            except BaseException:
                ours.close()
                raise
        process.returncode = 0  # the supervisor reaps; this object must not, nor complain
        self.pid = process.pid
        self._started_at = asyncio.get_running_loop().time()
        self._lifeline = Lifeline(ours, self._hear, on_gone=_nothing)

    def say(self, line: str) -> None:
        """Send a line to the process, if it runs."""
        if self._lifeline is not None:
            self._lifeline.say(line)

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self.pid is not None:
            os.kill(self.pid, number)  # it is not reaped yet, so the number is still its own

    def watch(self, seconds: float) -> None:
        """Count `seconds` more of silence. Not by a clock: it also runs while all are suspended."""
        if self._heard:
            self.silence += seconds

    def reaped(self) -> float:
        """Note that the process has ended. Return the seconds to wait before the next start."""
        if self._lifeline is not None:
            self._lifeline.hear_last()
            self._lifeline.close()
        self._lifeline = self.pid = None
        self.ready = self._heard = False
        self.silence = 0.0
        self.deaths += 1
        if asyncio.get_running_loop().time() - self._started_at >= QUICK:
            self._quick_deaths = 0
            return 0.0
        self._quick_deaths += 1
        if self._quick_deaths == 1:
            return 0.0
        return min(LAST_DELAY, FIRST_DELAY * 2.0 ** min(self._quick_deaths - 2, 10))

    def _hear(self, line: str) -> None:
        if line == "alive":
            self._heard, self.silence = True, 0.0
            return
        if line == "ready":
            self.ready = True
        self._on_line(self, line)


def _ignore_hangup() -> None:
    """Run in the new process before exec: SIGHUP must not end control before it can reload."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _nothing() -> None:
    """The end of a lifeline tells the parent nothing: SIGCHLD does."""


def describe_end(status: int) -> str:
    """Return "exit status 1" or "SIGKILL" for what waitpid reported."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal without a name
        return f"signal {-code}"
