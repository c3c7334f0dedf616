"""When to probe what. Each address and check has a task of its own, so its probes never overlap.

Intervals run from start to start, each shortened by up to a tenth at random, so probes that
began together drift apart. At most `concurrency` probes run at once; the others wait for a
turn, which neither counts as a failure nor uses up their timeout. Nothing here blocks the
loop. Schedules follow the loop's monotonic clock; the time of day is only shown.
"""

import asyncio
import logging
import random
import resource
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from .probes import Check, Exhausted, Prober, ProbeResult
from .resolve import Resolver, Unresolved, next_address
from .standing import CheckKey, LastResult, SavedVerdict, Standing, digest, recall, save
from .tally import CheckTally
from .turns import Turns
from .verdict import State, judge

log = logging.getLogger(__name__)

JITTER = 0.1  # the part of an interval that chance may take off
CONCURRENCY = 1000  # 2 000 endpoints that all hang for 2 s of each 5 s keep 842 probes open
LATE = 1.0  # seconds after its time from which on a probe counts as late
QUIET = 60.0  # seconds between two log lines about trouble of this machine or this program

# (address, endpoint as configured, check): see Prober.probe
Probe = Callable[[str, str, Check], Awaitable[ProbeResult]]


@dataclass(slots=True, eq=False)
class _Watch:
    """One key under watch."""

    key: CheckKey
    check: Check
    definition: str  # digest of `check`
    is_name: bool
    standing: Standing
    task: asyncio.Task[None] | None = None
    address: str | None = None


OnResult = Callable[[CheckKey, Standing], None]


