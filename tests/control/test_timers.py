"""One heap of times: what is due comes, once, in order, and what was put off does not."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from gtmdns.control.timers import LITTER, Timers
from tests.control.support import until


def run(test: Callable[[Timers, list[Any]], Awaitable[None]]) -> None:
    async def main() -> None:
        due: list[Any] = []
        timers = Timers(due.extend)
        try:
            await test(timers, due)
        finally:
            timers.close()

    asyncio.run(main())


def now() -> float:
    return asyncio.get_running_loop().time()


def test_keys_come_in_the_order_of_their_times() -> None:
    async def test(timers: Timers, due: list[Any]) -> None:
        start = now()
        timers.set("last", start + 0.03)
        timers.set("first", start + 0.01)
        timers.set(("pool", "x"), start + 0.02)
        await until(lambda: len(due) == 3, "all are due")

        assert due == ["first", ("pool", "x"), "last"]
        assert now() >= start + 0.03
        assert len(timers) == 0

    run(test)


def test_a_key_has_one_time_the_one_it_was_given_last() -> None:
    async def test(timers: Timers, due: list[Any]) -> None:
        start = now()
        timers.set("later", start + 0.005)
        timers.set("later", start + 0.03)
        timers.set("sooner", start + 60)
        timers.set("sooner", start + 0.01)
        timers.set("never", start + 0.005)
        timers.set("never", inf)
        timers.set("nothing", inf)
        await until(lambda: "later" in due, "the last one")

        assert due == ["sooner", "later"]

    run(test)


def test_what_is_over_comes_at_once_and_may_set_itself_anew() -> None:
    async def main() -> None:
        seen: list[str] = []

        def on_due(keys: list[str]) -> None:
            seen.extend(keys)
            if len(seen) < 3:
                timers.set("again", now())

        timers = Timers(on_due)
        timers.set("again", now() - 5)
        await until(lambda: len(seen) == 3, "three times")
        timers.close()

    asyncio.run(main())


def test_what_is_not_kept_does_not_come() -> None:
    async def test(timers: Timers, due: list[Any]) -> None:
        timers.set("gone", now() + 0.005)
        timers.set("stays", now() + 0.01)
        timers.keep_only(lambda key: key == "stays")
        await until(lambda: due, "one is due")

        assert due == ["stays"]

    run(test)


def test_setting_times_for_ever_takes_no_memory_for_ever() -> None:
    async def test(timers: Timers, due: list[Any]) -> None:
        far = now() + 1000
        for number in range(10 * LITTER):
            timers.set("busy", far + number)
        assert len(timers._heap) <= LITTER + 3
        timers.set("busy", now())
        await until(lambda: due, "it is due")

        assert due == ["busy"]

    run(test)
