"""Talk to the HTTP API of a running server, for the commands that do."""

import json
import os
import sys
import urllib.error
import urllib.request
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import Any

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
    admin: str, path: str, *, method: str = "GET", token_file: Path | None = None
) -> tuple[int, dict[str, Any]]:
    """Return (status, decoded JSON). Ends with exit status 3 where nobody answers."""
    url = (admin if "://" in admin else f"http://{admin}").rstrip("/") + path
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"{admin!r} is no URL of an HTTP API, expected http://HOST:PORT")
    asked = urllib.request.Request(url, method=method)  # noqa: S310  # the scheme is checked above
    token = token_file.read_text().strip() if token_file else os.environ.get(TOKEN)
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
        reason = getattr(error, "reason", error)
        click.echo(f"{url}: the server could not be reached: {reason}", err=True)
        sys.exit(3)


def _object(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise ValueError("what answers there is not gtmdns")
    return said


def _body(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        return _object(json.load(error))
    except (OSError, ValueError, HTTPException):
        return {"title": error.reason, "detail": f"status {error.code} {error.reason}"}
