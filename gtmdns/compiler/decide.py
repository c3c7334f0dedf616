"""What a target answers: the one place where it is decided (docs/decisions.md).

Pure: a target, a family, the pools and how their endpoints stand in; a choice out. The
compiler makes answers from the choice, `explain` prints it, so the two cannot disagree.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from ..config.model import (
    AllOf,
    Chain,
    Endpoint,
    FallbackCname,
    FallbackPools,
    Member,
    Minimum,
    Nearest,
    Pool,
    PoolRef,
    Target,
    Weights,
    WhenAllDown,
)
from ..config.targets import pools_of
from ..health.condition import FULL, Conditions
from .draws import (
    Choice,
    Drawn,
    Family,
    Mixed,
    Ready,
    after_failover,
    draw_from,
    draws_of,
    has_family,
    join,
    most_parts,
    weighed,
    whole,
)
from .outcome import Mode, Outcome, PoolTrace, Turn

FAMILIES: tuple[Family, ...] = (4, 6, 0)
NOT_HELD: Mapping[str, float] = {}


def decide(
    target: Target,
    family: Family,
    pools: Mapping[str, Pool],
    conditions: Conditions,
    when_all_down: WhenAllDown = "serve_all",
    held: Container[str] = NOT_HELD,
) -> Outcome:
    """Return what `target` answers for `family`.

    held: pools that a chain does not return to yet; a mapping says in how many seconds it may

    Raises TooManyCombinations, for a target in every state of health or in none.
    """
    most_parts(target)
    if isinstance(when_all_down, FallbackPools):
        most_parts(when_all_down.target)
    return Decider(pools, conditions).decide(target, family, when_all_down, held)


def reaches(target: Target, family: Family, pools: Mapping[str, Pool]) -> bool:
    """Return whether any pool of `target` has endpoints of `family`, whatever their health."""
    return any(
        has_family(endpoint, family)
        for name in pools_of(target)
        for endpoint in pools[name].endpoints
    )


def needed_of(minimum: Minimum, total: int) -> int:
    """Return how many of `total` endpoints must be usable. A percentage rounds up, at least 1."""
    if minimum.count is not None:
        return minimum.count
    return max(1, -(-total * (minimum.percent or 0) // 100))


@dataclass(slots=True)
class Seen:
    """One pool as it stands for one family.

    usable, answerable: endpoints that are, and those that no override bars
    reached: it has endpoints of the family, were they only known (`resolve`)
    drawn:   the choices that were made of it, by mode
    """

    pool: Pool
    usable: Ready
    answerable: Ready
    reached: bool
    until: float
    overridden: bool
    trace: PoolTrace
    drawn: dict[Mode, Drawn | None] = field(default_factory=dict)


class Decider:
    """Decides about many targets in one state of health: what it saw of a pool, it keeps.

    The pools and conditions must not change meanwhile. Targets were counted when they were
    loaded (`most_parts`).
    """

    def __init__(self, pools: Mapping[str, Pool], conditions: Conditions) -> None:
        self.pools = pools
        self._conditions = conditions
        self._seen: dict[tuple[str, Family], Seen] = {}

    def decide(
        self,
        target: Target,
        family: Family,
        when_all_down: WhenAllDown = "serve_all",
        held: Container[str] = NOT_HELD,
    ) -> Outcome:
        """Return what `target` answers for `family`; as the function of this name."""
        return decided(Walk(self, family, held), target, when_all_down)

    def see(self, name: str, family: Family) -> Seen:
        """Return how a pool stands for one family."""
        seen = self._seen.get((name, family))
        if seen is None:
            seen = self._seen[name, family] = self._look(name, family)
        return seen

    def _look(self, name: str, family: Family) -> Seen:
        pool = self.pools[name]
        usable: list[tuple[Endpoint, int]] = []
        answerable: list[tuple[Endpoint, int]] = []
        total, reached, until, overridden = 0, False, inf, False
        for endpoint, condition in zip(pool.endpoints, self._conditions[name], strict=True):
            if not has_family(endpoint, family):
                continue
            reached = True
            until = min(until, condition.until)
            overridden = overridden or condition.overridden
            if endpoint.resolve:
                continue  # no address is known yet: no endpoint
            total += 1
            if condition.usable:
                usable.append((endpoint, condition.parts))
            if not condition.barred:
                answerable.append((endpoint, FULL))
        needed = needed_of(pool.min_available, total)
        available = total > 0 and len(usable) >= max(1, needed)
        reason = _reason(available, total, len(usable), needed, family)
        trace = PoolTrace(name, available, len(usable), total, needed, reason)
        return Seen(pool, usable, answerable, reached, until, overridden, trace)


def decided(walk: "Walk", target: Target, when_all_down: WhenAllDown) -> Outcome:
    """Return what `target` answers, found on this walk, which is used up."""
    if not walk.reaches(target):
        return _unreached(walk, target, when_all_down)
    choice = walk.look(target, Mode.MINIMUM)
    if choice is not None:
        return walk.outcome(choice, all_down=False)
    choice = walk.look(target, Mode.ANY)
    if choice is not None:
        return walk.outcome(choice)
    if when_all_down == "serve_all":
        choice = walk.look(target, Mode.ALL)
        return walk.outcome(choice, servfail=choice is None)
    if isinstance(when_all_down, FallbackPools):
        return _fallen_back(walk, when_all_down.target)
    if isinstance(when_all_down, FallbackCname):
        cname = None if walk.any_usable(target) else when_all_down.name
        return walk.outcome(None, cname=cname)
    return walk.outcome(None, servfail=when_all_down == "servfail")


def _unreached(walk: "Walk", target: Target, when_all_down: WhenAllDown) -> Outcome:
    """Return the outcome of a family that no pool has: NODATA, but where a CNAME answers all.

    So do the types that are no addresses, whose family is that of host names.
    """
    if isinstance(when_all_down, FallbackCname) and not walk.any_usable(target):
        return walk.outcome(None, reachable=False, cname=when_all_down.name)
    walk.look(target, Mode.MINIMUM)
    return walk.outcome(None, all_down=False, reachable=False)


def _fallen_back(walk: "Walk", target: Target) -> Outcome:
    """Return what the target of `when_all_down` answers; NODATA where it lacks the family."""
    if not walk.reaches(target):
        return walk.outcome(None)
    choice = (
        walk.look(target, Mode.MINIMUM)
        or walk.look(target, Mode.ANY)
        or walk.look(target, Mode.ALL)
    )
    return walk.outcome(choice, servfail=choice is None)


class Walk:
    """One decision: walks a target for one family, and notes what was looked at on the way.

    `trace` holds each pool as it was first seen.
    """

    def __init__(self, decider: Decider, family: Family, held: Container[str]) -> None:
        self.decider = decider
        self.family: Family = family
        self.held = held
        self.trace: dict[str, PoolTrace] = {}
        self.until = inf
        self.overridden = False
        self.returned: frozenset[str] = frozenset()

    def outcome(
        self,
        choice: Choice | None,
        all_down: bool = True,
        servfail: bool = False,
        reachable: bool = True,
        cname: str | None = None,
    ) -> Outcome:
        return Outcome(
            choice, all_down, servfail, reachable, tuple(self.trace.values()),
            self.until, cname, self.overridden, self.returned,
        )  # fmt: skip

    def reaches(self, target: Target | Member) -> bool:
        """Return whether a pool of `target` has endpoints of the family."""
        if isinstance(target, PoolRef):
            return self.decider.see(target.pool, self.family).reached
        if isinstance(target, Member):
            return self.reaches(target.target)
        return any(map(self.reaches, target.members))

    def any_usable(self, target: Target) -> bool:
        """Return whether any endpoint of any family is usable, and note all that was looked at."""
        found = False
        for name in pools_of(target):
            each = [self.decider.see(name, family) for family in FAMILIES]
            usable = sum(len(seen.usable) for seen in each)
            total = sum(seen.trace.total for seen in each)
            for seen in each:
                self.note(seen)
            reason = f"{usable} of {total} endpoints usable"
            self.trace.setdefault(name, PoolTrace(name, usable > 0, usable, total, 1, reason))
            found = found or usable > 0
        return found

    def look(self, target: Target, mode: Mode, turn: Turn = Turn.OUTSIDE) -> Choice | None:
        """Return the choice of `target`, or None where it is not available."""
        if isinstance(target, PoolRef):
            return self._pool(target.pool, mode, turn)
        if isinstance(target, (Chain, Nearest)):
            return self._chain(target, mode, turn)
        if isinstance(target, Weights):
            return self._weights(target, mode, turn)
        return self._all(target, mode, turn)

    def _chain(self, chain: Chain | Nearest, mode: Mode, turn: Turn) -> Choice | None:
        """The outermost chain looks twice, first without what is held back at any depth."""
        if turn is not Turn.OUTSIDE:
            return self._first(chain.members, mode, turn)
        holding = mode is Mode.MINIMUM and any(name in self.held for name in pools_of(chain))
        choice = self._first(chain.members, mode, Turn.FIRST) if holding else None
        if choice is not None:
            return choice
        choice = self._first(chain.members, mode, Turn.SECOND)
        if holding and choice is not None:
            used = {name for drawn in draws_of(choice) for name in drawn.pools}
            self.returned |= {name for name in used if name in self.held}
        return choice

    def _first(self, members: Sequence[Target], mode: Mode, turn: Turn) -> Choice | None:
        passed_over = False
        for member in members:
            choice = self.look(member, mode, turn)
            if choice is not None:
                return after_failover(choice) if passed_over else choice
            passed_over = passed_over or self.reaches(member)
        return None

    def _weights(self, weights: Weights, mode: Mode, turn: Turn) -> Choice | None:
        found = [self.look(member.target, mode, turn) for member in weights.members]
        drawn = [
            (weight, choice)
            for weight, choice in zip(
                weighed(weights, [c is not None for c in found]), found, strict=True
            )
            if weight and choice is not None
        ]
        if not drawn:
            return None
        all_zero = not any(member.weight for member in weights.members)
        lost = any(
            choice is None and (member.weight or all_zero) and self.reaches(member.target)
            for member, choice in zip(weights.members, found, strict=True)
        )
        if lost:
            drawn = [(weight, after_failover(choice)) for weight, choice in drawn]
        return drawn[0][1] if len(drawn) == 1 else Mixed(tuple(drawn))

    def _all(self, joined: AllOf, mode: Mode, turn: Turn) -> Choice | None:
        if joined.whole:
            return self._whole(joined, mode)
        choices = [self.look(member, mode, turn) for member in joined.members]
        available = [choice for choice in choices if choice is not None]
        return join(available, self.decider.pools, self.family) if available else None

    def _whole(self, joined: AllOf, mode: Mode) -> Choice | None:
        """Every endpoint that is usable, whatever minima and failback say: federation names."""
        each = {name: self.decider.see(name, self.family) for name in pools_of(joined)}
        for name, seen in each.items():
            self.note(seen)
            self.trace.setdefault(name, seen.trace)
        ready = [
            (name, seen.answerable if mode is Mode.ALL else seen.usable)
            for name, seen in each.items()
        ]
        return whole(ready, self.family)

    def _pool(self, name: str, mode: Mode, turn: Turn) -> Choice | None:
        seen = self.decider.see(name, self.family)
        self.note(seen)
        if turn is Turn.FIRST and self.hold(seen):
            self.trace.setdefault(name, _held_back(seen.trace))
            return None
        self.trace.setdefault(name, seen.trace)
        if mode not in seen.drawn:
            seen.drawn[mode] = _draw(name, seen, mode, self.family)
        return seen.drawn[mode]

    def hold(self, seen: Seen) -> bool:
        """Return whether a pool is passed over though it is available, and note until when."""
        held = seen.trace.available and seen.trace.name in self.held
        if held and isinstance(self.held, Mapping):
            self.until = min(self.until, self.held[seen.trace.name])
        return held

    def note(self, seen: Seen) -> None:
        """Note that the outcome hangs on a pool."""
        if seen.until < self.until:
            self.until = seen.until
        self.overridden = self.overridden or seen.overridden


def _draw(name: str, seen: Seen, mode: Mode, family: Family) -> Drawn | None:
    """Return the choice among the endpoints of a pool, or None where it is not available."""
    if mode is Mode.MINIMUM and not seen.trace.available:
        return None
    ready = seen.answerable if mode is Mode.ALL else seen.usable
    return draw_from(name, seen.pool, ready, family) if ready else None


def _held_back(trace: PoolTrace) -> PoolTrace:
    reason = f"{trace.reason}, held back (failback)"
    return PoolTrace(trace.name, True, trace.usable, trace.total, trace.needed, reason, held=True)


def _reason(available: bool, total: int, usable: int, needed: int, family: Family) -> str:
    if available:
        return f"{usable} of {total} endpoints usable"
    if not total:
        return f"no IPv{family} endpoint" if family else "no host name"
    return f"{usable} of {total} endpoints usable, {needed} needed"
