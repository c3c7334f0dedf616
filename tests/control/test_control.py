"""Control from its start to its answers: the first publication, and what verdicts change."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gtmdns.control.control import Control
from gtmdns.control.steering import MERGE
from tests.compiler.support import ask, rcode
from tests.control.running import HOME, answers, hanging, run
from tests.control.support import (
    QUICK,
    Endpoints,
    FakeWorker,
    controlled,
    has_followed,
    until,
)


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
        assert control.steering.verdict_changes["home", "192.0.2.1", "down"] == 1
        assert control.steering.verdict_changes["home", "192.0.2.1", "up"] == 2
        await until(lambda: [f[0] for f in worker.frames].count("change") >= 3, "workers know")
        await worker.close()

    run(tmp_path, test)


def test_verdicts_of_one_moment_are_one_change(tmp_path: Path) -> None:
    """Merged for 50 ms: a rack that dies does not send a change for each of its endpoints."""

    async def test(control: Control, endpoints: Endpoints) -> None:
        steering = control.steering
        await until(lambda: all(s.last for s in control.monitor.standings().values()), "verdicts")
        await until(lambda: has_followed(control), "they are in the answers")
        looked: list[list[str]] = []
        look_at = steering._look_at

        def note(publication: Any, moment: Any, pools: Any) -> Any:
            looked.append(sorted(pools))
            return look_at(publication, moment, pools)

        steering._look_at = note  # type: ignore[method-assign]
        before = time.monotonic()
        for key, standing in control.monitor.standings().items():
            steering.on_verdict(key, standing)
        assert looked == []

        await until(lambda: looked, "the answers are decided anew")
        assert time.monotonic() - before >= MERGE
        assert looked == [["home"]]

    run(tmp_path, test)


def test_a_pool_that_is_shared_changes_all_names_that_use_it(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        endpoints.dead |= HOME
        await until(lambda: answers(control, "both") == {"192.0.2.9"}, "both follows")
        assert answers(control, "www") == {"192.0.2.9"}
        assert answers(control, "static") == {"192.0.2.77"}

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
