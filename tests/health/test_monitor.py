"""The schedule of probes, on made-up time with made-up probes: exact, and quick."""

import asyncio
import logging
import random
import resource
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.health import monitor as module
from gtmdns.health.monitor import Monitor, affordable, is_address
from gtmdns.health.probes import Check, Exhausted, ProbeResult
from gtmdns.health.resolve import Resolver, Unresolved
from gtmdns.health.standing import CheckKey, SavedVerdict, Standing
from gtmdns.health.verdict import State
from tests.health.support import Definition, run_fast, state_by_history

WEB = Definition()
A, B = ("192.0.2.1", "web"), ("192.0.2.2", "web")


class Targets:
    """Stands for the network: remembers each probe, and answers as each address is told to."""

    def __init__(self) -> None:
        self.starts: list[tuple[float, str]] = []
        self.up: Mapping[str, bool] | Callable[[str], bool] = lambda _address: True
        self.takes = 0.01  # seconds per probe
        self.under_way: Counter[str] = Counter()
        self.most_at_once = 0

    async def probe(self, address: str, host: str, check: Check) -> ProbeResult:
        self.starts.append((asyncio.get_running_loop().time(), address))
        self.under_way[address] += 1
        assert self.under_way[address] == 1, "two probes of one key at once"
        self.most_at_once = max(self.most_at_once, self.under_way.total())
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.under_way[address] -= 1
        success = self.up(address) if callable(self.up) else self.up[address]
        return ProbeResult(success, "200" if success else "503, expected 200-399", self.takes)

    def times(self, address: str) -> list[float]:
        return [at for at, probed in self.starts if probed == address]


class Scene:
    """A monitor with made-up targets, and everything that it told."""

    def __init__(self, *, seed: int = 1, **options: Any) -> None:
        self.targets = Targets()
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.changes: list[tuple[float, CheckKey, State]] = []
        self.results: list[tuple[CheckKey, bool]] = []
        settings = {"probe": self.targets.probe, "clock": self.loop.time, "concurrency": 256}
        self.monitor = Monitor(
            on_change=self.note_change,
            on_result=self.note_result,
            chance=random.Random(seed),
            **{**settings, **options},
        )

    def note_change(self, key: CheckKey, standing: Standing) -> None:
        self.changes.append((self.now(), key, standing.state))

    def note_result(self, key: CheckKey, standing: Standing) -> None:
        assert standing.last is not None
        self.results.append((key, standing.last.success))

    def now(self) -> float:
        """Seconds since the scene began."""
        return self.loop.time() - self.began


def play(story: Callable[[Scene], Coroutine[Any, Any, None]], **options: Any) -> Scene:
    """Run `story` on made-up time and close the monitor."""

    async def run() -> Scene:
        scene = Scene(**options)
        try:
            await story(scene)
        finally:
            await scene.monitor.close()
        return scene

    return run_fast(run())


def many(count: int, check: Definition = WEB) -> dict[CheckKey, Definition]:
    return {(f"192.0.{n // 250}.{n % 250}", "web"): check for n in range(count)}


def test_the_first_result_decides() -> None:
    async def story(scene: Scene) -> None:
        scene.targets.up = {A[0]: True, B[0]: False}
        scene.monitor.apply({A: WEB, B: WEB}, spread=0)
        assert [s.state for s in scene.monitor.standings().values()] == [State.UNKNOWN] * 2
        assert scene.monitor.standing(A).usable
        await asyncio.sleep(1)
        assert scene.monitor.standing(A).state is State.UP
        assert scene.monitor.standing(B).state is State.DOWN

    scene = play(story)

    assert {(key, state) for _, key, state in scene.changes} == {(A, State.UP), (B, State.DOWN)}
    assert len(scene.changes) == 2


def test_what_a_standing_tells() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(12)
        scene.targets.up = {A[0]: False}
        await asyncio.sleep(4)
        standing = scene.monitor.standing(A)
        assert standing.last is not None
        assert (standing.successes, standing.failures) == (3, 1)
        assert standing.last.reason == "503, expected 200-399"
        assert standing.last.address == A[0]
        assert standing.last.elapsed == 0.01
        assert standing.last.at == scene.targets.times(A[0])[-1] + 0.01
        assert standing.since == scene.began + 0.01
        assert standing.verdict.counted == 1

    play(story)


