"""Control as a whole: first publication, reloads, verdicts, what outlives it, what it notices."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gtmdns.config.mistakes import Mistake
from gtmdns.control import control as control_module
from gtmdns.control.control import KEPT, MERGE, Control
from gtmdns.control.load import LoadReport
from gtmdns.control.state import FILE, read_state, write_state
from gtmdns.control.status import pool_status
from gtmdns.health.probes import ProbeResult
from gtmdns.sources import file
from tests.compiler.support import ask, rcode
from tests.control.support import (
    QUICK,
    Endpoints,
    FakeWorker,
    controlled,
    load_here,
    until,
    write,
)

Test = Callable[[Control, Endpoints], Awaitable[None]]


def run(folder: Path, test: Test, text: str = QUICK, **options: Any) -> None:
    async def main() -> None:
        async with controlled(folder, text, **options) as (control, endpoints):
            await test(control, endpoints)

    asyncio.run(main())


def answers(control: Control, owner: str = "www") -> set[str]:
    """Return the addresses that are given for a name now."""
    assert control.publication is not None
    snapshot = control.publication.snapshot
    draws = range(0, 1 << 64, 1 << 60)
    found = (ask(snapshot, f"{owner}.example.test.", "A", draw=draw) for draw in draws)
    return {str(rdata) for response in found for rrset in response.answer for rdata in rrset}


async def hanging(address: str, host: str, check: Any) -> ProbeResult:
    """A probe without an end."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


HOME = {"192.0.2.1", "192.0.2.2"}


# Starting


def test_the_first_publication_has_the_first_verdicts(tmp_path: Path) -> None:
    async def main() -> None:
        text = QUICK.replace("startup_wait: 50ms", "startup_wait: 10s").replace(
            "interval: 50ms, timeout: 50ms", "interval: 60s, timeout: 10s"
        )
        async with controlled(tmp_path, text, start=False) as (control, endpoints):
            endpoints.dead.add("192.0.2.1")
            assert await control.start()

            assert answers(control) == {"192.0.2.2"}
            assert control.generation == 1
            assert control.last_reload is not None
            assert control.last_reload.ok

    asyncio.run(main())


def test_endpoints_that_nobody_knows_of_yet_are_usable(tmp_path: Path) -> None:
    async def main() -> None:
        async with controlled(tmp_path, QUICK, start=False) as (control, _):
            control.monitor._probe = hanging
            assert await control.start()
            assert answers(control) == HOME

    asyncio.run(main())


def test_a_broken_configuration_is_nothing_to_start_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        broken = QUICK.replace("A: 192.0.2.77", "A: nonsense")
        async with controlled(tmp_path, broken, start=False) as (control, _):
            assert not await control.start()
            assert control.publication is None
            assert control.last_reload is not None
            assert not control.last_reload.ok

    asyncio.run(main())
    assert f"{tmp_path}/gtmdns.yaml:16:" in caplog.text
    assert "'nonsense' is no A record" in caplog.text


# Verdicts


def test_a_verdict_changes_answers_and_is_counted(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: worker.snapshot.generation, "a generation")
        endpoints.dead.add("192.0.2.1")
        await until(lambda: answers(control) == {"192.0.2.2"}, "only the living one is given")
        endpoints.dead.add("192.0.2.2")
        await until(lambda: answers(control) == {"192.0.2.9"}, "the chain goes on")
        endpoints.dead.clear()
        await until(lambda: answers(control) == HOME, "both are back")

        assert control.generation == 1
        assert control.verdict_changes["home", "192.0.2.1", "down"] == 1
        assert control.verdict_changes["home", "192.0.2.1", "up"] == 2
        await until(lambda: [f[0] for f in worker.frames].count("change") >= 3, "workers know")
        await worker.close()

    run(tmp_path, test)


