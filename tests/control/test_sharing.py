"""Large routes from the loader to the workers: one place in memory, or a copy for each."""

import asyncio
import gc
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gtmdns.control.load import LoadReport, load, load_kept
from gtmdns.control.publication import Publication
from gtmdns.control.workers import Workers
from gtmdns.serve.channel import ChannelClient
from gtmdns.serve.log import ChannelHandler
from gtmdns.serve.served import Served
from gtmdns.serve.shared import Shared
from tests.compiler.support import ask, with_records
from tests.control.support import until, write

NETWORKS = [f"44.{n >> 8}.{n & 255}.7" for n in range(0, 4096, 2)]
NEAR, FAR = "192.0.2.1", "192.0.2.2"

needs_memory_files = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="none here")


def configuration(folder: Path) -> Path:
    """Write one with a route of 4 097 intervals."""
    sections = f"""
        geoip: {{databases: []}}
        regions: {{some: {{networks: [{", ".join(NETWORKS)}]}}}}
        pools: {{near: {{endpoints: [{NEAR}]}}, far: {{endpoints: [{FAR}]}}}}
        """
    text = with_records("www: {route: {some: near, default: far}}", sections)
    return write(folder / "gtmdns.yaml", text)


def memory_files() -> int:
    """Return how many are mapped into this process by what is no garbage."""
    gc.collect()
    return Path("/proc/self/maps").read_text().count("memfd:gtmdns")


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def published(report: LoadReport, generation: int) -> Publication:
    assert report.plan is not None
    publication = Publication(report.plan, (), report.shared)
    for octets in report.pieces:
        publication.take(octets)
    publication.finish(generation)
    return publication


class Worker:
    """The real end of the channel, in this process."""

    def __init__(self, folder: Path, number: int) -> None:
        self.served = Served()
        self.client = ChannelClient(
            str(folder / "channel"),
            number,
            self.served,
            ChannelHandler(number),
            on_commit=lambda settings: None,
            gauges=dict,
        )
        self.task = asyncio.create_task(self.client.run())

    @property
    def generation(self) -> int:
        return self.served.snapshot.generation

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def check(self) -> None:
        """See that each client gets what its network should."""
        for client, address in (("44.0.0.7", NEAR), ("44.0.1.7", FAR), ("44.15.254.7", NEAR)):
            answer = ask(self.served.snapshot, "www.example.test.", "A", client).answer
            assert str(answer[0][0]) == address


def with_workers(folder: Path, test: Callable[[Workers, list[Worker]], Awaitable[None]]) -> None:
    async def main() -> None:
        hub = Workers(lambda *_: None, lambda _: None)
        await hub.listen("channel")
        workers = [Worker(Path(), number) for number in range(2)]
        try:
            await test(hub, workers)
        finally:
            for worker in workers:
                await worker.close()
            await hub.close()
            gc.unfreeze()

    asyncio.run(main())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # a short path: a Unix socket takes 107 octets
    monkeypatch.setattr("gtmdns.control.workers.LET_GO_EVERY", 0.02)
    return tmp_path


@needs_memory_files
def test_workers_map_one_place_and_let_go_of_it(folder: Path) -> None:
    reports = [
        asyncio.run(load(configuration(folder), {}, folder / f"kept{number}"))
        for number in range(2)
    ]
    publications = [published(report, number + 1) for number, report in enumerate(reports)]
    assert all(publication.shared for publication in publications)
    sizes = [sum(map(len, report.pieces)) for report in reports]
    assert sizes[0] < 16_384, "the columns are not in the pieces"
    for report in reports:
        report.shared = None

    async def test(hub: Workers, workers: list[Worker]) -> None:
        hub.publish(publications[0])
        for worker in workers:
            await until(lambda w=worker: w.generation == 1, "generation 1")  # type: ignore[misc]
            worker.check()
        late = Worker(Path(), 2)
        workers.append(late)
        await until(lambda: late.generation == 1, "generation 1 for one that came later")
        late.check()
        assert memory_files() == 2 + 3  # those of control, and of each worker

        hub.publish(publications[1])
        publications[0] = publications[1]
        for worker in workers:
            await until(lambda w=worker: w.generation == 2, "generation 2")  # type: ignore[misc]
            worker.check()
        await until(lambda: memory_files() == 1 + 3, "the older ones are free")

    with_workers(folder, test)


@needs_memory_files
def test_control_holds_it_until_the_last_worker_has_the_next(folder: Path) -> None:
    """Freeing it takes a while, and no worker has that time."""
    reports = [
        asyncio.run(load(configuration(folder), {}, folder / f"kept{number}"))
        for number in range(2)
    ]
    publications = [published(report, number + 1) for number, report in enumerate(reports)]
    first = reports[0].shared
    assert first is not None

    async def test(hub: Workers, workers: list[Worker]) -> None:
        hub.publish(publications[0])
        slow, fast = workers
        for worker in workers:
            await until(lambda w=worker: w.generation == 1, "generation 1")  # type: ignore[misc]
        await until(lambda: {link.generation for link in hub.links} == {1}, "both told")
        slow.client._begin = lambda *_: None  # type: ignore[method-assign]  # it never has another

        hub.publish(publications[1])
        await until(lambda: fast.generation == 2, "generation 2")
        await asyncio.sleep(0.2)  # ten times as long as it is looked for
        assert len(first) > 0
        await slow.close()

        await until(lambda: not is_open(first.descriptor), "the last one has let go")

    with_workers(folder, test)


@needs_memory_files
def test_what_is_kept_has_it_too(folder: Path) -> None:
    report = asyncio.run(load(configuration(folder), {}, folder / "kept"))
    kept = asyncio.run(load_kept(folder / "kept"))

    assert kept is not None
    assert report.shared is not None
    assert kept.shared is not None
    assert kept.pieces == report.pieces
    assert bytes(kept.shared.view()) == bytes(report.shared.view())


def test_where_there_are_no_memory_files_each_has_a_copy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shared, "new", lambda: None)
    report = asyncio.run(load(configuration(folder), {}, folder / "kept"))
    kept = asyncio.run(load_kept(folder / "kept"))
    assert report.shared is None
    assert kept == report

    async def test(hub: Workers, workers: list[Worker]) -> None:
        hub.publish(published(report, 1))
        for worker in workers:
            await until(lambda w=worker: w.generation == 1, "generation 1")  # type: ignore[misc]
            worker.check()

    with_workers(folder, test)


@needs_memory_files
def test_a_worker_that_cannot_be_given_it_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Control has no descriptor left for a moment."""
    publication = published(asyncio.run(load(configuration(folder), {}, folder / "kept")), 1)
    failures = [OSError(24, "Too many open files")]

    async def send(*arguments: object) -> None:
        from gtmdns.serve import shared

        if failures:
            raise failures.pop()
        await shared.send(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("gtmdns.control.workers.send", send)

    async def test(hub: Workers, workers: list[Worker]) -> None:
        hub.publish(publication)
        for worker in workers:
            await until(lambda w=worker: w.generation == 1, "generation 1")  # type: ignore[misc]
            worker.check()

    with caplog.at_level(logging.WARNING):
        with_workers(folder, test)

    assert failures == []
    assert "cannot share memory with it: [Errno 24] Too many open files" in caplog.text
