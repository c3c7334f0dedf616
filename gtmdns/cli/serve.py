"""`gtmdns serve`: check the configuration, then become the parent of the server."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ..serve.parent import ParentSettings
from .check import load_or_exit


@click.command("serve")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--listen", multiple=True, metavar="ADDRESS:PORT", help="In place of server.listen.")
@click.option("--admin", metavar="ADDRESS:PORT", help='In place of admin.listen; "none" for none.')
@click.option("--workers", type=click.IntRange(1, 256), help="In place of server.workers.")
def command(config: Path, listen: tuple[str, ...], admin: str | None, workers: int | None) -> None:
    """Serve CONFIG, a file or a folder, until SIGTERM.

    SIGHUP loads it again; so does every change of a file.
    """
    plan = load_or_exit(config).plan
    server = plan.server
    settings = ParentSettings(
        listen=listen or server.listen,
        workers=workers or server.workers or _cpus(),
        user=server.user,
        admin=plan.admin.listen if admin is None else None if admin == "none" else admin,
        log=server.log.format,
    )
    control = [sys.executable, "-m", "gtmdns.control", str(config.absolute())]
    control += ["--log", server.log.format, "--log-level", server.log.level]
    if server.state_dir is not None:
        folder = config if config.is_dir() else config.parent
        control += ["--state-dir", str((folder / server.state_dir).absolute())]
    parent = [sys.executable, "-m", "gtmdns.serve", json.dumps(asdict(settings)), *control]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, parent)  # noqa: S606  # the same program; nothing of the check stays


def _cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
