"""The worker's end of the channel against a control made of a socket in the same loop."""

import asyncio
import gc
import logging
import os
import time
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from gtmdns.answers.cache import AnswerCache
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.serve import channel, frames
from gtmdns.serve.channel import ChannelClient
from gtmdns.serve.frames import Decoder, encode
from gtmdns.serve.log import ChannelHandler
from gtmdns.serve.served import Served
from tests.serve.support import (
    address_in,
    encoded_answer,
    pieces,
    query,
    snapshot_frames,
    until,
)


class Control:
    """Accepts workers; `received` has every frame of every connection."""

    def __init__(self, path):
        self.path = path
        self.received = []
        self.writers = []
        self.accepted = 0

    async def start(self):
        self.server = await asyncio.start_unix_server(self.serve, self.path)

    async def serve(self, reader, writer):
        self.accepted += 1
        self.writers.append(writer)
        decoder = Decoder()
        try:
            while octets := await reader.read(65_536):
                self.received += decoder.feed(octets)
        except ConnectionError:
            self.received.append(("reset",))
        finally:
            writer.close()

    def send(self, *frames):
        for frame in frames:
            self.writers[-1].write(frame if isinstance(frame, bytes) else encode(frame))

    def drop(self):
        self.writers[-1].close()

    async def stop(self):
        self.server.close()
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0)

    def kind(self, kind):
        return [frame for frame in self.received if frame[0] == kind]


class Setup:
    def __init__(self, folder):
        self.control = Control(str(folder / "channel"))
        self.served = Served()
        self.commits = []
        self.handler = ChannelHandler(3)
        self.client = ChannelClient(
            self.control.path,
            3,
            self.served,
            self.handler,
            on_commit=self.commits.append,
            gauges=lambda: {"gauge": 5},
        )

    def address(self):
        return address_in(self.served.cache.respond(query(), "192.0.2.9", 0))

    @asynccontextmanager
    async def running(self):
        """Run control and the client; wait for the first hello."""
        await self.control.start()
        task = asyncio.create_task(self.client.run())
        try:
            await until(lambda: self.control.kind("hello"), "hello")
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.control.stop()
            gc.unfreeze()


