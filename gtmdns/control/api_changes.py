"""The requests that change something: overrides, pushed results, failback, reload."""

import json
import time
from typing import Any

from aiohttp import web

from ..compiler.plan import Plan
from ..config.mistakes import did_you_mean
from ..config.values import as_configured, parse_duration
from ..explain.told import override_status
from ..health.overrides import Override, Target
from .control import Control
from .guard import Guard
from .overriding import shown
from .problem import Problem
from .publication import Publication
from .status import reload_status

LONGEST = 10 * 366 * 86_400.0  # seconds that an override may last
MAX_TEXT = 500  # characters of a reason and of an owner
NAMED = 20  # names that a refused override lists

KEYS = ("state", "expires_in", "reason", "owner", "force")
Mistakes = list[dict[str, str]]


class Changes:
    """Handlers. Rights were looked at before, but for pushes, which have tokens of their own."""

    def __init__(self, control: Control, guard: Guard) -> None:
        self.control = control
        self.guard = guard

    async def reload(self, request: web.Request) -> web.Response:
        self._publication()  # the first load is under way
        report = await self.control.reload("asked for by HTTP")
        outcome = reload_status(report)
        if not report.ok:
            detail = f"refused, still serving generation {report.generation}"
            raise Problem(422, "Configuration Refused", detail, **outcome)
        return web.json_response(outcome)

    # Overrides

    async def overrides(self, request: web.Request) -> web.Response:
        plan = self._publication().plan
        rows = [self._row(plan, override) for override in self.control.steering.overriding.all()]
        return web.json_response({"overrides": rows})

    async def put_override(self, request: web.Request) -> web.Response:
        plan = self._publication().plan
        target = _target(plan, request)
        said = await _override_body(request)
        now = time.time()
        override = Override(
            *target,
            said["state"],
            said["owner"],
            said["reason"],
            now,
            None if said["expires_in"] is None else now + said["expires_in"],
        )
        names = [] if said["force"] else self.control.steering.emptied_by(override, NAMED + 1)
        if names:
            more = " and others" if len(names) > NAMED else ""
            names = names[:NAMED]
            raise Problem(
                409,
                "Conflict",
                f"would leave without a usable endpoint: {', '.join(names)}{more};"
                ' "force": true does it all the same',
                names=names,
            )
        self.control.steering.overriding.put(override)
        persistent = self.control.keep_now()
        return web.json_response({**self._row(plan, override), "persistent": persistent})

    async def end_override(self, request: web.Request) -> web.Response:
        plan = self._publication().plan
        target = _written_target(request)
        override = self.control.steering.overriding.end(target)
        if override is None:
            raise Problem(404, "Not Found", f"no override of {shown(target)}")
        persistent = self.control.keep_now()
        return web.json_response({**self._row(plan, override), "persistent": persistent})

    def _row(self, plan: Plan, override: Override) -> dict[str, Any]:
        pool = plan.pools.get(override.pool)
        there = pool is not None and (
            override.address is None
            or any(override.address == endpoint.address for endpoint in pool.endpoints)
        )
        row = {
            "target": shown(override.target),
            "pool": override.pool,
            "address": override.address,
            **override_status(override),
            "in_configuration": there,
        }
        return row if there else {**row, "note": "not in the configuration"}

    # Failback

    async def failback(self, request: web.Request) -> web.Response:
        self._publication()
        name = request.match_info["name"]
        record = name.lower().removesuffix(".") or "."
        released = self.control.steering.release(record)
        if released is None:
            raise Problem(404, "Not Found", f"no record {name!r} with failback")
        self.control.keep_now()
        return web.json_response({"name": record, "released": released})

    # Push checks

    async def push(self, request: web.Request) -> web.Response:
        plan = self._publication().plan
        check = request.match_info["check"]
        definition = plan.health_checks.get(check)
        if definition is None or definition.type != "push" or definition.token_file is None:
            raise Problem(404, "Not Found", f"no check {check!r} of type push")
        self.guard.check_token(request, definition.token_file)
        said = await _json_object(request)
        if set(said) != {"up"} or not isinstance(said["up"], bool):
            raise Problem(422, "Unprocessable Content", 'expected {"up": true} or {"up": false}')
        address = as_configured(request.match_info["address"])
        try:
            self.control.monitor.push((address, check), said["up"])
        except KeyError:
            detail = f"no endpoint {address!r} has the check {check!r}"
            raise Problem(404, "Not Found", detail) from None
        return web.json_response({"check": check, "address": address, "up": said["up"]})

    def _publication(self) -> Publication:
        if self.control.publication is None:
            raise Problem(503, "Service Unavailable", "no configuration is loaded yet")
        return self.control.publication


