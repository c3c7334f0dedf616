"""Large publications and Python's memory: no pause when one comes, and none when one goes."""

import asyncio
import gc
import weakref
from contextlib import suppress

from .publication import Publication

LARGE = 20_000  # names; below that a walk of the collector takes a few milliseconds
STEP = 2_000  # entries freed in one turn of the loop, about 1 ms


def settle_down(publication: Publication) -> None:
    """Keep the collector from walking a large publication, which has no cycles, again and again.

    What is garbage at this moment stays for good: little, and only where much is served.
    """
    if len(publication.plan.names) >= LARGE:
        gc.freeze()


async def retire(publication: Publication) -> None:
    """Free a publication in slices. Freed at once, a million names take longer than a second.

    Somebody may still read it (`explain` does in a thread), so that begins when nobody holds
    it any more; only its tables are held here.
    """
    loop, free = asyncio.get_running_loop(), asyncio.Event()

    def on_free() -> None:  # in whatever thread let it go last
        with suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(free.set)

    tables = publication.tables()
    weakref.finalize(publication, on_free).atexit = False
    del publication
    await free.wait()
    for table in tables:
        while table:
            for _ in range(min(STEP, len(table))):
                table.popitem() if isinstance(table, dict) else table.pop()
            await asyncio.sleep(0)
