"""A simulated day: verdicts, ejections, TTLs and answers against a straightforward model.

The world and the model of the verdicts are in tests/health/day.py. Here each four pools of four
endpoints make a target, and its answers are worked out by hand at every look.
"""

import asyncio
import random
from collections.abc import Mapping
from fractions import Fraction
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from gtmdns.compiler.decide import decide
from gtmdns.compiler.octets import ttl_of
from gtmdns.compiler.outcome import Outcome
from gtmdns.config.model import Endpoint, Minimum, Pool, TtlRange
from gtmdns.config.targets import parse_target
from gtmdns.control.comebacks import Comebacks
from gtmdns.control.conditions import Moment
from gtmdns.explain.shares import shares_of
from gtmdns.health.monitor import Monitor
from gtmdns.health.overrides import Overrides
from gtmdns.health.standing import CheckKey, Standing
from tests.health.day import CHECKS, DAY, ISOLATION, PlainDay, PlainEndpoint, World
from tests.health.support import run_fast

LOOKS = 1800.0  # seconds between two looks at everything
TTL = TtlRange(30, 1500)
NEEDED = 3  # of the four endpoints of a pool


class Watched:
    """What a monitor made of a world, with all standings as they were every now and then."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.changes: list[tuple[float, CheckKey, str]] = []
        self.frozen: list[float] = []
        self.looks: list[tuple[float, int, dict[CheckKey, Standing]]] = []
        loop = asyncio.get_running_loop()
        self.monitor = Monitor(
            on_change=lambda key, standing: self.changes.append(
                (loop.time(), key, standing.state.value)
            ),
            on_result=self.note_result,
            on_isolation=lambda _frozen, _why: self.frozen.append(loop.time()),
            chance=random.Random(seed),
            probe=self.world.probe,
            clock=loop.time,
        )

    def note_result(self, key: CheckKey, standing: Standing) -> None:
        assert standing.last is not None
        self.world.events.append((standing.last.at, key, standing.last.success))

    def look(self) -> None:
        now = asyncio.get_running_loop().time()
        self.looks.append((now, len(self.world.events), self.monitor.standings()))


def watch(seed: int) -> Watched:
    """Let a monitor watch a world for a day."""

    async def run() -> Watched:
        watched = Watched(seed)
        watched.monitor.apply(watched.world.keys, 240.0, ISOLATION)
        for _ in range(int(DAY // LOOKS)):
            await asyncio.sleep(LOOKS)
            watched.look()
        await watched.monitor.close()
        return watched

    return run_fast(run())


@pytest.mark.parametrize("seed", [4])
def test_a_day_agrees_with_a_straightforward_model(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR")
    watched, taken, answers = watch(seed), 0, []
    model, steered = PlainDay(watched.world.keys), Steered(watched.world.keys)
    for now, count, standings in watched.looks:
        for at, key, success in watched.world.events[taken:count]:
            if key is None:
                model.look(at, success)
            else:
                model.result(at, key, success)
        taken = count
        model.tick(now)
        steady = model.phase in ("calm", "trusting")  # the model's own counts are what is shown
        for key, endpoint in model.endpoints.items():
            compare(standings[key], model.shown[key], endpoint if steady else None, now)
        answers += steered.compare(standings, model, now, steady)

    assert rounded(watched.changes) == rounded(model.changes)
    assert [at for span in model.frozen for at in span] == pytest.approx(watched.frozen)
    tells_something(watched, model, answers)


def compare(standing: Standing, shown: str, endpoint: PlainEndpoint | None, now: float) -> None:
    assert standing.state.value == shown
    if endpoint is not None:
        assert standing.ejections == endpoint.told
        until = standing.until(endpoint.check, now)
        assert until == pytest.approx(max(0.0, endpoint.soonest(now)))


class Steered:
    """Pools of four endpoints, and for each four pools the target [a, {b: 3, c: 1}, d]."""

    def __init__(self, keys: Mapping[CheckKey, Any]) -> None:
        every = list(keys)
        self.keys = {f"p{n}": every[4 * n : 4 * n + 4] for n in range(len(every) // 4)}
        self.pools = {
            name: Pool(
                endpoints=tuple(
                    Endpoint(address=host, health_checks=(check,)) for host, check in members
                ),
                max_answers=1,
                min_available=Minimum(count=NEEDED),
            )
            for name, members in self.keys.items()
        }
        names = list(self.pools)
        self.fours = [names[at : at + 4] for at in range(0, len(names) - 3, 4)]
        self.plan: Any = SimpleNamespace(pools=self.pools, health_checks=CHECKS)

    def compare(
        self, standings: Mapping[CheckKey, Standing], model: PlainDay, now: float, steady: bool
    ) -> list[Outcome]:
        """Compare every answer of this moment; return the decisions."""
        moment = Moment(self.plan, standings.get, Overrides(), Comebacks(), now)
        outcomes = []
        for a, b, c, d in self.fours:
            target = parse_target([a, {b: 3, c: 1}, d], [], ())
            assert target is not None
            outcome = decide(target, 4, self.pools, moment)
            assert outcome.choice is not None
            expected, until = self.by_hand([{a: 1}, {b: 3, c: 1}, {d: 1}], model, now)
            assert shares_of(outcome.choice) == expected
            if steady:
                assert abs(ttl_of(TTL, outcome.until) - min(max(until, 30), 1500)) <= 1
            outcomes.append(outcome)
        return outcomes

    def by_hand(
        self, chain: list[dict[str, int]], model: PlainDay, now: float
    ) -> tuple[dict[str, Fraction], float]:
        """Return how often each address is answered, and the seconds to the soonest change."""
        until = inf
        for needed, as_if_up in ((NEEDED, False), (1, False), (1, True)):
            for weights in chain:
                ready = {}
                for name in weights:
                    until = min(
                        until, *(model.endpoints[key].soonest(now) for key in self.keys[name])
                    )
                    up = [h for h, c in self.keys[name] if as_if_up or model.shown[h, c] != "down"]
                    if len(up) >= needed:
                        ready[name] = up
                if ready:
                    total = sum(weights[name] for name in ready)
                    shares = {
                        host: Fraction(weights[name], total * len(up))
                        for name, up in ready.items()
                        for host in up
                    }
                    return shares, until
        raise AssertionError("serve_all answers whatever is down")


def rounded(changes: list[tuple[float, CheckKey, str]]) -> list[tuple[float, CheckKey, str]]:
    """Return changes in one order, whatever the order of those of one moment."""
    return sorted((round(at, 3), key, state) for at, key, state in changes)


def tells_something(watched: Watched, model: PlainDay, answers: list[Outcome]) -> None:
    """The day had all that it is meant to have."""
    assert len(watched.world.events) > 25_000
    assert len(model.changes) > 1000
    in_a_row = [one.ejections for _, _, standings in watched.looks for one in standings.values()]
    assert max(in_a_row) >= 3
    assert len(model.frozen) == 2  # cut off twice; all dead once, and not fooled by it
    downs = {key for at, key, state in model.changes if 50_000 < at < 54_000 and state == "down"}
    assert len(downs) > 150
    assert sum(outcome.all_down for outcome in answers) > 10
    assert sum(len(outcome.trace) == 3 for outcome in answers) >= 20  # the second of the chain
    assert len({ttl_of(TTL, outcome.until) for outcome in answers}) >= 5
