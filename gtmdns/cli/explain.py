"""`gtmdns explain`: what a client is told, and why."""

import json
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from ..compiler.plan import Plan, all_usable
from ..config.model import Pool
from ..control.explain import BadQuestion, explain
from ..control.publication import Publication
from .check import load_or_exit
from .http import request


@click.command("explain")
@click.argument("words", nargs=-1, required=True, metavar="CONFIG NAME [TYPE]")
@click.option("--from", "client", required=True, metavar="ADDRESS", help="The client's address.")
@click.option("--admin", metavar="URL", help="Ask a running server; CONFIG is left out.")
@click.option("--down", multiple=True, metavar="POOL_OR_ADDRESS", help="Assume it down.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    words: tuple[str, ...], client: str, admin: str | None, down: tuple[str, ...], as_json: bool
) -> None:
    """Say which rule CONFIG has for a client that asks for NAME, and every possible answer.

    With --admin URL in place of CONFIG a running server is asked, with its verdicts.
    """
    config, name, rtype = _words(words, admin)
    if config is not None:
        told = _from_config(config, name, rtype, client, down)
    else:
        assert admin is not None
        if down:
            raise click.UsageError("--down assumes about a CONFIG; a running server tells what is")
        told = _from_server(admin, name, rtype, client)
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        Console(highlight=False).print(_tree(told))
    if told.get("rcode") not in ("NOERROR", "NXDOMAIN"):
        sys.exit(1)


def _words(words: tuple[str, ...], admin: str | None) -> tuple[Path | None, str, str]:
    """Return (config, name, type): CONFIG is there unless a server is asked."""
    rest = list(words)
    config = Path(rest.pop(0)) if admin is None else None
    if not 1 <= len(rest) <= 2:
        raise click.UsageError("expected CONFIG NAME [TYPE], or NAME [TYPE] with --admin URL")
    return config, rest[0], rest[1] if len(rest) == 2 else "A"


def _from_config(
    config: Path, name: str, rtype: str, client: str, down: tuple[str, ...]
) -> dict[str, Any]:
    compiled = load_or_exit(config)
    publication = Publication.of(compiled.plan, compiled.pieces)
    usable = _assumed(compiled.plan, down)
    try:
        return explain(publication, usable, name, rtype, client)
    except BadQuestion as error:
        raise click.UsageError(str(error)) from None


def _assumed(plan: Plan, down: tuple[str, ...]) -> dict[str, tuple[bool, ...]]:
    """Return the standing in which all is usable but what `down` names: pools, addresses."""
    usable = all_usable(plan.pools)
    down = tuple(text if text in plan.pools else _as_configured(text) for text in down)
    left = set(down)
    for name, pool in plan.pools.items():
        left -= {name, *(endpoint.address for endpoint in pool.endpoints)}
        usable[name] = _without(name, pool, down)
    if left:
        raise click.UsageError(f"--down {min(left)}: no pool and no address of the configuration")
    return usable


def _as_configured(address: str) -> str:
    """Return an address or a host name in the spelling that a loaded pool has."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address.lower().removesuffix(".")


def _without(name: str, pool: Pool, down: tuple[str, ...]) -> tuple[bool, ...]:
    return tuple(name not in down and e.address not in down for e in pool.endpoints)


def _from_server(admin: str, name: str, rtype: str, client: str) -> dict[str, Any]:
    query = urlencode({"name": name, "type": rtype, "client": client})
    status, body = request(admin, f"/api/v1/explain?{query}")
    if status == 200:
        return body
    detail = body.get("detail", f"the server answered with status {status}")
    if status == 400:
        raise click.UsageError(detail)
    click.echo(detail, err=True)
    sys.exit(1)


def _outcome(told: dict[str, Any]) -> str:
    if "referral" in told:
        return f"a referral to {', '.join(told['referral'])}"
    return "NODATA" if told["rcode"] == "NOERROR" and not told["answers"] else str(told["rcode"])


def _tree(told: dict[str, Any]) -> Tree:
    """Return the explanation as a tree for the terminal."""
    tree = Tree(f"[bold]{escape(told['name'])} {escape(told['type'])}[/] for {told['client']}")
    if told["zone"] is None:
        tree.add("no zone of this configuration: REFUSED")
        return tree
    tree.add(escape(f"zone {told['zone']}"))
    if told["region"] is not None:
        rule = "the default rule" if told["region"] == "default" else "by its region"
        tree.add(f"rule [bold]{told['region']}[/] ({rule}), scope /{told['scope']}")
    else:
        tree.add("the client does not matter, scope /0")
    if told["pools"]:
        pools = tree.add("pools")
        for pool in told["pools"]:
            pools.add(f"[bold]{pool['name']}[/]: {pool['reason']}")
    ttl = "" if told["ttl"] is None else f", TTL {told['ttl']}"
    tree.add(escape(f"{_outcome(told)}{ttl}, because of: {told['reason']}"))
    if told["answers"]:
        table = Table(box=None, pad_edge=False)
        table.add_column("answer")
        table.add_column("in this share of answers", justify="right")
        for answer in told["answers"]:
            table.add_row(escape(answer["data"]), f"{answer['probability']:.4%}")
        tree.add(table)
    return tree
