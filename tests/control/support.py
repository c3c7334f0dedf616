"""What the tests of control share: a control process without its processes.

`controlled` runs a real Control in the loop of the test. The loader runs in this process, since a
process takes half a second, and probes ask a table in place of the network.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from textwrap import dedent
from typing import Any

import pytest

from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder, empty
from gtmdns.compiler.plan import Plan
from gtmdns.control import control as control_module
from gtmdns.control.control import Control
from gtmdns.control.load import LoadReport, load_kept
from gtmdns.control.loader import frames_of, mistakes_from
from gtmdns.control.state import State, state_text, write_text
from gtmdns.health.monitor import Monitor
from gtmdns.health.probes import ProbeResult
from gtmdns.serve.frames import Decoder, Frame, encode

QUICK = """
geoip: {databases: []}
server: {startup_wait: 50ms}
admin: {listen: null}
health_checks:
  web: {type: tcp, port: 1, interval: 50ms, timeout: 50ms, fall: 1, rise: 1}
pools:
  home: {endpoints: [192.0.2.1, 192.0.2.2, "2001:db8::1"], health_check: web, max_answers: 1}
  away: {endpoints: [192.0.2.9]}
zones:
  example.test:
    nameservers: {ns1: [192.0.2.53]}
    contact: hostmaster@example.test
    records:
      www: {pools: [home, away]}
      both: {pools: {home: 1, away: 3}}
      static: {A: 192.0.2.77, TXT: hello}
"""


async def until(condition: Callable[[], Any], what: str, seconds: float = 15.0) -> Any:
    """Return the first true value of `condition`; fail when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"after {seconds:g} s still not: {what}"
        await asyncio.sleep(0.002)
    return value


class Endpoints:
    """What the probes find. `dead`: addresses that do not answer.

    certificate: when the certificates expire that the others show, seconds since the epoch
    """

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self.certificate: float | None = None

    async def probe(self, address: str, host: str, check: Any) -> ProbeResult:
        up = address not in self.dead
        reason = "connected" if up else "connection refused"
        return ProbeResult(up, reason, 0.001, self.certificate if up else None)


async def load_here(config: Path, serials: Mapping[str, tuple[str, int]], keep: Path) -> LoadReport:
    """As `control.load.load`, in this process."""
    frames = list(frames_of(config, serials))
    if frames[-1] == ("done",):
        keep.write_bytes(b"".join(map(encode, frames)))
        report = await load_kept(keep)
        assert report is not None
        return report
    (_, look, digest, files), mistakes = frames
    return LoadReport(
        mistakes=mistakes_from(mistakes), files=tuple(map(Path, files)), look=look, digest=digest
    )


def write_state(folder: Path, state: State) -> None:
    write_text(folder, state_text(state))


def write(path: Path, text: str) -> Path:
    path.write_text(dedent(text).lstrip("\n"))
    return path


@asynccontextmanager
async def controlled(
    folder: Path, text: str = QUICK, *, start: bool = True, state_dir: Path | None = None
) -> AsyncIterator[tuple[Control, Endpoints]]:
    """Run a control over `folder/gtmdns.yaml`, which is written first unless `text` is empty."""
    config = folder / "gtmdns.yaml"
    if text:
        write(config, text)
    runtime = folder / "runtime"
    runtime.mkdir(exist_ok=True)
    endpoints = Endpoints()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control_module, "load", load_here)
        patch.setattr(
            control_module, "Monitor", partial(Monitor, probe=endpoints.probe, chance=Random(1))
        )
        control = Control(config, runtime, state_dir)
        await control.workers.listen(str(folder / "channel"))
        try:
            if start:
                assert await control.start()
            yield control, endpoints
        finally:
            await control.stop()


def has_followed(control: Control) -> bool:
    """Return whether the answers follow all that has changed."""
    steering = control.steering
    return not (steering._dirt.is_set() or steering._busy.locked())


class FakeWorker:
    """A worker's end of the channel: builds the snapshots it is sent, and says what it is told to."""

    def __init__(self, number: int, pid: int) -> None:
        self.number = number
        self.pid = pid
        self.snapshot: Snapshot = empty()
        self.frames: list[Frame] = []
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def connect(self, folder: Path, generation: int = 0) -> "FakeWorker":
        self._reader, self._writer = await asyncio.open_unix_connection(str(folder / "channel"))
        self._task = asyncio.create_task(self._receive())
        self.say("hello", self.number, self.pid, generation)
        return self

    def say(self, *frame: Any) -> None:
        assert self._writer is not None
        self._writer.write(encode(frame))

    def count(self, counters: dict[str, int], tally: dict[int, int], generation: int = 0) -> None:
        """Send a "stats" frame of the snapshot that is served."""
        self.say("stats", generation or self.snapshot.generation, counters, tally)

    async def _receive(self) -> None:
        assert self._reader is not None
        decoder, builder = Decoder(), None
        while octets := await self._reader.read(65_536):
            for frame in decoder.feed(octets):
                self.frames.append(frame)
                kind, *rest = frame
                if kind == "begin":
                    known = {k: v for k, v in rest[1].items() if k in Settings._fields}
                    builder = SnapshotBuilder(rest[0], Settings(**known))
                elif kind == "piece" and builder is not None:
                    builder.add(tuple(rest))
                elif kind == "commit" and builder is not None:
                    self.snapshot, builder = builder.finish(), None
                elif kind == "change" and rest[0] == self.snapshot.generation:
                    self.snapshot.change(rest[1])

    async def close(self) -> None:
        assert self._writer is not None
        assert self._task is not None
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
        await asyncio.gather(self._task, return_exceptions=True)


def base_of(plan: Plan, owner: str) -> int:
    """Return what is added to a tag that is counted for this name."""
    return next(n for n, (_, name) in enumerate(plan.counted) if name == owner) << 20
