"""Reloads: all or nothing, one at a time, by themselves when a file changes."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from gtmdns.config.mistakes import Mistake
from gtmdns.control import control as control_module
from gtmdns.control.control import Control
from gtmdns.control.load import LoadReport
from gtmdns.control.status import pool_status
from gtmdns.sources import file
from gtmdns.sources.file import look
from tests.control.running import HOME, answers, run
from tests.control.support import (
    QUICK,
    Endpoints,
    load_here,
    until,
    write,
)


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
            looks = 0

            def count(files: Any) -> file.Look:
                nonlocal looks
                looks += 1
                return look(files)

            patch.setattr(file, "look", count)
            await until(lambda: looks > 10, "it looked often, and found nothing new")
        assert loads == 1
        assert answers(control, "static") == {"192.0.2.77"}

        write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.77", "192.0.2.78"))
        await until(lambda: control.generation == 2, "the file is still watched")
        assert answers(control, "static") == {"192.0.2.78"}

    run(tmp_path, test)


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
def test_a_reload_that_fails_by_a_mistake_of_ours_is_not_the_end_of_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> LoadReport:
        raise RuntimeError("unexpected")

    async def test(control: Control, endpoints: Endpoints) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(control_module, "load", broken)
            write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.77", "192.0.2.78"))
            await until(lambda: "unexpected" in caplog.text, "the failure is logged")
        await until(lambda: control.generation == 2, "it is tried again")
        assert answers(control, "static") == {"192.0.2.78"}

    run(tmp_path, test)


@pytest.mark.usefixtures("quick_looks")
def test_included_files_are_watched(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        write(tmp_path / "more.yaml", QUICK.replace("192.0.2.77", "192.0.2.78"))
        await until(lambda: answers(control, "static") == {"192.0.2.78"}, "the included file")

    write(tmp_path / "more.yaml", QUICK)
    run(tmp_path, test, "include: [more.yaml]\n")


@pytest.mark.usefixtures("quick_looks")
def test_master_files_are_watched(tmp_path: Path) -> None:
    """One that is included too; and a mistake in it leaves the answers as they are."""

    async def test(control: Control, endpoints: Endpoints) -> None:
        assert answers(control, "filed") == {"192.0.2.1"}
        write(tmp_path / "more.zone", "filed A 192.0.2.300\n")
        await until(lambda: not control.last_reload.ok, "the mistake is found")
        [mistake] = control.last_reload.mistakes
        assert str(mistake).startswith(f"{tmp_path}/more.zone:1: ")
        assert answers(control, "filed") == {"192.0.2.1"}
        write(tmp_path / "more.zone", "filed A 192.0.2.2\n")
        await until(lambda: answers(control, "filed") == {"192.0.2.2"}, "the master file")

    write(tmp_path / "static.zone", "$INCLUDE more.zone\n")
    write(tmp_path / "more.zone", "filed A 192.0.2.1\n")
    run(tmp_path, test, QUICK.replace("    contact:", "    zone_file: static.zone\n    contact:"))
