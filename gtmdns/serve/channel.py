"""A worker's end of the channel: snapshots come down, counters and log lines go up.

Frames, `frames` tells their octets; both sides ignore a kind that they do not know:

    up    ("hello", worker, pid, generation)
          ("stats", generation, {name: total since the worker began},
                                {tag: count since this generation began})
          ("log", level, text)
    down  ("shared",)                       with a memory file: columns of the snapshot that
                                            begins next, see `shared`
          ("begin", generation, settings)   settings: {fields of Settings,
                                            "tcp": {fields of tcp.TcpLimits}}; all optional
          ("piece", kind, ...)              as answers/snapshot tells; any number
          ("commit", generation)
          ("change", generation, ((answer number, encoded answer), ...))

What is published is whole: a worker serves the old snapshot until "commit", and one
assignment changes over. When control dies the worker goes on answering with what it
has, throws a half-received snapshot away, and connects again.
"""

import asyncio
import contextlib
import gc
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from ..answers.snapshot import Settings, SnapshotBuilder
from .frames import BadFrame, Decoder, Frame, encode
from .log import ChannelHandler
from .served import Served
from .shared import Shared, receive

READ_SIZE = 256 * 1024  # octets; about what a Unix socket holds
FIRST_DELAY, LAST_DELAY = 0.05, 0.5  # seconds between two tries to connect, doubled each time
STATS_EVERY = 1.0  # seconds
LONGEST_REST = 0.01  # seconds between two slices of work for a snapshot
LEAST_REST = 0.002  # seconds that are owed before a rest: the loop rounds up to milliseconds

log = logging.getLogger(__name__)