@pytest.fixture
def setup(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a short path: a Unix socket takes 107 octets
    made = Setup(type(tmp_path)("."))
    logger = logging.getLogger("gtmdns")
    logger.addHandler(made.handler)
    yield made
    logger.removeHandler(made.handler)


def test_hello_then_stats_and_after_a_commit_stats_of_the_new_generation(setup):
    async def run():
        async with setup.running():
            await until(lambda: setup.control.kind("stats"), "stats")
            setup.control.send(snapshot_frames(7, "192.0.2.7", {"udp_payload": 600, "tcp": {}}))
            await until(lambda: setup.commits, "a commit")
            await until(lambda: setup.control.kind("stats")[-1][1] == 7, "stats of it", 0.5)

    asyncio.run(run())

    hello, first = setup.control.received[:2]
    assert hello == ("hello", 3, os.getpid(), 0)
    assert first == ("stats", 0, {"gauge": 5, "log_dropped": 0}, {})
    assert setup.commits == [{"udp_payload": 600, "tcp": {}}]
    assert setup.served.snapshot.settings == Settings(udp_payload=600)
    assert setup.address() == "192.0.2.7"


def test_a_snapshot_serves_from_commit_on_and_not_before(setup, monkeypatch):
    added, real = [], SnapshotBuilder.add
    monkeypatch.setattr(SnapshotBuilder, "add", lambda *args: added.append(real(*args)))

    async def run():
        async with setup.running():
            setup.control.send(snapshot_frames(1, "192.0.2.1"))
            await until(lambda: setup.commits, "a commit")
            parts = list(Decoder().feed(snapshot_frames(2, "192.0.2.2")))
            added.clear()
            setup.control.send(*parts[:-1])
            await until(lambda: len(added) == len(parts) - 2, "the pieces have arrived")
            assert setup.address() == "192.0.2.1"
            setup.control.send(parts[-1])
            await until(lambda: len(setup.commits) == 2, "the second commit")

    asyncio.run(run())

    assert setup.address() == "192.0.2.2"


def count_turns(turn):
    """Add one to `turn[0]` in each turn of the loop, for as long as it runs."""
    turn[0] += 1
    asyncio.get_running_loop().call_soon(count_turns, turn)


def test_each_frame_has_a_turn_of_the_loop_of_its_own(setup, monkeypatch):
    turn, seen, real = [0], [], SnapshotBuilder.add

    def add(self, piece):
        seen.append(turn[0])
        real(self, piece)

    monkeypatch.setattr(SnapshotBuilder, "add", add)

    async def run():
        async with setup.running():
            count_turns(turn)
            setup.control.send(snapshot_frames(1, "192.0.2.1"))
            await until(lambda: setup.commits, "a commit")

    asyncio.run(run())

    assert len(seen) == len(pieces("192.0.2.1"))
    assert len(set(seen)) == len(seen)


def test_a_worker_that_serves_rests_between_pieces_for_as_long_as_they_take(setup, monkeypatch):
    """So that its queries, and those of another worker on the same CPU, do not wait in a row."""
    times, real = {1: [], 2: []}, SnapshotBuilder.add

    def add(self, piece):
        started = time.monotonic()
        while time.monotonic() < started + 0.004:
            pass
        real(self, piece)
        times[self._snapshot.generation].append((started, time.monotonic()))

    monkeypatch.setattr(SnapshotBuilder, "add", add)

    async def run():
        async with setup.running():
            for generation in (1, 2):
                setup.control.send(snapshot_frames(generation, "192.0.2.1"))
                await until(lambda want=generation: len(setup.commits) == want, "a commit")

    asyncio.run(run())

    rests = [begin - end for (_, end), (begin, _) in pairwise(times[2])]
    assert len(rests) > 1
    assert min(rests) >= 0.0039


def test_collection_is_off_while_pieces_come_and_skips_the_table_afterwards(setup):
    async def run():
        async with setup.running():
            parts = list(Decoder().feed(snapshot_frames(1, "192.0.2.1")))
            setup.control.send(*parts[:2])
            await until(lambda: not gc.isenabled(), "collection is off")
            frozen = gc.get_freeze_count()
            setup.control.send(*parts[2:])
            await until(lambda: setup.commits, "a commit")
            assert gc.isenabled()
            assert gc.get_freeze_count() > frozen

            setup.control.send(*parts[:2])
            await until(lambda: not gc.isenabled(), "off again")
            setup.control.drop()
            await until(gc.isenabled, "on again when the rest will not come")

    asyncio.run(run())


def test_changes_hold_at_once_for_the_generation_they_are_meant_for(setup):
    async def run():
        async with setup.running():
            setup.control.send(snapshot_frames(4, "192.0.2.4"))
            setup.control.send(("change", 4, ((0, encoded_answer("192.0.2.44")),)))
            setup.control.send(("change", 3, ((0, encoded_answer("192.0.2.33")),)))
            setup.control.send(("some later kind", 1, 2), ("piece", "answers", ()), ("commit", 9))
            setup.control.send(snapshot_frames(5, "192.0.2.5")[:20])
            await until(lambda: setup.commits and setup.address() == "192.0.2.44", "the change")

    asyncio.run(run())

    assert setup.served.snapshot.generation == 4
    assert setup.address() == "192.0.2.44"
    assert setup.control.accepted == 1


def test_when_control_dies_the_snapshot_stays_and_the_worker_comes_back(setup):
    async def run():
        async with setup.running():
            setup.control.send(snapshot_frames(1, "192.0.2.1"))
            await until(lambda: setup.commits, "a commit")
            await setup.control.stop()
            assert setup.address() == "192.0.2.1"
            await setup.control.start()
            await until(lambda: len(setup.control.kind("hello")) == 2, "hello again")
            setup.control.send(snapshot_frames(2, "192.0.2.2"))
            await until(lambda: setup.address() == "192.0.2.2", "the new snapshot")

    asyncio.run(run())

    assert [frame[3] for frame in setup.control.kind("hello")] == [0, 1]


def test_half_a_snapshot_is_thrown_away_with_its_connection(setup):
    async def run():
        async with setup.running():
            parts = list(Decoder().feed(snapshot_frames(2, "192.0.2.2")))
            setup.control.send(*parts[:-1])
            await until(lambda: not gc.isenabled(), "the pieces have arrived")
            setup.control.drop()
            await until(lambda: setup.control.accepted == 2, "connected again")
            setup.control.send(parts[-1], snapshot_frames(3, "192.0.2.3"))
            await until(lambda: setup.commits, "a commit")

    asyncio.run(run())

    assert len(setup.commits) == 1
    assert setup.served.snapshot.generation == 3


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"\xff\xff\xff\xff", "a frame of 4294967295 octets"),
        (encode(("begin", 2, {})) + encode(("piece", "sheep", 1)), "unknown piece"),
        (encode(("begin", 2, 3)), "cannot be applied"),
        (encode(("change", 1, ((99, ()),))), "cannot be applied"),
    ],
    ids=["no frame", "unknown piece", "no settings", "no such answer"],
)
def test_what_cannot_be_used_changes_nothing_and_is_told(setup, broken, reason):
    async def run():
        async with setup.running():
            setup.control.send(snapshot_frames(1, "192.0.2.1"))
            await until(lambda: setup.commits, "a commit")
            setup.control.send(broken)
            await until(lambda: setup.control.accepted == 2, "connected again")

    errors = []
    setup.handler.emit = lambda record: errors.append(logging.Formatter().format(record))
    asyncio.run(run())

    assert setup.address() == "192.0.2.1"
    assert len(errors) == 1
    assert reason in errors[0]


