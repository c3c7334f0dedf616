"""Keeps control and the workers running, and the workers' sockets read.

The rule for the sockets is one: those of a worker that does not serve (not ready
yet, dead, or stuck) are read by a sibling that does. It holds after every event.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence

from .child import LAST_DELAY, Child, CommandLine, describe_end

BAD_CONFIGURATION = 78  # control's exit status for a configuration it cannot use (EX_CONFIG)
WATCH = 0.25  # seconds between two looks for stuck processes
SILENT = 1.0  # seconds without "alive" after which a worker's sockets are read by a sibling
HOPELESS = 10.0  # seconds without "alive" after which a process is killed
PATIENCE = 1.5  # seconds from SIGTERM to SIGKILL at the end

Say = Callable[[str, str], None]  # level, text


class Supervisor:
    """Owns the children. `run` returns the exit status of the parent."""

    def __init__(
        self,
        control: Callable[[int], CommandLine],
        workers: Sequence[Callable[[int], CommandLine]],
        say: Say,
        welcome: str,
    ) -> None:
        """`welcome`: what is logged once, when every worker serves."""
        self.control = Child("control", control, self._on_line)
        self.workers = [
            Child(f"worker {number}", command, self._on_line)
            for number, command in enumerate(workers)
        ]
        self._say = say
        self._welcome: str | None = welcome
        self._loop = asyncio.get_running_loop()
        self._readers: dict[int, int] = {}  # worker that does not serve -> who reads its sockets
        self._stopping = False
        self._why = ""  # it stops, where it was told to
        self._queries: list[int] = []  # of each worker that ended in order
        self._hangup_waits = False  # SIGHUP came before control was ready
        self._end: asyncio.Future[int] = self._loop.create_future()
        self._status = 0

    async def run(self) -> int:
        """Start everything; return when SIGTERM or SIGINT came and everything has ended."""
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)
        self._loop.add_signal_handler(signal.SIGTERM, self._told_to_stop, "SIGTERM")
        self._loop.add_signal_handler(signal.SIGINT, self._told_to_stop, "SIGINT")
        self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        for child in self._children():
            self._start(child)
        self._watch()
        return await self._end

    def _children(self) -> list[Child]:
        return [self.control, *self.workers]

    def _start(self, child: Child) -> None:
        if self._stopping:
            return
        try:
            child.start()
        except OSError as error:
            self._say("error", f"cannot start {child.name}: {error}; trying again")
            self._loop.call_later(LAST_DELAY, self._start, child)
            return
        if child is self.control:
            self._tell_restarts()

    def _reap(self) -> None:
        """Collect every child that has ended. As process 1 of a container these may be orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:  # there is none left
                return
            if pid == 0:
                return
            for child in self._children():
                if child.pid == pid:
                    self._on_death(child, status)

    def _on_death(self, child: Child, status: int) -> None:
        never_served = not child.ready and child.deaths == 0
        delay = child.reaped()
        if self._stopping:
            self._finish_if_alone()
            return
        unusable = os.waitstatus_to_exitcode(status) == BAD_CONFIGURATION
        if child is self.control and never_served and unusable:
            self._say("error", "control cannot use the configuration")
            self._status = 1
            self._stop()
            return
        self._say("warning", f"{child.name} ended ({describe_end(status)}); starting it again")
        self._loop.call_later(delay, self._start, child)
        if child is not self.control:
            self._tell_restarts()
            self._share()

    def _on_line(self, child: Child, line: str) -> None:
        word, _, number = line.partition(" ")
        if word == "queries" and number.isdigit():
            self._queries.append(int(number))
        if line != "ready" or self._stopping:
            return
        if child is self.control:
            if self._hangup_waits:
                self._hang_up()
            return
        self._share()
        if self._welcome and all(worker.ready for worker in self.workers):
            self._say("info", self._welcome)
            self._welcome = None

    def _tell_restarts(self) -> None:
        self.control.say(f"restarts {sum(worker.deaths for worker in self.workers)}")

    def _share(self) -> None:
        """Have the sockets of each worker that does not serve read by one that does."""
        serving = [
            number
            for number, worker in enumerate(self.workers)
            if worker.ready and worker.silence < SILENT
        ]
        for number in range(len(self.workers)):
            now = self._readers.get(number)
            if number in serving:
                wanted = None
            elif now in serving:
                wanted = now
            else:
                load = list(self._readers.values())
                wanted = min(serving, key=load.count, default=None)
            if wanted == now:
                continue
            if now is not None:
                self.workers[now].say(f"release {number}")
                del self._readers[number]
            if wanted is not None:
                self.workers[wanted].say(f"adopt {number}")
                self._readers[number] = wanted

    def _watch(self) -> None:
        """Look for processes that are stuck: their sockets go to a sibling, in the end they go."""
        if self._stopping:
            return
        for child in self._children():
            was = child.silence
            child.watch(WATCH)
            if was < SILENT <= child.silence:
                self._say("warning", f"{child.name} has said nothing for {SILENT:g} s")
            if was < HOPELESS <= child.silence:
                self._say("error", f"{child.name} has said nothing for {HOPELESS:g} s; killing it")
                child.signal(signal.SIGKILL)
        self._share()
        self._loop.call_later(WATCH, self._watch)

    def _hang_up(self) -> None:
        """SIGHUP: control reloads; one that is still starting is told again when it is ready."""
        self._hangup_waits = not self.control.ready
        self.control.signal(signal.SIGHUP)

    def _told_to_stop(self, why: str) -> None:
        self._why = self._why or why
        self._stop()

    def _stop(self) -> None:
        """End all: politely, then not."""
        if self._stopping:
            return
        self._stopping = True
        for child in self._children():
            child.signal(signal.SIGTERM)
        self._loop.call_later(PATIENCE, self._kill)
        self._finish_if_alone()

    def _kill(self) -> None:
        for child in self._children():
            if child.pid is not None:
                self._say("warning", f"{child.name} does not end; killing it")
                child.signal(signal.SIGKILL)

    def _finish_if_alone(self) -> None:
        if not self._end.done() and all(child.pid is None for child in self._children()):
            if self._why:
                # What a worker that crashed had read is not known.
                lost = sum(worker.deaths for worker in self.workers) > len(self._queries)
                number = f"{'at least ' if lost else ''}{sum(self._queries)}"
                self._say("info", f"stopped by {self._why}, after {number} queries")
            self._end.set_result(self._status)