@given(seed=st.integers(0, 2**32), fall=st.integers(1, 4), rise=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_detection_and_return_take_at_most_the_promised_time(
    seed: int, fall: int, rise: int
) -> None:
    """Down within fall x interval + timeout, the worst case being a target that hangs."""
    check = Definition(fall=fall, rise=rise)
    chance = random.Random(seed)

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: check}, spread=0)
        await asyncio.sleep(20 + 5 * chance.random())
        scene.targets.up, scene.targets.takes = {A[0]: False}, check.timeout
        died = scene.now()
        await asyncio.sleep(60)
        scene.targets.up, scene.targets.takes = {A[0]: True}, 0.01
        returned = scene.now()
        await asyncio.sleep(60)
        (down, _, first), (up, _, second) = scene.changes[1:]
        assert (first, second) == (State.DOWN, State.UP)
        assert down - died <= fall * check.interval + check.timeout
        # a probe that is under way at the return may still fail
        assert up - returned <= check.timeout + rise * check.interval + 0.01

    play(story, seed=seed)


def test_intervals_run_from_start_to_start_and_are_shortened_by_up_to_a_tenth() -> None:
    async def story(scene: Scene) -> None:
        scene.targets.takes = 1.9
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(5000)

    times = play(story).targets.times(A[0])
    gaps = [later - earlier for earlier, later in pairwise(times)]

    assert len(gaps) > 1000
    assert 4.5 <= min(gaps) < 4.51
    assert 4.99 < max(gaps) <= 5.0
    assert 4.74 < sum(gaps) / len(gaps) < 4.76


def test_a_probe_longer_than_its_interval_is_not_overlapped() -> None:
    async def story(scene: Scene) -> None:
        scene.targets.takes = 12.0
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(120)

    gaps = [b - a for a, b in pairwise(play(story).targets.times(A[0]))]

    assert gaps == [12.0] * 9


@pytest.mark.parametrize(
    ("count", "spread"), [(2000, 3.0), (10, 3.0), (1, 3.0), (7, 0.0), (7, -1.0)]
)
def test_first_probes_are_spread(count: int, spread: float) -> None:
    """No burst at the start: evenly over the spread, and at most that many in any moment."""

    async def story(scene: Scene) -> None:
        scene.monitor.apply(many(count), spread)
        await asyncio.sleep(4)

    scene = play(story)
    times = sorted(at - scene.began for at, _ in scene.targets.starts)

    assert len(times) == count
    assert times == pytest.approx([max(0, spread) * n / count for n in range(count)])
    assert times[-1] < max(spread, 0.001)


def test_the_order_of_first_probes_is_random_but_repeatable() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply(many(50), 1.0)
        await asyncio.sleep(2)

    first, again, other = (play(story, seed=seed).targets.starts for seed in (1, 1, 2))

    assert first == again
    assert [address for _, address in first] != [address for _, address in other]
    assert [address for _, address in first] != [key[0] for key in many(50)]


def test_probes_drift_apart() -> None:
    """Keys that began together do not stay together: after a while their phases differ."""

    async def story(scene: Scene) -> None:
        scene.monitor.apply(many(200), 0.0)
        await asyncio.sleep(600)

    scene = play(story)
    last = Counter(int(at) for at, _ in scene.targets.starts if at > scene.began + 500)

    assert max(last.values()) < 100  # of 200 that began in one moment


def test_waiting_for_a_turn_is_no_failure_and_runs_no_timeout() -> None:
    async def story(scene: Scene) -> None:
        scene.targets.takes = 1.0  # 10 at once: 10 probes a second, 20 wanted
        scene.monitor.apply(many(100), 0.0)
        await asyncio.sleep(0.5)
        assert (scene.monitor.running, scene.monitor.waiting) == (10, 90)
        await asyncio.sleep(100)
        assert scene.monitor.late > 0

    scene = play(story, concurrency=10)
    probed = Counter(address for _, address in scene.targets.starts)

    assert scene.targets.most_at_once == 10
    assert all(success for _, success in scene.results)
    assert {state for _, _, state in scene.changes} == {State.UP}
    assert max(probed.values()) - min(probed.values()) <= 1  # nobody starves
    assert 1000 <= probed.total() <= 1010  # every turn is used


