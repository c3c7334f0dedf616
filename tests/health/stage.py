"""A scene whose targets and canaries can be cut off all at once, for tests of isolation."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from gtmdns.health.check import Check, ProbeResult
from tests.health.scene import Scene, many, play

CANARY, SECOND = "198.51.100.1", "198.51.100.2"


@dataclass(frozen=True)
class Isolation:
    canaries: tuple[str, ...] = (f"{CANARY}:443",)
    share: int = 50
    window: float = 30.0


class Stage(Scene):
    """`cut`: neither targets nor canaries answer."""

    def __init__(self, **options: Any) -> None:
        self.cut = False
        self.canaries = {CANARY: True, SECOND: False}
        self.looks: list[float] = []
        self.told: list[tuple[float, bool]] = []
        super().__init__(probe=self.probe, on_isolation=self.note_isolation, **options)

    async def probe(self, address: str, host: str, check: Check) -> ProbeResult:
        if address not in self.canaries:
            result = await self.targets.probe(address, host, check)
            return replace(result, success=result.success and not self.cut)
        self.looks.append(self.now())
        if self.cut:
            await asyncio.sleep(check.timeout)
            return ProbeResult(False, "timeout after 2 s", check.timeout)
        return ProbeResult(self.canaries[address], "connected", 0.0)

    def note_isolation(self, frozen: bool, why: str) -> None:
        assert self.monitor.frozen is frozen
        self.told.append((self.now(), frozen))

    def states(self) -> list[str]:
        return [standing.state.value for standing in self.monitor.standings().values()]


def act(story: Any, **options: Any) -> Stage:
    scene = play(story, make=Stage, **options)
    assert isinstance(scene, Stage)
    return scene


KEYS = many(20)