class ChannelClient:
    """Keeps the connection to control and applies what comes.

    on_commit: called with the settings after each change of snapshot
    gauges:    called for each "stats" frame; what is added to the counters, as they stand now
    """

    def __init__(
        self,
        path: str,
        worker: int,
        served: Served,
        handler: ChannelHandler,
        *,
        on_commit: Callable[[Mapping[str, Any]], None],
        gauges: Callable[[], Mapping[str, int]],
    ) -> None:
        self._path = path
        self._worker = worker
        self._served = served
        self._handler = handler
        self._on_commit = on_commit
        self._gauges = gauges
        self._builder: SnapshotBuilder | None = None
        self._settings: Mapping[str, Any] = {}  # of the snapshot that is being received
        self._files: list[Shared] = []  # that came, and whose frame did not yet
        self._columns: memoryview | None = None  # of the snapshot that begins next
        self._last_words: list[Frame] = []  # the tally of a generation that has just ended
        self._committed = False  # whether this connection brought a snapshot
        self._wake = asyncio.Event()
        self._stats_at = 0.0  # loop time of the next "stats"

    async def run(self) -> None:
        """Connect, serve the connection, connect again. Ends by cancellation only."""
        delay = FIRST_DELAY
        while True:
            with contextlib.suppress(OSError):  # control is being started, or no descriptor is free
                await self._converse(await self._connect())
            delay = FIRST_DELAY if self._committed else min(2 * delay, LAST_DELAY)
            self._committed = False
            await asyncio.sleep(delay)

    async def _connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, self._path)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _converse(self, sock: socket.socket) -> None:
        """Receive and send until control is gone, or sends what cannot be used."""
        self._handler.attach(self._wake.set)
        sender = asyncio.create_task(self._send_or_close(sock))
        try:
            await self._receive(sock)
        finally:
            self._handler.detach()
            self._abandon()
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            sock.close()

    # Down

    async def _receive(self, sock: socket.socket) -> None:
        """Apply frames until the end of the file; one of them in each turn of the loop."""
        loop, decoder, owed = asyncio.get_running_loop(), Decoder(), 0.0
        self._files, self._columns = [], None
        try:
            while octets := await receive(sock, READ_SIZE, self._files):
                frames = decoder.feed(octets)
                while True:
                    started = loop.time()
                    frame = next(frames, None)  # decodes it
                    if frame is None:
                        break
                    self._apply(frame)
                    # Queries first: a snapshot gets half of the time, less where others want it.
                    if self._builder is not None and self._served.snapshot.generation:
                        owed += loop.time() - started
                    rest = min(owed, LONGEST_REST) if owed >= LEAST_REST else 0
                    await asyncio.sleep(rest)
                    owed = 0 if rest else owed
                await asyncio.sleep(0)  # `receive` does not wait where there is more
        except BadFrame as error:
            log.error("control sent %s; connecting again", error)
        except OSError:
            raise
        except Exception:  # a snapshot that cannot be used must leave the old one serving
            log.exception("control sent what cannot be applied; connecting again")

    def _apply(self, frame: Frame) -> None:
        match frame:
            case ("piece", *piece):
                if self._builder is not None:
                    self._builder.add(tuple(piece))
            case ("change", generation, changes):
                if generation == self._served.snapshot.generation:
                    self._served.snapshot.change(changes)
            case ("shared",):
                self._columns = self._files.pop(0).view()
            case ("begin", generation, settings):
                self._begin(generation, settings)
            case ("commit", _):
                self._commit()

    def _begin(self, generation: int, settings: Mapping[str, Any]) -> None:
        """Start a snapshot. Collection is off meanwhile: it would walk the growing table."""
        self._abandon()
        gc.collect()  # what is garbage now would stay for good once `_commit` freezes
        gc.disable()
        known = {name: settings[name] for name in Settings._fields if name in settings}
        self._builder = SnapshotBuilder(generation, Settings(**known), self._columns)
        self._columns = None
        self._settings = settings

    def _commit(self) -> None:
        """Serve what was received; the old snapshot is freed in slices."""
        if self._builder is None:
            return
        old, new = self._served.snapshot, self._builder.finish()
        self._builder = None
        if old.generation:
            self._last_words.append(self._stats())
        cache, tcp_cache = self._served.cache, self._served.tcp_cache
        self._served.snapshot = new
        self._committed = True
        gc.freeze()  # no collection ever walks the table
        gc.enable()
        self._on_commit(self._settings)
        self._stats_at = 0.0
        self._wake.set()
        slices = self._served.cache.build()
        if old.generation:
            slices = chain(slices, cache.release(), tcp_cache.release(), old.release())
        _run(slices)

    def _abandon(self) -> None:
        """Throw away a snapshot of which no more will come."""
        if self._builder is not None:
            _run(self._builder.finish().release())
            self._builder = None
            gc.enable()

    # Up

    async def _send_or_close(self, sock: socket.socket) -> None:
        """Send; when that fails, end the connection, so that `_receive` sees the end too."""
        try:
            await self._send(sock)
        except OSError as error:
            log.debug("control does not read any more: %s", error)
        except Exception:
            log.exception("a mistake of ours in what control is told; connecting again")
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    async def _send(self, sock: socket.socket) -> None:
        """Send what waits, whenever something does, and "stats" each second."""
        loop = asyncio.get_running_loop()
        served = self._served
        hello = ("hello", self._worker, os.getpid(), served.snapshot.generation)
        await loop.sock_sendall(sock, encode(hello))
        self._stats_at = 0.0
        while True:
            self._wake.clear()
            frames: list[Frame] = [("log", *line) for line in self._handler.take()]
            frames += self._last_words
            self._last_words = []
            if loop.time() >= self._stats_at:
                self._stats_at = loop.time() + STATS_EVERY
                loop.call_at(self._stats_at, self._wake.set)
                frames.append(self._stats())
            await loop.sock_sendall(sock, b"".join(map(_encode, frames)))
            await self._wake.wait()

    def _stats(self) -> Frame:
        served = self._served
        counters = {**served.counters, **self._gauges(), "log_dropped": self._handler.dropped}
        return ("stats", served.snapshot.generation, counters, dict(served.snapshot.tally))


def _encode(frame: Frame) -> bytes:
    """Return the octets of a frame; nothing, and a log line, where it is too long to be sent."""
    try:
        return encode(frame)
    except BadFrame as error:
        log.error("cannot tell control: %s", error)
        return b""


def _run(slices: Iterator[None]) -> None:
    """Take one slice, rest for as long as it took, and so on until there are no more."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    if next(slices, slices) is None:
        loop.call_later(min(loop.time() - started, LONGEST_REST), _run, slices)
