"""The state of the server as plain data, for the HTTP API, the commands and the metrics."""

import asyncio
import json
import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from .. import __version__
from ..compiler.decide import FAMILIES as FAMILY_NUMBERS
from ..compiler.decide import Decider
from ..compiler.plan import Plan, checks_of
from ..config.mistakes import Mistake
from ..config.model import Endpoint, Pool
from ..explain.told import moment, override_status, result_status
from ..health.condition import FULL, Condition
from ..health.history import Change
from ..health.overrides import Override
from ..health.verdict import State
from .control import Control, ReloadReport

FOREVER = float("inf")
PART = 1_000  # names of a zone that are rendered at once
FAMILIES = {4: "ipv4", 6: "ipv6", 0: "names"}


def server_status(control: Control) -> dict[str, Any]:
    """Return what `GET /api/v1/status` answers."""
    report, last = control.report, control.last_reload
    return {
        "version": __version__,
        "uptime": round(time.monotonic() - control.started_at, 3),
        "pid": os.getpid(),
        "configuration": {
            "path": str(control.config),
            "hash": report.digest if report is not None else None,
            "loaded_at": moment(control.loaded_at) if control.loaded_at else None,
            "generation": control.generation,
            "warnings": list(report.warnings) if report is not None else [],
            "last_error": error_status(last) if last is not None and not last.ok else None,
        },
        "workers": [
            {
                "number": link.number,
                "pid": link.pid,
                "generation": link.generation,
                "connected_at": moment(link.connected_at),
                "tcp_connections": link.tcp_connections,
                "path": "compiled" if link.compiled else "pure",
            }
            for link in sorted(control.workers.links, key=lambda link: link.number)
        ],
        "worker_restarts": control.worker_restarts,
        "isolated": control.monitor.frozen,
        "isolated_because": control.isolated_why or None,
        "overrides": len(control.steering.overriding.overrides),
        "failback": held_status(control),
    }


def held_status(control: Control) -> list[dict[str, Any]]:
    """Return the records that wait to return to a pool that is available again (`failback`)."""
    publication = control.publication
    if publication is None:
        return []
    now = asyncio.get_running_loop().time()
    found: dict[str, dict[str, float]] = {}
    for spec in publication.plan.specs.values():
        if spec.failback is not None:
            pools = found.setdefault(spec.hold, {})
            for pool, left in control.steering.held(spec, now).items():
                if control.steering.failback.is_back(pool, spec.family):
                    pools[pool] = max(left, pools.get(pool, 0.0))
    return [
        {"name": name, "pool": pool, "seconds": round(left, 3) if left < FOREVER else None}
        for name, held in sorted(found.items())
        for pool, left in sorted(held.items())
    ]


def error_status(report: ReloadReport) -> dict[str, Any]:
    return {"at": moment(report.at), "mistakes": [mistake_status(m) for m in report.mistakes]}


def mistake_status(mistake: Mistake) -> dict[str, Any]:
    return {**mistake._asdict(), "text": str(mistake)}


def reload_status(report: ReloadReport) -> dict[str, Any]:
    """Return what `POST /api/v1/reload` answers."""
    return {
        "ok": report.ok,
        "generation": report.generation,
        "seconds": round(report.seconds, 3),
        "mistakes": [mistake_status(mistake) for mistake in report.mistakes],
        "warnings": list(report.warnings),
    }


def pool_status(control: Control, only: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield what `GET /api/v1/pools` answers; `only`: of that pool. There is a publication.

    A row takes 0.15 ms for five endpoints. Whoever takes a turn of the loop between two rows gets
    each as it is then, all of the publication of the first.
    """
    publication = control.publication
    assert publication is not None
    moment = control.steering.moment()
    decider = publication.decider(moment)
    overrides = {override.target: override for override in control.steering.overriding.all()}
    for name, pool in publication.plan.pools.items():
        if only is not None and name != only:
            continue
        yield {
            "name": name,
            "select": pool.select,
            "max_answers": pool.max_answers,
            "override": _said(overrides.get((name, None))),
            "families": _families(decider, name),
            "endpoints": [
                {
                    **_endpoint(control, pool, endpoint, condition),
                    "override": _said(overrides.get((name, endpoint.address))),
                }
                for endpoint, condition in zip(pool.endpoints, moment[name], strict=True)
            ],
        }


def _families(decider: Decider, name: str) -> dict[str, dict[str, Any]]:
    seen = {family: decider.see(name, family).trace for family in FAMILY_NUMBERS}
    return {
        FAMILIES[family]: {
            "available": trace.available,
            "usable": trace.usable,
            "total": trace.total,
            "needed": trace.needed,
        }
        for family, trace in seen.items()
        if trace.total
    }


def _said(override: Override | None) -> dict[str, Any] | None:
    return None if override is None else override_status(override)


def _endpoint(
    control: Control, pool: Pool, endpoint: Endpoint, condition: Condition
) -> dict[str, Any]:
    checks = [_check(control, endpoint.address, name) for name in checks_of(pool, endpoint)]
    states = [check["verdict"] for check in checks]
    verdict = "down" if "down" in states else "unknown" if "unknown" in states else "up"
    sinces = [check["since"] for check in checks if check["since"] and check["verdict"] == verdict]
    told = {
        "address": endpoint.address,
        "weight": endpoint.weight,
        "verdict": verdict,
        "usable": condition.usable,
        "ramp": condition.parts / FULL,
        "since": max(sinces, default=None),
        "checks": checks,
    }
    if endpoint.resolve:
        told["addresses"] = list(control.steering.resolved.get(endpoint.address, ()))
    return told


def _check(control: Control, address: str, name: str) -> dict[str, Any]:
    monitor, key = control.monitor, (address, name)
    try:
        standing = monitor.standing(key)
    except KeyError:  # a reload took it away since the first row
        return {"check": name, "verdict": State.UNKNOWN.value, "since": None, "last_result": None}
    left = standing.ejected_for(asyncio.get_running_loop().time())
    return {
        "check": name,
        "verdict": standing.state.value,
        "since": moment(standing.since) if standing.since else None,
        "ejections": standing.ejections,
        "ejected_for": round(left, 3),
        "flaps": monitor.flaps(key),
        "history": [_change(change) for change in monitor.history(key)],
        "last_result": result_status(standing.last),
    }


def _change(change: Change) -> dict[str, Any]:
    return {"at": moment(change.at), "verdict": change.state.value, "reason": change.reason}


def zone_parts(plan: Plan, zones: Iterable[str], alone: bool = False) -> Iterator[str]:
    """Yield the JSON of what `GET /api/v1/zones` answers, in parts that take a millisecond each.

    alone: of the one zone, without the list around it
    """
    wanted = {plan.zones[zone].apex: plan.zones[zone] for zone in zones}
    names: dict[str, dict[str, list[str]]] = {apex: {} for apex in wanted}
    for (apex, name), types in plan.names.items():
        if apex in names:
            names[apex][name] = list(types)
    if not alone:
        yield '{"zones": ['
    for number, (apex, zone) in enumerate(wanted.items()):
        head = json.dumps({"name": apex, "serial": zone.serial})
        yield f'{", " if number else ""}{head[:-1]}, "names": {{'
        rows = iter(names[apex].items())
        comma = ""
        while part := dict(islice(rows, PART)):
            yield comma + json.dumps(part)[1:-1]
            comma = ", "
        yield "}}"
    if not alone:
        yield "]}"
