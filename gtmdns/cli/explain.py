"""`gtmdns explain`: what a client is told, and why."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from ..control.publication import Publication
from ..control.witnesses import of_file
from ..explain.explain import BadQuestion, explain
from .check import load_or_exit
from .explain_tree import explanation
from .http import request
from .output import console

DONE = ("NOERROR", "NXDOMAIN")  # outcomes that end with exit status 0


@click.command("explain")
@click.argument("words", nargs=-1, required=True, metavar="CONFIG NAME [TYPE]")
@click.option(
    "--from", "client", metavar="ADDRESS", help="The client's address; it or --subnet is needed."
)
@click.option("--subnet", metavar="CIDR", help="What EDNS Client Subnet says of it.")
@click.option("--admin", metavar="URL", help="Ask a running server; CONFIG is left out.")
@click.option(
    "--down", multiple=True, metavar="POOL_OR_ADDRESS", help="Assume it down. Repeatable."
)
@click.option("--up", multiple=True, metavar="POOL_OR_ADDRESS", help="Assume it up. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    words: tuple[str, ...],
    client: str | None,
    subnet: str | None,
    admin: str | None,
    down: tuple[str, ...],
    up: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what CONFIG answers to a client that asks for NAME, and why.

    With --admin URL in place of CONFIG a running server is asked, with its verdicts. What is
    assumed by --down and --up changes nothing there.

    Exit status 0: there is an answer, also where the name or the type does not exist. 1: SERVFAIL,
    REFUSED, or a configuration with mistakes.
    """
    config, name, rtype = _words(words, admin)
    if client is None and subnet is None:
        raise click.UsageError("Missing option '--from' or '--subnet'.")
    asked = [("name", name), ("type", rtype)]
    asked += [(key, value) for key, value in (("client", client), ("subnet", subnet)) if value]
    if config is None:
        assert admin is not None
        asked += [*(("down", each) for each in down), *(("up", each) for each in up)]
        told = _from_server(admin, asked)
    else:
        told = _from_config(config, dict(asked), down, up)
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        console().print(explanation(told))
    if told.get("rcode") not in DONE:
        sys.exit(1)


def _words(words: tuple[str, ...], admin: str | None) -> tuple[Path | None, str, str]:
    """Return (config, name, type): CONFIG is there unless a server is asked."""
    rest = list(words)
    config = Path(rest.pop(0)) if admin is None else None
    if not 1 <= len(rest) <= 2:
        raise click.UsageError("expected CONFIG NAME [TYPE], or NAME [TYPE] with --admin URL")
    return config, rest[0], rest[1] if len(rest) == 2 else "A"


def _from_config(
    config: Path, asked: dict[str, str], down: tuple[str, ...], up: tuple[str, ...]
) -> dict[str, Any]:
    compiled = load_or_exit(config)
    snapshot = Publication.of(compiled.plan, compiled.pieces).snapshot
    try:
        witness = of_file(compiled.plan).assuming(down, up)
        return explain(
            snapshot,
            witness,
            asked["name"],
            asked["type"],
            asked.get("client"),
            asked.get("subnet"),
        )
    except BadQuestion as error:
        raise click.UsageError(str(error)) from None


def _from_server(admin: str, asked: list[tuple[str, str]]) -> dict[str, Any]:
    status, body = request(admin, f"/api/v1/explain?{urlencode(asked)}")
    if status == 200:
        return body
    detail = body.get("detail", f"the server answered with status {status}")
    if status == 400:
        raise click.UsageError(detail)
    click.echo(detail, err=True)
    sys.exit(1)
