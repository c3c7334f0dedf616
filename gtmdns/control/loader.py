"""The loader: a process that reads, checks and compiles a configuration, and ends.

    python -m gtmdns.control.loader CONFIG [FD] < {"ZONE": ["HASH", SERIAL], ...} (JSON)

Composing a large file takes seconds in which nothing else of the process gets its turn,
so control never does it; and all memory that it took is gone with the process. Its
standard output is frames (serve/frames.py):

    ("files", (look...), hash, (path, ...))   what was read, as it looked then
    ("mistakes", ((file, line, column, key, problem), ...))   and nothing more; or
    ("warnings", (text, ...))
    ("plan", octets)       pickled parts: the Plan, then parts of its large tables
    ("piece", octets)      a frame that the workers get
    ("columns", octets)    a part of the columns of large routes, where no FD is given: a memory
                           file, into which they go otherwise
    ("done",)              without it the load failed
"""

import gc
import json
import os
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..compiler.build import Compiled, Serials, compile_config
from ..compiler.geodata import builtin_databases
from ..compiler.lint import warnings_of
from ..compiler.plan import Plan
from ..config.load import Loaded, collector_paused, load
from ..config.mistakes import BadConfig, Mistake
from ..serve.frames import Frame, encode
from ..serve.shared import Shared
from ..sources.file import Look, changed_since, digest, first_files, look
from .state import serials_in

PART = 1_000  # entries of a table in one frame: decoding it costs control about 2 ms
TRIES = 5  # loads before a file that keeps changing is taken as it is
CLOCK_STEP = 20_000_000  # nanoseconds by which the time of a file may lag behind the clock
NICE = 10  # beside workers and probes: a load gets what they leave, and a tenth where that is none
TABLES = ("specs", "steered", "names")


def load_and_compile(path: Path, serials: Serials) -> tuple[Compiled, list[str], tuple[Path, ...]]:
    """Return the compiled configuration, warnings, and every file it came from.

    Raises BadConfig.
    """
    with collector_paused():
        return _Reading(path).load_and_compile(serials)


class _Reading:
    """One load, and how its files looked when they were read.

    A look is taken before a file is read wherever it is known by then: whatever changes later
    looks otherwise, so no change is missed. A file that only an `include` names is known after
    the first try; if that was written meanwhile, all is read again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: tuple[Path, ...] = (path,)
        self._looks: dict[Path, Look] = {}  # of this try
        self._started = 0  # when it began, nanoseconds since the epoch

    @property
    def look(self) -> Look:
        return tuple(line for path in self.files for line in self._looks[path])

    def load_and_compile(
        self, serials: Serials | None
    ) -> tuple[Compiled, list[str], tuple[Path, ...]]:
        """Load and compile. `serials`: None: those of the state folder."""
        loaded = self._load()
        if serials is None:
            serials = kept_serials(loaded)
        compiled = compile_config(loaded, serials, int(time.time()))
        return compiled, warnings_of(loaded, compiled), self.files

    def _load(self) -> Loaded:
        known = first_files(self.path)
        for _ in range(TRIES):
            self._started = time.time_ns() - CLOCK_STEP
            self._looks = {path: look((path,)) for path in known}
            try:
                loaded = load(self.path)
            except BadConfig as bad:
                self._note_bad(bad.files or (self.path,))
                raise
            databases = databases_of(loaded.base, loaded.config.geoip.databases)
            unseen = [path for path in loaded.files if path not in known]
            self._note(loaded.files + databases + secrets_of(loaded))  # these are not read yet
            if not changed_since(unseen, self._started) and self._is_as_before(known):
                break
            known = loaded.files
        return loaded

    def _note(self, files: tuple[Path, ...]) -> None:
        self.files = tuple(dict.fromkeys(files))
        for path in self.files:
            self._looks.setdefault(path, look((path,)))

    def _note_bad(self, files: tuple[Path, ...]) -> None:
        """Note the files of a load that gave up, which is not tried again."""
        unseen = [path for path in files if path not in self._looks]
        self._note(files)
        for path in unseen:
            if changed_since((path,), self._started):
                self._looks[path] = ((str(path), "changed while it was read"),)

    def _is_as_before(self, known: tuple[Path, ...]) -> bool:
        return all(look((path,)) == self._looks[path] for path in known)


def load_to_hand_over(path: Path, file: BinaryIO | None) -> tuple[Plan, bool]:
    """Load for a server that is about to start, and write what control would have a loader say.

    The second says whether all of it is in the file. Raises BadConfig.
    """
    reading = _Reading(path)
    with collector_paused():
        compiled, warnings, _ = reading.load_and_compile(None)
        if file is None:
            return compiled.plan, False
        try:
            for frame in _good(reading, compiled, warnings, None):
                file.write(encode(frame))
            file.flush()
        except OSError:  # no room: control loads for itself
            return compiled.plan, False
        return compiled.plan, True


def kept_serials(loaded: Loaded) -> Serials:
    """Return the serials that a server with this configuration has published last."""
    name = loaded.config.server.state_dir
    return {} if name is None else serials_in(loaded.base / name)


def databases_of(base: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files behind `geoip.databases`."""
    found: tuple[Path, ...] = ()
    for name in names:
        found += builtin_databases() if name == "builtin" else (base / name,)
    return found


