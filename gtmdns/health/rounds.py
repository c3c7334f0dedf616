"""When to probe what. Each address and check has a task of its own, so its probes never overlap.

Intervals run from start to start, each shortened by up to a tenth at random, so probes that
began together drift apart. At most so many probes run at once as there are turns; the others wait
for one, which neither counts as a failure nor uses up their timeout. Nothing here blocks the
loop. Schedules follow the loop's monotonic clock.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from .check import Check, Exhausted, ProbeResult
from .resolve import Resolver, Unresolved, next_address
from .turns import Turns
from .watch import Complain, Watch

JITTER = 0.1  # the part of an interval that chance may take off
LATE = 1.0  # seconds after its time from which on a probe counts as late

# (address, endpoint as configured, check): see Prober.probe
Probe = Callable[[str, str, Check], Awaitable[ProbeResult]]
OnProbe = Callable[[Watch, ProbeResult, str | None], None]  # address that was probed, if any


class Rounds:
    """Probes what it is told to, round after round, and gives each result to `on_probe`."""

    def __init__(
        self,
        *,
        turns: Turns,
        chance: random.Random,
        probe: Probe,
        resolver: Resolver,
        on_probe: OnProbe,
        complain: Complain,
    ) -> None:
        self._turns = turns
        self._chance = chance
        self._probe = probe
        self._resolver = resolver
        self._on_probe = on_probe
        self._complain = complain
        self._ending: set[asyncio.Task[None]] = set()
        self.late = 0  # probes so far that began over LATE seconds after their time
        self.skipped = 0  # probes so far that this machine had no descriptor or memory for

    def start(self, watch: Watch, delay: float) -> None:
        """Probe `watch` from `delay` seconds on."""
        watch.task = asyncio.get_running_loop().create_task(self._keep_probing(watch, delay))

    def stop(self, watch: Watch) -> None:
        """Probe `watch` no more; a probe under way is given up."""
        task = watch.task
        if task is not None:
            task.cancel()
            self._ending.add(task)  # the loop holds tasks only weakly
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait until all that was stopped has ended."""
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def address_of(self, host: str, patience: float, last: str | None, failed: bool) -> str:
        """Return the address of a host name to probe after `last`. Raises Unresolved alone."""
        try:
            addresses = await self._resolver.addresses(host, patience)
        except Unresolved:
            raise
        except Exception as error:
            self._complain(f"looking up {host} failed", error)
            raise Unresolved(f"name lookup failed: {type(error).__name__}") from error
        return next_address(addresses, last, failed)

    async def probe_safely(self, address: str, host: str, name: str, check: Check) -> ProbeResult:
        """Return the result of one probe of check `name`. Raises Exhausted and cancellation."""
        started = asyncio.get_running_loop().time()
        try:
            return await self._probe(address, host, check)
        except Exhausted as error:
            self.skipped += 1
            self._complain(f"probes are skipped, verdicts stay: {error}", None)
            raise
        except Exception as error:
            self._complain(f"check {name} of {host} raised", error)
            elapsed = asyncio.get_running_loop().time() - started
            return ProbeResult(False, f"probe failed: {type(error).__name__}", elapsed)

    async def _keep_probing(self, watch: Watch, delay: float) -> None:
        loop = asyncio.get_running_loop()
        planned = loop.time() + delay
        while True:
            await asyncio.sleep(planned - loop.time())
            started = await self._one_turn(watch, planned)
            shortened = watch.check.interval * (1 - JITTER * self._chance.random())
            planned = max(started + shortened, loop.time())

    async def _one_turn(self, watch: Watch, planned: float) -> float:
        """Look the name up, wait for a turn, probe, tell. Returns when the probe started."""
        loop = asyncio.get_running_loop()
        host, name = watch.key
        address = host
        if watch.is_name:
            started, last = loop.time(), watch.standing.last
            failed = last is not None and not last.success
            try:
                address = await self.address_of(host, watch.check.timeout, watch.address, failed)
            except Unresolved as error:
                self._tell(watch, ProbeResult(False, str(error), loop.time() - started), None)
                return started
        async with self._turns.turn():
            started = loop.time()
            self.late += started - planned > LATE
            try:
                outcome = await self.probe_safely(address, host, name, watch.check)
            except Exhausted:
                return started
        self._tell(watch, outcome, address)
        return started

    def _tell(self, watch: Watch, result: ProbeResult, address: str | None) -> None:
        watch.address = address
        self._on_probe(watch, result, address)
