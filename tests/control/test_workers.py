"""Control's end of the channel: every worker gets the newest publication, and tells its counts."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gtmdns.control.publication import Publication
from gtmdns.control.workers import Workers
from gtmdns.health.condition import WELL, Condition
from tests.compiler.support import ask, compile_text, refresh, section, with_records
from tests.control.support import FakeWorker, until

Stats = tuple[int, int, dict[str, int], dict[int, int]]


class Hub:
    """Workers, and all that they called back with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stats: list[Stats] = []
        self.gone: list[int] = []
        self.workers = Workers(lambda *stats: self.stats.append(stats), self.gone.append)

    def link(self, number: int) -> Any:
        return next((link for link in self.workers.links if link.number == number), None)


def run(folder: Path, test: Callable[[Hub], Awaitable[None]]) -> None:
    async def main() -> None:
        hub = Hub(folder)
        await hub.workers.listen(str(folder / "channel"))
        try:
            await test(hub)
        finally:
            await hub.workers.close()

    asyncio.run(main())


def publication(generation: int, address: str, names: int = 1) -> Publication:
    """Return a publication in which www.example.test has this address; larger by its names."""
    records = "\n".join(f"n{n}: {{TXT: t{n:0>200}}}" for n in range(names))
    sections = f"pools: {{home: {{endpoints: [{address}, 192.0.2.254], max_answers: 1}}}}"
    made = compile_text(with_records(f"www: {{pools: home}}\n{records}", sections))
    published = Publication.of(made.plan, made.pieces)
    published.generation = generation
    return published


def answers(worker: FakeWorker) -> set[str]:
    return {
        str(ask(worker.snapshot, "www.example.test.", "A", draw=draw).answer[0][0])
        for draw in range(0, 1 << 64, 1 << 61)
    }


def test_a_worker_is_sent_what_is_published_before_and_after_it_comes(tmp_path: Path) -> None:
    async def test(hub: Hub) -> None:
        early = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: hub.link(0), "worker 0 said hello")
        assert early.frames == []

        hub.workers.publish(publication(5, "192.0.2.1"))
        late = await FakeWorker(1, 101).connect(tmp_path)

        for worker in (early, late):
            await until(lambda w=worker: w.snapshot.generation == 5, "generation 5")  # type: ignore[misc]
            assert answers(worker) == {"192.0.2.1", "192.0.2.254"}
            await worker.close()

    run(tmp_path, test)


def test_changed_answers_follow_to_all_who_have_the_generation(tmp_path: Path) -> None:
    async def test(hub: Hub) -> None:
        published = publication(1, "192.0.2.1")
        hub.workers.publish(published)
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: worker.snapshot.generation == 1, "generation 1")

        changes = refresh(published, ["home"], {"home": (WELL, Condition(usable=False))})
        hub.workers.change(1, changes)

        await until(lambda: answers(worker) == {"192.0.2.1"}, "the change arrived")
        assert sum(frame[0] == "commit" for frame in worker.frames) == 1
        await worker.close()

    run(tmp_path, test)


def test_a_newer_publication_cuts_one_that_is_under_way_short(tmp_path: Path) -> None:
    """The worker never sees a mixture: only the newest is committed."""

    async def test(hub: Hub) -> None:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "channel"), limit=256)
        transport_socket = writer.get_extra_info("socket")
        transport_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        worker = FakeWorker(0, 100)
        worker._reader, worker._writer = reader, writer
        worker.say("hello", 0, 100, 0)
        await until(lambda: hub.link(0), "worker 0 said hello")
        hub.workers.publish(publication(1, "192.0.2.1", names=6000))
        await until(lambda: len(reader._buffer) > 256, "the first is under way")  # type: ignore[attr-defined]

        hub.workers.publish(publication(2, "192.0.2.2"))
        worker._task = asyncio.create_task(worker._receive())
        await until(lambda: worker.snapshot.generation, "a generation is served")

        assert worker.snapshot.generation == 2
        assert answers(worker) == {"192.0.2.2", "192.0.2.254"}
        assert [f[1] for f in worker.frames if f[0] in ("begin", "commit")] == [1, 2, 2]
        await worker.close()

    run(tmp_path, test)


