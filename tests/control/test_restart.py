"""What outlives control: a process that died, a server that was restarted, a lost folder."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from gtmdns.control import keeping
from gtmdns.control.control import KEPT, Control
from gtmdns.control.state import FILE, read_state
from tests.control.running import HOME, answers, hanging, run
from tests.control.support import (
    QUICK,
    Endpoints,
    controlled,
    until,
    write,
    write_state,
)


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
        for _ in range(2):  # what was refused lies about: the second must not take it for kept
            async with controlled(tmp_path, "", start=False) as (later, _):
                assert await later.start()
                assert answers(later, "static") == {"192.0.2.77"}

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
    monkeypatch.setattr(keeping, "SAVE_EVERY", 0.005)

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
