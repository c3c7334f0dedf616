"""The HTTP API (docs/http.md). Errors are RFC 9457 problem details.

What a web page of somebody else could make a browser do is refused before anything is
looked at: a foreign Origin or Sec-Fetch-Site, or a Host that is no name of ours (DNS
rebinding). Changes need the token where there is one; without one they are taken only
where the listener is on loopback.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from . import metrics
from .control import Control
from .explain import BadQuestion, explain
from .status import pool_status, reload_status, server_status, zone_status

CHANGES = frozenset(("POST", "PUT", "DELETE", "PATCH"))
MAX_BODY = 64 * 1024  # octets

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):
    """An error with its HTTP status; `more` is added to the problem details."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        self.body: dict[str, Any] = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
        }
        self.body |= more


def application(control: Control, *, loopback: bool) -> web.Application:
    """Return the API over `control`. `loopback`: whether only this machine can reach it."""
    api = _Api(control, loopback)
    app = web.Application(middlewares=[_problems, api.guard], client_max_size=MAX_BODY)
    app.router.add_get("/livez", api.livez)
    app.router.add_get("/readyz", api.readyz)
    app.router.add_get("/metrics", api.metrics)
    app.router.add_get("/api/v1/status", api.status)
    app.router.add_get("/api/v1/pools", api.pools)
    app.router.add_get("/api/v1/pools/{name}", api.pool)
    app.router.add_get("/api/v1/zones", api.zones)
    app.router.add_get("/api/v1/zones/{name}", api.zone)
    app.router.add_get("/api/v1/explain", api.explain)
    app.router.add_post("/api/v1/reload", api.reload)
    return app


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as problem details; what nobody expected is logged and told as 500."""
    try:
        return await handler(request)
    except Problem as raised:
        problem = raised
    except web.HTTPException as error:
        if error.status < 400:
            raise
        problem = Problem(error.status, error.reason, _detail(error, request))
        if "Allow" in error.headers:  # RFC 9110 section 15.5.6
            problem.headers["Allow"] = error.headers["Allow"]
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        problem = Problem(500, "Internal Server Error", "a mistake of the server, see its log")
    return web.json_response(
        problem.body,
        status=int(problem.body["status"]),
        headers=problem.headers,
        content_type="application/problem+json",
    )


class _Api:
    def __init__(self, control: Control, loopback: bool) -> None:
        self.control = control
        self.loopback = loopback
        self.explaining = asyncio.Lock()

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what a foreign page sends, and changes without the right to make them."""
        self._check_host(request)
        self._check_origin(request)
        if request.method in CHANGES:
            self._check_right(request)
        return await handler(request)

    def _check_host(self, request: web.Request) -> None:
        host = request.headers.get("Host", "")  # missing: request.host would ask a resolver
        name = _host_name(host)
        publication = self.control.publication
        hosts = publication.plan.admin.hosts if publication is not None else ()
        if name != "localhost" and not _is_address(name) and name not in hosts:
            raise Problem(403, "Forbidden", f"host {name!r} is not in admin.hosts", host=host)

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get("Origin")
        if origin is not None and _authority(origin) != request.headers.get("Host"):
            raise Problem(403, "Forbidden", f"requests from the origin {origin!r} are refused")
        site = request.headers.get("Sec-Fetch-Site", "none")
        if site not in ("none", "same-origin"):
            raise Problem(403, "Forbidden", f"{site} requests are refused")

    def _check_right(self, request: web.Request) -> None:
        publication = self.control.publication
        token_file = publication.plan.admin.token_file if publication is not None else None
        if token_file is None:
            if not self.loopback:
                raise Problem(
                    403, "Forbidden", "read-only: admin.token_file is not set, and not on loopback"
                )
            return
        folder = self.control.config
        folder = folder if folder.is_dir() else folder.parent
        try:
            token = (folder / Path(token_file)).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            log.error("the token file cannot be read: %s", error)
            raise Problem(
                503, "Service Unavailable", "the token file cannot be read, see the server's log"
            ) from None
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        octets = given.strip().encode(errors="surrogateescape")
        good = hmac.compare_digest(octets, token.encode()) and scheme.lower() == "bearer"
        if not token or not good:
            raise Problem(401, "Unauthorized", "expected the header Authorization: Bearer TOKEN")

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
        return web.json_response({"pools": pool_status(self.control)})

    async def pool(self, request: web.Request) -> web.Response:
        self._publication()
        return _named(pool_status(self.control), request, "pool")

    async def zones(self, request: web.Request) -> web.Response:
        self._publication()
        return web.json_response({"zones": zone_status(self.control)})

    async def zone(self, request: web.Request) -> web.Response:
        self._publication()
        return _named(zone_status(self.control), request, "zone")

    async def explain(self, request: web.Request) -> web.Response:
        publication = self._publication()
        query = request.query
        if "name" not in query:
            raise Problem(400, "Bad Request", "expected ?name=NAME&type=TYPE&client=ADDRESS")
        client = query.get("client", request.remote or "127.0.0.1")
        asked = query["name"], query.get("type", "A"), client
        try:
            async with self.explaining:  # one at a time, off the loop: some take a second
                told = await asyncio.to_thread(explain, publication, self.control.usable(), *asked)
        except BadQuestion as error:
            raise Problem(400, "Bad Request", str(error)) from None
        return web.json_response(told)

    async def reload(self, request: web.Request) -> web.Response:
        self._publication()  # the first load is under way
        report = await self.control.reload("asked for by HTTP")
        outcome = reload_status(report)
        if not report.ok:
            detail = f"refused, still serving generation {report.generation}"
            raise Problem(422, "Configuration Refused", detail, **outcome)
        return web.json_response(outcome)

    def _publication(self) -> Any:
        if self.control.publication is None:
            raise Problem(503, "Service Unavailable", "no configuration is loaded yet")
        return self.control.publication


def _detail(error: web.HTTPException, request: web.Request) -> str:
    """Return what went wrong, where the router only repeats the status."""
    if error.status == 404:
        return f"nothing is at {request.path}"
    if error.status == 405:
        return f"{request.path} takes no {request.method}"
    return error.text or error.reason


def _named(rows: list[dict[str, Any]], request: web.Request, kind: str) -> web.Response:
    name = request.match_info["name"]
    for row in rows:
        if row["name"] == name:
            return web.json_response(row)
    raise Problem(404, "Not Found", f"no {kind} {name!r}")


def _authority(origin: str) -> str | None:
    """Return host and port of an Origin header; None where it has none, as in "null"."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _host_name(host: str) -> str:
    """Return the Host header without its port, brackets and case."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return (name or host).strip("[]").lower()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
