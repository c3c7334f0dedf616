"""Ejections as a monitor holds them: on time, by the monotonic clock, over a restart."""

import asyncio
import json
from dataclasses import asdict, replace
from math import inf

import pytest

from gtmdns.health.standing import SavedVerdict, Standing, digest, recall, save
from gtmdns.health.verdict import State, Verdict
from tests.health.scene import A, B, Scene, play
from tests.health.support import Definition, Eject, until

CHECK = Definition(fall=1, rise=2, eject=Eject(60.0, 300.0))


async def blink(scene: Scene, key: tuple[str, str] = A) -> float:
    """Let one probe fail; return when the endpoint went down."""
    scene.targets.up = lambda address: address != key[0]
    await until(lambda: scene.monitor.standing(key).state is State.DOWN, within=60)
    scene.targets.up = lambda _address: True
    return scene.changes[-1][0]


def test_it_comes_up_the_moment_that_its_ejection_is_over() -> None:
    """Not with the next probe, which may be an interval away."""

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: CHECK, B: CHECK}, spread=0)
        await asyncio.sleep(20)
        first = await blink(scene)
        await asyncio.sleep(59.9 - (scene.now() - first))
        standing = scene.monitor.standing(A)
        assert standing.state is State.DOWN
        assert standing.last is not None
        assert standing.last.success
        await asyncio.sleep(0.2)
        standing = scene.monitor.standing(A)
        assert (standing.state, standing.ejections, standing.ejected_until) == (State.UP, 1, None)
        assert standing.since == pytest.approx(scene.began + first + 60)
        second = await blink(scene)
        assert scene.monitor.standing(A).ejected_for(scene.loop.time()) == pytest.approx(
            120 - (scene.now() - second)
        )
        await asyncio.sleep(150)
        await asyncio.sleep(70)  # a base spent up takes one off
        assert scene.monitor.standing(A).ejections == 1
        assert scene.monitor.standing(B).ejections == 0
        assert scene.monitor.history(A)[-1].reason == "the ejection is over"

    scene = play(story)
    times = [at for at, key, _ in scene.changes if key == A]

    assert times[2] - times[1] == pytest.approx(60)
    assert times[4] - times[3] == pytest.approx(120)


def test_without_enough_successes_the_next_probe_decides() -> None:
    async def story(scene: Scene) -> None:
        check = replace(CHECK, eject=Eject(2.0, 300.0))
        scene.monitor.apply({A: check}, spread=0)
        await asyncio.sleep(20)
        down = await blink(scene)
        await asyncio.sleep(20)
        up, _, state = scene.changes[-1]
        assert state is State.UP
        probed = [at + scene.targets.takes - scene.began for at in scene.targets.times(A[0])]
        assert min(abs(up - at) for at in probed) < 1e-6
        assert up - down > 2 * 4.5

    play(story)


def test_a_key_dropped_while_ejected_is_never_heard_of_again() -> None:
    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: CHECK}, spread=0)
        await asyncio.sleep(20)
        await blink(scene)
        await asyncio.sleep(20)
        scene.monitor.apply({}, spread=0)
        count = len(scene.changes)
        await asyncio.sleep(200)
        assert len(scene.changes) == count

    play(story)


@pytest.mark.parametrize("step", [0.0, 86_400.0, -86_400.0, -2e9])
def test_steps_of_the_time_of_day_neither_end_nor_prolong_it(step: float) -> None:
    wall = [1.8e9]

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: CHECK}, spread=0)
        await asyncio.sleep(20)
        down = await blink(scene)
        wall[0] += step
        await asyncio.sleep(100)
        up, _, state = scene.changes[-1]
        assert (state, up) == (State.UP, pytest.approx(down + 60))

    play(story, clock=lambda: wall[0])


def saved_while_ejected(wall: float) -> SavedVerdict:
    """Return what is kept of an endpoint 20 s after it was ejected for the second time."""
    kept: list[SavedVerdict] = []

    async def story(scene: Scene) -> None:
        scene.monitor.apply({A: CHECK}, spread=0)
        await asyncio.sleep(20)
        await blink(scene)
        await asyncio.sleep(70)
        down = await blink(scene)
        await asyncio.sleep(20 - (scene.now() - down))
        kept.extend(scene.monitor.saved())

    play(story, clock=lambda: wall)
    return kept[0]


