"""What must happen, and in time: waiting for it with a deadline, and how busy the machine was."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

PATIENCE = 20.0  # seconds until something that must happen has to have happened

Value = TypeVar("Value")


def eventually(condition: Callable[[], Value], what: str, seconds: float = PATIENCE) -> Value:
    """Return the first true value of `condition`; fail when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"after {seconds:g} s still not: {what}"
        time.sleep(0.01)


class Machine:
    """How busy the machine was since this object was made: a reason to try a timing again, once."""

    def __init__(self) -> None:
        self._before = self._read()

    @staticmethod
    def _read() -> list[int]:
        return [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]

    def __str__(self) -> str:
        ticks = [now - then for now, then in zip(self._read(), self._before, strict=True)]
        total = max(1, sum(ticks))
        idle = 100 * (ticks[3] + ticks[4]) / total
        return f"{idle:.0f} % idle, {100 * ticks[7] / total:.1f} % stolen, load {os.getloadavg()[0]:.1f}"

    @property
    def busy(self) -> bool:
        """Other work kept ours waiting: more to do than processors, little idle, or time stolen."""
        ticks = [now - then for now, then in zip(self._read(), self._before, strict=True)]
        total = max(1, sum(ticks))
        idle, stolen = (ticks[3] + ticks[4]) / total, ticks[7] / total
        return os.getloadavg()[0] > len(os.sched_getaffinity(0)) or idle < 0.2 or stolen > 0.01


class Late(AssertionError):
    """Something happened in the end, but after its time."""


def in_time(measure: Callable[[], Value]) -> Value:
    """Run `measure`; where it raises Late on a busy machine, say so and run it once more."""
    machine = Machine()
    try:
        return measure()
    except Late as late:
        if not machine.busy:
            raise
        print(f"too late on a busy machine ({machine}), measured once more: {late}")
    return measure()
