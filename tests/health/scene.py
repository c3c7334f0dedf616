"""A monitor on made-up time with made-up targets, for tests of the schedule."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from gtmdns.health.monitor import Monitor
from gtmdns.health.probes import Check, ProbeResult
from gtmdns.health.standing import CheckKey, Standing
from gtmdns.health.verdict import State
from tests.health.support import Definition, run_fast

WEB = Definition()
A, B = ("192.0.2.1", "web"), ("192.0.2.2", "web")


class Targets:
    """Stands for the network: remembers each probe, and answers as each address is told to."""

    def __init__(self) -> None:
        self.starts: list[tuple[float, str]] = []
        self.up: Mapping[str, bool] | Callable[[str], bool] = lambda _address: True
        self.takes = 0.01  # seconds per probe
        self.under_way: Counter[str] = Counter()
        self.most_at_once = 0

    async def probe(self, address: str, host: str, check: Check) -> ProbeResult:
        self.starts.append((asyncio.get_running_loop().time(), address))
        self.under_way[address] += 1
        assert self.under_way[address] == 1, "two probes of one key at once"
        self.most_at_once = max(self.most_at_once, self.under_way.total())
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.under_way[address] -= 1
        success = self.up(address) if callable(self.up) else self.up[address]
        return ProbeResult(success, "200" if success else "503, expected 200-399", self.takes)

    def times(self, address: str) -> list[float]:
        return [at for at, probed in self.starts if probed == address]


class Scene:
    """A monitor with made-up targets, and everything that it told."""

    def __init__(self, *, seed: int = 1, **options: Any) -> None:
        self.targets = Targets()
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.changes: list[tuple[float, CheckKey, State]] = []
        self.results: list[tuple[CheckKey, bool]] = []
        settings = {"probe": self.targets.probe, "clock": self.loop.time, "concurrency": 256}
        self.monitor = Monitor(
            on_change=self.note_change,
            on_result=self.note_result,
            chance=random.Random(seed),
            **{**settings, **options},
        )

    def note_change(self, key: CheckKey, standing: Standing) -> None:
        self.changes.append((self.now(), key, standing.state))

    def note_result(self, key: CheckKey, standing: Standing) -> None:
        assert standing.last is not None
        self.results.append((key, standing.last.success))

    def now(self) -> float:
        """Seconds since the scene began."""
        return self.loop.time() - self.began


def play(
    story: Callable[[Any], Coroutine[Any, Any, None]], make: type[Scene] = Scene, **options: Any
) -> Scene:
    """Run `story` on made-up time and close the monitor."""

    async def run() -> Scene:
        scene = make(**options)
        try:
            await story(scene)
        finally:
            await scene.monitor.close()
        return scene

    return run_fast(run())


def many(count: int, check: Definition = WEB) -> dict[CheckKey, Definition]:
    return {(f"192.0.{n // 250}.{n % 250}", "web"): check for n in range(count)}
