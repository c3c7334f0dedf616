"""The control process: health, configuration, what is published. The only writer.

file changed, SIGHUP, POST reload ─▶ Control.reload ─▶ loader ─▶ Publication ─▶ workers
probe result ─▶ Monitor ─▶ Steering ─▶ changed answers ─▶ workers
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
from ..compiler.plan import FIXED, Plan
from ..config.load import collector_paused
from ..config.mistakes import Mistake, mistake_at
from ..health.monitor import Monitor
from ..sources.file import Look, look, wait_for_change
from .counters import Counters
from .events import Events
from .keeping import Keeper
from .load import LoadReport, load, load_handed_over, load_kept
from .publication import Publication
from .resolving import Addresses, resolved_hosts
from .retire import retire, settle_down
from .secret import start_secret
from .state import State
from .steering import Steering
from .workers import Workers

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

    def __init__(
        self, config: Path, runtime: Path, state_dir: Path | None, handed: int | None = None
    ) -> None:
        """handed: a descriptor of the load that `serve` made; it is closed when it was read."""
        self.config = config
        self._handed = handed
        self.runtime = runtime
        self.started_at = time.monotonic()
        self.events = Events()
        self.counters = Counters()
        self.workers = Workers(self.counters.add, self.counters.forget, self._on_worker)
        self._state_dir = state_dir
        folders = (runtime,) if state_dir is None else (runtime, state_dir)
        self.keeper = Keeper(folders, self._fill_state)
        self.monitor = Monitor(
            on_change=lambda key, standing: self.steering.on_verdict(key, standing),
            on_result=lambda key, standing: self.steering.on_result(key, standing),
            on_isolation=self._on_isolation,
        )
        self.steering = Steering(self.monitor, self.workers.change, self.events, self.keeper.soon)
        self.addresses = Addresses(self.steering.resolved, self.steering.on_addresses)
        self.report: LoadReport | None = None  # of the configuration that is served
        self.loaded_at = 0.0
        self.last_reload: ReloadReport | None = None
        self.isolated_why = ""  # why verdicts are frozen, "": they are not
        self.worker_restarts = 0
        self.listen: tuple[str, ...] = ()  # addresses that the parent bound
        self._cookie_secret = start_secret(runtime)
        self._watched: LoadReport | None = None  # of the last load, good or bad
        self._running: asyncio.Task[ReloadReport] | None = None
        self._queued: asyncio.Task[ReloadReport] | None = None
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
            self._restore()
            self._apply_checks(report.plan, again=True)
            await self._publish(report)
            self._watched = report
        else:
            report = await self._handed_over() or await self._load()
            if report.plan is None:
                self._refuse(report.mistakes, 0.0)
                return False
            self._restore()
            self._apply_checks(report.plan)
            wait = report.plan.server.startup_wait
            await asyncio.gather(
                self.monitor.first_verdicts(wait),
                self.addresses.learn(resolved_hosts(report.plan), wait),
            )
            await self._publish(report)
        self.last_reload = ReloadReport(True, self.generation, [], report.warnings)
        self.spawn(self._watch_files())
        self.spawn(self.keeper.run())
        self.spawn(self.steering.run())
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
            self.keeper.write()
        self.events.close()
        self.steering.close()
        await self.addresses.names.close()
        await self.monitor.close()
        await self.workers.close()

    @property
    def publication(self) -> Publication | None:
        """What is served; None before the first load."""
        return self.steering.publication

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
            report.pieces, report.shared = [], None  # nobody will have them
            return self._refuse(mistakes, time.monotonic() - started)
        await self._publish(report)
        self.last_reload = ReloadReport(
            True, self.generation, [], report.warnings, time.monotonic() - started
        )
        log.info(
            "now serving generation %d, loaded in %.2f s", self.generation, self.last_reload.seconds
        )
        self.events.tell("reload", ok=True, generation=self.generation)
        return self.last_reload

    async def _handed_over(self) -> LoadReport | None:
        """Return the load that was checked before the start, where it still says what is true."""
        if self._handed is None:
            return None
        report = await load_handed_over(self._handed, self.runtime / LOADED)
        if report is not None:
            self._watched = report
        return report

    async def _load(self) -> LoadReport:
        """Load, and remember what to watch: after a loader that died, what was watched before."""
        known = (self.config,) if self._watched is None else self._watched.files
        before = look(known)
        report = await load(self.config, self.keeper.state.serials, self.runtime / LOADED)
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
        self.events.tell("reload", ok=False, generation=self.generation, mistakes=len(mistakes))
        self.last_reload = ReloadReport(False, self.keeper.state.generation, mistakes, (), seconds)
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
        publication = Publication(report.plan, (self._cookie_secret,), report.shared)
        with collector_paused():
            for octets in report.pieces:
                publication.take(octets)
                await asyncio.sleep(0)  # probes first
        report.pieces, report.shared = [], None  # the publication has them
        plan = report.plan
        await self.addresses.learn(resolved_hosts(plan), plan.server.startup_wait)
        publication.finish(self.keeper.state.generation + 1)
        settle_down(publication)
        if self.publication is not None:
            self.spawn(retire(self.publication))
        await self.steering.adopt(publication, lambda: self._apply_checks(plan))
        # No wait from here to the end, so no verdict falls between two publications.
        self.counters.know(publication.generation, plan)
        self.report = report
        self.loaded_at = time.time()
        self.keeper.state.generation = publication.generation
        self.keeper.state.serials = plan.serials
        # At once: a generation's number must never be given twice, nor must a serial.
        self.keeper.write()
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
        self.steering.know(plan)
        self.monitor.apply(checks, spread, plan.server.isolation)
        self.addresses.apply(resolved_hosts(plan))

    def usable(self) -> dict[str, tuple[bool, ...]]:
        """Return by pool which endpoints are usable now."""
        conditions = self.steering.conditions()
        return {name: tuple(each.usable for each in row) for name, row in conditions.items()}

    def _on_isolation(self, frozen: bool, why: str) -> None:
        self.isolated_why = why if frozen else ""
        self.events.tell("isolation", isolated=frozen, reason=why)

    def _on_worker(self, change: str, number: int, pid: int) -> None:
        self.events.tell("worker", change=change, number=number, pid=pid)

    # State

    def is_ready(self) -> bool:
        """Return whether a worker answers with a configuration."""
        return any(link.generation > 0 for link in self.workers.links)

    def keep_now(self) -> bool:
        """Write the state. Returns whether it is kept where it survives a restart."""
        return self._state_dir in self.keeper.write()

    def _fill_state(self, state: State) -> None:
        now, wall = asyncio.get_running_loop().time(), time.time()
        state.verdicts = self.monitor.saved()
        state.overrides = self.steering.overriding.all()
        state.clocks, state.released = self.steering.failback.saved(now, wall)
        state.addresses = {host: a for host, a in self.steering.resolved.items() if a}

    def _restore(self) -> None:
        state, now, wall = self.keeper.state, asyncio.get_running_loop().time(), time.time()
        self.monitor.restore(state.verdicts)
        self.steering.failback.restore(state.clocks, state.released, now, wall)
        self.addresses.restore(state.addresses)
        self.steering.overriding.restore(state.overrides)


def _log_failure(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a task of control failed", exc_info=task.exception())
