"""Host names, exceptions and want of resources: the schedule goes on whatever happens."""

import asyncio
import logging
import resource
from typing import Any

import pytest

from gtmdns.health.monitor import affordable, is_address
from gtmdns.health.probes import Check, Exhausted, ProbeResult
from gtmdns.health.resolve import Resolver, Unresolved
from gtmdns.health.standing import CheckKey, Standing
from gtmdns.health.verdict import State
from tests.health.scene import WEB, A, Scene, play
from tests.health.support import run_fast


class FaultError(Exception):
    """Something that no probe is expected to raise."""


def test_an_unexpected_exception_is_a_failure_and_the_schedule_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def probe(address: str, host: str, check: Check) -> ProbeResult:
        raise FaultError("out of order")

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(59)
        standing = scene.monitor.standing(A)
        assert standing.last is not None
        assert standing.last.reason == "probe failed: FaultError"
        assert standing.failures == scene.monitor.errors == 13
        assert standing.state is State.DOWN

    play(story, probe=probe)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]

    assert [record.getMessage() for record in errors] == ["check web of 192.0.2.1 raised"]
    assert errors[0].exc_info is not None


def test_listeners_that_raise_do_not_end_the_schedule(caplog: pytest.LogCaptureFixture) -> None:
    async def story(scene: Scene) -> None:
        def fail(key: CheckKey, standing: Standing) -> None:
            raise FaultError

        scene.monitor._on_change = scene.monitor._on_result = fail
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(20)
        assert scene.monitor.standing(A).successes == 5
        assert scene.monitor.errors == 6

    play(story)

    assert "telling of ('192.0.2.1', 'web') failed" in caplog.text


def test_want_of_descriptors_changes_no_verdict(caplog: pytest.LogCaptureFixture) -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(1)

        async def probe(address: str, host: str, check: Check) -> ProbeResult:
            raise Exhausted("too many open files")

        scene.monitor._probe = probe
        await asyncio.sleep(100)
        standing = scene.monitor.standing(A)
        assert (standing.state, standing.successes, standing.failures) == (State.UP, 1, 0)
        assert scene.monitor.skipped > 20
        assert (scene.monitor.errors, scene.monitor.running) == (0, 0)

    play(story)
    lines = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]

    assert lines == ["probes are skipped, verdicts stay: too many open files"] * 2


class Names(Resolver):
    """A resolver that answers at once with what it is told to."""

    def __init__(self, outcome: tuple[str, ...] | Exception) -> None:
        super().__init__()
        self.outcome = outcome

    async def addresses(self, name: str, patience: float) -> tuple[str, ...]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


NAME = ("backend.example", "web")


def with_names(outcome: tuple[str, ...] | Exception, story: Any) -> Scene:
    async def run() -> Scene:
        names = Names(outcome)
        scene = Scene(resolver=names)
        try:
            await story(scene, names)
        finally:
            await scene.monitor.close()
        return scene

    return run_fast(run())


def test_a_host_name_is_looked_up_and_the_address_shown() -> None:
    async def story(scene: Scene, names: Names) -> None:
        scene.monitor.apply({NAME: WEB}, spread=0)
        await asyncio.sleep(1)
        last = scene.monitor.standing(NAME).last
        assert last is not None
        assert last.address == "192.0.2.1"
        names.outcome = ("192.0.2.9",)
        await asyncio.sleep(5)
        last = scene.monitor.standing(NAME).last
        assert last is not None
        assert last.address == "192.0.2.9"

    with_names(("192.0.2.1", "192.0.2.2"), story)


def test_a_name_stays_up_while_one_of_its_addresses_answers() -> None:
    async def story(scene: Scene, names: Names) -> None:
        scene.monitor.apply({NAME: WEB}, spread=0)
        await asyncio.sleep(12)
        scene.targets.up = {"192.0.2.1": False, "192.0.2.2": True}
        await asyncio.sleep(60)
        last = scene.monitor.standing(NAME).last
        assert last is not None
        assert last.address == "192.0.2.2"
        assert scene.monitor.standing(NAME).failures == 1

    scene = with_names(("192.0.2.1", "192.0.2.2"), story)

    assert [state for _, _, state in scene.changes] == [State.UP]


# fmt: off
LOOKUPS = [
    (Unresolved("name has no address"), "name has no address"),
    (FaultError("out of order"),             "name lookup failed: FaultError"),
]
# fmt: on


@pytest.mark.parametrize(("outcome", "reason"), LOOKUPS)
def test_a_name_without_an_address_is_a_failure(outcome: Exception, reason: str) -> None:
    async def story(scene: Scene, names: Names) -> None:
        scene.monitor.apply({NAME: WEB}, spread=0)
        await asyncio.sleep(12)
        standing = scene.monitor.standing(NAME)
        assert standing.state is State.DOWN
        assert standing.last is not None
        assert (standing.last.reason, standing.last.address) == (reason, None)
        assert standing.failures == 3
        assert scene.targets.starts == []

    with_names(outcome, story)


# fmt: off
HOSTS = [
    ("192.0.2.1",   True),
    ("2001:db8::1", True),
    ("a.example",   False),
    ("192.0.2",     False),
]
# fmt: on


@pytest.mark.parametrize(("host", "expected"), HOSTS)
def test_addresses_are_told_from_names(host: str, expected: bool) -> None:
    assert is_address(host) is expected


@pytest.mark.parametrize(
    ("soft", "expected"), [(100, 50), (1024, 512), (1 << 20, 1000), (1, 1), (-1, 1000)]
)
def test_probes_at_once_leave_descriptors_for_others(
    soft: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, soft))

    assert affordable(1000) == expected
