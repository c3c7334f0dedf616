"""The socket pair between the parent and each process it starts.

Its end is the news that the other side is gone: a worker or control whose parent
was killed reads the end of the file and stops, so no orphan keeps the port. Over
it go short lines of text; the parent is to stay simple and must not decode
anything richer from a process that reads strangers' packets.

    from a child     ready             it serves from now on
                     alive             four times a second; silence shows a stuck process
                     queries COUNT     a worker's last words: how many it has read in its life
    to a worker      adopt NUMBER      read the UDP sockets of that worker as well
                     release NUMBER    no longer
    to control       restarts COUNT    worker processes replaced since the parent began
"""

import asyncio
import socket
from collections.abc import Callable

HEARTBEAT = 0.25  # seconds between two "alive"
MAX_LINE = 64  # octets; a longer line is no line of ours


class Lifeline:
    """One end of the pair. Runs in the loop of the process; never blocks."""

    def __init__(
        self,
        sock: socket.socket,
        on_line: Callable[[str], None],
        on_gone: Callable[[], None],
    ) -> None:
        """Start to listen. `on_gone` is called once, when the other process has ended."""
        sock.setblocking(False)
        self._sock = sock
        self._on_line = on_line
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._partial = b""
        self._heartbeat: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock, self._on_readable)

    @classmethod
    def inherited(
        cls, number: int, on_line: Callable[[str], None], on_gone: Callable[[], None]
    ) -> "Lifeline":
        """Return a child's end from the descriptor that the parent passed on."""
        return cls(socket.socket(fileno=number), on_line, on_gone)

    def say(self, line: str) -> None:
        """Send a line. It is lost where the other side does not read: nothing here may wait."""
        try:
            self._sock.send(line.encode() + b"\n")
        except OSError:  # full, or gone; the end of the file will tell
            return

    def beat(self) -> None:
        """Say "alive" now and from now on."""
        self.say("alive")
        self._heartbeat = self._loop.call_later(HEARTBEAT, self.beat)

    def close(self) -> None:
        """Stop listening and close. Nothing is called any more."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def hear_last(self) -> None:
        """Read what the other side said before it ended: a few lines at most."""
        if self._sock.fileno() >= 0:
            self._on_readable()

    def _on_readable(self) -> None:
        try:
            octets = self._sock.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            octets = b""
        if not octets:
            self.close()
            self._on_gone()
            return
        *lines, self._partial = (self._partial + octets).split(b"\n")
        self._partial = self._partial[:MAX_LINE]
        for line in lines:
            self._on_line(line.decode("ascii", "replace"))
