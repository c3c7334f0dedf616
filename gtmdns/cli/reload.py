"""`gtmdns reload`: make a running server load its configuration again, and tell the outcome."""

import sys
from pathlib import Path

import click

from .http import ADMIN, TOKEN_FILE, request


@click.command("reload")
@ADMIN
@TOKEN_FILE
def command(admin: str, token_file: Path | None) -> None:
    """Reload, and print every mistake if the configuration is refused.

    Exit status 0: taken over. 1: refused, and the old one is still served.
    """
    status, body = request(admin, "/api/v1/reload", method="POST", token_file=token_file)
    if status == 200:
        for warning in body["warnings"]:
            click.echo(f"warning: {warning}", err=True)
        click.echo(f"serving generation {body['generation']}, loaded in {body['seconds']} s")
        return
    for mistake in body.get("mistakes", ()):
        click.echo(mistake["text"], err=True)
    told = body.get("detail", f"refused, still serving generation {body.get('generation')}")
    click.echo(told, err=True)
    sys.exit(1)
