"""What the tests of health checks share: a definition, a loop with made-up time, a plain model."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Eject:
    base: float = 0.0
    max: float = 300.0


@dataclass(frozen=True)
class Definition:
    """A health check with the fields of `config.model.HealthCheck`, quick by default."""

    type: str = "http"
    port: int = 80
    path: str = "/"
    method: str = "GET"
    host: str | None = None
    expect_status: tuple[tuple[int, int], ...] = ((200, 399),)
    expect_body: str | None = None
    verify_tls: bool = True
    query: str = "."
    query_type: str = "SOA"
    expect_rcode: tuple[str, ...] = ("NOERROR",)
    expect_answer: tuple[str, ...] = ()
    service: str = ""
    tls: bool = False
    interval: float = 5.0
    timeout: float = 2.0
    fall: int = 3
    rise: int = 2
    clear: int = 1
    eject: Eject = field(default_factory=Eject)


class _Leap(selectors.DefaultSelector):
    """A selector that never waits: it moves the loop's clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits for ever")
        self.now += max(0.0, timeout)
        return []


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """Sleeps take no time and happen in exact order; `time()` says what they would have taken."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now


def run_fast(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on made-up time."""
    with asyncio.Runner(loop_factory=FakeTimeLoop) as runner:
        return runner.run(main)


async def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    """Wait until `condition` holds. Raises TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what is waited for is the kernel's or a thread's
            await asyncio.sleep(0.002)


def state_by_history(results: Sequence[bool], fall: int, rise: int, clear: int) -> list[str]:
    """Return the state after each result, by looking at all results since the last change."""
    check = Definition(fall=fall, rise=rise, clear=clear)
    timed = [(float(number), success) for number, success in enumerate(results)]
    return [state for state, _ in ejected_by_history(timed, check)]


def ejected_by_history(
    results: Sequence[tuple[float, bool]], check: Definition
) -> list[tuple[str, int]]:
    """Return the state, and the ejections in a row, after each (time, result).

    By looking at all results since the last change, and at what was before it.
    """
    base, after = check.eject.base, []
    state, since, ejections, changed, until = "unknown", "", 0, 0.0, 0.0

    def forgiven(now: float) -> int:
        return max(0, ejections - int((now - changed) // base)) if base else 0

    for now, success in results:
        if state == "down" and since.endswith("+" * check.rise) and until <= now:
            state, since, changed = "up", "", until
        since += "+" if success else "-"
        if state == "unknown":
            state, since, changed = ("up" if success else "down"), "", now
        elif state == "up":
            wiped = since.rfind("+" * check.clear)
            counted = since if wiped < 0 else since[wiped + check.clear :]
            if counted.count("-") >= check.fall:
                ejections = forgiven(now) + 1 if base else 0
                until = now + min(base * ejections, check.eject.max)
                state, since, changed = "down", "", now
        elif since.endswith("+" * check.rise) and until <= now:
            state, since, changed = "up", "", now
        after.append((state, forgiven(now) if state == "up" else ejections))
    return after
