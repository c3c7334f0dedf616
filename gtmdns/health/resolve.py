"""Host names of endpoints, looked up by the system's resolver in threads of their own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

FRESH = 10.0  # seconds that one lookup serves all checks of a name
THREADS = 8  # lookups at once; a dead resolver holds each for some ten seconds

# The name is known not to exist or to have no address; other errors are the resolver's own.
NO_ADDRESS = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})

Lookup = Callable[[str], tuple[str, ...]]


class Unresolved(Exception):
    """The name has no address to probe; the text says why."""


def system_lookup(name: str) -> tuple[str, ...]:
    """Return the addresses of `name` in the system's order (RFC 6724). Blocks. Raises OSError."""
    infos = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return tuple(dict.fromkeys(str(info[4][0]) for info in infos))


@dataclass(frozen=True, slots=True)
class _Known:
    addresses: tuple[str, ...]
    at: float  # loop time of the lookup


class Resolver:
    """Addresses by name, with what was known before where the resolver itself is in trouble.

    Lookups run in daemon threads: getaddrinfo cannot be cancelled, and a hung one must not
    hold up the end of the process.
    """

    def __init__(self, *, lookup: Lookup = system_lookup, threads: int = THREADS) -> None:
        self._lookup = lookup
        self._turns = asyncio.Semaphore(threads)
        self._known: dict[str, _Known] = {}
        self._running: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    async def addresses(self, name: str, patience: float) -> tuple[str, ...]:
        """Return one or more addresses of `name`, waiting at most `patience` seconds.

        Where the lookup is late or the resolver fails, the addresses known before hold. Raises
        Unresolved where there are none, or where the name has no address any more.
        """
        known = self._known.get(name)
        if known is not None and asyncio.get_running_loop().time() - known.at < FRESH:
            return known.addresses
        task = self._running.get(name) or self._start(name)
        await asyncio.wait({task}, timeout=patience)
        if not task.done():
            if known is not None:
                return known.addresses
            raise Unresolved(f"name lookup took longer than {patience:g} s")
        try:
            return task.result()
        except OSError as error:
            if error.errno in NO_ADDRESS:
                raise Unresolved("name has no address") from error
            if known is not None:
                return known.addresses
            raise Unresolved(f"name lookup failed: {error.strerror or error}") from error

    def keep_only(self, names: Collection[str]) -> None:
        """Forget every other name."""
        for name in self._known.keys() - set(names):
            del self._known[name]

    async def close(self) -> None:
        """Wait for no lookup; threads that still run end by themselves."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, name: str) -> asyncio.Task[tuple[str, ...]]:
        task = asyncio.get_running_loop().create_task(self._look_up(name))
        self._running[name] = task
        task.add_done_callback(lambda done: self._finish(name, done))
        return task

    def _finish(self, name: str, task: asyncio.Task[tuple[str, ...]]) -> None:
        del self._running[name]
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._known[name] = _Known(task.result(), asyncio.get_running_loop().time())
        elif isinstance(error, OSError) and error.errno in NO_ADDRESS:
            self._known.pop(name, None)

    async def _look_up(self, name: str) -> tuple[str, ...]:
        async with self._turns:
            return await in_thread(lambda: self._lookup(name), f"lookup {name}")


async def in_thread(function: Callable[[], tuple[str, ...]], title: str) -> tuple[str, ...]:
    """Run `function` in a daemon thread and return what it returns, or raise what it raises."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[str, ...]] = loop.create_future()

    def settle(result: tuple[str, ...] | BaseException) -> None:
        if future.done():  # nobody waits any more
            return
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)

    def run() -> None:
        result: tuple[str, ...] | BaseException
        try:
            result = function()
        except Exception as error:
            result = error
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name=title, daemon=True).start()
    return await future


def next_address(addresses: Iterable[str], last: str | None, failed: bool) -> str:
    """Return which of one or more addresses to probe after `last`.

    A probe stays with the address that answered and moves on from one that failed, so a name
    goes down only after failures of its addresses in turn.
    """
    order = list(addresses)
    if last not in order:
        return order[0]
    return order[(order.index(last) + failed) % len(order)]
