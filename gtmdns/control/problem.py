"""Errors of the HTTP API: problem details (RFC 9457)."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


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


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
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


def _detail(error: web.HTTPException, request: web.Request) -> str:
    """Return what went wrong, where the router only repeats the status."""
    if error.status == 404:
        return f"nothing is at {request.path}"
    if error.status == 405:
        return f"{request.path} takes no {request.method}"
    return error.text or error.reason