def test_verdicts_of_one_moment_are_one_change(tmp_path: Path) -> None:
    """Merged for 50 ms: a rack that dies does not send a change for each of its endpoints."""

    async def test(control: Control, endpoints: Endpoints) -> None:
        publication = control.publication
        assert publication is not None
        await until(lambda: all(s.last for s in control.monitor.standings().values()), "verdicts")
        await until(lambda: not control._dirty_pools, "they are in the answers")
        refreshed: list[list[str]] = []
        refresh = publication.refresh

        def note(pools: Any, usable: Any) -> Any:
            refreshed.append(sorted(pools))
            return refresh(pools, usable)

        publication.refresh = note  # type: ignore[method-assign]
        before = time.monotonic()
        for key, standing in control.monitor.standings().items():
            control._on_verdict(key, standing)
        assert refreshed == []

        await until(lambda: refreshed, "the answers are decided anew")
        assert time.monotonic() - before >= MERGE
        assert refreshed == [["home"]]

    run(tmp_path, test)


def test_a_pool_that_is_shared_changes_all_names_that_use_it(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        endpoints.dead |= HOME
        await until(lambda: answers(control, "both") == {"192.0.2.9"}, "both follows")
        assert answers(control, "www") == {"192.0.2.9"}
        assert answers(control, "static") == {"192.0.2.77"}

    run(tmp_path, test)


# Reloads


def test_a_good_reload_is_published_and_a_bad_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        write(tmp_path / "gtmdns.yaml", QUICK.replace("A: 192.0.2.77", "A: 192.0.2.78"))
        report = await control.reload("test")
        assert (report.ok, report.generation) == (True, 2)
        assert answers(control, "static") == {"192.0.2.78"}

        write(tmp_path / "gtmdns.yaml", QUICK.replace("A: 192.0.2.77", "A: nonsense"))
        report = await control.reload("test")
        assert (report.ok, report.generation, len(report.mistakes)) == (False, 2, 1)
        assert control.generation == 2
        assert answers(control, "static") == {"192.0.2.78"}
        assert "configuration refused: 1 mistake, still serving generation 2" in caplog.text
        assert ":16:" in caplog.text

    run(tmp_path, test)


def test_a_reload_forgets_no_verdict_of_what_is_as_it_was(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        endpoints.dead |= HOME
        await until(lambda: answers(control) == {"192.0.2.9"}, "home is down")
        standing = control.monitor.standing(("192.0.2.1", "web"))

        write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.9", "192.0.2.10"))
        await control.reload("test")

        assert answers(control) == {"192.0.2.10"}
        assert control.monitor.standing(("192.0.2.1", "web")).since == standing.since

    run(tmp_path, test)


def test_pools_may_come_and_go(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        text = QUICK.replace("home", "other").replace("192.0.2.2,", "192.0.2.3,")
        write(tmp_path / "gtmdns.yaml", text)
        await control.reload("test")

        assert set(control.usable()) == {"other", "away"}
        endpoints.dead.add("192.0.2.3")
        await until(lambda: answers(control) == {"192.0.2.1"}, "the new endpoint is probed")
        assert ("192.0.2.2", "web") not in control.monitor.standings()

    run(tmp_path, test)


def test_status_can_be_told_while_a_large_reload_is_published(tmp_path: Path) -> None:
    """Pieces are taken in slices: what is asked meanwhile is answered from what is served."""

    async def test(control: Control, endpoints: Endpoints) -> None:
        seen = []

        async def ask_all_the_time() -> None:
            while True:
                seen.append([pool["name"] for pool in pool_status(control)])
                await asyncio.sleep(0)

        asking = asyncio.create_task(ask_all_the_time())
        records = "".join(f"      n{n}: {{A: 192.0.2.77}}\n" for n in range(3000))
        text = QUICK.replace("home", "other").replace("192.0.2.2,", "192.0.2.3,") + records
        write(tmp_path / "gtmdns.yaml", text)
        await control.reload("test")
        await asyncio.sleep(0)
        assert not asking.done(), asking.exception()
        asking.cancel()

        assert seen[0] == ["home", "away"]
        assert seen[-1] == ["other", "away"]
        assert len(seen) > 5

    run(tmp_path, test)


def test_requests_during_a_reload_share_one_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        running = most = loads = 0

        async def slow(*arguments: Any) -> LoadReport:
            nonlocal running, most, loads
            running, loads = running + 1, loads + 1
            most = max(most, running)
            for _ in range(10):
                await asyncio.sleep(0.001)
            running -= 1
            return await load_here(*arguments)

        monkeypatch.setattr(control_module, "load", slow)
        first = asyncio.create_task(control.reload("first"))
        await asyncio.sleep(0)
        reports = await asyncio.gather(*(control.reload(str(n)) for n in range(20)))
        await first

        assert (most, loads) == (1, 2)
        assert {report.generation for report in reports} == {3}

    run(tmp_path, test)


def test_a_reload_between_two_others_does_not_run_beside_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for in the very turn in which the first has ended and the second has not begun."""

    async def test(control: Control, endpoints: Endpoints) -> None:
        running = most = 0

        async def slow(*arguments: Any) -> LoadReport:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            return await load_here(*arguments)

        monkeypatch.setattr(control_module, "load", slow)
        more: list[asyncio.Task[Any]] = []
        first = asyncio.create_task(control.reload("first"))
        await asyncio.sleep(0)
        second = asyncio.create_task(control.reload("second"))
        await asyncio.sleep(0)
        running_task = control._running
        assert running_task is not None
        running_task.add_done_callback(
            lambda _: more.append(asyncio.create_task(control.reload("third")))
        )
        await asyncio.gather(first, second)
        await asyncio.gather(*more)

        assert most == 1

    run(tmp_path, test)


def test_who_asks_may_hang_up(tmp_path: Path) -> None:
    """A client that goes away does not undo the reload that it asked for."""

    async def test(control: Control, endpoints: Endpoints) -> None:
        asking = asyncio.create_task(control.reload("test"))
        await asyncio.sleep(0)
        asking.cancel()
        await until(lambda: control.generation == 2, "the reload went on")

    run(tmp_path, test)


# fmt: off
FIXED = [
    ("server.listen",    "server: {startup_wait", 'server: {listen: ["127.0.0.1:5301"], startup_wait'),
    ("server.workers",   "server: {startup_wait", "server: {workers: 3, startup_wait"),
    ("server.user",      "server: {startup_wait", "server: {user: nobody, startup_wait"),
    ("server.state_dir", "server: {startup_wait", "server: {state_dir: state, startup_wait"),
    ("server.log",       "server: {startup_wait", "server: {log: {level: debug}, startup_wait"),
    ("admin.listen",     "admin: {listen: null",  'admin: {listen: "127.0.0.1:8054"'),
]
# fmt: on


@pytest.mark.parametrize(("key", "old", "new"), FIXED)
def test_what_needs_a_restart_is_refused_and_said(
    tmp_path: Path, key: str, old: str, new: str
) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        changed = QUICK.replace(old, new).replace("192.0.2.77", "192.0.2.78")
        assert new in changed
        write(tmp_path / "gtmdns.yaml", changed)

        report = await control.reload("test")

        assert not report.ok
        assert [(m.key, m.problem) for m in report.mistakes] == [(key, "a change needs a restart")]
        assert report.mistakes[0].line in (2, 3)
        assert answers(control, "static") == {"192.0.2.77"}

    run(tmp_path, test)


def test_a_loader_that_dies_is_a_failed_reload_and_is_not_asked_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(file, "SETTLE", 0.02)
    loads = 0

    async def test(control: Control, endpoints: Endpoints) -> None:
        async def die(*arguments: Any) -> LoadReport:
            nonlocal loads
            loads += 1
            return LoadReport(mistakes=[Mistake("x", 1, 1, "", "the loader died")])

        with monkeypatch.context() as patch:
            patch.setattr(control_module, "load", die)
            report = await control.reload("test")
            assert not report.ok
            await asyncio.sleep(0.2)  # many looks, each of which must find nothing new
        assert loads == 1
        assert answers(control, "static") == {"192.0.2.77"}

        write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.77", "192.0.2.78"))
        await until(lambda: control.generation == 2, "the file is still watched")
        assert answers(control, "static") == {"192.0.2.78"}

    run(tmp_path, test)


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(file, "SETTLE", 0.02)


@pytest.mark.usefixtures("quick_looks")
def test_files_are_watched_whether_they_are_good_or_bad(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        path = tmp_path / "gtmdns.yaml"
        write(path, QUICK.replace("192.0.2.77", "192.0.2.78"))
        await until(lambda: control.generation == 2, "a change is noticed")

        write(path, "zones: [")
        await until(lambda: control.last_reload and not control.last_reload.ok, "a mistake is, too")
        assert control.generation == 2

        write(tmp_path / "new", QUICK.replace("192.0.2.77", "192.0.2.79"))
        os.replace(tmp_path / "new", path)
        await until(lambda: control.generation == 3, "a repair by rename is noticed")
        assert answers(control, "static") == {"192.0.2.79"}

    run(tmp_path, test)


@pytest.mark.usefixtures("quick_looks")
def test_included_files_are_watched(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        write(tmp_path / "more.yaml", QUICK.replace("192.0.2.77", "192.0.2.78"))
        await until(lambda: answers(control, "static") == {"192.0.2.78"}, "the included file")

    write(tmp_path / "more.yaml", QUICK)
    run(tmp_path, test, "include: [more.yaml]\n")


# What outlives control


def test_a_control_that_follows_one_that_died_goes_on_with_it(tmp_path: Path) -> None:
    """Verdicts, generation, serials, and what is served: without waiting for a load."""

    async def main() -> None:
        async with controlled(tmp_path) as (first, endpoints):
            endpoints.dead |= HOME
            await until(lambda: answers(first) == {"192.0.2.9"}, "home is down")
            write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.77", "192.0.2.78"))
            await first.reload("test")
            zones = first.publication.plan.zones  # type: ignore[union-attr]
            serial = zones["example.test"].serial

        async with controlled(tmp_path, "", start=False) as (second, endpoints):
            endpoints.dead |= HOME
            assert await second.start()
            assert answers(second) == {"192.0.2.9"}
            assert answers(second, "static") == {"192.0.2.78"}
            assert second.generation == 3
            zones = second.publication.plan.zones  # type: ignore[union-attr]
            assert zones["example.test"].serial == serial

    asyncio.run(main())


@pytest.mark.usefixtures("quick_looks")
def test_what_broke_meanwhile_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    async def main() -> None:
        async with controlled(tmp_path):
            pass
        write(tmp_path / "gtmdns.yaml", "zones: [")
        async with controlled(tmp_path, "", start=False) as (second, _):
            assert await second.start()
            assert answers(second, "static") == {"192.0.2.77"}
            await until(lambda: second.last_reload and not second.last_reload.ok, "it is told")

    asyncio.run(main())


def test_a_refused_configuration_is_not_what_the_next_control_goes_on_with(tmp_path: Path) -> None:
    async def main() -> None:
        async with controlled(tmp_path) as (first, _):
            changed = QUICK.replace("server: {", "server: {workers: 3, ")
            write(tmp_path / "gtmdns.yaml", changed.replace("192.0.2.77", "192.0.2.78"))
            assert not (await first.reload("test")).ok
        async with controlled(tmp_path, "", start=False) as (second, _):
            assert await second.start()
            assert answers(second, "static") == {"192.0.2.77"}

    asyncio.run(main())


def test_what_was_kept_may_be_spoilt(tmp_path: Path) -> None:
    async def main() -> None:
        async with controlled(tmp_path):
            pass
        (tmp_path / "runtime" / KEPT).write_bytes(b"spoilt")
        (tmp_path / "runtime" / FILE).write_bytes(b"spoilt")
        async with controlled(tmp_path, "", start=False) as (second, _):
            assert await second.start()
            assert answers(second, "static") == {"192.0.2.77"}

    asyncio.run(main())


def test_the_state_survives_the_server_where_a_folder_is_set(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    state_dir.mkdir()

    async def main() -> None:
        async with controlled(tmp_path, state_dir=state_dir) as (_, endpoints):
            endpoints.dead |= HOME
        for leftover in (tmp_path / "runtime").iterdir():
            leftover.unlink()  # a new server has a new runtime folder
        saved = read_state(state_dir)
        assert saved.generation == 1
        text = QUICK.replace("192.0.2.77", "192.0.2.78")
        write_state(state_dir, saved)
        async with controlled(tmp_path, text, state_dir=state_dir) as (second, _):
            assert second.generation == 2
            (serial,) = (z.serial for z in second.publication.plan.zones.values())  # type: ignore[union-attr]
            assert serial > saved.serials["example.test"][1]

    asyncio.run(main())


def test_restored_verdicts_hold_until_probes_say_otherwise(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    state_dir.mkdir()

    async def main() -> None:
        async with controlled(tmp_path, state_dir=state_dir) as (first, found):
            found.dead.add("192.0.2.1")
            await until(lambda: answers(first) == {"192.0.2.2"}, "192.0.2.1 is down")
        (tmp_path / "runtime" / KEPT).unlink()
        async with controlled(tmp_path, "", state_dir=state_dir, start=False) as (second, _):
            second.monitor._probe = hanging
            assert await second.start()
            assert answers(second) == {"192.0.2.2"}

    asyncio.run(main())


def test_a_folder_that_cannot_be_written_is_told_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_module, "SAVE_EVERY", 0.005)

    async def test(control: Control, endpoints: Endpoints) -> None:
        for number in range(3):
            write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.77", f"192.0.2.{80 + number}"))
            await control.reload("test")
        assert answers(control, "static") == {"192.0.2.82"}
        assert read_state(tmp_path / "runtime").generation == 4

    with caplog.at_level(logging.WARNING):
        run(tmp_path, test, state_dir=tmp_path / "no such folder")

    told = [record for record in caplog.records if "cannot be saved" in record.getMessage()]
    assert len(told) == 1


def test_where_the_state_folder_is_lost_the_runtime_folder_still_knows(tmp_path: Path) -> None:
    """A generation's number is never given twice: workers and counters go by it."""

    async def main() -> None:
        lost = tmp_path / "no such folder"
        async with controlled(tmp_path, state_dir=lost) as (first, _):
            assert first.generation == 1
        async with controlled(tmp_path, "", state_dir=lost, start=False) as (second, _):
            assert await second.start()
            assert second.generation == 2

    asyncio.run(main())


def test_generation_and_serials_are_on_disk_before_anybody_is_told(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        saved: list[int] = []
        publish = control.workers.publish

        def check(publication: Any) -> None:
            saved.append(read_state(tmp_path / "runtime").generation)
            publish(publication)

        control.workers.publish = check  # type: ignore[method-assign]
        write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.77", "192.0.2.78"))
        await control.reload("test")

        assert saved == [2]

    run(tmp_path, test)


def test_answers_come_as_servfail_only_where_that_was_asked_for(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        def told() -> str:
            assert control.publication is not None
            return rcode(ask(control.publication.snapshot, "www.example.test.", "A"))

        endpoints.dead |= HOME
        await until(lambda: told() == "SERVFAIL", "all are down")
        endpoints.dead.clear()
        await until(lambda: told() == "NOERROR", "they are back")

    run(tmp_path, test, QUICK.replace("[home, away]}", "home, when_all_down: servfail}"))
