"""Keeps the answers as the endpoints are: verdicts, overrides and moments to come.

verdict, result, address ─┐
override, release ────────┼─▶ touch ─▶ (merged for 50 ms) ─▶ decide ─▶ changed answers ─▶ workers
Timers: ramp, end, TTL ───┘                                  in slices of 5 ms

Only what hangs on what changed is decided anew. One loop, one thread.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from math import inf

from ..compiler.decide import FAMILIES, Decider
from ..compiler.draws import Family
from ..compiler.outcome import Outcome
from ..compiler.plan import AnswerSpec, Plan, checks_of
from ..compiler.resolved import with_addresses
from ..config.model import TtlRange
from ..health.condition import FULL, Condition
from ..health.monitor import Monitor
from ..health.overrides import Override, Overrides
from ..health.standing import CheckKey, Standing
from .comebacks import Comebacks
from .conditions import Moment
from .emptied import emptied
from .events import Events
from .failback import NOTHING, Failback
from .overriding import Overriding
from .publication import Change, Publication
from .timers import Timers

MERGE = 0.05  # seconds in which changes are collected before answers follow
SLICE = 0.005  # seconds of deciding after which probes and requests get their turn

OVERRIDES = "overrides"  # the timer of the first override that ends
TimerKey = str | tuple[str, str | int]  # OVERRIDES, ("pool", name) or ("answer", number)

log = logging.getLogger(__name__)


class Steering:
    """What is true of the endpoints, and the publication whose answers follow it.

    send:     called with (generation, changed answers)
    changed:  called when something changed that must outlive control
    resolved: addresses of host names that are resolved; whoever resolves writes them there
    """

    def __init__(
        self,
        monitor: Monitor,
        send: Callable[[int, list[Change]], None],
        events: Events,
        changed: Callable[[], None],
    ) -> None:
        self.publication: Publication | None = None
        self.overriding = Overriding(events, self._on_override, self._wake_overriding)
        self.comebacks = Comebacks()
        self.failback = Failback()
        self.resolved: dict[str, tuple[str, ...]] = {}
        self.heard: dict[CheckKey, float] = {}  # when each had a result last, monotonic seconds
        self.verdict_changes: dict[tuple[str, str, str], int] = {}  # (pool, address, to)
        self._monitor = monitor
        self._send = send
        self._events = events
        self._changed = changed
        self._timers = Timers(self._on_due)
        self._pools: set[str] = set()  # to be looked at again
        self._answers: set[int] = set()
        self._dirt = asyncio.Event()
        self._busy = asyncio.Lock()  # held by whoever decides answers
        self._endpoints_of_key: dict[CheckKey, list[tuple[str, str]]] = {}
        self._pools_of_host: dict[str, list[str]] = {}  # of endpoints that are resolved
        self._followed: set[str] = set()  # pools that answers with a TTL by health look at
        # What results had made of followed keys.
        self._counted: dict[CheckKey, tuple[int, int, float | None]] = {}

    def close(self) -> None:
        self._timers.close()

    def moment(self, plan: Plan | None = None, overrides: Overrides | None = None) -> Moment:
        """Return the conditions as they are now. `overrides`: others than those that hold."""
        if plan is None:
            assert self.publication is not None
            plan = self.publication.plan
        return Moment(
            plan,
            self.standing_of,
            self.overriding.overrides if overrides is None else overrides,
            self.comebacks,
            asyncio.get_running_loop().time(),
        )

    def conditions(self) -> dict[str, tuple[Condition, ...]]:
        """Return all conditions as they are now, to be read by whatever thread."""
        return dict(self.moment())

    def standing_of(self, key: CheckKey) -> Standing | None:
        """Return what is known of a key; None: nobody watches it."""
        with suppress(KeyError):
            return self._monitor.standing(key)
        return None

    # What changed

    def on_verdict(self, key: CheckKey, standing: Standing) -> None:
        state = standing.state.value
        endpoints = self._endpoints_of_key.get(key, ())
        for pool, address in endpoints:
            label = (pool, address, state)
            self.verdict_changes[label] = self.verdict_changes.get(label, 0) + 1
        self.touch(pool for pool, _ in endpoints)
        self._events.tell(
            "verdict",
            address=key[0],
            check=key[1],
            verdict=state,
            reason=standing.last.reason if standing.last else "",
            pools=[pool for pool, _ in endpoints],
        )
        self._changed()

    def on_result(self, key: CheckKey, standing: Standing) -> None:
        """A result that changes no verdict may still change how soon one can: some TTLs follow."""
        self.heard[key] = asyncio.get_running_loop().time()
        pools = [pool for pool, _ in self._endpoints_of_key.get(key, ()) if pool in self._followed]
        if not pools:
            return
        verdict, known = standing.verdict, self.standing_of(key)
        deadline = None if known is None else known.deadline  # a push moves it
        counted = (verdict.counted, verdict.ejections, deadline)
        if self._counted.get(key) != counted:
            self._counted[key] = counted
            self.touch(pools)

    def on_addresses(self, host: str) -> None:
        """Other addresses stand in `resolved`."""
        self.touch(self._pools_of_host.get(host, ()))
        self._changed()

    def touch(self, pools: Iterable[str] = (), answers: Iterable[int] = ()) -> None:
        """Decide anew, soon, what looks at `pools`, and `answers`."""
        self._pools.update(pools)
        self._answers.update(answers)
        if self._pools or self._answers:
            self._dirt.set()

    def _on_override(self, pool: str) -> None:
        self.touch([pool])
        self._changed()

    def _wake_overriding(self, when: float) -> None:
        self._timers.set(OVERRIDES, when)

    def _on_due(self, keys: list[TimerKey]) -> None:
        for key in keys:
            if key == OVERRIDES:
                self.overriding.end_ended()
            elif key[0] == "pool":
                self.touch(pools=[str(key[1])])
            else:
                self.touch(answers=[int(key[1])])

    # Following

    async def run(self) -> None:
        """Bring what changes to the answers, until cancelled."""
        while True:
            await self._dirt.wait()
            await asyncio.sleep(MERGE)
            async with self._busy:
                self._dirt.clear()
                pools, self._pools = self._pools, set()
                answers, self._answers = self._answers, set()
                try:
                    await self._follow(pools, answers)
                except Exception:  # a mistake of ours: the next change takes these along
                    log.exception("deciding answers failed")
                    self._pools |= pools
                    self._answers |= answers

    async def _follow(self, pools: Collection[str], touched: Collection[int]) -> None:
        publication = self.publication
        if publication is None:
            return  # the first publication takes everything as it is then
        moment = self.moment()
        known = [pool for pool in pools if pool in publication.plan.pools]
        decider = self._look_at(publication, moment, known)
        answers = {number for number in touched if number in publication.plan.specs}
        answers.update(number for pool in known for number in publication.specs_by_pool[pool])
        await self._decide_all(publication, decider, moment, answers, self._send)

    async def adopt(self, publication: Publication, apply: Callable[[], None]) -> None:
        """Bring `publication` to where things stand, and make it what is followed.

        apply: makes the monitor watch what it says, and calls `know`. What changes while this
        decides is looked at right after it: nothing falls between two publications.
        """
        async with self._busy:
            apply()
            plan = publication.plan
            publication.resolved = self.resolved
            moment = self.moment(plan)
            decider = self._look_at(publication, moment, plan.pools)
            # What the loader compiled takes everything for up, known and settled.
            answers = {number for number, spec in plan.specs.items() if _follows(spec)}
            for name, pool in plan.pools.items():
                resolved = any(endpoint.resolve for endpoint in pool.endpoints)
                if resolved or not all(map(_is_settled, moment[name])):
                    answers.update(publication.specs_by_pool[name])
            await self._decide_all(publication, decider, moment, answers, None)
            self.publication = publication
            if self._pools or self._answers:
                self._dirt.set()

    def know(self, plan: Plan) -> None:
        """Forget what `plan` has no more, and note which pools hang on which key."""
        self._endpoints_of_key, self._pools_of_host = {}, {}
        there = set()
        for name, pool in plan.pools.items():
            for endpoint in pool.endpoints:
                there.add((name, endpoint.address))
                if endpoint.resolve:
                    self._pools_of_host.setdefault(endpoint.address, []).append(name)
                for check in checks_of(pool, endpoint):
                    key = (endpoint.address, check)
                    self._endpoints_of_key.setdefault(key, []).append((name, endpoint.address))
        now = asyncio.get_running_loop().time()
        self.heard = {key: self.heard.get(key, now) for key in self._endpoints_of_key}
        following = [spec for spec in plan.specs.values() if isinstance(spec.ttl, TtlRange)]
        self._followed = {pool for spec in following for pool in spec.pools()}
        self._counted = {}
        self.verdict_changes = {
            label: number for label, number in self.verdict_changes.items() if label[:2] in there
        }
        self.comebacks.keep_only(plan.pools)
        self.failback.keep_only(plan.pools, {spec.hold for spec in plan.specs.values()})
        self._timers.keep_only(lambda key: key == OVERRIDES)

    def _look_at(self, publication: Publication, moment: Moment, pools: Collection[str]) -> Decider:
        """Note what came back, and when pools are to be looked at next; return who decides."""
        for name in pools:
            pool = publication.plan.pools[name]
            if pool.ramp:
                for endpoint in pool.endpoints:
                    usable = moment.usable(name, pool, endpoint)
                    self.comebacks.see(name, endpoint.address, usable, moment.now)
                self._timers.set(("pool", name), moment.now + moment.next_step(name))
        decider = publication.decider(moment)
        for name in pools:
            for family in FAMILIES:
                seen = decider.see(name, family).trace
                if seen.total and self.failback.see(name, family, seen.available, moment.now):
                    self._changed()
        return decider

    async def _decide_all(
        self,
        publication: Publication,
        decider: Decider,
        moment: Moment,
        answers: Collection[int],
        send: Callable[[int, list[Change]], None] | None,
    ) -> None:
        """Decide answers in slices, and send the changes of each where that is wanted."""
        loop = asyncio.get_running_loop()
        changes: list[Change] = []
        started = loop.time()
        for number in sorted(answers):
            try:
                outcome = self._decide(publication, number, decider, moment)
                change = publication.settle(number, outcome)
            except Exception:  # a mistake of ours about one answer: the others must follow
                log.exception("deciding %s failed", publication.plan.specs[number])
                continue
            if change is not None:
                changes.append(change)
            if loop.time() - started > SLICE:
                if changes and send is not None:
                    send(publication.generation, changes)
                changes = []
                await asyncio.sleep(0)
                started = loop.time()
        if changes and send is not None:
            send(publication.generation, changes)

    def _decide(
        self, publication: Publication, number: int, decider: Decider, moment: Moment
    ) -> Outcome:
        spec = publication.plan.specs[number]
        held = self.held(spec, moment.now)
        outcome = decider.decide(spec.target, spec.family, spec.when_all_down, held)
        if outcome.returned and self._release(spec.hold, outcome.returned, [spec.family]):
            self._touch_record(publication, spec.hold)
        again = _again(spec, outcome, moment, held)
        self._timers.set(("answer", number), moment.now + again)
        return outcome

    def held(self, spec: AnswerSpec, now: float) -> Mapping[str, float]:
        """Return which pools an answer must not return to yet, and for how many seconds more."""
        if spec.failback is None:
            return NOTHING
        return self.failback.held(spec.hold, spec.failback, spec.pools(), spec.family, now)

    def emptied_by(self, override: Override, most: int) -> list[str]:
        """Return up to `most` names that an override would leave without a usable endpoint."""
        assert self.publication is not None
        plan = self.publication.plan
        trial = self.moment(overrides=self.overriding.trial(override))
        pools, before = with_addresses(plan.pools, self.moment(), self.resolved)
        _, after = with_addresses(plan.pools, trial, self.resolved)
        return list(islice(emptied(plan, pools, override.pool, before, after), most))

    # Failback

    def release(self, record: str) -> list[str] | None:
        """Let a record return; return to which pools. None: no such record, or no failback."""
        assert self.publication is not None
        specs = [spec for spec in self.publication.plan.specs.values() if spec.hold == record]
        if not specs:
            return None
        now = asyncio.get_running_loop().time()
        pools = {pool for spec in specs for pool in self.held(spec, now)}
        released = self._release(record, pools)
        self._touch_record(self.publication, record)
        return released

    def _release(
        self, record: str, pools: Collection[str], families: Collection[Family] = FAMILIES
    ) -> list[str]:
        released = self.failback.release(record, pools, families)
        if released:
            log.info("failback: %s may return to %s", record, ", ".join(released))
            self._events.tell("failback", name=record, pools=released)
            self._changed()
        return released

    def _touch_record(self, publication: Publication, record: str) -> None:
        specs = publication.plan.specs.items()
        self.touch(answers=[number for number, spec in specs if spec.hold == record])


def _is_settled(condition: Condition) -> bool:
    return condition.usable and condition.parts == FULL and not condition.overridden


def _follows(spec: AnswerSpec) -> bool:
    """Return whether an answer hangs on more than on what is usable."""
    return isinstance(spec.ttl, TtlRange) or spec.failback is not None


def _again(spec: AnswerSpec, outcome: Outcome, moment: Moment, held: Mapping[str, float]) -> float:
    """Return the seconds after which an answer is to be decided again, whatever results say.

    A TTL stays until the soonest moment to come is nearer than it, and then shrinks with each
    second; at its minimum it stays until something changes.
    """
    again = ends = min(held.values(), default=inf)
    if isinstance(spec.ttl, TtlRange):
        countdown = min([ends, *map(moment.countdown, spec.pools())])
        ttl = min(max(outcome.until, spec.ttl.min), spec.ttl.max)
        if countdown > ttl:
            again = min(again, countdown - ttl)
        elif ttl > spec.ttl.min:
            again = min(again, 1.0)
    return again
