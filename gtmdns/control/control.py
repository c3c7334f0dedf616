"""The control process: health, configuration, what is published. The only writer.

file changed, SIGHUP, POST reload ─▶ Control.reload ─▶ loader ─▶ Publication ─▶ workers
probe result ─▶ Monitor ─▶ Control._on_verdict ─▶ (merged for 50 ms) ─▶ changed answers ─▶ workers
"""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import __version__
from ..compiler.plan import FIXED, Plan, checks_of
from ..config.mistakes import Mistake, mistake_at
from ..health.monitor import Monitor
from ..health.standing import CheckKey, Standing
from ..sources.file import Look, look, wait_for_change
from .counters import Counters
from .load import LoadReport, load, load_kept
from .publication import Publication, usable_of
from .secret import start_secret
from .state import State, read_state, write_state
from .workers import Workers

MERGE = 0.05  # seconds in which verdicts are collected before answers change
SAVE_EVERY = 2.0  # seconds between two writes of the state, where there is news
LOADED = "loaded"  # file in the runtime folder with what the loader said last
KEPT = f"served-{__version__}"  # file there with the load that is served, as this version reads it

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ReloadReport:
    """How a reload went. `generation`: the one now served, changed or not."""

    ok: bool
    generation: int
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    at: float = field(default_factory=time.time)