def test_the_tally_of_a_generation_is_told_to_its_end(setup):
    """The answers between the last "stats" and the change of snapshot are not lost."""

    async def run():
        async with setup.running():
            setup.control.send(snapshot_frames(1, "192.0.2.1"))
            await until(lambda: setup.control.kind("stats")[-1][1] == 1, "stats")
            for _ in range(5):
                setup.address()
            setup.control.send(snapshot_frames(2, "192.0.2.2"))
            await until(lambda: setup.control.kind("stats")[-1][1] == 2, "stats of the next")

    asyncio.run(run())

    last_of_first = [frame for frame in setup.control.kind("stats") if frame[1] == 1][-1]
    assert last_of_first[3] == {0: 5}
    assert setup.control.kind("stats")[-1][3] == {}


def test_stats_come_each_second_and_log_lines_at_once(setup, monkeypatch):
    monkeypatch.setattr(channel, "STATS_EVERY", 0.02)

    async def run():
        async with setup.running():
            await until(lambda: len(setup.control.kind("stats")) > 3, "stats again and again")
            logging.getLogger("gtmdns.x").warning("seen %d", 5)
            await until(lambda: setup.control.kind("log"), "the line")

    asyncio.run(run())

    assert setup.control.kind("log") == [("log", "warning", "seen 5")]


def test_what_is_too_long_to_be_told_is_left_out_and_said(setup, monkeypatch):
    monkeypatch.setattr(frames, "MAX_FRAME", 10_000)

    async def run():
        async with setup.running():
            await until(lambda: setup.control.kind("stats"), "stats")
            setup.handler._put("info", "x" * 10_000)
            await until(lambda: setup.control.kind("log"), "the complaint")

    asyncio.run(run())

    ((_, level, text),) = setup.control.kind("log")
    assert level == "error"
    assert "a 'log' frame of" in text
    assert setup.control.accepted == 1


def test_a_mistake_in_what_is_told_ends_the_connection_not_the_worker(setup):
    async def run():
        async with setup.running():
            await until(lambda: setup.control.kind("stats"), "stats")
            setup.served.counters["odd"] = object()
            setup.client._stats_at = 0.0
            setup.client._wake.set()
            await until(lambda: setup.control.accepted >= 2, "connected again")
            del setup.served.counters["odd"]
            setup.control.received.clear()
            await until(lambda: setup.control.kind("stats"), "stats again")

    asyncio.run(run())


def test_a_cache_is_built_one_slice_in_each_turn_then_the_old_one_freed(setup, monkeypatch):
    turn, done = [0], []

    def step(kind):
        def slices(self):
            for _ in range(3):
                done.append((kind, self.snapshot.generation, turn[0]))
                yield

        return slices

    monkeypatch.setattr(AnswerCache, "build", step("build"))
    monkeypatch.setattr(AnswerCache, "release", step("release"))

    async def run():
        async with setup.running():
            count_turns(turn)
            setup.control.send(snapshot_frames(1, "192.0.2.1"))
            await until(lambda: len(done) == 3, "built")
            setup.control.send(snapshot_frames(2, "192.0.2.2"))
            await until(lambda: len(done) == 12, "built and freed, UDP's and TCP's")

    asyncio.run(run())

    kinds = [(kind, generation) for kind, generation, _ in done]
    assert kinds == [("build", 1)] * 3 + [("build", 2)] * 3 + [("release", 1)] * 6
    assert len({turn for *_, turn in done}) == 12


def test_a_replaced_snapshot_is_freed_one_slice_in_each_turn(setup, monkeypatch):
    turn, turns = [0], []

    def release(self):
        for _ in range(4):
            turns.append(turn[0])
            yield

    monkeypatch.setattr(Snapshot, "release", release)

    async def run():
        async with setup.running():
            count_turns(turn)
            setup.control.send(snapshot_frames(1, "192.0.2.1"), snapshot_frames(2, "192.0.2.2"))
            await until(lambda: len(turns) == 4, "freed")

    asyncio.run(run())

    assert len(set(turns)) == 4
