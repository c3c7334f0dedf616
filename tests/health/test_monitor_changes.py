"""What is kept, started and stopped when the wanted checks change or the process restarts."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from gtmdns.health.probes import Check, ProbeResult
from gtmdns.health.standing import SavedVerdict, Standing
from gtmdns.health.verdict import State
from tests.health.scene import WEB, A, B, Scene, many, play
from tests.health.support import Definition, until


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


def test_the_end_of_a_certificate_outlives_probes_that_see_none() -> None:
    seen = (None, 2e9, None, 3e9, None)
    kept: list[float | None] = []

    scenes: list[Scene] = []

    async def probe(address: str, host: str, check: Check) -> ProbeResult:
        last = scenes[0].monitor.standing(A).last
        kept.append(last.certificate_expires if last else None)
        return ProbeResult(True, "200", 0.0, seen[len(kept) - 1])

    async def story(scene: Scene) -> None:
        scenes.append(scene)
        scene.monitor.apply({A: WEB}, spread=0)
        await until(lambda: len(kept) == len(seen), within=60)

    play(story, probe=probe)

    assert kept == [None, None, 2e9, 2e9, 3e9]


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