class Monitor:
    """Probes what it is told to and says when a verdict changes. Make and use it inside the loop.

    on_change: called with the new standing whenever a state changes, the first verdict included.
    on_result: called after every result. Neither may block; what they raise is logged.
    concurrency: probes at once; None: CONCURRENCY, or what the descriptor limit allows.
    chance: spreads and shortens; seed it to repeat a schedule.
    probe, resolver: replace the real ones, in tests. clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        on_change: OnResult,
        on_result: OnResult | None = None,
        concurrency: int | None = None,
        chance: random.Random | None = None,
        probe: Probe | None = None,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._on_change = on_change
        self._on_result = on_result
        self._turns = Turns(concurrency or affordable(CONCURRENCY))
        self._chance = chance or random.Random()
        self._prober = Prober()
        self._probe = probe or self._prober.probe
        self._resolver = resolver or Resolver()
        self._clock = clock
        self._watches: dict[CheckKey, _Watch] = {}
        self._restored: dict[CheckKey, SavedVerdict] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._unproven: set[CheckKey] = set()
        self._proven = asyncio.Event()
        self._proven.set()
        self._quiet_until = 0.0
        self._tallies: dict[str, CheckTally] = {}
        self.late = 0  # probes so far that began over LATE seconds after their time
        self.skipped = 0  # probes so far that this machine had no descriptor or memory for
        self.errors = 0  # exceptions so far that nobody expected: faults of this program

    @property
    def running(self) -> int:
        """Probes under way."""
        return self._turns.running

    @property
    def waiting(self) -> int:
        """Probes whose time has come, waiting for a turn."""
        return self._turns.waiting

    def apply(self, checks: Mapping[CheckKey, Check], spread: float) -> None:
        """Watch exactly `checks` from now on.

        New keys begin as unknown (or as restored), their first probes spread evenly over `spread`
        seconds in random order. A key whose definition is the same keeps verdict, schedule and
        counts; one whose definition changed is a new one.
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
        self._resolver.keep_only({host for host, _ in checks})
        self._note_proven()

    def standing(self, key: CheckKey) -> Standing:
        """Return what is known of `key`. Raises KeyError where it is not watched."""
        return self._watches[key].standing

    def standings(self) -> dict[CheckKey, Standing]:
        return {key: watch.standing for key, watch in self._watches.items()}

    def tallies(self) -> Mapping[str, CheckTally]:
        """Return the counts of each applied check by its name, kept across `apply`."""
        return self._tallies

    def saved(self) -> list[SavedVerdict]:
        """Return every verdict, to be kept where it outlives the process."""
        return [
            save(key, watch.definition, watch.standing)
            for key, watch in self._watches.items()
            if watch.standing.state is not State.UNKNOWN
        ]

    def restore(self, saved: Iterable[SavedVerdict]) -> None:
        """Let the next `apply` begin with these verdicts where definitions are still the same.

        They are verdicts like any other: results count against them from zero. Raises ValueError
        where a row has no known state.
        """
        saved = list(saved)
        for row in saved:
            State(row.state)
        self._restored = {(row.host, row.check): row for row in saved}

    async def first_verdicts(self, timeout: float) -> bool:
        """Wait until every applied check has had a result, at most `timeout` seconds.

        Returns whether all have. A restored verdict is not a result.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._proven.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop probing and close every connection. Standings stay readable until then."""
        for watch in list(self._watches.values()):
            self._drop(watch)
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._resolver.close()
        await self._prober.close()

    def _add(self, key: CheckKey, check: Check, definition: str, delay: float) -> None:
        standing = recall(self._restored.get(key), definition)
        watch = _Watch(key, check, definition, not is_address(key[0]), standing)
        watch.task = asyncio.get_running_loop().create_task(self._keep_probing(watch, delay))
        self._watches[key] = watch
        self._unproven.add(key)

    def _drop(self, watch: _Watch) -> None:
        del self._watches[watch.key]
        self._unproven.discard(watch.key)
        task = watch.task
        if task is not None:
            task.cancel()
            self._ending.add(task)  # the loop holds tasks only weakly
            task.add_done_callback(self._ending.discard)

    async def _keep_probing(self, watch: _Watch, delay: float) -> None:
        loop = asyncio.get_running_loop()
        planned = loop.time() + delay
        while True:
            await asyncio.sleep(planned - loop.time())
            started = await self._one_turn(watch, planned)
            shortened = watch.check.interval * (1 - JITTER * self._chance.random())
            planned = max(started + shortened, loop.time())

    async def _one_turn(self, watch: _Watch, planned: float) -> float:
        """Look the name up, wait for a turn, probe, record. Returns when the probe started."""
        loop = asyncio.get_running_loop()
        address = watch.key[0]
        if watch.is_name:
            started = loop.time()
            try:
                address = await self._address_of(watch)
            except Unresolved as error:
                result = ProbeResult(False, str(error), loop.time() - started)
                self._record(watch, result, None)
                return started
        async with self._turns.turn():
            started = loop.time()
            self.late += started - planned > LATE
            outcome = await self._probe_safely(watch, address)
        if outcome is not None:
            self._record(watch, outcome, address)
        return started

    async def _address_of(self, watch: _Watch) -> str:
        host = watch.key[0]
        try:
            addresses = await self._resolver.addresses(host, watch.check.timeout)
        except Unresolved:
            raise
        except Exception as error:
            self._complain(f"looking up {host} failed", error)
            raise Unresolved(f"name lookup failed: {type(error).__name__}") from error
        last = watch.standing.last
        return next_address(addresses, watch.address, last is not None and not last.success)

    async def _probe_safely(self, watch: _Watch, address: str) -> ProbeResult | None:
        """Return the result, or None where none could be had. Raises nothing but cancellation."""
        host, name = watch.key
        started = asyncio.get_running_loop().time()
        try:
            return await self._probe(address, host, watch.check)
        except Exhausted as error:
            self.skipped += 1
            self._complain(f"probes are skipped, verdicts stay: {error}", None)
            return None
        except Exception as error:
            self._complain(f"check {name} of {host} raised", error)
            elapsed = asyncio.get_running_loop().time() - started
            return ProbeResult(False, f"probe failed: {type(error).__name__}", elapsed)

    def _record(self, watch: _Watch, result: ProbeResult, address: str | None) -> None:
        now = self._clock()
        before, check = watch.standing, watch.check
        watch.address = address
        watch.standing = Standing(
            judge(
                before.verdict,
                result.success,
                fall=check.fall,
                rise=check.rise,
                clear=check.clear,
                now=now,
            ),
            LastResult(result.success, result.reason, result.elapsed, now, address),
            before.successes + result.success,
            before.failures + (not result.success),
        )
        self._tallies[watch.key[1]].add(result.success, result.elapsed)
        self._unproven.discard(watch.key)
        if watch.standing.state is not before.state:
            _log_change(watch.key, before, watch.standing)
            self._tell(self._on_change, watch)
        if self._on_result is not None:
            self._tell(self._on_result, watch)
        self._note_proven()

    def _tell(self, listener: OnResult, watch: _Watch) -> None:
        try:
            listener(watch.key, watch.standing)
        except Exception as error:
            self._complain(f"telling of {watch.key} failed", error)

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


def _log_change(key: CheckKey, before: Standing, after: Standing) -> None:
    """Write one line with both times: how long the old state held, and since when the new does."""
    host, name = key
    why = after.last.reason if after.last else ""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(after.since))
    held = ""
    if before.state is not State.UNKNOWN:
        held = f", {before.state.value} for {after.since - before.since:.1f} s before"
    level = logging.WARNING if after.state is State.DOWN else logging.INFO
    text = "check %s: %s is %s since %s (%s)%s"
    log.log(level, text, name, host, after.state.value, at, why, held)
