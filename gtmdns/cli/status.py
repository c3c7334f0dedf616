"""`gtmdns status`: how a running server stands."""

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from .http import ADMIN, moment, request
from .output import console

COLORS = {"up": "green", "down": "red", "unknown": "yellow"}


@click.command("status")
@ADMIN
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(admin: str, as_json: bool) -> None:
    """Print pools, endpoints, verdicts, overrides, workers and the configuration.

    Exit status 0: there is a configuration, and the last reload was good. 1: not so.
    """
    told = _ask(admin, "/api/v1/status")
    served = told["configuration"]["generation"] > 0
    told["pools"] = _ask(admin, "/api/v1/pools")["pools"] if served else []
    told["overrides"] = _ask(admin, "/api/v1/overrides")["overrides"] if served else []
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        _print(console(), told)
    if not served or told["configuration"]["last_error"] is not None:
        sys.exit(1)


def _ask(admin: str, path: str) -> dict[str, Any]:
    status, body = request(admin, path)
    if status != 200:
        click.echo(body.get("detail", f"the server answered with status {status}"), err=True)
        sys.exit(1)
    return body


def _print(console: Console, told: dict[str, Any]) -> None:
    configuration = told["configuration"]
    console.print(
        f"gtmdns {told['version']}, up {told['uptime']:.0f} s, "
        f"generation {configuration['generation']} of {escape(configuration['path'])}",
        soft_wrap=True,
    )
    error = configuration["last_error"]
    if error is not None:
        console.print(f"[red]the last reload, at {moment(error['at'])}, was refused:[/]")
        for mistake in error["mistakes"]:
            console.print(f"  {escape(mistake['text'])}", soft_wrap=True)
    if told.get("isolated"):
        console.print(f"[red]verdicts are frozen: {escape(told['isolated_because'] or '')}[/]")
    for worker in told["workers"]:
        console.print(
            f"worker {worker['number']}: process {worker['pid']}, "
            f"generation {worker['generation']}, {worker['tcp_connections']} TCP connections, "
            f"answering by the {worker['path']} path"
        )
    if told["pools"]:
        console.print(_pools(told["pools"]))
    if told["overrides"]:
        console.print(_overrides(told["overrides"]))
    for held in told.get("failback", ()):
        left = "until it is let" if held["seconds"] is None else f"for {held['seconds']:.0f} s more"
        console.print(escape(f"failback: {held['name']} does not return to {held['pool']} {left}"))


def _pools(pools: list[dict[str, Any]]) -> Table:
    since = Column("since (UTC)", no_wrap=True)
    table = Table("pool", "endpoint", "verdict", "usable", since, "last result", box=None)
    for pool in pools:
        name = f"[bold]{escape(pool['name'])}[/]"
        for family, counts in pool["families"].items():
            needed = "" if counts["available"] else f"[red]{counts['needed']} needed[/]"
            table.add_row(name, f"{family} {counts['usable']}/{counts['total']}", "", needed)
            name = ""
        for endpoint in pool["endpoints"]:
            table.add_row("", *_endpoint(pool, endpoint))
    return table


def _endpoint(pool: dict[str, Any], endpoint: dict[str, Any]) -> tuple[str, ...]:
    verdict = endpoint["verdict"]
    lasts = [check["last_result"] for check in endpoint["checks"] if check["last_result"]]
    failed = [last for last in lasts if not last["success"]]
    last = (failed or lasts)[0]["reason"] if lasts else ""
    given = "yes" if endpoint["usable"] else "no"
    if endpoint.get("override") or pool.get("override"):
        given += " (override)"
    elif endpoint.get("ramp", 1) < 1 and endpoint["usable"]:
        given += f" ({endpoint['ramp']:.0%} of its weight)"
    return (
        escape(endpoint["address"]),
        f"[{COLORS[verdict]}]{verdict}[/]",
        given,
        (endpoint["since"] or "")[5:19].replace("T", " "),  # without the year, for 80 columns
        escape(last),
    )


def _overrides(overrides: list[dict[str, Any]]) -> Table:
    table = Table("override", "says", "until", "by", "because", box=None)
    for override in overrides:
        note = f" ({override['note']})" if "note" in override else ""
        table.add_row(
            escape(override["target"] + note),
            override["state"],
            moment(override["expires"]) if override["expires"] else "it is ended",
            escape(override["owner"]),
            escape(override["reason"]),
        )
    return table