def test_nothing_is_late_while_there_are_turns() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply(many(100), 5.0)
        await asyncio.sleep(100)

    scene = play(story)

    assert (scene.monitor.late, scene.monitor.waiting, scene.monitor.errors) == (0, 0, 0)


def test_hanging_targets_take_no_time_from_others() -> None:
    """While turns are left, one half hangs and the other half is probed on time."""

    async def story(scene: Scene) -> None:
        keys = list(many(100))
        hung = {address for address, _ in keys[:50]}

        async def probe(address: str, host: str, check: Check) -> ProbeResult:
            scene.targets.starts.append((scene.loop.time(), address))
            await asyncio.sleep(2.0 if address in hung else 0.01)
            return ProbeResult(address not in hung, "", 0.01)

        scene.monitor._probe = probe
        scene.monitor.apply(many(100), 3.0)
        await asyncio.sleep(60)
        for address, _ in keys[50:]:
            gaps = [b - a for a, b in pairwise(scene.targets.times(address))]
            assert max(gaps) <= 5.0

    play(story)


def test_flapping_changes_the_verdict_only_at_a_threshold() -> None:
    chance = random.Random(52)

    async def story(scene: Scene) -> None:
        scene.targets.up = lambda _address: chance.random() < 0.5
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(600)

    scene = play(story)
    expected = state_by_history([success for _, success in scene.results], 3, 2, 1)
    changes = [b for a, b in pairwise(["unknown", *expected]) if a != b]

    assert len(expected) > 120
    assert [state.value for _, _, state in scene.changes] == changes
    assert 1 < len(changes) < len(expected) / 2.5


def test_a_thousand_that_fail_at_once_cost_one_line_and_one_call_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, module.__name__)

    async def story(scene: Scene) -> None:
        scene.monitor.apply(many(1000), 3.0)
        await asyncio.sleep(30)
        for up in (False, True):
            scene.changes.clear()
            caplog.clear()
            scene.targets.up = {key[0]: up for key in many(1000)}
            await asyncio.sleep(30)
            assert len(scene.changes) == len(caplog.records) == 1000
            assert {state for _, _, state in scene.changes} == {State.UP if up else State.DOWN}

    play(story)


def test_a_change_is_logged_with_both_times(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, module.__name__)

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: replace(WEB, fall=1)}, spread=0)
        await asyncio.sleep(1)
        scene.targets.up = {A[0]: False}
        await asyncio.sleep(5)

    play(story)
    first, second = (record.getMessage() for record in caplog.records)

    assert first == "check web: 192.0.2.1 is up since 1970-01-01T00:16:40Z (200)"
    assert second.startswith("check web: 192.0.2.1 is down since 1970-01-01T00:16:4")
    assert "(503, expected 200-399), up for 4." in second


def test_the_schedule_does_not_follow_the_time_of_day() -> None:
    day = [0.0]

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: WEB}, spread=0)
        for day[0] in (0.0, 1e9, 0.0, -86_400.0):
            await asyncio.sleep(50)
            assert scene.monitor.standing(A).last.at == day[0]  # type: ignore[union-attr]

    gaps = [b - a for a, b in pairwise(play(story, clock=lambda: day[0]).targets.times(A[0]))]

    assert len(gaps) >= 40
    assert all(4.5 <= gap <= 5.0 for gap in gaps)


