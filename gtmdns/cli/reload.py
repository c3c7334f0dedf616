"""`gtmdns reload`: make a running server load its configuration again, and tell the outcome."""

import sys
from pathlib import Path

import click

from .http import ADMIN, TOKEN, TOKEN_FILE, request


@click.command("reload")
@ADMIN
@TOKEN_FILE
def command(admin: str, token_file: Path | None) -> None:
    """Reload, and print every mistake if the configuration is refused.

    Exit status 0: taken over. 1: refused, and the old one is still served.
    """
    status, body = request(admin, "/api/v1/reload", method="POST", token_file=token_file)
    if status == 200:
        for warning in body.get("warnings", ()):
            click.echo(f"warning: {warning}", err=True)
        generation, seconds = body.get("generation"), body.get("seconds")
        click.echo(f"serving generation {generation}, loaded in {seconds} s")
        return
    for mistake in body.get("mistakes", ()):
        click.echo(mistake["text"], err=True)
    click.echo(body.get("detail", f"the server answered with status {status}"), err=True)
    if status == 401:
        click.echo(f"give the token by --token-file FILE, or in ${TOKEN}", err=True)
    sys.exit(1)
