"""Events: told to all who listen, kept for those who come back, and never a burden."""

import asyncio
import json

import pytest

from gtmdns.control.events import (
    KEPT,
    MAX_LISTENERS,
    WAITING,
    Event,
    Events,
    Listener,
    TooManyListeners,
)


def numbers(events: list[Event]) -> list[int]:
    return [event.number for event in events]


def taken(listener: Listener) -> list[Event]:
    """Return what waits for a listener, without waiting."""
    events = list(listener.waiting)
    listener.waiting.clear()
    return events


def test_every_listener_gets_what_happens_from_now_on() -> None:
    events = Events()
    events.tell("verdict", address="192.0.2.1")
    first, second = events.listen(), events.listen()
    events.tell("reload", ok=True, generation=7)

    for listener in (first, second):
        (event,) = taken(listener)
        assert (event.number, event.kind) == (2, "reload")
        told = json.loads(event.text)
        assert told == {"at": told["at"], "ok": True, "generation": 7}
        assert told["at"].endswith("+00:00")
        assert events.id_of(event) == f"{events.start}-2"


def test_who_comes_back_gets_what_was_missed() -> None:
    events = Events()
    for number in range(5):
        events.tell("verdict", n=number)

    assert numbers(taken(events.listen(f"{events.start}-3"))) == [4, 5]
    assert numbers(taken(events.listen(f"{events.start}-5"))) == []
    assert numbers(taken(events.listen(""))) == []


@pytest.mark.parametrize("last", ["1a2b-3", "3", "nonsense", "-", "x-y", "-3", "\u0663"])
def test_who_comes_with_an_id_that_is_not_of_this_start_gets_all(last: str) -> None:
    events = Events()
    for _ in range(5):
        events.tell("verdict")

    assert numbers(taken(events.listen(last))) == [1, 2, 3, 4, 5]


def test_only_so_much_is_kept() -> None:
    events = Events()
    for _ in range(KEPT + 7):
        events.tell("verdict")

    kept = numbers(taken(events.listen(f"{events.start}-0")))
    assert (len(kept), kept[0], kept[-1]) == (KEPT, 8, KEPT + 7)


def test_a_slow_listener_is_left_out_and_the_others_are_not() -> None:
    async def main() -> None:
        events = Events()
        slow, quick = events.listen(), events.listen()
        for number in range(WAITING + 5):
            events.tell("verdict")
            assert numbers(taken(quick)) == [number + 1]

        assert slow.gone
        assert not quick.gone
        assert len(await slow.take()) == WAITING
        assert await slow.take() == []

    asyncio.run(main())


def test_listeners_wait_until_something_happens_or_all_is_over() -> None:
    async def main() -> None:
        events = Events()
        listener = events.listen()
        taking = asyncio.ensure_future(listener.take())
        await asyncio.sleep(0)
        assert not taking.done()
        events.tell("worker")
        assert len(await taking) == 1

        taking = asyncio.ensure_future(listener.take())
        await asyncio.sleep(0)
        events.close()
        assert await taking == []

    asyncio.run(main())


def test_there_is_an_end_to_listeners() -> None:
    events = Events()
    listeners = [events.listen() for _ in range(MAX_LISTENERS)]
    with pytest.raises(TooManyListeners):
        events.listen()

    events.leave(listeners[0])
    events.leave(listeners[0])
    assert not events.listen().gone
