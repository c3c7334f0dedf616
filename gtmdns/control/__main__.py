"""`python -m gtmdns.control CONFIG ...`: the control process, started by the parent."""

import argparse
import asyncio
import contextlib
import errno
import json
import logging
import os
import shutil
import signal
import socket
import stat
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..serve.lifeline import Lifeline
from ..serve.supervisor import BAD_CONFIGURATION
from .api import application
from .control import Control
from .door import Door

log = logging.getLogger("gtmdns.control")


class JsonLines(logging.Formatter):
    """One JSON object a line, of the same fields as the parent's."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        entry = {"time": now, "level": record.levelname.lower()}
        return json.dumps({**entry, "process": "control", "message": text})


class TextLines(logging.Formatter):
    """A line for people: time, level, process, text; a traceback follows on its own lines."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return f"{self.formatTime(record)} {record.levelname.lower()} control: {record.message}"


def main() -> NoReturn:
    """Run control; the process ends here."""
    arguments = _arguments().parse_args()
    _log_to_stderr(arguments.log, arguments.log_level)
    held: list[Control] = []  # until the process is gone
    code = asyncio.run(_run(arguments, held))
    logging.shutdown()
    # Taking a publication of a million names apart object by object takes over a second.
    os._exit(code)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gtmdns.control")
    parser.add_argument("config", type=Path)
    parser.add_argument("--channel", required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--listen", nargs="*", default=[])
    parser.add_argument("--admin", type=int)
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--loaded", type=int)
    parser.add_argument("--log", choices=("text", "json"), default="text")
    parser.add_argument("--log-level", default="info")
    return parser


def _log_to_stderr(form: str, level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])


async def _run(arguments: argparse.Namespace, held: list[Control]) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    own_folder(arguments.runtime)
    control = Control(arguments.config, arguments.runtime, arguments.state_dir, arguments.loaded)
    control.listen = tuple(arguments.listen)
    held.append(control)

    def on_line(line: str) -> None:
        word, _, number = line.partition(" ")
        if word == "restarts" and number.isdigit():
            control.worker_restarts = int(number)

    orphaned = asyncio.Event()

    def on_gone() -> None:
        orphaned.set()
        stopping.set()

    lifeline = Lifeline.inherited(arguments.lifeline, on_line, on_gone)
    lifeline.beat()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    runner = await _serve_api(control, arguments.admin)
    await control.workers.listen(arguments.channel)
    started = asyncio.ensure_future(control.start())
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((started, stopped), return_when=asyncio.FIRST_COMPLETED)
        if started.done() and not started.result():
            return BAD_CONFIGURATION
        if started.done():
            loop.add_signal_handler(signal.SIGHUP, lambda: control.spawn(control.reload("SIGHUP")))
            lifeline.say("ready")
            await stopped
        return 0
    finally:
        started.cancel()
        stopped.cancel()
        await asyncio.gather(started, stopped, return_exceptions=True)
        await control.stop()
        if runner is not None:
            await runner.cleanup()
        lifeline.close()
        if orphaned.is_set():  # the parent was killed, and cannot tidy up any more
            shutil.rmtree(arguments.runtime, ignore_errors=True)


def own_folder(folder: Path) -> None:
    """See that `folder` is there and nobody else's. Raises OSError.

    The parent made it; something that cleans /tmp may have taken it away since, and then
    anybody may have made another. What is read from it is trusted.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "not a folder of this user alone", str(folder))


def is_ours(record: logging.LogRecord) -> bool:
    """Return whether a line of the HTTP server tells of a fault here, not of a bad request.

    Whatever is no HTTP gets its 400; aiohttp would write a traceback for each.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


async def _serve_api(control: Control, descriptor: int | None) -> web.AppRunner | None:
    """Serve the API on a listening socket that the parent opened; None: there is none."""
    if descriptor is None:
        return None
    listener = socket.socket(fileno=descriptor)
    loopback = ip_address(listener.getsockname()[0]).is_loopback
    logging.getLogger("aiohttp.server").addFilter(is_ours)
    runner = web.AppRunner(
        application(control, loopback=loopback), access_log=None, shutdown_timeout=0.5
    )
    await runner.setup()
    assert runner.server is not None, "it was set up"
    await asyncio.get_running_loop().create_server(Door(runner.server), sock=listener)
    return runner


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
