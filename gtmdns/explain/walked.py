"""A traced decision as plain data: each stage of it, each target, available or passed over and why.

Says again what compiler/trace.py noted; decides nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any

from ..compiler.decide import Decider
from ..compiler.draws import Family, weighed
from ..compiler.locations import Place
from ..compiler.nearest import distance_km, order_of, sites_of
from ..compiler.outcome import Mode, Turn
from ..compiler.plan import AnswerSpec
from ..compiler.trace import Step, Traced
from ..config.model import (
    AllOf,
    FallbackCname,
    FallbackPools,
    Member,
    Nearest,
    Pool,
    PoolRef,
    Target,
    Weights,
    WhenAllDown,
)
from ..config.targets import pools_of

KINDS = {"PoolRef": "pool", "Chain": "chain", "Nearest": "nearest", "Weights": "weights"}
OWN_STAGES = 2  # looks at the target itself before `when_all_down` is asked
STAGES = {
    Mode.MINIMUM: ("minimum", "too few endpoints are usable for min_available"),
    Mode.ANY: ("any", "no endpoint is usable"),
    Mode.ALL: ("serve_all", "overrides bar every endpoint"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A target as it is written, each `nearest` in the order of one client.

    distances: in km, of the members of a `nearest`; None: of that one nothing is known
    """

    target: Target
    members: tuple["Shape", ...] = ()
    distances: tuple[float | None, ...] = ()


def shape_of(target: Target, place: Place | None, pools: Mapping[str, Pool]) -> Shape:
    """Return the shape of a target for a client at this place."""
    if isinstance(target, PoolRef):
        return Shape(target)
    members = tuple(shape_of(each, place, pools) for each in members_of(target))
    if not isinstance(target, Nearest):
        return Shape(target, members)
    sites = sites_of(target, pools)[0]
    order = order_of(place, sites)
    far = [None if place is None or s is None else round(distance_km(place, s), 1) for s in sites]
    return Shape(target, tuple(members[n] for n in order), tuple(far[n] for n in order))


def members_of(target: Target) -> Sequence[Target]:
    """Return what is inside a target, in its order."""
    if isinstance(target, PoolRef):
        return ()
    return [m.target if isinstance(m, Member) else m for m in target.members]