def test_apply_keeps_what_is_unchanged_starts_the_new_and_stops_the_gone() -> None:
    c = ("192.0.2.3", "web")

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: WEB, B: WEB}, spread=1)
        await asyncio.sleep(20.5)
        kept = scene.monitor.standing(A)
        gone = len(scene.targets.times(B[0]))
        scene.monitor.apply({A: Definition(), c: WEB}, spread=1)
        assert scene.monitor.standing(A) is kept
        assert scene.monitor.standing(c) == Standing()
        with pytest.raises(KeyError):
            scene.monitor.standing(B)
        await asyncio.sleep(20)
        assert len(scene.targets.times(B[0])) == gone
        assert scene.monitor.standing(c).successes >= 4
        gaps = [b - a for a, b in pairwise(scene.targets.times(A[0]))]
        assert all(4.5 <= gap <= 5.0 for gap in gaps)  # its schedule went on
        assert scene.monitor.standing(A).successes == len(scene.targets.times(A[0]))

    scene = play(story)

    assert Counter(key for _, key, _ in scene.changes) == {A: 1, B: 1, c: 1}


def test_a_changed_definition_starts_as_unknown() -> None:
    async def story(scene: Scene) -> None:
        scene.targets.up = {A[0]: False}
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(1)
        assert scene.monitor.standing(A).state is State.DOWN
        scene.monitor.apply({A: replace(WEB, path="/other")}, spread=3)
        assert scene.monitor.standing(A) == Standing()
        await asyncio.sleep(1)
        assert scene.monitor.standing(A).state is State.DOWN

    play(story)


def test_a_key_dropped_during_its_probe_is_never_heard_of_again() -> None:
    async def story(scene: Scene) -> None:
        scene.targets.takes = 1.5
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(1)
        scene.monitor.apply({}, spread=0)
        await asyncio.sleep(10)
        assert (scene.monitor.running, scene.monitor.waiting) == (0, 0)
        assert scene.monitor.standings() == {}

    scene = play(story)

    assert scene.results == []
    assert len(scene.targets.starts) == 1


