"""`gtmdns check`: the real load without the swap."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..compiler.build import Compiled
from ..config.mistakes import BadConfig
from ..control.loader import load_and_compile


def load_or_exit(path: Path) -> Compiled:
    """Return the compiled configuration, and tell warnings. Mistakes are told, and end with 1."""
    with mistakes_end(path):
        compiled, warnings, _ = load_and_compile(path, {})
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    return compiled


@contextmanager
def mistakes_end(path: Path) -> Iterator[None]:
    """Tell the mistakes of a configuration, and exit with 1 where there are any."""
    try:
        yield
    except BadConfig as bad:
        for mistake in bad.mistakes:
            click.echo(str(mistake), err=True)
        number = len(bad.mistakes)
        click.echo(f"{number} mistake{'' if number == 1 else 's'} in {path}", err=True)
        sys.exit(1)


@click.command("check")
@click.argument("config", type=click.Path(path_type=Path))
def command(config: Path) -> None:
    """Load CONFIG, a file or a folder, and tell every mistake in it.

    Exit status 0: it can be served. 1: it cannot.
    """
    plan = load_or_exit(config).plan
    click.echo(
        f"{config}: good: zones: {len(plan.zones)}, names: {len(plan.names)}, "
        f"pools: {len(plan.pools)}, probes: {len(plan.checks())}"
    )
