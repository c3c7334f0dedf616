"""Lookups of endpoint names, with a resolver made up for the test."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gtmdns.health.resolve import (
    FRESH,
    Resolver,
    Unresolved,
    in_thread,
    next_address,
    system_lookup,
)
from tests.health.support import until

GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
BROKEN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class Names:
    """A lookup that returns what it is told to, and counts."""

    def __init__(self, outcome: tuple[str, ...] | Exception) -> None:
        self.outcome = outcome
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.lock = threading.Lock()
        self.inside = self.most = 0

    def __call__(self, name: str) -> tuple[str, ...]:
        with self.lock:
            self.asked.append(name)
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.gate.wait(10)
        with self.lock:
            self.inside -= 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def with_resolver(names: Names, test: Callable[[Resolver], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        resolver = Resolver(lookup=names, threads=2)
        try:
            await test(resolver)
        finally:
            names.gate.set()
            await resolver.close()

    asyncio.run(run())


def age(resolver: Resolver, seconds: float) -> None:
    """Let what is known be older by so much."""
    for known in resolver._known.values():
        object.__setattr__(known, "at", known.at - seconds)


def test_one_lookup_serves_all_who_ask() -> None:
    names = Names(("127.0.0.1", "::1"))

    async def test(resolver: Resolver) -> None:
        asked = [resolver.addresses("a.example", 5) for _ in range(20)]
        assert set(await asyncio.gather(*asked)) == {("127.0.0.1", "::1")}
        await resolver.addresses("a.example", 5)
        assert names.asked == ["a.example"]
        age(resolver, FRESH)
        await resolver.addresses("a.example", 5)
        assert names.asked == ["a.example"] * 2

    with_resolver(names, test)


def test_what_was_known_holds_while_the_resolver_is_in_trouble() -> None:
    names = Names(("127.0.0.1",))

    async def test(resolver: Resolver) -> None:
        await resolver.addresses("a.example", 5)
        age(resolver, FRESH)
        names.outcome = BROKEN
        assert await resolver.addresses("a.example", 5) == ("127.0.0.1",)

    with_resolver(names, test)


def test_what_was_known_holds_while_the_lookup_is_late() -> None:
    names = Names(("127.0.0.1",))

    async def test(resolver: Resolver) -> None:
        await resolver.addresses("a.example", 5)
        age(resolver, FRESH)
        names.outcome = ("127.0.0.2",)
        names.gate.clear()
        assert await resolver.addresses("a.example", 0.01) == ("127.0.0.1",)
        names.gate.set()
        assert await resolver.addresses("a.example", 5) == ("127.0.0.2",)
        assert len(names.asked) == 2

    with_resolver(names, test)


def test_a_name_that_is_gone_is_forgotten() -> None:
    names = Names(("127.0.0.1",))

    async def test(resolver: Resolver) -> None:
        await resolver.addresses("a.example", 5)
        age(resolver, FRESH)
        names.outcome = GONE
        with pytest.raises(Unresolved, match="name has no address"):
            await resolver.addresses("a.example", 5)
        names.outcome = BROKEN
        with pytest.raises(Unresolved, match="name lookup failed: Temporary failure"):
            await resolver.addresses("a.example", 5)

    with_resolver(names, test)


def test_the_first_lookup_is_waited_for_only_so_long() -> None:
    names = Names(("127.0.0.1",))
    names.gate.clear()

    async def test(resolver: Resolver) -> None:
        with pytest.raises(Unresolved, match=r"name lookup took longer than 0\.01 s"):
            await resolver.addresses("a.example", 0.01)

    with_resolver(names, test)


def test_lookups_at_once_are_bounded() -> None:
    names = Names(("127.0.0.1",))
    names.gate.clear()

    async def test(resolver: Resolver) -> None:
        waiting = [asyncio.ensure_future(resolver.addresses(f"{n}.example", 10)) for n in range(9)]
        await until(lambda: len(names.asked) == 2)
        names.gate.set()
        assert await asyncio.gather(*waiting) == [("127.0.0.1",)] * 9
        assert names.most == 2

    with_resolver(names, test)


def test_the_loop_goes_on_during_a_lookup() -> None:
    names = Names(("127.0.0.1",))
    names.gate.clear()

    async def test(resolver: Resolver) -> None:
        lookup = asyncio.ensure_future(resolver.addresses("a.example", 10))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not lookup.done()
        names.gate.set()
        assert await lookup == ("127.0.0.1",)

    with_resolver(names, test)


def test_close_waits_for_no_lookup() -> None:
    names = Names(("127.0.0.1",))
    names.gate.clear()

    async def test(resolver: Resolver) -> None:
        waiting = asyncio.ensure_future(resolver.addresses("a.example", 10))
        await until(lambda: names.inside == 1)
        await resolver.close()  # the thread still holds on
        assert names.inside == 1
        with pytest.raises(asyncio.CancelledError):
            await waiting
        names.gate.set()
        await until(lambda: not any(t.name == "lookup a.example" for t in threading.enumerate()))
        await asyncio.sleep(0)  # what the thread left for the loop finds nobody

    with_resolver(names, test)


def test_names_no_longer_used_are_forgotten() -> None:
    names = Names(("127.0.0.1",))

    async def test(resolver: Resolver) -> None:
        await resolver.addresses("a.example", 5)
        await resolver.addresses("b.example", 5)
        resolver.keep_only({"b.example"})
        await resolver.addresses("a.example", 5)
        await resolver.addresses("b.example", 5)
        assert names.asked == ["a.example", "b.example", "a.example"]

    with_resolver(names, test)


def test_a_lookup_that_outlives_the_loop_harms_nobody() -> None:
    gate, ended = threading.Event(), threading.Event()

    def lookup() -> tuple[str, ...]:
        gate.wait(10)
        ended.set()
        return ("127.0.0.1",)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_thread(lookup, "late lookup"), 0.01)

    asyncio.run(give_up())
    gate.set()

    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == "late lookup":
            thread.join(10)


def test_the_system_is_asked() -> None:
    assert set(system_lookup("localhost")) <= {"127.0.0.1", "::1"}
    assert system_lookup("127.0.0.7") == ("127.0.0.7",)


# fmt: off
NEXT = [
    ("the first to begin with",     None, False, "a"),
    ("stays with what answered",    "b",  False, "b"),
    ("moves on from what failed",   "b",  True,  "c"),
    ("round to the first again",    "c",  True,  "a"),
    ("gone from the answer",        "x",  False, "a"),
    ("gone, and failed at that",    "x",  True,  "a"),
]
# fmt: on


@pytest.mark.parametrize(
    ("last", "failed", "expected"), [row[1:] for row in NEXT], ids=[row[0] for row in NEXT]
)
def test_next_address(last: str | None, failed: bool, expected: str) -> None:
    assert next_address("abc", last, failed) == expected