def _written_target(request: web.Request) -> Target:
    """Return what the path names, whether it is configured or not."""
    address = request.match_info.get("address")
    return request.match_info["pool"], None if address is None else as_configured(address)


def _target(plan: Plan, request: web.Request) -> Target:
    """Return what the path names. Raises Problem where the configuration has no such thing."""
    target = name, address = _written_target(request)
    pool = plan.pools.get(name)
    if pool is None:
        raise Problem(404, "Not Found", f"no pool {name!r}{did_you_mean(name, plan.pools)}")
    addresses = [endpoint.address for endpoint in pool.endpoints]
    if address is not None and address not in addresses:
        hint = _whereabouts(plan, address) or did_you_mean(address, addresses)
        raise Problem(404, "Not Found", f"no endpoint {address!r} in the pool {name!r}{hint}")
    return target


def _whereabouts(plan: Plan, address: str) -> str:
    """Return which pool has an address, for who asked another one, or nothing."""
    for name, pool in plan.pools.items():
        if any(address == endpoint.address for endpoint in pool.endpoints):
            return f"; it is in the pool {name!r}"
    return ""


async def _json_object(request: web.Request) -> dict[str, Any]:
    try:
        said = json.loads(await request.read())
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or nested without end
        raise Problem(400, "Bad Request", "the body is no JSON") from None
    if not isinstance(said, dict):
        raise Problem(400, "Bad Request", "expected a JSON object")
    return said


async def _override_body(request: web.Request) -> dict[str, Any]:
    """Return what an override is made of; expires_in in seconds, None: never."""
    said = await _json_object(request)
    mistakes: Mistakes = [
        {"key": key, "problem": f"unknown key, expected {', '.join(KEYS)}"}
        for key in said
        if key not in KEYS
    ]

    def wrong(key: str, problem: str) -> None:
        mistakes.append({"key": key, "problem": problem})

    if said.get("state") not in ("up", "down"):
        wrong("state", 'expected "up" or "down"')
    expires_in = _expires_in(said.get("expires_in"), mistakes)
    texts = {"owner": request.remote or "", **said}
    for key in ("reason", "owner"):
        if not _is_text(texts.get(key)):
            wrong(key, f"expected 1 to {MAX_TEXT} printable characters")
    if not isinstance(said.get("force", False), bool):
        wrong("force", "expected true or false")
    if mistakes:
        detail = "; ".join(f"{mistake['key']}: {mistake['problem']}" for mistake in mistakes)
        raise Problem(422, "Unprocessable Content", detail, mistakes=mistakes)
    return {**texts, "expires_in": expires_in, "force": said.get("force", False)}


def _expires_in(said: Any, mistakes: Mistakes) -> float | None:
    if said == "never":
        return None
    try:
        seconds = parse_duration(said)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        problem = 'expected a duration such as "30m" or "2h", at most 10 years, or "never"'
        mistakes.append({"key": "expires_in", "problem": problem})
    return seconds


def _is_text(said: Any) -> bool:
    return isinstance(said, str) and 0 < len(said.strip()) <= MAX_TEXT and said.isprintable()
