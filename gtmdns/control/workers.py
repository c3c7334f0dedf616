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
from ..serve.shared import Shared, send
from .publication import Publication

READ_SIZE = 64 * 1024  # octets
LET_GO_EVERY, LET_GO_TRIES = 1.0, 60  # seconds, and how often it is looked for older generations

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
        self._letting_go: set[asyncio.Task[None]] = set()

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
        for task in self._letting_go:
            task.cancel()
        await asyncio.gather(*self._conversations, *self._letting_go, return_exceptions=True)

    def publish(self, publication: Publication) -> None:
        """Send `publication` to every worker, those that come later included."""
        before, self._publication = self._publication, publication
        if before is not None and before.shared is not None:
            task = asyncio.ensure_future(self._let_go(before.shared, publication.generation))
            self._letting_go.add(task)
            task.add_done_callback(self._letting_go.discard)
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
        if publication.shared is not None:
            await self._send_shared(link, writer, publication.shared)
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

    async def _let_go(self, shared: Shared, generation: int) -> None:
        """Hold a memory file for longer than workers do: who is last frees it, 40 ms for 300 MB.

        A worker that is stuck does not keep it here for ever.
        """
        for _ in range(LET_GO_TRIES):
            await asyncio.sleep(LET_GO_EVERY)
            if all(link.generation >= generation for link in self.links):
                break
        await asyncio.sleep(LET_GO_EVERY)  # they free the older one after they tell of the newer
        await asyncio.to_thread(shared.close)

    async def _send_shared(
        self, link: WorkerLink, writer: asyncio.StreamWriter, shared: Shared
    ) -> None:
        """Send a memory file when all that was written before is with the kernel.

        Where that cannot be done now, the worker is hung up on, and connects again.
        """
        writer.transport.set_write_buffer_limits(high=0)  # so that `drain` waits for the last octet
        await writer.drain()
        try:
            with writer.get_extra_info("socket").dup() as sock:
                await send(sock, encode(("shared",)), shared)
        except OSError as error:
            log.warning("worker %d: cannot share memory with it: %s", link.number, error)
            writer.transport.abort()
            raise ConnectionAbortedError from error
