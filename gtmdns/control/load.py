"""Run the loader and take in what it says, a little in each turn of the loop."""

import asyncio
import json
import logging
import os
import pickle
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..compiler.plan import Plan
from ..config.load import collector_paused
from ..config.mistakes import Mistake
from ..serve.frames import BadFrame, Decoder, encode
from ..serve.shared import Shared
from ..sources.file import Look, look
from .loader import mistakes_from

READ_SIZE = 256 * 1024  # octets
LOAD_TIME = 600.0  # seconds that a load may take; the largest that was measured takes 30
LAST_WAIT = 5.0  # seconds for a loader that was killed to be gone

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LoadReport:
    """What one load gave: a plan with pieces, or mistakes.

    pieces: frames for the workers, as octets
    shared: the columns of large routes; None: there are none, or they are pieces too
    files: what to watch; look: how they looked when they were read; digest: hash of contents
    """

    plan: Plan | None = None
    pieces: list[bytes] = field(default_factory=list)
    shared: Shared | None = field(default=None, compare=False)
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
            await asyncio.to_thread(_keep, keep, said, report.shared)
        except OSError as error:
            log.warning("the configuration cannot be kept in %s: %s", keep, error)
            keep.unlink(missing_ok=True)
    return report


def _keep(keep: Path, said: bytes, shared: Shared | None) -> None:
    """Write what the loader said, and before that, as if it had said it, what is shared."""
    with keep.open("wb") as file:
        if shared is not None:
            for octets in shared.parts(READ_SIZE):
                file.write(encode(("columns", octets)))
        file.write(said)


async def _run(config: Path, serials: Mapping[str, tuple[str, int]]) -> tuple[LoadReport, bytes]:
    """Return what the loader said, understood and as octets."""
    command = [sys.executable, "-m", "gtmdns.control.loader", str(config)]
    shared = Shared.new()
    descriptors = () if shared is None else (shared.descriptor,)
    process = await asyncio.create_subprocess_exec(
        *command, *map(str, descriptors), pass_fds=descriptors,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=READ_SIZE,
    )  # fmt: skip
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
    report.shared = _sealed(shared)
    return report, bytes(said)


def _sealed(shared: Shared | None) -> Shared | None:
    """Return a memory file that nobody can change any more; None where there is nothing in it."""
    if shared is None or not shared:
        return None
    shared.seal()
    shared.view()  # as long as there are descriptors for it
    return shared


def _died(config: Path, how: str) -> Mistake:
    return Mistake(str(config), 1, 1, "", f"the loader {how}")


async def load_kept(keep: Path) -> LoadReport | None:
    """Return the last good load that was kept, or None."""
    try:
        file = await asyncio.to_thread(keep.open, "rb")
    except FileNotFoundError:
        return None

    async def parts() -> AsyncIterator[bytes]:
        while octets := await asyncio.to_thread(file.read, READ_SIZE):
            yield octets

    shared = Shared.new()
    with file:
        try:
            report, done = await _take(parts(), shared)
            report.shared = _sealed(shared)
        except (BadFrame, OSError) as error:
            log.error("%s cannot be used: %s", keep, error)
            return None
    return report if done else None


async def load_handed_over(descriptor: int, keep: Path) -> LoadReport | None:
    """Return the load that `serve` checked before it became the parent; None: load again.

    So it is where a file looks otherwise by now, or to this user, which may be another one. The
    octets go to `keep`, and the file is emptied: the parent holds it for as long as it runs.
    """

    def take() -> None:
        with open(descriptor, "rb", closefd=False) as file, keep.open("wb") as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy, READ_SIZE)

    try:
        await asyncio.to_thread(take)
    except OSError as error:
        log.warning("the configuration is loaded again: %s", error)
        with suppress(OSError):
            keep.unlink()
        return None
    finally:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)
    report = await load_kept(keep)
    if report is None or look(report.files) != report.look:
        return None
    return report if all(map(_is_open_to_us, report.files)) else None


def _is_open_to_us(path: Path) -> bool:
    return os.access(path, os.R_OK) or not os.path.lexists(path)


async def _chunks(stream: asyncio.StreamReader, said: bytearray) -> AsyncIterator[bytes]:
    while octets := await stream.read(READ_SIZE):
        said += octets
        yield octets


async def _take(
    chunks: AsyncIterator[bytes], shared: Shared | None = None
) -> tuple[LoadReport, bool]:
    """Return what was said, and whether the loader said that it was done. Raises BadFrame.

    shared: gets the columns that were said; None: they become pieces. Raises OSError then.
    """
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
                case ("columns", octets) if shared is not None:
                    shared.append(octets)
                case ("columns", octets):
                    report.pieces.append(encode(("piece", "columns", octets)))
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
