"""How endpoints stand at one moment: verdicts, overrides and comebacks put together.

An endpoint is usable when none of its checks says down, unless an override decides
(health/overrides.py). Nothing here waits, logs or reads a clock.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf

from ..compiler.plan import Plan, checks_of
from ..config.model import Endpoint, Pool
from ..health.condition import FULL, WELL, Condition
from ..health.overrides import Overrides
from ..health.standing import CheckKey, Standing
from .comebacks import Comebacks

StandingOf = Callable[[CheckKey], Standing | None]


class Moment(Mapping[str, Sequence[Condition]]):
    """The conditions of every pool at `now`, each worked out when it is asked for.

    standing_of: None for a key that nobody watches: not known, and so usable
    now:         monotonic seconds
    """

    def __init__(
        self,
        plan: Plan,
        standing_of: StandingOf,
        overrides: Overrides,
        comebacks: Comebacks,
        now: float,
    ) -> None:
        self.now = now
        self.plan = plan
        self._standing_of = standing_of
        self._overrides = overrides
        self._comebacks = comebacks
        self._found: dict[str, tuple[Condition, ...]] = {}

    def __getitem__(self, name: str) -> tuple[Condition, ...]:
        found = self._found.get(name)
        if found is None:
            pool = self.plan.pools[name]
            found = tuple(self._condition(name, pool, endpoint) for endpoint in pool.endpoints)
            self._found[name] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.plan.pools)

    def __len__(self) -> int:
        return len(self.plan.pools)

    def usable(self, name: str, pool: Pool, endpoint: Endpoint) -> bool:
        """Return whether an endpoint may be given out, whatever its comeback."""
        ruling = self._overrides.ruling(name, endpoint.address)
        if ruling is not None:
            return ruling.override.usable
        standings = (self._standing_of((endpoint.address, c)) for c in checks_of(pool, endpoint))
        return all(standing is None or standing.usable for standing in standings)

    def countdown(self, name: str) -> float:
        """Return the seconds to the soonest change of a pool that comes without a result.

        What waits for probes is no nearer a second later: it counts for nothing here.
        """
        soonest = inf
        pool = self.plan.pools[name]
        for endpoint in pool.endpoints:
            ruling = self._overrides.ruling(name, endpoint.address)
            if ruling is not None:
                soonest = min(soonest, max(0.0, ruling.ends - self.now))
                continue
            for check in checks_of(pool, endpoint):
                standing = self._standing_of((endpoint.address, check))
                if standing is not None:
                    definition = self.plan.health_checks[check]
                    soonest = min(soonest, standing.countdown(definition, self.now))
        return min(soonest, self.next_step(name))

    def next_step(self, name: str) -> float:
        """Return the seconds until an endpoint of a pool gains the next part of its weight."""
        pool = self.plan.pools[name]
        if not pool.ramp:
            return inf
        steps = (
            self._comebacks.parts(name, endpoint.address, pool.ramp, self.now)[1]
            for endpoint in pool.endpoints
        )
        return min(steps, default=inf)

    def _condition(self, name: str, pool: Pool, endpoint: Endpoint) -> Condition:
        ruling = self._overrides.ruling(name, endpoint.address)
        if ruling is not None:
            usable = ruling.override.usable
            return Condition(usable, not usable, True, FULL, max(0.0, ruling.ends - self.now))
        usable, until = self._verdict(pool, endpoint)
        if not usable:
            return Condition(False, until=until)
        parts, step = self._comebacks.parts(name, endpoint.address, pool.ramp, self.now)
        until = min(until, step)
        return WELL if until == inf else Condition(parts=parts, until=until)

    def _verdict(self, pool: Pool, endpoint: Endpoint) -> tuple[bool, float]:
        """Return whether no check says down, and the seconds in which that could change.

        One result may turn what is up; what is down waits for the last of its checks.
        """
        up: list[float] = []
        down: list[float] = []
        for check in checks_of(pool, endpoint):
            standing = self._standing_of((endpoint.address, check))
            if standing is not None:
                until = standing.until(self.plan.health_checks[check], self.now)
                (up if standing.usable else down).append(until)
        return (False, max(down)) if down else (True, min(up, default=inf))
