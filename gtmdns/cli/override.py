"""`gtmdns override`: say that a pool or an endpoint is up or down, whatever its checks say."""

import getpass
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from .http import ADMIN, TOKEN, TOKEN_FILE, moment, request


@click.command("override")
@click.argument("target", metavar="TARGET")
@click.argument("state", type=click.Choice(["up", "down"]), required=False)
@click.option(
    "--for", "expires_in", metavar="DURATION", help="How long: 30m, 2h, ..., or the word never."
)
@click.option("--reason", metavar="TEXT", help="Why, for those who wonder later.")
@click.option("--owner", metavar="TEXT", help="Who says so; else USER@HOST.")
@click.option("--force", is_flag=True, help="Even where a record is left without an endpoint.")
@click.option("--clear", is_flag=True, help="End the override of TARGET.")
@ADMIN
@TOKEN_FILE
def command(
    target: str,
    state: str | None,
    expires_in: str | None,
    reason: str | None,
    owner: str | None,
    force: bool,
    clear: bool,
    admin: str,
    token_file: Path | None,
) -> None:
    """Let TARGET, POOL or POOL/ADDRESS, be up or down for a while.

    Exit status 0: it holds, or was ended. 1: it was refused.
    """
    path = "/api/v1/overrides/" + "/".join(quote(part, safe="") for part in target.split("/", 1))
    if clear:
        if state or expires_in or reason or owner or force:
            raise click.UsageError("--clear stands alone with TARGET")
        status, body = request(admin, path, method="DELETE", token_file=token_file)
        _end_unless(200, status, body)
        click.echo(f"{body['target']}: the override to {body['state']} was ended")
        return
    if state is None or expires_in is None or not reason:
        raise click.UsageError(
            "expected TARGET up|down --for DURATION --reason TEXT, or TARGET --clear"
        )
    said = {
        "state": state,
        "expires_in": expires_in,
        "reason": reason,
        "owner": owner or _owner(),
        "force": force,
    }
    status, body = request(admin, path, method="PUT", token_file=token_file, body=said)
    _end_unless(200, status, body)
    until = moment(body["expires"]) if body["expires"] else "somebody ends it"
    click.echo(f"{body['target']} is {body['state']} until {until}{_lost(body)}")


def _end_unless(good: int, status: int, body: dict[str, Any]) -> None:
    """End with exit status 1 and what is wrong, unless the status is `good`."""
    if status == good:
        return
    detail = str(body.get("detail", f"the server answered with status {status}"))
    if status == 422:
        raise click.UsageError(detail.replace("expires_in: ", "--for: "))
    if status == 409:
        detail = detail.partition(";")[0] + "; --force does it all the same"
    click.echo(detail, err=True)
    if status == 401:
        click.echo(f"give the token by --token-file FILE, or in ${TOKEN}", err=True)
    sys.exit(1)


def _lost(body: dict[str, Any]) -> str:
    if body.get("persistent", True):
        return ""
    return " (a restart of the server forgets it: server.state_dir is not set or not writable)"


def _owner() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
