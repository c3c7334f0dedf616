"""A publication that is not served any more is freed a little at a time, once nobody reads it."""

import asyncio
import gc
import weakref

from gtmdns.control.publication import Publication
from gtmdns.control.retire import STEP, retire
from gtmdns.wire.name import from_text
from tests.compiler.support import compile_text, with_records


def publication() -> Publication:
    made = compile_text(with_records("\n".join(f"n{n}: {{TXT: t{n}}}" for n in range(3 * STEP))))
    return Publication.of(made.plan, made.pieces)


def test_it_is_freed_in_turns_when_the_last_reader_lets_go() -> None:
    async def test() -> int:
        served = publication()
        snapshot, names = served.snapshot, served.plan.names
        assert any(len(table) >= 3 * STEP for table in served.tables())
        retiring = asyncio.create_task(retire(served))
        for _ in range(20):
            await asyncio.sleep(0)
        zone = snapshot.zone_of(from_text("n1.example.test."))
        assert zone is not None
        assert zone.get(from_text("n1.example.test.")) is not None  # still read here
        assert len(names) > 3 * STEP

        watched = weakref.ref(served)
        del served
        assert watched() is None  # no cycle holds it, so the collector need not come
        turns = 0
        while not retiring.done():
            await asyncio.sleep(0)
            turns += 1
        assert not names
        assert zone.get(from_text("n1.example.test.")) is None
        return turns

    assert asyncio.run(test()) > 6


def test_one_that_is_let_go_after_the_loop_ended_says_nothing() -> None:
    """The last reader may be a thread, and the process may be ending by then."""
    held = []

    async def test() -> None:
        held.append(publication())
        retiring = asyncio.create_task(retire(held[0]))
        await asyncio.sleep(0)
        retiring.cancel()

    asyncio.run(test())
    watched = weakref.ref(held[0])
    held.clear()
    gc.collect()  # the frame of what was cancelled

    assert watched() is None
