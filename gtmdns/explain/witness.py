"""What is known of the endpoints at one moment, for explanations, and what is assumed of them.

A question of the kind "what if this were down?" changes nothing: assumptions are laid over the
conditions that decisions are asked with.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from ..compiler.plan import AnswerSpec, Plan, checks_of
from ..config.mistakes import did_you_mean
from ..config.model import Endpoint, Pool
from ..config.values import as_configured
from ..health.condition import Condition, Conditions
from ..health.overrides import Overrides
from ..health.standing import CheckKey, Standing
from .told import moment, override_status, result_status

StandingOf = Callable[[CheckKey], Standing | None]
Held = Callable[[AnswerSpec], Mapping[str, float]]


class BadQuestion(ValueError):
    """What was asked cannot be asked: a name, a type or an address is none."""


@dataclass(frozen=True, slots=True)
class Witness:
    """One moment.

    conditions: with the assumptions in them
    held:  pools that an answer must not return to, and for how many seconds more
    now:   monotonic seconds, wall: since the epoch
    live:  a server's health; False: that of a file, where everything counts as up
    resolved: addresses of endpoints with `resolve`, by host name
    """

    plan: Plan
    conditions: Conditions
    standing_of: StandingOf
    overrides: Overrides
    held: Held
    now: float
    wall: float
    live: bool
    down: tuple[str, ...] = ()
    up: tuple[str, ...] = ()
    resolved: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def assuming(self, down: Iterable[str], up: Iterable[str]) -> "Witness":
        """Return the same with endpoints taken for down, or for up.

        Each is a pool, an address or host name, or POOL/ADDRESS. Raises BadQuestion.
        """
        downs, ups = (
            tuple(dict.fromkeys(_spelled(text, self.plan, state) for text in texts))
            for state, texts in (("down", down), ("up", up))
        )
        if not downs and not ups:
            return self
        conditions = _Assumed(self.plan, self.conditions, frozenset(downs), frozenset(ups))
        return replace(self, conditions=conditions, down=downs, up=ups)

    def assumed(self, pool: str, address: str) -> str | None:
        """Return "down" or "up" where that is assumed of an endpoint, else None."""
        names = _names(pool, address)
        if any(name in self.down for name in names):
            return "down"
        return "up" if any(name in self.up for name in names) else None

    def endpoint(self, name: str, pool: Pool, endpoint: Endpoint) -> dict[str, Any]:
        """Return what is known of an endpoint, whatever is assumed of it."""
        checks = [self._check(endpoint.address, check) for check in checks_of(pool, endpoint)]
        states = [check["verdict"] for check in checks]
        verdict = "down" if "down" in states else "unknown" if "unknown" in states else "up"
        ruling = self.overrides.ruling(name, endpoint.address)
        override = None
        if ruling is not None:
            said = self.overrides.of(ruling.override.target, self.now, self.wall)
            assert said is not None, "it rules"
            override = {"of": "pool" if said.address is None else "endpoint"}
            override |= override_status(said)
        return {
            "verdict": verdict,
            "checks": checks,
            "override": override,
            "assumed": self.assumed(name, endpoint.address),
        }

    def _check(self, address: str, check: str) -> dict[str, Any]:
        standing = self.standing_of((address, check))
        if standing is None:
            standing = Standing()
        left = standing.ejected_for(self.now)
        return {
            "check": check,
            "verdict": standing.state.value,
            "since": moment(standing.since) if standing.since else None,
            "last_result": result_status(standing.last),
            "could_change_in": self.could_change(address, check),
            "ejected_for": round(left, 3),
        }

    def could_change(self, address: str, check: str) -> float:
        """Return the seconds until the verdict of one check could change, at the soonest."""
        standing = self.standing_of((address, check)) or Standing()
        return round(standing.until(self.plan.health_checks[check], self.now), 3)


class _Assumed(Mapping[str, Sequence[Condition]]):
    """Conditions with assumptions over them."""

    def __init__(
        self, plan: Plan, conditions: Conditions, down: frozenset[str], up: frozenset[str]
    ) -> None:
        self._plan = plan
        self._conditions = conditions
        self._down, self._up = down, up
        self._found: dict[str, tuple[Condition, ...]] = {}

    def __getitem__(self, name: str) -> tuple[Condition, ...]:
        if name not in self._found:
            pool = self._plan.pools[name]
            self._found[name] = tuple(
                self._assume(name, pool, endpoint, condition)
                for endpoint, condition in zip(pool.endpoints, self._conditions[name], strict=True)
            )
        return self._found[name]

    def __iter__(self) -> Any:
        return iter(self._plan.pools)

    def __len__(self) -> int:
        return len(self._plan.pools)

    def _assume(self, name: str, pool: Pool, endpoint: Endpoint, condition: Condition) -> Condition:
        """An override that says down goes on barring what is assumed to be down."""
        names = _names(name, endpoint.address)
        checks = [self._plan.health_checks[check] for check in checks_of(pool, endpoint)]
        if not self._down.isdisjoint(names):
            if condition.barred:
                return condition
            until = max((check.rise * check.interval for check in checks), default=inf)
            return Condition(False, until=until)
        if not self._up.isdisjoint(names):
            until = min((check.fall * check.interval for check in checks), default=inf)
            return Condition(until=until)
        return condition


def _names(pool: str, address: str) -> tuple[str, str, str]:
    """Return how an endpoint may be called in an assumption."""
    return pool, address, f"{pool}/{address}"


def _spelled(text: str, plan: Plan, state: str) -> str:
    """Return what is assumed as `_names` has it. Raises BadQuestion where nothing is called so."""
    if text in plan.pools:
        return text
    before, slash, after = text.rpartition("/")
    address = as_configured(after)
    pools = [plan.pools.get(before)] if slash else plan.pools.values()
    if any(pool and any(e.address == address for e in pool.endpoints) for pool in pools):
        return f"{before}/{address}" if slash else address
    raise BadQuestion(
        f"{text!r} is no pool and no address of the configuration, to be assumed {state}"
        f"{did_you_mean(text, plan.pools)}"
    )
