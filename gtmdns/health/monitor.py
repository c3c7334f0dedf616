"""Health checks under way: what is watched, what is known of it, and who is told.

Rounds probe, Silence waits for what is pushed, and the Ledger keeps the verdicts. Schedules and
deadlines follow the loop's monotonic clock; the time of day is only shown.
"""

import asyncio
import logging
import random
import resource
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address

from .check import Check, ProbeResult
from .history import Change
from .isolation import PATIENCE, Isolation, host_and_port
from .ledger import Ledger, OnIsolation
from .probes import Prober
from .push import Silence
from .resolve import Resolver, Unresolved
from .rounds import Probe, Rounds
from .standing import CheckKey, SavedVerdict, Standing, digest, recall, save
from .tally import CheckTally
from .turns import Turns
from .verdict import State
from .watch import OnStanding, Watch

log = logging.getLogger(__name__)

CONCURRENCY = 1000  # 2 000 endpoints that all hang for 2 s of each 5 s keep 842 probes open
QUIET = 60.0  # seconds between two log lines about trouble of this machine or this program


class Monitor:
    """Probes what it is told to and says when a verdict changes. Make and use it inside the loop.

    on_change: called with the new standing whenever a state changes, the first verdict included.
    on_result: called after every result.
    on_isolation: called with (True, why) when verdicts freeze, as this machine seems to be cut
        off, then with (False, why). None of these may block; what they raise is logged.
    concurrency: probes at once; None: CONCURRENCY, or what the descriptor limit allows.
    chance: spreads and shortens; seed it to repeat a schedule.
    probe, resolver: replace the real ones, in tests. clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        on_change: OnStanding,
        on_result: OnStanding | None = None,
        on_isolation: OnIsolation | None = None,
        concurrency: int | None = None,
        chance: random.Random | None = None,
        probe: Probe | None = None,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._on_change = on_change
        self._on_result = on_result
        self._on_isolation = on_isolation
        self._turns = Turns(concurrency or affordable(CONCURRENCY))
        self._chance = chance or random.Random()
        self._prober = Prober()
        self._probe = probe or self._prober.probe
        self._resolver = resolver or Resolver()
        self._clock = clock
        self._watches: dict[CheckKey, Watch] = {}
        self._restored: dict[CheckKey, SavedVerdict] = {}
        self._unproven: set[CheckKey] = set()
        self._proven = asyncio.Event()
        self._proven.set()
        self._quiet_until = 0.0
        self._tallies: dict[str, CheckTally] = {}
        self._silence = Silence(self._was_silent)
        self._rounds = Rounds(
            turns=self._turns,
            chance=self._chance,
            probe=lambda address, host, check: self._probe(address, host, check),
            resolver=self._resolver,
            on_probe=self._take,
            complain=self._complain,
        )
        self._ledger = Ledger(
            self._watches,
            on_change=lambda key, standing: self._on_change(key, standing),
            on_isolation=self._note_isolation,
            ask=self._ask_canary,
            clock=clock,
            complain=self._complain,
        )
        self.errors = 0  # exceptions so far that nobody expected: faults of this program

    @property
    def running(self) -> int:
        """Probes under way."""
        return self._turns.running

    @property
    def waiting(self) -> int:
        """Probes whose time has come, waiting for a turn."""
        return self._turns.waiting

    @property
    def late(self) -> int:
        """Probes so far that began over rounds.LATE seconds after their time."""
        return self._rounds.late

    @property
    def skipped(self) -> int:
        """Probes so far that this machine had no descriptor or memory for."""
        return self._rounds.skipped

    @property
    def frozen(self) -> bool:
        """Whether no result changes a verdict, as this machine seems to be cut off."""
        return self._ledger.frozen

    # What is watched

    def apply(
        self, checks: Mapping[CheckKey, Check], spread: float, isolation: Isolation | None = None
    ) -> None:
        """Watch exactly `checks` from now on, and doubt their results by `isolation`.

        New keys begin as unknown (or as restored), their first probes spread evenly over `spread`
        seconds in random order. A key whose definition is the same keeps verdict, schedule and
        counts; one whose definition changed is a new one. Push checks are not probed: their first
        deadline is an interval from now. The same isolation goes on; another begins anew.
        """
        for key, watch in list(self._watches.items()):
            if key not in checks or checks[key] != watch.check:
                self._drop(watch)
        new = [key for key in checks if key not in self._watches]
        self._chance.shuffle(new)
        distinct = {id(check): check for check in checks.values()}  # few, for thousands of keys
        digests = {number: digest(check) for number, check in distinct.items()}
        for place, key in enumerate(new):
            check, delay = checks[key], max(0.0, spread) * place / len(new)
            self._add(key, check, digests[id(check)], delay)
        self._restored.clear()
        names = {check for _, check in checks}
        self._tallies = {name: self._tallies.get(name) or CheckTally() for name in sorted(names)}
        canaries = () if isolation is None else isolation.canaries
        asked = {host_and_port(canary)[0] for canary in canaries}
        self._resolver.keep_only({host for host, _ in checks} | asked)
        self._ledger.isolate(isolation)
        self._note_proven()

    def restore(self, saved: Iterable[SavedVerdict]) -> None:
        """Let the next `apply` begin with these verdicts where definitions are still the same.

        They are verdicts like any other: results count against them from zero. Raises ValueError
        where a row has no known state.
        """
        saved = list(saved)
        for row in saved:
            State(row.state)
        self._restored = {(row.host, row.check): row for row in saved}

    def push(self, key: CheckKey, up: bool) -> None:
        """Take what an endpoint tells of itself for a result, and begin its interval anew.

        Raises KeyError where `key` is not watched by a push check.
        """
        if key not in self._silence:
            raise KeyError(key)
        watch = self._watches[key]
        self._silence.watch(key, watch.check.interval)
        self._take(watch, ProbeResult(up, "pushed", 0.0), None if watch.is_name else key[0])

    async def close(self) -> None:
        """Stop probing and close every connection. Standings stay readable until then."""
        for watch in list(self._watches.values()):
            self._drop(watch)
        await self._rounds.close()
        await self._ledger.close()
        await self._resolver.close()
        await self._prober.close()

    # What is known

    def standing(self, key: CheckKey) -> Standing:
        """Return what is known of `key`. Raises KeyError where it is not watched."""
        standing, deadline = self._watches[key].standing, self._silence.deadline(key)
        return standing if deadline is None else replace(standing, deadline=deadline)

    def standings(self) -> dict[CheckKey, Standing]:
        return {key: self.standing(key) for key in self._watches}

    def history(self, key: CheckKey) -> tuple[Change, ...]:
        """Return the last changes of `key`, the oldest first. Raises KeyError as `standing`."""
        return self._watches[key].history.changes()

    def flaps(self, key: CheckKey) -> int:
        """Return how often `key` went up or down within the hour. Raises KeyError as `standing`."""
        return self._watches[key].history.flaps(asyncio.get_running_loop().time())

    def tallies(self) -> Mapping[str, CheckTally]:
        """Return the counts of each applied check by its name, kept across `apply`."""
        return self._tallies

    def saved(self) -> list[SavedVerdict]:
        """Return every verdict, to be kept where it outlives the process."""
        now, at = asyncio.get_running_loop().time(), self._clock()
        return [
            save(key, watch.definition, watch.standing, now, at)
            for key, watch in self._watches.items()
            if watch.standing.state is not State.UNKNOWN
        ]

    async def first_verdicts(self, timeout: float) -> bool:
        """Wait until every applied check that probes has had a result, at most `timeout` seconds.

        Returns whether all have. A restored verdict is not a result.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._proven.wait()
        except TimeoutError:
            return False
        return True

    # One key

    def _add(self, key: CheckKey, check: Check, definition: str, delay: float) -> None:
        now = asyncio.get_running_loop().time()
        standing = recall(self._restored.get(key), definition, check, now, self._clock())
        watch = Watch(key, check, definition, not is_address(key[0]), standing)
        self._watches[key] = watch
        self._ledger.add(watch)
        if check.type == "push":
            self._silence.watch(key, check.interval)
            return
        self._unproven.add(key)
        self._rounds.start(watch, delay)

    def _drop(self, watch: Watch) -> None:
        del self._watches[watch.key]
        self._unproven.discard(watch.key)
        self._silence.forget(watch.key)
        self._rounds.stop(watch)
        self._ledger.drop(watch)

    def _take(self, watch: Watch, result: ProbeResult, address: str | None) -> None:
        """Take in one result, wherever it came from."""
        self._tallies[watch.key[1]].add(result.success, result.elapsed)
        self._unproven.discard(watch.key)
        self._ledger.result(watch, result, address)
        if self._on_result is not None:
            try:
                self._on_result(watch.key, watch.standing)
            except Exception as error:
                self._complain(f"telling of {watch.key} failed", error)
        self._note_proven()

    def _was_silent(self, key: CheckKey) -> None:
        watch = self._watches[key]
        why = f"no push for {watch.check.interval:g} s"
        self._take(watch, ProbeResult(False, why, 0.0), None if watch.is_name else key[0])

    async def _ask_canary(self, host: str, check: Check) -> ProbeResult:
        """Probe a canary. Raises Exhausted and cancellation."""
        address = host
        if not is_address(host):
            try:
                address = await self._rounds.address_of(host, PATIENCE, None, False)
            except Unresolved as error:
                return ProbeResult(False, str(error), 0.0)
        return await self._rounds.probe_safely(address, host, "of the canary", check)

    def _note_isolation(self, frozen: bool, why: str) -> None:
        if self._on_isolation is not None:
            self._on_isolation(frozen, why)

    def _note_proven(self) -> None:
        if self._unproven:
            self._proven.clear()
        else:
            self._proven.set()

    def _complain(self, text: str, error: Exception | None) -> None:
        """Log, at most one line per QUIET seconds: 2 000 probes may fail alike each second."""
        self.errors += error is not None
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET
            log.error("%s", text, exc_info=error)


def affordable(wanted: int) -> int:
    """Return `wanted`, or half of the descriptors that this process may open where that is less."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft // 2))


def is_address(host: str) -> bool:
    """Return whether `host` is an IP address rather than a host name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
