"""`gtmdns serve`: check the configuration, then become the parent of the server."""

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import click

from ..control.loader import load_to_hand_over
from ..serve.parent import ParentSettings
from ..serve.sockets import parse_address
from .check import mistakes_end


def _address(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is None or text == "none":
        return text
    try:
        parse_address(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text


def _addresses(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    for text in texts:
        if _address(context, option, text) == "none":
            raise click.BadParameter("a server without an address is of no use")
    return texts


@click.command("serve")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--listen",
    multiple=True,
    metavar="ADDRESS:PORT",
    callback=_addresses,
    help="In place of server.listen; may be given several times.",
)
@click.option(
    "--admin",
    metavar="ADDRESS:PORT",
    callback=_address,
    help='In place of admin.listen; "none" for none.',
)
@click.option("--workers", type=click.IntRange(1, 256), help="In place of server.workers.")
def command(config: Path, listen: tuple[str, ...], admin: str | None, workers: int | None) -> None:
    """Serve CONFIG, a file or a folder, until SIGTERM.

    SIGHUP loads it again; so does every change of a file.
    """
    with ExitStack() as stack:
        loaded = _temporary_file(stack)
        with mistakes_end(config):
            # Control logs the warnings, and takes the path for what it is from here on.
            plan, whole = load_to_hand_over(config.absolute(), loaded)
        if loaded is not None and whole:  # else it ends with this program
            os.set_inheritable(loaded.fileno(), True)
        server = plan.server
        settings = ParentSettings(
            listen=listen or server.listen,
            workers=workers or server.workers or _cpus(),
            user=server.user,
            admin=plan.admin.listen if admin is None else None if admin == "none" else admin,
            log=server.log.format,
            level=server.log.level,
            loaded=loaded.fileno() if loaded is not None and whole else None,
        )
        _become_parent(config, settings, server.state_dir)


def _temporary_file(stack: ExitStack) -> BinaryIO | None:
    """Return a file without a name; None where there is no folder for one."""
    try:
        return stack.enter_context(TemporaryFile())
    except OSError:
        return None


def _become_parent(config: Path, settings: ParentSettings, state_dir: str | None) -> None:
    """Replace this process by the parent: nothing of the check stays but what it loaded."""
    control = [sys.executable, "-m", "gtmdns.control", str(config.absolute())]
    control += ["--log", settings.log, "--log-level", settings.level]
    if state_dir is not None:
        folder = config if config.is_dir() else config.parent
        control += ["--state-dir", str((folder / state_dir).absolute())]
    parent = [sys.executable, "-m", "gtmdns.serve", json.dumps(asdict(settings)), *control]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, parent)  # noqa: S606  # the same program


def _cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
