"""Who may ask the HTTP API for what (docs/http.md, "Who may do what").

What a web page of somebody else could make a browser do is refused before anything is
looked at: a foreign Origin or Sec-Fetch-Site, or a Host that is no name of ours (DNS
rebinding). Changes need the token where there is one; without one they are taken only
where the listener is on loopback.
"""

import hmac
import logging
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from .control import Control
from .problem import Handler, Problem

CHANGES = frozenset(("POST", "PUT", "DELETE", "PATCH"))
OWN_RIGHT = "own-right"  # name of the routes that look at a token of their own

log = logging.getLogger(__name__)


class Guard:
    """Refuses what a foreign page sends, and changes without the right to make them.

    loopback: whether only this machine can reach the listener
    """

    def __init__(self, control: Control, loopback: bool) -> None:
        self._control = control
        self._loopback = loopback

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._check_host(request)
        self._check_origin(request)
        if request.method in CHANGES and request.match_info.route.name != OWN_RIGHT:
            self._check_right(request)
        return await handler(request)

    def check_token(self, request: web.Request, token_file: str) -> None:
        """See that the request carries the token in `token_file`, which is read each time."""
        folder = self._control.config
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

    def _check_host(self, request: web.Request) -> None:
        host = request.headers.get("Host", "")  # missing: request.host would ask a resolver
        name = _host_name(host)
        publication = self._control.publication
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
        publication = self._control.publication
        token_file = publication.plan.admin.token_file if publication is not None else None
        if token_file is not None:
            self.check_token(request, token_file)
        elif not self._loopback:
            raise Problem(
                403, "Forbidden", "read-only: admin.token_file is not set, and not on loopback"
            )


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
