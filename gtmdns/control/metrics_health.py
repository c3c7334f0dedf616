"""The metrics of endpoints and pools: copied in the loop, made where they are rendered."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..compiler.decide import FAMILIES as FAMILY_NUMBERS
from ..compiler.decide import Decider
from ..compiler.plan import Plan, checks_of
from ..config.model import Endpoint, Pool
from ..health.condition import Conditions
from ..health.standing import CheckKey, Standing
from ..health.verdict import State
from .control import Control
from .status import FAMILIES

DAY = 86_400.0  # seconds


def counter(name: str, text: str, labels: list[str], rows: Iterable[tuple[Any, float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in rows:
        family.add_metric([str(part) for part in key], value)
    return family


def gauge(name: str, text: str, labels: list[str], rows: Iterable[tuple[Any, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in rows:
        family.add_metric([str(part) for part in key], value)
    return family


@dataclass(frozen=True, slots=True)
class Health:
    """What is known at one moment; nothing of it changes any more.

    plan, decider: None before there is a configuration
    heard:   when each check of an address had a result last, monotonic seconds
    now, wall: monotonic seconds, and seconds since the epoch
    """

    plan: Plan | None
    decider: Decider | None
    conditions: Conditions
    standings: Mapping[CheckKey, Standing]
    heard: Mapping[CheckKey, float]
    changes: Mapping[tuple[str, str, str], int]
    now: float
    wall: float

    def families(self) -> Iterator[Metric]:
        yield from self._endpoints()
        yield from self._pools()
        yield from self._standings()

    def _endpoints(self) -> Iterator[Metric]:
        pools = {} if self.plan is None else self.plan.pools
        endpoints = [
            ((name, endpoint.address), condition.usable, self._is_up(pool, endpoint))
            for name, pool in pools.items()
            for endpoint, condition in zip(pool.endpoints, self.conditions[name], strict=True)
        ]
        yield gauge(
            "gtmdns_endpoint_up",
            "1 where every check of the endpoint says up; 0 where one says down or none has"
            " spoken.",
            ["pool", "address"],
            [(key, float(is_up)) for key, _, is_up in endpoints],
        )
        yield gauge(
            "gtmdns_endpoint_usable",
            "1 where the endpoint may be given out.",
            ["pool", "address"],
            [(key, float(usable)) for key, usable, _ in endpoints],
        )
        yield counter(
            "gtmdns_verdict_changes",
            "Verdicts that changed.",
            ["pool", "address", "to"],
            self.changes.items(),
        )

    def _is_up(self, pool: Pool, endpoint: Endpoint) -> bool:
        keys = ((endpoint.address, check) for check in checks_of(pool, endpoint))
        return all(key in self.standings and self.standings[key].state is State.UP for key in keys)

    def _pools(self) -> Iterator[Metric]:
        pools = () if self.plan is None else self.plan.pools
        traces = [
            ((name, FAMILIES[family]), self.decider.see(name, family).trace)
            for name in pools
            for family in FAMILY_NUMBERS
            if self.decider is not None
        ]
        there = [(key, trace) for key, trace in traces if trace.total]
        yield gauge(
            "gtmdns_pool_available",
            "1 where enough endpoints of the family are usable.",
            ["pool", "family"],
            [(key, float(trace.available)) for key, trace in there],
        )
        yield gauge(
            "gtmdns_pool_usable_endpoints",
            "Endpoints of the family that may be given out.",
            ["pool", "family"],
            [(key, trace.usable) for key, trace in there],
        )

    def _standings(self) -> Iterator[Metric]:
        checks = {} if self.plan is None else self.plan.health_checks
        ejecting = {name for name, check in checks.items() if check.eject.base}
        yield gauge(
            "gtmdns_endpoint_ejected",
            "1 while the endpoint stays down as it went down too often.",
            ["check", "address"],
            [
                ((check, address), float(standing.ejected_for(self.now) > 0))
                for (address, check), standing in self.standings.items()
                if check in ejecting
            ],
        )
        oldest: dict[str, float] = {}
        for (_, check), heard in self.heard.items():
            oldest[check] = min(heard, oldest.get(check, heard))
        yield gauge(
            "gtmdns_health_check_staleness_seconds",
            "Seconds since the result of the endpoint that has waited longest.",
            ["check"],
            [((check,), self.now - heard) for check, heard in sorted(oldest.items())],
        )
        yield gauge(
            "gtmdns_certificate_expiry_days",
            "Days until the certificate that the last probe saw expires; below 0 it has.",
            ["check", "address"],
            [
                ((check, address), (standing.last.certificate_expires - self.wall) / DAY)
                for (address, check), standing in self.standings.items()
                if standing.last is not None and standing.last.certificate_expires is not None
            ],
        )


def health_of(control: Control) -> Health:
    """Return what is known now."""
    publication, steering = control.publication, control.steering
    conditions = {} if publication is None else steering.conditions()
    return Health(
        None if publication is None else publication.plan,
        None if publication is None else publication.decider(conditions),
        conditions,
        control.monitor.standings(),
        dict(steering.heard),
        dict(steering.verdict_changes),
        asyncio.get_running_loop().time(),
        time.time(),
    )
