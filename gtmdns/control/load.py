"""Run the loader and take in what it says, a little in each turn of the loop."""

import asyncio
import json
import logging
import pickle
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..compiler.plan import Plan
from ..config.load import collector_paused
from ..config.mistakes import Mistake
from ..serve.frames import BadFrame, Decoder
from ..sources.file import Look
from .loader import mistakes_from

READ_SIZE = 256 * 1024  # octets
LOAD_TIME = 600.0  # seconds that a load may take; the largest that was measured takes 30
LAST_WAIT = 5.0  # seconds for a loader that was killed to be gone

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LoadReport:
    """What one load gave: a plan with pieces, or mistakes.

    pieces: frames for the workers, as octets
    files: what to watch; look: how they looked when they were read; digest: hash of contents
    """

    plan: Plan | None = None
    pieces: list[bytes] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    look: Look = ()
    digest: str = ""


async def load(config: Path, serials: Mapping[str, tuple[str, int]], keep: Path) -> LoadReport:
    """Load `config` in a process of its own. A loader that dies, or cannot start, is a mistake.

    keep: where what the loader said is kept if it was good, for a control that starts
          while the configuration is broken
    """
    try:
        report, said = await _run(config, serials)
    except OSError as error:  # no process or no descriptor is left
        return LoadReport(mistakes=[_died(config, f"cannot be started: {error.strerror}")])
    if report.plan is not None:
        try:
            await asyncio.to_thread(keep.write_bytes, said)
        except OSError as error:
            log.warning("the configuration cannot be kept in %s: %s", keep, error)
            keep.unlink(missing_ok=True)
    return report


async def _run(config: Path, serials: Mapping[str, tuple[str, int]]) -> tuple[LoadReport, bytes]:
    """Return what the loader said, understood and as octets."""
    command = [sys.executable, "-m", "gtmdns.control.loader", str(config)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=READ_SIZE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(serials).encode())
        process.stdin.close()
        said = bytearray()
        async with asyncio.timeout(LOAD_TIME):
            with collector_paused():
                report, done = await _take(_chunks(process.stdout, said))
            status = await process.wait()
    except TimeoutError:
        return LoadReport(mistakes=[_died(config, f"was not done after {LOAD_TIME:g} s")]), b""
    except BadFrame as error:
        return LoadReport(mistakes=[_died(config, f"said what cannot be read: {error}")]), b""
    finally:
        if process.returncode is None:
            process.kill()
            with suppress(TimeoutError):  # one that hangs in the kernel, on NFS, does not end
                async with asyncio.timeout(LAST_WAIT):
                    await process.wait()
    if not done and not report.mistakes:
        report = LoadReport(files=report.files, look=report.look)
        report.mistakes = [_died(config, f"ended with status {status} before it was done")]
    return report, bytes(said)


def _died(config: Path, how: str) -> Mistake:
    return Mistake(str(config), 1, 1, "", f"the loader {how}")


async def load_kept(keep: Path) -> LoadReport | None:
    """Return the last good load that was kept, or None."""
    try:
        octets = await asyncio.to_thread(keep.read_bytes)
    except FileNotFoundError:
        return None

    async def whole() -> AsyncIterator[bytes]:
        yield octets

    try:
        report, done = await _take(whole())
    except BadFrame as error:
        log.error("%s cannot be used: %s", keep, error)
        return None
    return report if done else None


async def _chunks(stream: asyncio.StreamReader, said: bytearray) -> AsyncIterator[bytes]:
    while octets := await stream.read(READ_SIZE):
        said += octets
        yield octets


async def _take(chunks: AsyncIterator[bytes]) -> tuple[LoadReport, bool]:
    """Return what was said, and whether the loader said that it was done. Raises BadFrame."""
    report = LoadReport()
    decoder = Decoder()
    plan: Plan | None = None
    done = False
    async for chunk in chunks:
        for frame in decoder.feed(chunk):
            match frame:
                case ("files", look, digest, files):
                    report.look, report.digest = look, digest
                    report.files = tuple(map(Path, files))
                case ("mistakes", _):
                    report.mistakes = mistakes_from(frame)
                case ("warnings", texts):
                    report.warnings = texts
                case ("plan", part):
                    plan = _grow(plan, part)
                case ("piece", octets):
                    report.pieces.append(octets)
                case ("done",):
                    done = True
            await asyncio.sleep(0)
    if done:
        report.plan = plan
    return report, done


def _grow(plan: Plan | None, part: bytes) -> Plan:
    """Add one part: the plan itself first, then entries of its tables."""
    said = pickle.loads(part)  # noqa: S301  # from our own child
    if plan is None:
        assert isinstance(said, Plan)
        return said
    table, entries = said
    getattr(plan, table).update(entries)
    return plan
