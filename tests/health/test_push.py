"""Push checks: endpoints that tell of themselves, and the silence of those that do not."""

import asyncio
from math import inf

import pytest

from gtmdns.health.standing import SavedVerdict
from gtmdns.health.verdict import State
from tests.health.scene import WEB, A, B, Scene, play
from tests.health.support import Definition

PUSHED = Definition(type="push", port=0, interval=10.0, fall=2, rise=2)
NAME = ("backend.example", "alive")


def last(scene: Scene) -> tuple[bool, str]:
    result = scene.monitor.standing(A).last
    assert result is not None
    return result.success, result.reason


def test_a_push_is_judged_like_a_probe() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: PUSHED}, spread=0)
        assert scene.monitor.standing(A).usable
        scene.monitor.push(A, True)
        assert last(scene) == (True, "pushed")
        for up in (False, False, True, True):
            await asyncio.sleep(1)
            scene.monitor.push(A, up)
        standing = scene.monitor.standing(A)
        assert (standing.successes, standing.failures) == (3, 2)
        assert standing.last is not None
        assert standing.last.address == A[0]
        assert scene.monitor.tallies()["web"].successes == 3

    scene = play(story)

    assert [(at, state) for at, _, state in scene.changes] == [
        (0.0, State.UP), (2.0, State.DOWN), (4.0, State.UP),
    ]  # fmt: skip
    assert scene.targets.starts == []  # nobody is asked


def test_silence_is_a_failure_each_interval() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: PUSHED}, spread=0)
        await asyncio.sleep(2)
        scene.monitor.push(A, True)
        await asyncio.sleep(9.9)
        assert scene.monitor.standing(A).failures == 0
        await asyncio.sleep(0.2)
        assert last(scene) == (False, "no push for 10 s")
        await asyncio.sleep(9.8)
        assert scene.monitor.standing(A).state is State.UP  # fall is 2
        await asyncio.sleep(100.2)
        assert scene.monitor.standing(A).failures == 12

    scene = play(story)

    assert [(at, state) for at, _, state in scene.changes] == [(2.0, State.UP), (22.0, State.DOWN)]


def test_each_push_begins_the_interval_anew() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: PUSHED}, spread=0)
        for _ in range(20):
            await asyncio.sleep(9.5)
            scene.monitor.push(A, True)
        assert scene.monitor.standing(A).failures == 0

    play(story)


def test_the_time_left_for_a_push_is_known() -> None:
    async def story(scene: Scene) -> None:
        loop = asyncio.get_running_loop()

        def left() -> tuple[float, float]:
            standing = scene.monitor.standing(A)
            assert standing == scene.monitor.standings()[A]
            now = loop.time()
            return round(standing.until(PUSHED, now), 3), round(standing.countdown(PUSHED, now), 3)

        scene.monitor.apply({A: PUSHED}, spread=0)
        assert left() == (10, 10)  # unknown: one silence decides
        scene.monitor.push(A, True)
        await asyncio.sleep(4)
        assert left() == (16, 16)  # up: two in a row
        await asyncio.sleep(8)
        assert left() == (8, 8)  # one is counted
        scene.monitor.push(A, True)
        assert left() == (20, 20)
        await asyncio.sleep(20.1)
        assert scene.monitor.standing(A).state is State.DOWN
        assert left() == (20, inf)  # down: pushes may come at any time

    play(story)


def test_silence_from_the_start_counts() -> None:
    """The first deadline is one interval after the check is applied, whatever the spread."""

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: PUSHED}, spread=5)
        assert await scene.monitor.first_verdicts(0.0)  # no probe to wait for
        await asyncio.sleep(5)
        scene.monitor.apply({A: PUSHED, B: WEB}, spread=0)  # unchanged: its interval goes on
        await asyncio.sleep(5.5)

    scene = play(story)

    assert (10.0, A, State.DOWN) in scene.changes


def test_pushes_for_what_is_not_a_push_check() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: PUSHED, B: WEB}, spread=0)
        for key in (B, ("192.0.2.99", "web")):
            with pytest.raises(KeyError):
                scene.monitor.push(key, True)
        scene.monitor.apply({B: WEB}, spread=0)
        with pytest.raises(KeyError):
            scene.monitor.push(A, True)
        await asyncio.sleep(60)  # and no deadline is left

    scene = play(story)

    assert all(key == B for key, _ in scene.results)


def test_a_host_name_pushes_without_an_address() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply({NAME: PUSHED}, spread=0)
        scene.monitor.push(NAME, False)
        result = scene.monitor.standing(NAME).last
        assert result is not None
        assert (result.reason, result.address) == ("pushed", None)

    play(story)


def test_a_restored_verdict_has_an_interval_to_be_heard() -> None:
    saved: list[SavedVerdict] = []

    async def save(scene: Scene) -> None:
        scene.monitor.apply({A: PUSHED}, spread=0)
        scene.monitor.push(A, True)
        saved.extend(scene.monitor.saved())

    async def restore(scene: Scene) -> None:
        scene.monitor.restore(saved)
        scene.monitor.apply({A: PUSHED}, spread=0)
        await asyncio.sleep(19)
        assert scene.monitor.standing(A).state is State.UP
        await asyncio.sleep(2)
        assert scene.monitor.standing(A).state is State.DOWN

    play(save)
    play(restore)


def test_a_loop_that_stood_still_counts_one_silence() -> None:
    """A machine that slept for an hour: the pushes of that time lie in its sockets."""

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: PUSHED}, spread=0)
        scene.monitor.push(A, True)
        scene.loop._leap.now += 3600.0  # type: ignore[attr-defined]
        await asyncio.sleep(9.9)
        assert scene.monitor.standing(A).failures == 1

    play(story)