# fmt: off
RESTARTS = [
    # id                             seconds that the clock says have passed, left of the ejection
    ("at once",                      0.0,       100.0),
    ("after a while",                30.0,      70.0),
    ("after it is over",             500.0,     0.0),
    ("the clock went back a day",    -86_400.0, 100.0),
    ("the clock went forth a day",   86_400.0,  0.0),
]
# fmt: on


@pytest.mark.parametrize(
    ("passed", "left"), [row[1:] for row in RESTARTS], ids=[row[0] for row in RESTARTS]
)
def test_it_goes_on_over_a_restart(passed: float, left: float) -> None:
    saved = saved_while_ejected(1.8e9)
    assert (saved.ejections, saved.ejected_for) == (2, pytest.approx(100))
    assert SavedVerdict(**json.loads(json.dumps(asdict(saved)))) == saved

    async def story(scene: Scene) -> None:
        scene.monitor.restore([saved])
        scene.monitor.apply({A: CHECK}, spread=0)
        standing = scene.monitor.standing(A)
        assert standing.ejected_for(scene.loop.time()) == pytest.approx(left)
        await asyncio.sleep(max(left, 6.0))  # 6 s: two probes
        assert scene.monitor.standing(A).state is State.UP
        assert scene.changes[-1][0] == pytest.approx(max(left, 4.8), abs=0.3)
        await blink(scene)
        assert scene.monitor.standing(A).ejections == 3

    play(story, clock=lambda: 1.8e9 + passed)


def test_a_saved_ejection_never_lasts_longer_than_max() -> None:
    saved = SavedVerdict(*A, digest(CHECK), "down", 0.0, 7, 1e9, 1.8e9)

    standing = recall(saved, digest(CHECK), CHECK, 50.0, 1.8e9)

    assert standing.ejected_for(50.0) == 300.0


def test_what_is_saved_while_up() -> None:
    standing = Standing(Verdict(State.UP, since=5.0, ejections=2, steady=3.0))
    saved = save(A, "definition", standing, 50.0, 1.8e9)

    assert saved == SavedVerdict(*A, "definition", "up", 5.0, 2, 0.0, 1.8e9)
    assert recall(saved, "definition", CHECK, 70.0, 1.8e9).verdict == Verdict(
        State.UP, since=5.0, ejections=2, steady=70.0
    )


# In how many seconds a state could change: interval 5, fall 3, rise 2; now is 100.
# fmt: off
SOONEST = [
    # id                                   verdict                                          seconds
    ("unknown: with the first result",     Verdict(),                                       5.0),
    ("up",                                 Verdict(State.UP),                               15.0),
    ("up, two failures counted",           Verdict(State.UP, counted=2),                    5.0),
    ("down",                               Verdict(State.DOWN),                             10.0),
    ("down, one success",                  Verdict(State.DOWN, counted=1),                  5.0),
    ("ejected for longer than that",       Verdict(State.DOWN, ejected_until=160.0),        60.0),
    ("ejected for less than that",         Verdict(State.DOWN, ejected_until=103.0),        10.0),
    ("only the ejection is waited for",    Verdict(State.DOWN, 2, ejected_until=103.0),     3.0),
    ("an ejection that is over",           Verdict(State.DOWN, 1, ejected_until=90.0),      5.0),
]
# fmt: on


@pytest.mark.parametrize(
    ("verdict", "seconds"), [row[1:] for row in SOONEST], ids=[row[0] for row in SOONEST]
)
def test_until_the_state_could_change(verdict: Verdict, seconds: float) -> None:
    """gdnsd: interval x (threshold - count), the time in which it could change at the earliest."""
    assert Standing(verdict).until(Definition(), 100.0) == seconds


def test_without_a_check_nothing_changes() -> None:
    assert Standing().until(None, 0.0) == inf
    assert (Standing().ejections, Standing().ejected_until, Standing().ejected_for(5.0)) == (
        0, None, 0.0,
    )  # fmt: skip