def test_changes_of_an_older_generation_are_not_sent_after_a_newer_one(tmp_path: Path) -> None:
    async def test(hub: Hub) -> None:
        first = publication(1, "192.0.2.1")
        hub.workers.publish(first)
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: worker.snapshot.generation == 1, "generation 1")

        hub.workers.change(1, refresh(first, ["home"], {"home": (WELL, Condition(usable=False))}))
        hub.workers.publish(publication(2, "192.0.2.2"))

        await until(lambda: worker.snapshot.generation == 2, "generation 2")
        assert [frame for frame in worker.frames if frame[0] == "change"] == []
        await worker.close()

    run(tmp_path, test)


def test_what_a_worker_says_of_itself_is_known(tmp_path: Path) -> None:
    async def test(hub: Hub) -> None:
        hub.workers.publish(publication(3, "192.0.2.1"))
        worker = await FakeWorker(7, 100).connect(tmp_path, generation=2)
        link = await until(lambda: hub.link(7), "worker 7 said hello")
        assert (link.pid, link.generation) == (100, 2)

        await until(lambda: worker.snapshot.generation == 3, "generation 3")
        worker.count({"queries_udp_ipv4": 4, "tcp_connections": 2}, {17: 4})

        await until(lambda: link.generation == 3, "control knows it")
        assert link.tcp_connections == 2
        assert hub.stats == [(100, 3, {"queries_udp_ipv4": 4, "tcp_connections": 2}, {17: 4})]
        await worker.close()
        await until(lambda: not hub.workers.links, "worker 7 is gone")

    run(tmp_path, test)


def test_last_words_about_an_older_generation_do_not_set_it_back(tmp_path: Path) -> None:
    async def test(hub: Hub) -> None:
        hub.workers.publish(publication(3, "192.0.2.1"))
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: worker.snapshot.generation == 3, "generation 3")
        worker.count({}, {}, generation=3)
        link = await until(lambda: hub.link(0), "the link")
        await until(lambda: link.generation == 3, "control knows")

        worker.count({}, {}, generation=2)

        await until(lambda: len(hub.stats) == 2, "it was heard")
        assert link.generation == 3
        await worker.close()

    run(tmp_path, test)


def test_a_process_is_gone_only_when_another_takes_its_place(tmp_path: Path) -> None:
    """One that hangs up and calls again goes on counting where it was."""

    async def test(hub: Hub) -> None:
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: hub.link(0), "hello")
        await worker.close()
        await until(lambda: not hub.workers.links, "it hung up")
        assert hub.gone == []

        again = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: hub.link(0), "hello again")
        await again.close()
        other = await FakeWorker(0, 200).connect(tmp_path)
        await until(lambda: (link := hub.link(0)) and link.pid == 200, "another process")
        assert hub.gone == [100]
        await other.close()

    run(tmp_path, test)


def test_log_lines_are_passed_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: Hub) -> None:
        worker = await FakeWorker(4, 100).connect(tmp_path)
        worker.say("log", "error", "something broke")
        worker.say("log", "nonsense", "of no known level")
        worker.say("unknown kind", 1, 2)
        worker.say("log", "warning", "the last one")
        await until(lambda: "the last one" in caplog.text, "all was heard")
        await worker.close()

    with caplog.at_level("INFO"):
        run(tmp_path, test)

    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("ERROR", "worker 4: something broke") in lines
    assert ("INFO", "worker 4: of no known level") in lines


def test_a_worker_that_talks_nonsense_is_hung_up_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(hub: Hub) -> None:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "channel"))
        writer.write(b"\xff" * 64)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()

    run(tmp_path, test)

    assert "the channel broke" in caplog.text


def test_a_socket_left_over_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "channel"))

    async def test(hub: Hub) -> None:
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: hub.link(0), "hello")
        await worker.close()

    run(tmp_path, test)


def test_ending_hangs_up_on_everybody(tmp_path: Path) -> None:
    async def main() -> None:
        hub = Hub(tmp_path)
        await hub.workers.listen(str(tmp_path / "channel"))
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: hub.link(0), "hello")

        async with asyncio.timeout(10):
            await hub.workers.close()
            assert worker._task is not None
            await worker._task
        await worker.close()

    asyncio.run(main())


def test_sections_survive_the_channel(tmp_path: Path) -> None:
    async def test(hub: Hub) -> None:
        hub.workers.publish(publication(1, "192.0.2.1", names=700))
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: worker.snapshot.generation == 1, "generation 1")

        response = ask(worker.snapshot, "n699.example.test.", "TXT")
        assert section(response.answer) == [f'n699.example.test. 60 TXT "t{699:0>200}"']
        await worker.close()

    run(tmp_path, test)
