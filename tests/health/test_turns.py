"""Bounds on probes at once and on probes that just began, on made-up time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gtmdns.health.turns import SETTLED, Turns
from tests.health.support import run_fast


class Crowd:
    """Many who take a turn, and when each got it."""

    def __init__(self, at_once: int, starting: int) -> None:
        self.turns = Turns(at_once, starting)
        self.began = asyncio.get_running_loop().time()
        self.got: list[tuple[int, float]] = []
        self.most = 0

    async def take(self, number: int, seconds: float) -> None:
        async with self.turns.turn():
            self.got.append((number, asyncio.get_running_loop().time() - self.began))
            self.most = max(self.most, self.turns.running)
            await asyncio.sleep(seconds)


def crowd(
    at_once: int, starting: int, story: Callable[[Crowd], Coroutine[Any, Any, None]]
) -> Crowd:
    async def run() -> Crowd:
        made = Crowd(at_once, starting)
        await story(made)
        assert (made.turns.running, made.turns.waiting) == (0, 0)
        return made

    return run_fast(run())


def everybody(count: int, seconds: float) -> Callable[[Crowd], Coroutine[Any, Any, None]]:
    async def story(made: Crowd) -> None:
        await asyncio.gather(*[made.take(number, seconds) for number in range(count)])

    return story


def test_turns_are_bounded_and_given_in_order() -> None:
    made = crowd(3, 100, everybody(10, 1.0))

    assert made.most == 3
    assert [number for number, _ in made.got] == list(range(10))
    assert [at for _, at in made.got] == [0.0] * 3 + [1.0] * 3 + [2.0] * 3 + [3.0]


def test_those_that_hang_make_room_for_others_to_begin() -> None:
    made = crowd(100, 2, everybody(6, 10.0))

    assert made.most == 6
    assert [at for _, at in made.got] == [0.0] * 2 + [SETTLED] * 2 + [2 * SETTLED] * 2


def test_those_that_end_soon_make_room_at_once() -> None:
    made = crowd(100, 2, everybody(6, 0.01))

    assert made.most == 2
    assert [round(at, 6) for _, at in made.got] == [0.0] * 2 + [0.01] * 2 + [0.02] * 2


def test_each_place_is_given_back_once() -> None:
    """After any mixture of ends and hangs the bounds are what they were."""

    async def story(made: Crowd) -> None:
        for seconds in (0.01, SETTLED, 5.0, 0.0):
            await asyncio.gather(*[made.take(0, seconds) for _ in range(7)])
        made.got.clear()
        made.began, made.most = asyncio.get_running_loop().time(), 0
        await everybody(4, 0.1)(made)

    made = crowd(3, 2, story)

    assert made.most == 2
    assert [round(at, 6) for _, at in made.got] == [0.0] * 2 + [0.1] * 2


def test_who_leaves_the_queue_takes_no_turn_along() -> None:
    async def story(made: Crowd) -> None:
        tasks = [asyncio.ensure_future(made.take(number, 1.0)) for number in range(8)]
        await asyncio.sleep(0.1)
        assert (made.turns.running, made.turns.waiting) == (1, 7)
        for task in tasks[1:7]:  # waiting for a place to begin, or for a turn
            task.cancel()
        tasks[0].cancel()  # in the middle of its turn
        await asyncio.gather(*tasks, return_exceptions=True)

    made = crowd(2, 1, story)

    assert [number for number, _ in made.got] == [0, 7]
