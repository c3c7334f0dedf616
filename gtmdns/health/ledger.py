"""What all results together make of the verdicts: judged, shown, held back, taken back.

A result makes the verdict that is judged. It is shown at once, unless this machine may be cut off
(isolation.py): then what goes down is held back until the canaries have been asked, and where they
are gone too, all is shown as it was before and nothing is judged until one answers again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from math import inf

from .check import Check, ProbeResult
from .history import Change
from .isolation import EACH, SELDOM, Canaries, Doubt, Isolation, Phase
from .lines import Lines
from .standing import CheckKey, LastResult, Standing
from .verdict import State, anew, judge, next_change, settle
from .watch import Complain, OnStanding, Watch

log = logging.getLogger(__name__)

OnIsolation = Callable[[bool, str], None]  # (whether verdicts are frozen from now on, why)


class Ledger:
    """Keeps the verdicts of `watches`, which another adds to and takes from.

    on_change: called with the new standing whenever a state changes.
    ask: a probe of a canary. clock: seconds since the epoch, for people.
    """

    def __init__(
        self,
        watches: Mapping[CheckKey, Watch],
        *,
        on_change: OnStanding,
        on_isolation: OnIsolation,
        ask: Callable[[str, Check], Awaitable[ProbeResult]],
        clock: Callable[[], float],
        complain: Complain,
    ) -> None:
        self._watches = watches
        self._on_change = on_change
        self._on_isolation = on_isolation
        self._ask = ask
        self._clock = clock
        self._complain = complain
        self._lines = Lines()
        self._hosts: Counter[str] = Counter()  # those with a verdict: their keys that have one
        self._held: dict[CheckKey, str] = {}  # went down, not shown yet: why
        self._isolation: Isolation | None = None
        self._doubt: Doubt | None = None
        self._canaries: Canaries | None = None
        self._left: list[Canaries] = []  # of former configurations, while they end

    @property
    def frozen(self) -> bool:
        """Whether no result changes a verdict, as this machine seems to be cut off."""
        return self._doubt is not None and self._doubt.phase is Phase.FROZEN

    def isolate(self, isolation: Isolation | None) -> None:
        """Doubt by these rules from now on; None: never. The same rules change nothing."""
        if isolation == self._isolation:
            return
        was_frozen, self._isolation, self._doubt = self.frozen, isolation, None
        if self._canaries is not None:
            self._canaries.stop()
            self._left.append(self._canaries)
            self._canaries = None
        if was_frozen:
            self._tell_isolation(False, "server.isolation is configured otherwise")
        self._show_held()
        if isolation is not None:
            self._doubt = Doubt(isolation.share, isolation.window)
            self._canaries = Canaries(isolation.canaries, self._ask, self._looked)

    def result(self, watch: Watch, result: ProbeResult, address: str | None) -> None:
        """Take in one result."""
        now, at, before = asyncio.get_running_loop().time(), self._clock(), watch.standing
        watch.standing = Standing(
            before.verdict,
            _last(before.last, result, at, address),
            before.successes + result.success,
            before.failures + (not result.success),
        )
        if self.frozen:
            return
        self._settle(watch, now)
        watch.judged = judge(watch.judged, result.success, watch.check, now=now, at=at)
        if watch.judged is not watch.standing.verdict:
            self._follow(watch, now, result.reason)
        self._wait_for_the_end(watch)

    def add(self, watch: Watch) -> None:
        """Go on from the standing that `watch` begins with."""
        watch.judged = watch.standing.verdict
        if watch.judged.state is not State.UNKNOWN:
            self._count(watch)

    def drop(self, watch: Watch) -> None:
        """Forget what is no longer watched."""
        self._cancel_timer(watch)
        self._held.pop(watch.key, None)
        if self._doubt is not None:
            self._doubt.forget(watch.key)
        if watch.counts:
            host = watch.key[0]
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    async def close(self) -> None:
        """Look at canaries no more, and write what was still to be written."""
        for canaries in (*self._left, *([self._canaries] if self._canaries else [])):
            await canaries.close()
        self._lines.finish()

    # Judged and shown

    def _count(self, watch: Watch) -> None:
        """The host of `watch` has a verdict."""
        if not watch.counts:
            watch.counts = True
            self._hosts[watch.key[0]] += 1

    def _follow(self, watch: Watch, now: float, why: str) -> None:
        """Show what was judged, or hold it back."""
        self._count(watch)
        shown, judged, key = watch.standing.state, watch.judged.state, watch.key
        if self._doubt is not None:
            if judged is State.DOWN and shown is not State.DOWN:
                if key not in self._held and self._suspicious(self._doubt, key, now):
                    self._held[key] = why
                if key in self._held:
                    return
            elif judged is State.UP:
                self._doubt.forget(key)
                self._held.pop(key, None)
        self._show(watch, why)

    def _suspicious(self, doubt: Doubt, key: CheckKey, now: float) -> bool:
        before = doubt.phase
        phase = doubt.went_down(key, now, len(self._hosts))
        if phase is Phase.HOLDING and before is Phase.CALM and self._canaries is not None:
            self._canaries.look_now()
        return phase is Phase.HOLDING

    def _show(self, watch: Watch, why: str) -> None:
        """Let others see what was judged, and tell if it is another state."""
        before = watch.standing
        watch.standing = after = replace(before, verdict=watch.judged)
        if after.state is before.state:
            return
        if after.state is State.DOWN:
            watch.before = before.verdict
        now, at = asyncio.get_running_loop().time(), self._clock()
        flap = State.UNKNOWN not in (before.state, after.state)
        watch.history.add(Change(at, after.state, why), now, flap=flap)
        self._lines.tell(watch.key, before, after, why, at)
        try:
            self._on_change(watch.key, after)
        except Exception as error:
            self._complain(f"telling of {watch.key} failed", error)

    # Ejections that end

    def _settle(self, watch: Watch, now: float) -> None:
        settled = settle(watch.judged, watch.check, now=now, at=self._clock())
        if settled is not watch.judged:
            watch.judged = settled
            self._follow(watch, now, "the ejection is over")

    def _wait_for_the_end(self, watch: Watch) -> None:
        self._cancel_timer(watch)
        ends = next_change(watch.judged, watch.check)
        if ends < inf:
            watch.timer = asyncio.get_running_loop().call_at(ends, self._end, watch, ends)

    def _end(self, watch: Watch, ends: float) -> None:
        watch.timer = None
        # A timer may come early by the resolution of the clock.
        self._settle(watch, max(ends, asyncio.get_running_loop().time()))

    def _cancel_timer(self, watch: Watch) -> None:
        timer, watch.timer = watch.timer, None
        if timer is not None:
            timer.cancel()

    # Isolation

    def _looked(self, answered: bool | None) -> float:
        """A look at the canaries is over. Returns in how many seconds to look again."""
        doubt = self._doubt
        if doubt is None:  # it was switched off during the look
            return SELDOM
        now, before = asyncio.get_running_loop().time(), doubt.phase
        phase = doubt.looked(answered, now, len(self._hosts))
        if phase is not before and phase is Phase.FROZEN:
            self._freeze(doubt, now)
        elif phase is not before and before is Phase.FROZEN:
            self._tell_isolation(False, "a canary answers again")
        else:
            self._show_held()
        return SELDOM if phase is Phase.CALM else EACH

    def _show_held(self) -> None:
        held, self._held = self._held, {}
        for key, why in held.items():
            watch = self._watches.get(key)
            if watch is not None:
                self._show(watch, why)

    def _freeze(self, doubt: Doubt, now: float) -> None:
        """Take back what went down within the window; nothing counts against any verdict."""
        downs = [self._watches[key] for key in doubt.recent(now) if key in self._watches]
        self._held.clear()
        hosts = len({watch.key[0] for watch in downs})
        self._tell_isolation(
            True, f"{hosts} of {len(self._hosts)} endpoints went down and no canary answers"
        )
        for watch in downs:
            if watch.standing.state is State.DOWN:
                watch.judged = watch.before
                self._show(watch, "as before the isolation")
        for watch in self._watches.values():
            watch.judged = anew(watch.standing.verdict)  # a running timer finds nothing to end
            if watch.judged is not watch.standing.verdict:
                watch.standing = replace(watch.standing, verdict=watch.judged)

    def _tell_isolation(self, frozen: bool, why: str) -> None:
        log.warning("verdicts are frozen: %s" if frozen else "verdicts are judged again: %s", why)
        try:
            self._on_isolation(frozen, why)
        except Exception as error:
            self._complain("telling of the isolation failed", error)


def _last(
    before: LastResult | None, result: ProbeResult, at: float, address: str | None
) -> LastResult:
    """Return what is shown of a result; without a certificate, that which was seen last."""
    expires = result.certificate_expires
    if expires is None and before is not None:
        expires = before.certificate_expires
    return LastResult(result.success, result.reason, result.elapsed, at, address, expires)
