"""Talk to the HTTP API of a running server, for the commands that do."""

import json
import os
import sys
import urllib.error
import urllib.request
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

TIMEOUT = 60.0  # seconds; a reload of a large configuration takes some
TOKEN = "GTMDNS_TOKEN"  # noqa: S105  # the name of the variable

ADMIN = click.option(
    "--admin",
    metavar="URL",
    default="http://127.0.0.1:8053",
    show_default=True,
    help="Where the server's HTTP API is.",
)
TOKEN_FILE = click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"File with the token for changes; else ${TOKEN}.",
)


def request(
    admin: str,
    path: str,
    *,
    method: str = "GET",
    token_file: Path | None = None,
    body: dict[str, Any] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Return (status, decoded JSON). Ends with exit status 3 where nobody answers.

    body: sent as JSON
    """
    url = (admin if "://" in admin else f"http://{admin}").rstrip("/") + path
    if not _is_url(url):
        raise click.UsageError(f"{admin!r} is no URL of an HTTP API, expected http://HOST:PORT")
    octets = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, octets, method=method)  # noqa: S310  # checked above
    if octets is not None:
        asked.add_header("Content-Type", "application/json")
    token = _token(token_file)
    if token:
        asked.add_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=TIMEOUT) as response:
            return response.status, _object(json.load(response))
    except urllib.error.HTTPError as error:
        return error.code, _body(error)
    except InvalidURL as error:
        raise click.UsageError(f"{admin!r} is no URL of an HTTP API: {error}") from None
    except (OSError, ValueError, HTTPException) as error:
        click.echo(f"{url}: the server could not be reached: {_reason(error)}", err=True)
        sys.exit(3)


def moment(told: str) -> str:
    """Return a time of the API (RFC 3339, UTC) for people: whole seconds."""
    return told[:19] + "Z"


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is none
        return False


def _token(file: Path | None) -> str | None:
    """Return the token, or None where there is none. One that no header can carry is refused."""
    try:
        token = file.read_text().strip() if file else os.environ.get(TOKEN)
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: the token cannot be read: {_reason(error)}") from None
    if token and not (token.isascii() and token.isprintable()):
        raise click.UsageError(f"the token of {file or TOKEN} is not one line of ASCII")
    return token


def _reason(error: Exception) -> str:
    """Return why a request or a read failed, in the words of the system where it has some."""
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause)


def _object(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise ValueError("what answers there is not gtmdns")
    return said


def _body(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        return _object(json.load(error))
    except (OSError, ValueError, HTTPException):
        return {"title": error.reason, "detail": f"status {error.code} {error.reason}"}
