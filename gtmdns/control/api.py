"""The HTTP API (docs/http.md): its routes, and what it tells.

Who may do what is guard.py's, errors are problem.py's.
"""

import asyncio
import json
from collections.abc import Iterator

from aiohttp import web

from ..config.mistakes import did_you_mean
from ..explain.explain import BadQuestion, explain
from . import metrics
from .api_changes import Changes
from .api_events import Stream
from .control import Control
from .guard import OWN_RIGHT, Guard
from .problem import Problem, problems
from .publication import Publication
from .status import pool_status, server_status, zone_parts
from .witnesses import of_server

MAX_BODY = 64 * 1024  # octets
SLICE = 0.005  # seconds of making rows after which probes get their turn


def application(control: Control, *, loopback: bool) -> web.Application:
    """Return the API over `control`. `loopback`: whether only this machine can reach it."""
    guard = Guard(control, loopback)
    api, changes, stream = _Reads(control), Changes(control, guard), Stream(control.events)
    app = web.Application(middlewares=[problems, guard.middleware], client_max_size=MAX_BODY)
    router = app.router
    router.add_get("/livez", api.livez)
    router.add_get("/readyz", api.readyz)
    router.add_get("/metrics", api.metrics)
    router.add_get("/api/v1/status", api.status)
    router.add_get("/api/v1/pools", api.pools)
    router.add_get("/api/v1/pools/{name}", api.pool)
    router.add_get("/api/v1/zones", api.zones)
    router.add_get("/api/v1/zones/{name}", api.zone)
    router.add_get("/api/v1/explain", api.explain)
    router.add_get("/api/v1/events", stream.events, allow_head=False)
    router.add_get("/api/v1/overrides", changes.overrides)
    for path in ("/api/v1/overrides/{pool}", "/api/v1/overrides/{pool}/{address}"):
        router.add_put(path, changes.put_override)
        router.add_delete(path, changes.end_override)
    router.add_put("/api/v1/push/{check}/{address}", changes.push, name=OWN_RIGHT)
    router.add_post("/api/v1/failback/{name}", changes.failback)
    router.add_post("/api/v1/reload", changes.reload)
    return app


class _Reads:
    """The requests that change nothing."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.explaining = asyncio.Lock()

    async def livez(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(self, request: web.Request) -> web.Response:
        if not self.control.is_ready():
            raise Problem(503, "Service Unavailable", "no worker answers with a configuration yet")
        return web.Response(text="ready\n")

    async def metrics(self, request: web.Request) -> web.Response:
        text = await asyncio.to_thread(metrics.renderer(self.control))
        return web.Response(
            body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def status(self, request: web.Request) -> web.Response:
        return web.json_response(server_status(self.control))

    async def pools(self, request: web.Request) -> web.Response:
        self._publication()
        loop = asyncio.get_running_loop()
        rows, started = [], loop.time()
        for row in pool_status(self.control):
            rows.append(json.dumps(row))
            if loop.time() - started > SLICE:
                await asyncio.sleep(0)
                started = loop.time()
        return web.json_response(text=f'{{"pools": [{", ".join(rows)}]}}')

    async def pool(self, request: web.Request) -> web.Response:
        self._publication()
        name = request.match_info["name"]
        for row in pool_status(self.control, name):
            return web.json_response(row)
        hint = did_you_mean(name, self._publication().plan.pools)
        raise Problem(404, "Not Found", f"no pool {name!r}{hint}")

    async def zones(self, request: web.Request) -> web.Response:
        plan = self._publication().plan
        return await _told_in_parts(zone_parts(plan, plan.zones))

    async def zone(self, request: web.Request) -> web.Response:
        plan = self._publication().plan
        name = request.match_info["name"]
        keys = [key for key, zone in plan.zones.items() if zone.apex == name]
        if not keys:
            raise Problem(404, "Not Found", f"no zone {name!r}")
        return await _told_in_parts(zone_parts(plan, keys, alone=True))

    async def explain(self, request: web.Request) -> web.Response:
        publication = self._publication()
        query = request.query
        if "name" not in query:
            raise Problem(400, "Bad Request", "expected ?name=NAME&type=TYPE&client=ADDRESS")
        client, subnet = query.get("client"), query.get("subnet")
        if client is None and subnet is None:
            client = request.remote or "127.0.0.1"
        asked = query["name"], query.get("type", "A"), client, subnet
        witness = of_server(self.control.steering, publication)
        try:
            witness = witness.assuming(query.getall("down", []), query.getall("up", []))
            async with self.explaining:  # one at a time, off the loop: some take a second
                told = await asyncio.to_thread(explain, publication.snapshot, witness, *asked)
        except BadQuestion as error:
            raise Problem(400, "Bad Request", str(error)) from None
        return web.json_response(told)

    def _publication(self) -> Publication:
        if self.control.publication is None:
            raise Problem(503, "Service Unavailable", "no configuration is loaded yet")
        return self.control.publication


async def _told_in_parts(parts: Iterator[str]) -> web.Response:
    """Render off the loop: a hundred thousand names take a second, a part a millisecond."""
    text = await asyncio.to_thread("".join, parts)
    return web.Response(text=text, content_type="application/json")