def test_a_thousand_applies_leave_no_task_behind() -> None:
    async def story(scene: Scene) -> None:
        before = len(asyncio.all_tasks())
        for number in range(1000):
            scene.monitor.apply(many(3, replace(WEB, path=f"/{number}")), spread=0)
            await asyncio.sleep(0.005)
        assert len(asyncio.all_tasks()) == before + 3
        scene.monitor.apply({}, spread=0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == before

    play(story)


def test_first_verdicts_are_awaited() -> None:
    async def story(scene: Scene) -> None:
        assert await scene.monitor.first_verdicts(0.0)  # nothing to wait for
        scene.monitor.apply(many(10), spread=3)
        assert not await scene.monitor.first_verdicts(1.0)
        assert scene.now() == pytest.approx(1.0)
        assert await scene.monitor.first_verdicts(5.0)
        assert scene.now() == pytest.approx(2.7 + 0.01)
        scene.monitor.apply({**many(10), ("192.0.2.99", "web"): WEB}, spread=0)
        assert not await scene.monitor.first_verdicts(0.0)
        scene.monitor.apply(many(10), spread=0)  # the one that was waited for is gone
        assert await scene.monitor.first_verdicts(0.0)

    play(story)


def test_saved_verdicts_are_restored() -> None:
    async def save(scene: Scene) -> None:
        scene.targets.up = {A[0]: True, B[0]: False}
        scene.monitor.apply({A: WEB, B: WEB, ("192.0.2.3", "web"): WEB}, spread=3)
        scene.targets.up = {A[0]: True, B[0]: False, "192.0.2.3": True}
        await asyncio.sleep(3.5)
        saved.extend(scene.monitor.saved())

    async def restore(scene: Scene) -> None:
        scene.targets.up = {A[0]: True, B[0]: True}
        scene.monitor.restore(saved)
        scene.monitor.apply({A: WEB, B: WEB}, spread=0)
        assert scene.monitor.standing(A).state is State.UP
        assert scene.monitor.standing(B).state is State.DOWN
        assert scene.monitor.standing(B).since == next(r.since for r in saved if r.host == B[0])
        assert not await scene.monitor.first_verdicts(0.0)
        await asyncio.sleep(1)
        assert scene.monitor.standing(B).state is State.DOWN  # rise is 2
        await asyncio.sleep(5)
        assert scene.monitor.standing(B).state is State.UP

    saved: list[SavedVerdict] = []
    play(save)

    scene = play(restore)

    assert [(key, state) for _, key, state in scene.changes] == [(B, State.UP)]


def test_verdicts_of_other_definitions_are_not_restored() -> None:
    async def save(scene: Scene) -> None:
        scene.targets.up = {A[0]: False}
        scene.monitor.apply({A: WEB}, spread=0)
        assert scene.monitor.saved() == []  # unknown is not worth keeping
        await asyncio.sleep(1)
        saved.extend(scene.monitor.saved())

    async def restore(scene: Scene) -> None:
        scene.monitor.restore(saved)
        scene.monitor.apply({A: replace(WEB, port=81)}, spread=0)
        assert scene.monitor.standing(A).state is State.UNKNOWN
        scene.monitor.apply({A: WEB}, spread=0)  # only the first apply restores
        assert scene.monitor.standing(A).state is State.UNKNOWN
        with pytest.raises(ValueError, match="sideways"):
            scene.monitor.restore([replace(saved[0], state="sideways")])

    saved: list[SavedVerdict] = []
    play(save)
    play(restore)

    assert len(saved) == 1


def test_tallies_by_check_survive_apply() -> None:
    async def story(scene: Scene) -> None:
        scene.targets.up = {A[0]: True, B[0]: False}
        other = (A[0], "other")
        scene.monitor.apply({A: WEB, B: WEB}, spread=3)
        await asyncio.sleep(3.5)
        scene.monitor.apply({A: WEB, other: replace(WEB, interval=60)}, spread=0)
        await asyncio.sleep(0.5)
        web, second = scene.monitor.tallies()["web"], scene.monitor.tallies()["other"]
        assert (web.successes, web.failures) == (1, 1)
        assert web.seconds == pytest.approx(0.02)
        assert (second.successes, second.failures) == (1, 0)
        scene.monitor.apply({}, spread=0)
        assert scene.monitor.tallies() == {}

    play(story)


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


def test_the_real_thing() -> None:
    """Real probes, real time: up, then down after the listener is gone."""

    async def run() -> None:
        told = asyncio.Event()
        changes: list[State] = []

        def note(key: CheckKey, standing: Standing) -> None:
            changes.append(standing.state)
            told.set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        check = Definition(port=port, interval=0.05, timeout=5.0, fall=2)
        monitor = Monitor(on_change=note, chance=random.Random(1))
        monitor.apply({("127.0.0.1", "web"): check}, spread=0)
        assert await monitor.first_verdicts(10)
        assert changes == [State.UP]
        told.clear()
        server.close()
        await server.wait_closed()
        await asyncio.wait_for(told.wait(), 10)
        last = monitor.standing(("127.0.0.1", "web")).last
        assert last is not None
        assert (changes, last.reason) == ([State.UP, State.DOWN], "connection refused")
        await monitor.close()

    asyncio.run(run())


def test_a_thousand_hanging_targets_hold_no_more_sockets_than_allowed_nor_the_loop() -> None:
    """Targets that accept and never answer: others get their turns of the loop meanwhile.

    How long the loop pauses at most is a figure of bench/health.py, not of a busy test machine.
    """

    async def run() -> int:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(4096)  # the kernel accepts; nobody reads
            check = Definition(port=listener.getsockname()[1], interval=1.0, timeout=0.3, fall=1)
            monitor = Monitor(on_change=lambda *_: None, concurrency=200, chance=random.Random(1))
            monitor.apply({("127.0.0.1", f"web-{n}"): check for n in range(1000)}, spread=0.5)
            turns = 0
            while not await monitor.first_verdicts(0.005):
                turns += 1
                assert monitor.running <= 200
            reasons = Counter(s.last.reason for s in monitor.standings().values() if s.last)
            assert reasons == {"timeout after 0.3 s": 1000}
            await monitor.close()
            return turns

    # 1 000 probes of 0.3 s, 200 at once, take 1.5 s at least: 300 turns of 5 ms on an idle machine
    assert asyncio.run(run()) > 20
