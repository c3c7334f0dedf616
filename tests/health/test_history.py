"""The last changes of a key, and how many there were within the hour."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.health.history import KEPT, Change, History
from gtmdns.health.verdict import State
from tests.health.scene import A, B, Scene, play
from tests.health.support import Definition


def test_the_last_changes_are_kept_in_order() -> None:
    history = History()
    changes = [Change(float(n), State.UP, str(n)) for n in range(KEPT + 5)]
    for change in changes:
        history.add(change, change.at, flap=True)

    assert history.changes() == tuple(changes[5:])
    assert history.flaps(30.0) == KEPT + 5


@given(st.lists(st.tuples(st.integers(0, 1200), st.booleans()), max_size=40))
def test_flaps_are_those_of_sixty_minutes(steps: list[tuple[int, bool]]) -> None:
    history, flaps, now = History(), [], 0
    for seconds, flap in steps:
        now += seconds
        history.add(Change(0.0, State.UP, ""), float(now), flap=flap)
        flaps += [now] * flap

    within = [at for at in flaps if at // 60 > now // 60 - 60]
    assert history.flaps(float(now)) == len(within)
    assert len(history._minutes) <= 60


def test_a_monitor_keeps_the_history_of_each_key() -> None:
    async def story(scene: Scene) -> None:
        scene.targets.up = {A[0]: True, B[0]: True}
        check = Definition(fall=1, rise=1)
        scene.monitor.apply({A: check, B: check}, spread=0)
        assert scene.monitor.history(A) == ()
        for up in (False, True, False):
            await asyncio.sleep(20)
            scene.targets.up = {A[0]: up, B[0]: True}
        await asyncio.sleep(20)
        states = [change.state.value for change in scene.monitor.history(A)]
        assert states == ["up", "down", "up", "down"]
        assert scene.monitor.history(A)[1].reason == "503, expected 200-399"
        assert scene.monitor.history(A)[1].at == pytest.approx(scene.began + 20, abs=5.1)
        assert (scene.monitor.flaps(A), scene.monitor.flaps(B)) == (3, 0)
        await asyncio.sleep(3600)
        assert scene.monitor.flaps(A) == 0
        assert len(scene.monitor.history(A)) == 4
        scene.monitor.apply({A: Definition(fall=2, rise=1)}, spread=0)
        assert scene.monitor.history(A) == ()  # another check
        with pytest.raises(KeyError):
            scene.monitor.history(B)
        with pytest.raises(KeyError):
            scene.monitor.flaps(B)

    play(story)
