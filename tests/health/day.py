"""A day of 200 endpoints, made from a seed, and a straightforward model of what it should lead to.

The world: endpoints that die for a while, that flap, that fail now and then; all of them dead at
once; this machine cut off. The model keeps every result since the last change and looks through
all endpoints for every question, where the monitor keeps a few counters.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import inf

from gtmdns.health.check import Check, ProbeResult
from gtmdns.health.standing import CheckKey
from tests.health.support import Definition, Eject

DAY = 86_400.0
CANARY = "198.51.100.1"

# Long intervals: a quick test has time for some 30 000 probes.
CHECKS = {
    "plain": Definition(interval=600.0),
    "strict": Definition(interval=480.0, fall=1, rise=3),
    "bleeding": Definition(interval=720.0, fall=3, rise=1, clear=3),
    "ejecting": Definition(interval=600.0, fall=2, rise=2, eject=Eject(900.0, 3600.0)),
    "growing": Definition(interval=600.0, fall=1, rise=1, eject=Eject(1800.0, 14_400.0)),
}


@dataclass(frozen=True)
class Isolation:
    canaries: tuple[str, ...] = (f"{CANARY}:443",)
    share: int = 50
    window: float = 1800.0


ISOLATION = Isolation()
Span = tuple[float, float]


def within(now: float, spans: list[Span]) -> bool:
    return any(begin <= now < end for begin, end in spans)


class World:
    """What is true at each moment of the day. Times are seconds since midnight."""

    def __init__(self, seed: int, endpoints: int = 200) -> None:
        chance = self.chance = random.Random(seed)
        names = list(CHECKS)
        self.keys: dict[CheckKey, Definition] = {}
        for number in range(endpoints):
            name = names[number % len(names)]
            self.keys[f"192.0.2.{number}", name] = CHECKS[name]
        self.dead = {host: list(self.outages(chance)) for host, _ in self.keys}
        self.flaps = {
            host: [(begin, begin + 10_000.0)] if chance.random() < 0.2 else []
            for host, _ in self.keys
            for begin in [chance.random() * DAY]
        }
        self.cut_off = [(30_000.0, 34_000.0), (70_000.0, 72_000.0)]
        self.all_dead = [(50_000.0, 54_000.0)]
        self.events: list[tuple[float, CheckKey | None, bool]] = []  # results; None: a look

    @staticmethod
    def outages(chance: random.Random) -> Iterator[Span]:
        at = chance.expovariate(1 / 40_000)
        while at < DAY:
            yield at, at + chance.expovariate(1 / 4000)
            at += 4000 + chance.expovariate(1 / 40_000)

    def answers(self, host: str, now: float) -> bool:
        if within(now, self.cut_off) or within(now, self.all_dead) or within(now, self.dead[host]):
            return False
        return self.chance.random() < (0.5 if within(now, self.flaps[host]) else 0.98)

    async def probe(self, address: str, host: str, check: Check) -> ProbeResult:
        loop = asyncio.get_running_loop()
        if address != CANARY:
            await asyncio.sleep(0.01 + self.chance.random() / 10)
            success = self.answers(address, loop.time())
            return ProbeResult(success, "200" if success else "503", 0.01)
        cut_off = within(loop.time(), self.cut_off)
        await asyncio.sleep(check.timeout if cut_off else 0.02)
        self.events.append((loop.time(), None, not cut_off))
        return ProbeResult(not cut_off, "", 0.02)


@dataclass
class PlainEndpoint:
    """One endpoint, by all of its results since its last change."""

    check: Definition
    state: str = "unknown"
    since: str = ""  # results
    ejections: int = 0
    changed: float = 0.0
    until: float = -inf  # of its ejection
    told: int = 0  # ejections in a row as of the last result

    def forgiven(self, now: float) -> int:
        base = self.check.eject.base
        return max(0, self.ejections - int((now - self.changed) // base)) if base else 0

    def tick(self, now: float) -> bool:
        """Come up where only the ejection was waited for. Returns whether that changed it."""
        ready = self.since.endswith("+" * self.check.rise) and self.until <= now
        if self.state != "down" or not ready:
            return False
        self.state, self.since, self.changed = "up", "", self.until
        return True

    def result(self, now: float, success: bool) -> bool:
        """Take in a result; returns whether that changed the state."""
        changed = self._result(now, success)
        self.told = self.forgiven(now) if self.state == "up" else self.ejections
        return changed

    def _result(self, now: float, success: bool) -> bool:
        check, before = self.check, self.state
        self.since += "+" if success else "-"
        if before == "unknown":
            self.state = "up" if success else "down"
        elif before == "up":
            wiped = self.since.rfind("+" * check.clear)
            counted = self.since if wiped < 0 else self.since[wiped + check.clear :]
            if counted.count("-") >= check.fall:
                self.ejections = self.forgiven(now) + 1 if check.eject.base else 0
                self.until = now + min(check.eject.base * self.ejections, check.eject.max)
                self.state = "down"
        elif self.since.endswith("+" * check.rise) and self.until <= now:
            self.state = "up"
        if self.state == before:
            return False
        self.since, self.changed = "", now
        return True

    def soonest(self, now: float) -> float:
        """In how many seconds the state could change."""
        if self.state == "unknown":
            return self.check.interval
        if self.state == "up":
            wiped = self.since.rfind("+" * self.check.clear)
            counted = self.since if wiped < 0 else self.since[wiped + self.check.clear :]
            return (self.check.fall - counted.count("-")) * self.check.interval
        row = len(self.since) - len(self.since.rstrip("+"))
        missing = max(0, self.check.rise - row)
        return max(missing * self.check.interval, self.until - now)


@dataclass
class PlainDay:
    """All endpoints, and whether this machine doubts itself."""

    keys: dict[CheckKey, Definition]
    endpoints: dict[CheckKey, PlainEndpoint] = field(default_factory=dict)
    shown: dict[CheckKey, str] = field(default_factory=dict)
    changes: list[tuple[float, CheckKey, str]] = field(default_factory=list)
    downs: dict[CheckKey, tuple[float, PlainEndpoint]] = field(default_factory=dict)  # and before
    phase: str = "calm"
    proven: bool = False
    returned: int = 0
    frozen: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.endpoints = {key: PlainEndpoint(check) for key, check in self.keys.items()}
        self.shown = dict.fromkeys(self.keys, "unknown")

    def show(self, key: CheckKey, now: float) -> None:
        state = self.endpoints[key].state
        if self.shown[key] != state:
            self.shown[key] = state
            self.changes.append((now, key, state))

    def tick(self, now: float) -> None:
        """Let every ejection end that is over."""
        if self.phase == "frozen":
            return
        for key, endpoint in self.endpoints.items():
            if endpoint.tick(now):
                self.downs.pop(key, None)
                self.show(key, endpoint.changed)

    def reached(self, now: float) -> bool:
        self.tick(now)
        recent = [at for at, _ in self.downs.values() if at >= now - ISOLATION.window]
        known = [one for one in self.endpoints.values() if one.state != "unknown"]
        return len(recent) * 100 > ISOLATION.share * len(known)

    def result(self, now: float, key: CheckKey, success: bool) -> None:
        endpoint = self.endpoints[key]
        if self.phase == "frozen":
            return
        if endpoint.tick(now):
            self.downs.pop(key, None)
            self.show(key, endpoint.changed)
        before = replace(endpoint, since="")
        if not endpoint.result(now, success):
            return
        if endpoint.state == "up":
            self.downs.pop(key, None)
        else:
            self.downs[key] = (now, before)
            if self.phase == "calm" and self.reached(now):
                self.phase = "holding"
            if self.phase == "holding":
                return
        self.show(key, now)

    def look(self, now: float, answered: bool) -> None:
        self.proven = self.proven or answered
        if self.phase == "frozen":
            self.returned = self.returned + 1 if answered else 0
            if self.returned == 2:
                self.phase, self.returned = "calm", 0
                self.downs.clear()
                self.frozen[-1] = (self.frozen[-1][0], now)
        elif self.phase != "calm":
            if not self.reached(now):
                self.phase = "calm"
            elif not answered and self.proven:
                self.freeze(now)
            else:
                self.phase = "trusting"
            for key in self.keys:
                self.show(key, now)

    def freeze(self, now: float) -> None:
        self.phase = "frozen"
        self.frozen.append((now, inf))
        for key, (at, before) in self.downs.items():
            if at >= now - ISOLATION.window:
                self.endpoints[key] = before
        for endpoint in self.endpoints.values():
            endpoint.since = ""
