"""The state of the server as plain data, for the HTTP API, the commands and the metrics."""

import os
import time
from datetime import UTC, datetime
from typing import Any

from .. import __version__
from ..compiler.decide import needed_of
from ..compiler.plan import checks_of
from ..config.mistakes import Mistake
from ..config.model import Endpoint, Pool
from ..health.standing import Standing
from .control import Control, ReloadReport

FAMILIES = {4: "ipv4", 6: "ipv6", 0: "names"}


def moment(seconds: float) -> str:
    """Return a time of day in UTC (RFC 3339). `seconds`: since the epoch."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def server_status(control: Control) -> dict[str, Any]:
    """Return what `GET /api/v1/status` answers."""
    report, last = control.report, control.last_reload
    return {
        "version": __version__,
        "uptime": round(time.time() - control.started_at, 3),
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
            }
            for link in sorted(control.workers.links, key=lambda link: link.number)
        ],
        "worker_restarts": control.worker_restarts,
    }


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


def pool_status(control: Control) -> list[dict[str, Any]]:
    """Return what `GET /api/v1/pools` answers. There is a publication."""
    assert control.publication is not None
    usable = control.usable()
    return [
        _pool(control, name, pool, usable[name])
        for name, pool in control.publication.plan.pools.items()
    ]


def _pool(control: Control, name: str, pool: Pool, usable: tuple[bool, ...]) -> dict[str, Any]:
    rows = list(zip(pool.endpoints, usable, strict=True))
    families = {}
    for family, label in FAMILIES.items():
        of_family = [up for endpoint, up in rows if endpoint.family == family]
        if of_family:
            needed = needed_of(pool.min_available, len(of_family))
            families[label] = {
                "available": sum(of_family) >= needed,
                "usable": sum(of_family),
                "total": len(of_family),
                "needed": needed,
            }
    return {
        "name": name,
        "select": pool.select,
        "max_answers": pool.max_answers,
        "families": families,
        "endpoints": [_endpoint(control, pool, endpoint, up) for endpoint, up in rows],
    }


def _endpoint(control: Control, pool: Pool, endpoint: Endpoint, usable: bool) -> dict[str, Any]:
    checks = [
        _check(name, control.monitor.standing((endpoint.address, name)))
        for name in checks_of(pool, endpoint)
    ]
    states = [check["verdict"] for check in checks]
    verdict = "down" if "down" in states else "unknown" if "unknown" in states else "up"
    sinces = [check["since"] for check in checks if check["since"] and check["verdict"] == verdict]
    return {
        "address": endpoint.address,
        "weight": endpoint.weight,
        "verdict": verdict,
        "usable": usable,
        "since": max(sinces, default=None),
        "checks": checks,
    }


def _check(name: str, standing: Standing) -> dict[str, Any]:
    last = standing.last
    return {
        "check": name,
        "verdict": standing.state.value,
        "since": moment(standing.since) if standing.since else None,
        "last_result": None
        if last is None
        else {
            "success": last.success,
            "reason": last.reason,
            "seconds": round(last.elapsed, 4),
            "at": moment(last.at),
            "address": last.address,
        },
    }


def zone_status(control: Control) -> list[dict[str, Any]]:
    """Return what `GET /api/v1/zones` answers. There is a publication."""
    assert control.publication is not None
    plan = control.publication.plan
    names: dict[str, dict[str, list[str]]] = {zone.apex: {} for zone in plan.zones.values()}
    for (apex, name), types in plan.names.items():
        names[apex][name] = list(types)
    return [
        {"name": zone.apex, "serial": zone.serial, "names": names[zone.apex]}
        for zone in plan.zones.values()
    ]
