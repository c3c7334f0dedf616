"""Which path answers: the compiled one where it was built, unless GTMDNS_PURE_PYTHON=1 says no.

Both give the same octets for the same packet, snapshot and draw. The compiled one needs Linux,
and a C compiler when gtmdns is installed; docs/adr/0005-compiled-path.md tells why it is as it is.
"""

import os
import socket

from ..answers.cache import AnswerCache
from ..answers.snapshot import Snapshot
from .served import Cache, Served
from .udp import UdpListener

SWITCH = "GTMDNS_PURE_PYTHON"  # of the environment; nothing and "0" leave the compiled path on

try:
    if os.environ.get(SWITCH, "0") not in ("", "0"):
        raise ImportError(f"{SWITCH} is set")
    from ..answers.fast import FastCache
    from .drain import Batch
except ImportError as error:
    PURE_BECAUSE = str(error)
else:
    PURE_BECAUSE = ""


class CompiledListener(UdpListener):
    """As UdpListener, with a batch in one system call each way (drain.pyx)."""

    def __init__(self, sock: socket.socket, served: Served) -> None:
        super().__init__(sock, served)
        self._batch = Batch(sock.fileno(), self._wildcard)

    def on_readable(self) -> int:
        batch = self._batch
        number = batch.turn(self.served.cache, self._failed)
        counters = self.served.counters
        if number:
            counters[self._queries] += number
        if batch.error:
            counters["udp_receive_errors"] += 1
        if batch.unsent:
            counters["dropped_send"] += batch.unsent
        if batch.portless:
            counters["dropped_port_zero"] += batch.portless
        return number


Listener: type[UdpListener] = UdpListener if PURE_BECAUSE else CompiledListener


def path() -> str:
    """Return "compiled" or "pure"."""
    return "pure" if PURE_BECAUSE else "compiled"


def new_cache(snapshot: Snapshot) -> Cache:
    """Return an answer cache of the path that answers."""
    return AnswerCache(snapshot) if PURE_BECAUSE else FastCache(snapshot)


def settle_counts(cache: Cache) -> None:
    """Put what a cache has counted into the tally of its snapshot, before that is read."""
    if not PURE_BECAUSE and isinstance(cache, FastCache):
        cache.count()
