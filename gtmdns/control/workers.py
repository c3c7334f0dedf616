"""Control's end of the channel: sends what is published, hears what is counted.

Each worker has a connection of its own and is sent the newest publication; one that
comes while another is under way makes that transfer start over. Changed answers
follow at once, to every worker that has the generation.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..serve.frames import BadFrame, Decoder, Frame, encode
from .publication import Publication

READ_SIZE = 64 * 1024  # octets

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class WorkerLink:
    """One connected worker, as it described itself. `generation`: what it serves."""

    number: int = -1
    pid: int = 0
    generation: int = 0
    tcp_connections: int = 0
    compiled: bool = False  # whether the compiled path answers
    connected_at: float = field(default_factory=time.time)  # seconds since the epoch
    sent: int = 0  # generation whose commit was sent
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    changes: list[Frame] = field(default_factory=list)


class Workers:
    """All workers of this server.

    on_stats: called with (pid, generation, counters, tally), the counts of one worker
    on_gone:  called with the pid of a worker that another process took the place of
    on_link:  called with ("connected" or "gone", number, pid) of a worker
    """

    def __init__(
        self,
        on_stats: Callable[[int, int, dict[str, int], dict[int, int]], None],
        on_gone: Callable[[int], None],
        on_link: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self.links: set[WorkerLink] = set()
        self._on_stats = on_stats
        self._on_gone = on_gone
        self._on_link = on_link
        self._publication: Publication | None = None
        self._server: asyncio.Server | None = None
        self._pids: dict[int, int] = {}  # by number of the worker
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def listen(self, path: str) -> None:
        """Take workers' connections on the Unix socket at `path`; one left over is replaced."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._server = await asyncio.start_unix_server(self._converse, path, limit=READ_SIZE)

    async def close(self) -> None:
        """Hang up on every worker. Not by cancelling: asyncio's streams log that as an error."""
        if self._server is not None:
            self._server.close()
        for writer in self._conversations.values():
            writer.transport.abort()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def publish(self, publication: Publication) -> None:
        """Send `publication` to every worker, those that come later included."""
        self._publication = publication
        for link in self.links:
            link.changes.clear()
            link.wake.set()

    def change(self, generation: int, changes: Iterable[tuple[int, tuple[Any, ...]]]) -> None:
        """Send changed answers of the published generation."""
        frame = ("change", generation, tuple(changes))
        for link in self.links:
            link.changes.append(frame)
            link.wake.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations[task] = writer
        link = WorkerLink()
        sender = asyncio.create_task(self._send(link, writer))
        try:
            await self._receive(link, reader)
        except (OSError, BadFrame) as error:
            log.warning("worker %d: the channel broke: %s", link.number, error)
        finally:
            if link in self.links:
                self.links.discard(link)
                self._on_link("gone", link.number, link.pid)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            writer.close()
            del self._conversations[task]

    async def _receive(self, link: WorkerLink, reader: asyncio.StreamReader) -> None:
        decoder = Decoder()
        while octets := await reader.read(READ_SIZE):
            for frame in decoder.feed(octets):
                self._hear(link, frame)

    def _hear(self, link: WorkerLink, frame: Frame) -> None:
        match frame:
            case ("hello", number, pid, generation):
                link.number, link.pid, link.generation = number, pid, generation
                before = self._pids.get(number)
                self._pids[number] = pid
                if before is not None and before != pid:  # the same process may call again
                    self._on_gone(before)
                self.links.add(link)
                self._on_link("connected", number, pid)
                link.wake.set()
            case ("stats", generation, counters, tally):
                link.tcp_connections = counters.get("tcp_connections", 0)
                link.compiled = bool(counters.get("compiled", 0))
                self._on_stats(link.pid, generation, counters, tally)
                if generation != link.generation and generation >= link.sent:
                    link.generation = generation
            case ("log", level, text):
                number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
                log.log(number, "worker %d: %s", link.number, text)

    async def _send(self, link: WorkerLink, writer: asyncio.StreamWriter) -> None:
        """Bring the worker to the newest publication, then pass on changes, for ever."""
        with contextlib.suppress(ConnectionError):
            while True:
                await link.wake.wait()
                link.wake.clear()
                publication = self._publication
                if publication is None or link.number < 0:
                    continue
                if link.sent != publication.generation:
                    await self._send_whole(link, writer, publication)
                elif link.changes:
                    changes, link.changes = link.changes, []
                    writer.write(b"".join(map(encode, changes)))
                    await writer.drain()

    async def _send_whole(
        self, link: WorkerLink, writer: asyncio.StreamWriter, publication: Publication
    ) -> None:
        """Send all pieces; changes that come meanwhile wait and follow the commit."""
        link.changes.clear()
        for octets in publication.frames():
            writer.write(octets)
            await writer.drain()
            if self._publication is not publication:
                link.wake.set()
                return
        writer.write(encode(("commit", publication.generation)))
        await writer.drain()
        link.sent = publication.generation
        link.wake.set()
