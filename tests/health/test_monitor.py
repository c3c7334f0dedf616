"""The schedule of probes, on made-up time with made-up probes: exact, and quick."""

import asyncio
import logging
import random
import socket
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.health import lines
from gtmdns.health.monitor import Monitor
from gtmdns.health.probes import Check, ProbeResult
from gtmdns.health.standing import CheckKey, Standing
from gtmdns.health.verdict import State
from tests.health.scene import WEB, A, B, Scene, many, play
from tests.health.support import Definition, state_by_history


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
    assert len(changes) <= 1 + len(expected) // (2 + 3) * 2 + 1  # what rise and fall allow at most


def test_a_thousand_that_fail_at_once_cost_one_call_each_and_few_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, lines.__name__)

    async def story(scene: Scene) -> None:
        scene.monitor.apply(many(1000), 3.0)
        await asyncio.sleep(30)
        for up in (False, True):
            scene.changes.clear()
            caplog.clear()
            scene.targets.up = {key[0]: up for key in many(1000)}
            await asyncio.sleep(30)
            assert len(scene.changes) == 1000
            assert {state for _, _, state in scene.changes} == {State.UP if up else State.DOWN}
            assert len(caplog.records) <= (lines.LINES + 1) * 7  # they fall over some 6 seconds

    play(story)


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

    # 200 at once make five rounds; an idle machine comes back some 300 times, a busy one 20
    assert asyncio.run(run()) >= 5


def test_the_certificate_seen_last_stays_while_handshakes_fail() -> None:
    seen: list[float | None] = []

    async def story(scene: Scene) -> None:
        results = iter([(False, None), (True, 5e9), (False, None), (True, 6e9), (True, None)])

        async def probe(address: str, host: str, check: Check) -> ProbeResult:
            success, expires = next(results)
            return ProbeResult(success, "", 0.01, expires)

        def note(key: CheckKey, standing: Standing) -> None:
            assert standing.last is not None
            seen.append(standing.last.certificate_expires)
            if len(seen) == 5:
                scene.monitor.apply({}, spread=0)

        scene.monitor._probe, scene.monitor._on_result = probe, note
        scene.monitor.apply({A: WEB}, spread=0)
        await asyncio.sleep(60)

    play(story)

    assert seen == [None, 5e9, 5e9, 6e9, 6e9]