def secrets_of(loaded: Loaded) -> tuple[Path, ...]:
    """Return the file of `server.cookies`, where there is one."""
    name = loaded.config.server.cookies.secret_file
    return () if name is None else (loaded.base / name,)


def frames_of(path: Path, serials: Serials, shared: Shared | None = None) -> Iterator[Frame]:
    """Yield what the loader says about the configuration at `path`."""
    reading = _Reading(path)
    try:
        compiled, warnings, _ = reading.load_and_compile(serials)
    except BadConfig as bad:
        yield _files(reading)
        yield "mistakes", tuple(tuple(mistake) for mistake in bad.mistakes)
        return
    yield from _good(reading, compiled, warnings, shared)


def _good(
    reading: _Reading, compiled: Compiled, warnings: list[str], shared: Shared | None
) -> Iterator[Frame]:
    yield _files(reading)
    yield "warnings", tuple(warnings)
    for part in _plan_parts(compiled.plan):
        yield "plan", pickle.dumps(part)
    for piece in compiled.pieces:
        if piece[0] != "columns":
            yield "piece", encode(("piece", *piece))
        elif shared is None:
            yield piece
        else:
            shared.append(piece[1])
    yield ("done",)


def _files(reading: _Reading) -> Frame:
    config = [path for path in reading.files if path.suffix != ".mmdb"]
    return "files", reading.look, digest(config), tuple(map(str, reading.files))


def _plan_parts(plan: Plan) -> Iterator[Any]:
    """Yield the plan without its large tables, then (table, entries) until all is told."""
    yield replace(plan, specs={}, steered={}, names={})
    for table in TABLES:
        entries = iter(getattr(plan, table).items())
        while part := dict(islice(entries, PART)):
            yield table, part


def mistakes_from(frame: Frame) -> list[Mistake]:
    """Return the mistakes of a "mistakes" frame."""
    return [Mistake(*fields) for fields in frame[1]]


def main(arguments: list[str], serials_in: str, out: BinaryIO) -> int:
    """Say everything to `out`. Returns the exit status: 1 where nobody listens any more."""
    serials = {
        zone: (str(value[0]), int(value[1])) for zone, value in json.loads(serials_in).items()
    }
    shared = Shared(int(arguments[1])) if arguments[1:] else None
    try:
        for frame in frames_of(Path(arguments[0]), serials, shared):
            out.write(encode(frame))
        out.flush()
    except BrokenPipeError:  # control is gone; what is left to say goes nowhere, silently
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return 1
    return 0


def run() -> NoReturn:
    """Be the loader; the process ends here."""
    gc.disable()  # all that is made here is used to the end: walking it took a third of the time
    os.nice(NICE)
    code = main(sys.argv[1:], sys.stdin.read(), sys.stdout.buffer)
    # Taking a million names apart object by object takes over a second.
    os._exit(code)


if __name__ == "__main__":
    run()