class Control:
    """Owns the monitor, the publication and the workers' links. One loop, one thread."""

    def __init__(self, config: Path, runtime: Path, state_dir: Path | None) -> None:
        self.config = config
        self.runtime = runtime
        self.started_at = time.time()
        self.counters = Counters()
        self.workers = Workers(self.counters.add, self.counters.forget)
        self.monitor = Monitor(on_change=self._on_verdict)
        self.publication: Publication | None = None
        self.report: LoadReport | None = None  # of the configuration that is served
        self.loaded_at = 0.0
        self.last_reload: ReloadReport | None = None
        self.worker_restarts = 0
        self.listen: tuple[str, ...] = ()  # addresses that the parent bound
        self.verdict_changes: dict[tuple[str, str, str], int] = {}  # (pool, address, to)
        self._cookie_secret = start_secret(runtime)
        self._state_folders = (runtime,) if state_dir is None else (runtime, state_dir)
        # The newest: where state_dir cannot be written, the runtime folder still knows more.
        states = map(read_state, self._state_folders)
        self._state = max(states, key=lambda state: state.generation)
        self._state_dirty = asyncio.Event()
        self._unwritable: set[Path] = set()  # folders that cannot be written, as was told
        self._watched: LoadReport | None = None  # of the last load, good or bad
        self._running: asyncio.Task[ReloadReport] | None = None
        self._queued: asyncio.Task[ReloadReport] | None = None
        self._dirty_pools: set[str] = set()
        self._pools_of_key: dict[CheckKey, list[tuple[str, str]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    # Starting

    async def start(self) -> bool:
        """Publish for the first time. Returns whether there is a configuration to serve.

        A control that follows one that died goes on with what that one published, which the
        workers serve: checks must not wait for a load, and nothing hangs on the files as they
        are now. What is different in them by then is noticed as any change is.
        """
        report = await load_kept(self.runtime / KEPT)
        if report is not None and report.plan is not None:
            log.info("going on with the configuration that is served")
            self.monitor.restore(self._state.verdicts)
            self._apply_checks(report.plan, again=True)
            await self._publish(report)
            self._watched = report
        else:
            report = await self._load()
            if report.plan is None:
                self._refuse(report.mistakes, 0.0)
                return False
            self.monitor.restore(self._state.verdicts)
            self._apply_checks(report.plan)
            await self.monitor.first_verdicts(report.plan.server.startup_wait)
            await self._publish(report)
        self.last_reload = ReloadReport(True, self.generation, [], report.warnings)
        self.spawn(self._watch_files())
        self.spawn(self._save_state())
        return True

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` beside the rest until it ends or control stops; a failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_log_failure)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.publication is not None:
            self._write_state()
        await self.monitor.close()
        await self.workers.close()

    @property
    def generation(self) -> int:
        return 0 if self.publication is None else self.publication.generation

    # Reloading

    async def reload(self, why: str) -> ReloadReport:
        """Load, and publish if all is good. Requests during a load share one load after it."""
        if self._queued is None and (self._running is None or self._running.done()):
            self._running = asyncio.get_running_loop().create_task(self._reload(why))
            return await asyncio.shield(self._running)
        if self._queued is None:
            self._queued = asyncio.get_running_loop().create_task(self._reload_after(why))
        return await asyncio.shield(self._queued)

    async def _reload_after(self, why: str) -> ReloadReport:
        assert self._running is not None
        await asyncio.gather(self._running, return_exceptions=True)
        current = asyncio.current_task()
        self._running, self._queued = current, None
        return await self._reload(why)

    async def _reload(self, why: str) -> ReloadReport:
        started = time.monotonic()
        log.info("reload (%s)", why)
        report = await self._load()
        mistakes = report.mistakes or self._fixed_mistakes(report)
        if mistakes or report.plan is None:
            return self._refuse(mistakes, time.monotonic() - started)
        await self._publish(report)
        self.last_reload = ReloadReport(
            True, self.generation, [], report.warnings, time.monotonic() - started
        )
        log.info(
            "now serving generation %d, loaded in %.2f s", self.generation, self.last_reload.seconds
        )
        return self.last_reload

    async def _load(self) -> LoadReport:
        """Load, and remember what to watch: after a loader that died, what was watched before."""
        known = (self.config,) if self._watched is None else self._watched.files
        before = look(known)
        report = await load(self.config, self._state.serials, self.runtime / LOADED)
        if not report.look:
            report.files, report.look = known, before
        self._watched = report
        return report

    def _refuse(self, mistakes: list[Mistake], seconds: float) -> ReloadReport:
        for mistake in mistakes:
            log.error("%s", mistake)
        served = "nothing to serve"
        if self.publication is not None:
            served = f"still serving generation {self.generation}"
        number = f"{len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}"
        log.error("configuration refused: %s, %s", number, served)
        self.last_reload = ReloadReport(False, self._state.generation, mistakes, (), seconds)
        return self.last_reload

    def _fixed_mistakes(self, report: LoadReport) -> list[Mistake]:
        """Return a mistake for each setting that is other than at the start and needs a restart."""
        if report.plan is None or self.publication is None:
            return []
        old, new = self.publication.plan, report.plan
        return [
            mistake_at(new.places[section, key], (section, key), "a change needs a restart")
            for section, key in FIXED
            if getattr(getattr(old, section), key) != getattr(getattr(new, section), key)
        ]

    async def _publish(self, report: LoadReport) -> None:
        """Make `report` what is served, with the verdicts of this moment."""
        assert report.plan is not None
        publication = Publication(report.plan, (self._cookie_secret,))
        for frame in report.pieces:
            publication.take(frame)
            await asyncio.sleep(0)  # probes first
        report.pieces = []  # the publication has them
        # No wait from here to the end, so no verdict falls between two publications.
        publication.finish(self._state.generation + 1)
        self._apply_checks(report.plan)
        usable = usable_of(publication.plan, self._usable())
        publication.refresh([name for name, ups in usable.items() if not all(ups)], usable)
        self.counters.know(publication.generation, publication.plan)
        self.publication, self.report = publication, report
        self.loaded_at = time.time()
        self._state.generation = publication.generation
        self._state.serials = publication.plan.serials
        # At once: a generation's number must never be given twice, nor must a serial.
        self._write_state()
        self.workers.publish(publication)
        if report is self._watched:
            self._keep()
        for warning in report.warnings:
            log.warning("%s", warning)

    def _keep(self) -> None:
        """Keep what is served now, for a start while the configuration is broken."""
        try:
            os.replace(self.runtime / LOADED, self.runtime / KEPT)
        except OSError as error:
            log.warning("the configuration cannot be kept in %s: %s", self.runtime, error)

    async def _watch_files(self) -> None:
        """Reload whenever a file looks otherwise than it did at the last load."""
        while True:
            await wait_for_change(self._as_read)
            try:
                await self.reload("a file changed")
            except Exception:  # a mistake of ours; the next change must be noticed all the same
                log.exception("the reload failed")

    def _as_read(self) -> tuple[tuple[Path, ...], Look]:
        assert self._watched is not None, "the first load was before the watch"
        return self._watched.files, self._watched.look

    # Health

    def _apply_checks(self, plan: Plan, again: bool = False) -> None:
        """Probe what `plan` says. `again`: the same ran until a moment ago, and goes on."""
        checks = plan.checks()
        longest = max((check.timeout for check in checks.values()), default=0.0)
        spread = max(0.0, plan.server.startup_wait - longest)
        if again:
            spread = min((check.interval for check in checks.values()), default=spread)
        self.monitor.apply(checks, spread)
        self._pools_of_key = {}
        for name, pool in plan.pools.items():
            for endpoint in pool.endpoints:
                for check in checks_of(pool, endpoint):
                    key = (endpoint.address, check)
                    self._pools_of_key.setdefault(key, []).append((name, endpoint.address))

    def _usable(self) -> dict[CheckKey, bool]:
        return {key: standing.usable for key, standing in self.monitor.standings().items()}

    def usable(self) -> dict[str, Any]:
        """Return by pool which endpoints are usable now."""
        assert self.publication is not None
        return dict(usable_of(self.publication.plan, self._usable()))

    def _on_verdict(self, key: CheckKey, standing: Standing) -> None:
        state = standing.state.value
        for pool, endpoint in self._pools_of_key.get(key, ()):
            label = (pool, endpoint, state)
            self.verdict_changes[label] = self.verdict_changes.get(label, 0) + 1
            if not self._dirty_pools:
                asyncio.get_running_loop().call_later(MERGE, self._change_answers)
            self._dirty_pools.add(pool)
        self._state_dirty.set()

    def _change_answers(self) -> None:
        """Bring the answers of the pools whose verdicts changed to the workers."""
        pools, self._dirty_pools = self._dirty_pools, set()
        publication = self.publication
        if publication is None:
            return  # the first publication takes the verdicts as they are then
        known = [pool for pool in pools if pool in publication.plan.pools]
        changes = publication.refresh(known, self.usable())
        if changes:
            self.workers.change(publication.generation, changes)

    # State

    def is_ready(self) -> bool:
        """Return whether a worker answers with a configuration."""
        return any(link.generation > 0 for link in self.workers.links)

    async def _save_state(self) -> None:
        while True:
            await self._state_dirty.wait()
            self._state_dirty.clear()
            self._write_state()
            await asyncio.sleep(SAVE_EVERY)

    def _write_state(self) -> None:
        state = State(self._state.generation, self._state.serials, self.monitor.saved())
        for folder in self._state_folders:
            try:
                write_state(folder, state)
                self._unwritable.discard(folder)
            except OSError as error:
                if folder not in self._unwritable:  # once, until it works again
                    log.warning("the state cannot be saved in %s: %s", folder, error)
                self._unwritable.add(folder)


def _log_failure(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a task of control failed", exc_info=task.exception())