class Telling:
    """Tells one decision.

    held: pools that chains do not return to yet, and for how many seconds more
    """

    def __init__(
        self, spec: AnswerSpec, found: Traced, decider: Decider, held: Mapping[str, float]
    ) -> None:
        self._spec = spec
        self._found = found
        self._decider = decider
        self._family: Family = spec.family
        self._held = held

    def stages(self, written: Shape, fallback: Shape | None) -> list[dict[str, Any]]:
        """Return the looks at whole targets in their order: the last is the one that answers."""
        told = []
        for number, step in enumerate(self._found.stages):
            stage, says = STAGES[step.mode]
            shape = written
            if number >= OWN_STAGES and isinstance(self._spec.when_all_down, FallbackPools):
                stage, says = "fallback", f"of the pools of when_all_down: {says}"
                shape = fallback or Shape(step.target)
            told.append(
                {
                    "stage": stage,
                    "says": says,
                    "available": step.choice is not None,
                    "target": self._node(step, shape),
                }
            )
        return told

    def _node(self, step: Step, shape: Shape) -> dict[str, Any]:
        if isinstance(step.target, PoolRef):
            return self._pool(step.target.pool, step)
        told: dict[str, Any] = {
            "kind": _kind(step.target, shape),
            "available": step.choice is not None,
            "why": "",
            "members": [],
        }
        if isinstance(step.target, Weights):
            told["members"] = self._weights(step, step.target, shape)
        elif isinstance(step.target, AllOf):
            told["members"] = list(self._all(step, shape))
        else:
            told["members"] = list(self._chain(step, shape))
            if any(each.turn is Turn.SECOND for each in step.members) and any(
                each.turn is Turn.FIRST for each in step.members
            ):
                told["why"] = "nothing else is available, so what failback held is taken"
        for member, distance in zip(told["members"], shape.distances, strict=False):
            member["distance_km"] = distance
        return told

    def _pool(self, name: str, step: Step) -> dict[str, Any]:
        told = self._unreached_pool(name)
        told["available"] = step.choice is not None
        if step.held:
            until = _until(self._held.get(name, inf), self._spec.failback)
            told |= {"held": True, "why": f"{told['why']}, held back by failback {until}"}
        return told

    def _unreached_pool(self, name: str) -> dict[str, Any]:
        seen = self._decider.see(name, self._family).trace
        return {"kind": "pool", "pool": name, "available": seen.available, "why": seen.reason}

    def _weights(self, step: Step, target: Weights, shape: Shape) -> list[dict[str, Any]]:
        drawn = weighed(target, [each.choice is not None for each in step.members])
        total = sum(drawn)
        told = []
        rows = zip(target.members, step.members, drawn, _inside(shape, step), strict=True)
        for member, each, weight, inner in rows:
            share = Fraction(weight, total) if total else Fraction(0)
            node = self._node(each, inner)
            node |= {"label": member.label, "weight": member.weight, "taken": weight > 0}
            node |= {"probability": float(share), "exact": str(share)}
            told.append(node)
        return told

    def _all(self, step: Step, shape: Shape) -> Iterator[dict[str, Any]]:
        if isinstance(step.target, AllOf) and step.target.whole:
            for name in pools_of(step.target):
                node = self._unreached_pool(name)
                usable = bool(self._decider.see(name, self._family).usable)
                taken = usable if step.mode is not Mode.ALL else step.choice is not None
                yield node | {"available": usable, "taken": taken}
            return
        for each, inner in zip(step.members, _inside(shape, step), strict=True):
            yield self._node(each, inner) | {"taken": each.choice is not None}

    def _chain(self, step: Step, shape: Shape) -> Iterator[dict[str, Any]]:
        turns = [each for each in step.members if each.turn is step.members[-1].turn]
        shapes = _inside(shape, step)
        for each, inner in zip(turns, shapes, strict=False):
            yield self._node(each, inner) | {"taken": each.choice is not None}
        for rest, inner in list(zip(members_of(step.target), shapes, strict=True))[len(turns) :]:
            yield self._unreached(rest, inner)

    def _unreached(self, target: Target, shape: Shape) -> dict[str, Any]:
        """Return what a walk had no need to look at: how its pools stand."""
        told = {"taken": False, "reached": False}
        if isinstance(target, PoolRef):
            return self._unreached_pool(target.pool) | told
        members = [
            self._unreached(each, inner)
            for each, inner in zip(members_of(target), shape.members, strict=False)
        ]
        available = any(member["available"] for member in members)
        node = {"kind": _kind(target, shape), "available": available, "why": "", "members": members}
        return node | told


def _until(left: float, delay: float | None) -> str:
    """Return for how long a pool is held back. `left`, `delay`: seconds, inf: without end."""
    if left < inf:
        return f"for {left:.0f} s more"
    if delay is None or delay == inf:
        return "until it is let return"
    return f"for {delay:.0f} s from when it is back"


def _inside(shape: Shape, step: Step) -> Sequence[Shape]:
    """Return the shapes of the members of a step; plain ones where they are not known."""
    targets = members_of(step.target)
    return shape.members if len(shape.members) == len(targets) else list(map(Shape, targets))


def _kind(target: Target, shape: Shape) -> str:
    if isinstance(target, AllOf):
        return "federation" if target.whole else "all"
    return KINDS[type(shape.target if isinstance(shape.target, Nearest) else target).__name__]


def fallback_of(when_all_down: WhenAllDown) -> Target | None:
    """Return the target of `when_all_down`, where it has one."""
    return when_all_down.target if isinstance(when_all_down, FallbackPools) else None


def all_down_told(spec: AnswerSpec, found: Traced) -> str | None:
    """Return what was resorted to, as nothing was available; None: something was."""
    outcome = found.outcome
    if outcome.cname is not None:
        return f"when_all_down: CNAME {outcome.cname}"
    if not outcome.all_down:
        return None
    if outcome.choice is None:
        if spec.when_all_down in ("servfail", "empty"):
            return f"when_all_down: {spec.when_all_down}"
        if isinstance(spec.when_all_down, FallbackCname):
            return "when_all_down: its CNAME waits, as the other family has usable endpoints"
        if outcome.servfail:
            return "overrides bar every endpoint: SERVFAIL"
        return "when_all_down: its pools lack this family"
    if len(found.stages) <= OWN_STAGES:
        return "minima ignored"
    policy = "serve_all" if spec.when_all_down == "serve_all" else "pools"
    return f"when_all_down: {policy}"
