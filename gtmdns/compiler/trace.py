"""A decision told step by step, for `explain`: the walk of decide.py with notes of where it went.

It is the same walk, so what it decides is what answers are made from.
"""

from collections.abc import Container
from dataclasses import dataclass, field

from ..config.model import Chain, Target, WhenAllDown
from .decide import NOT_HELD, Decider, Seen, Walk, decided
from .draws import Choice, Family
from .outcome import Mode, Outcome, Turn


@dataclass(slots=True)
class Step:
    """One look at a target, and the looks at its members that it took, in their order.

    choice: what it answers; None: it is not available
    held:   it is a pool that is available, and that the chain does not return to yet
    """

    target: Target
    mode: Mode
    turn: Turn
    choice: Choice | None = None
    held: bool = False
    members: list["Step"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Traced:
    """A decision with its walk.

    stages: the looks at whole targets: each but the last found nothing
    looked: names of the pools that were looked at
    """

    outcome: Outcome
    stages: tuple[Step, ...]
    looked: tuple[str, ...]


def traced(
    decider: Decider,
    target: Target,
    family: Family,
    when_all_down: WhenAllDown = "serve_all",
    held: Container[str] = NOT_HELD,
) -> Traced:
    """Decide as `decider` does, and tell how."""
    walk = _TracedWalk(decider, family, held)
    outcome = decided(walk, target, when_all_down)
    return Traced(outcome, tuple(walk.top.members), tuple(walk.looked))


class _TracedWalk(Walk):
    def __init__(self, decider: Decider, family: Family, held: Container[str]) -> None:
        super().__init__(decider, family, held)
        self.top = Step(Chain(()), Mode.MINIMUM, Turn.OUTSIDE)
        self.looked: dict[str, None] = {}
        self._path = [self.top]

    def look(self, target: Target, mode: Mode, turn: Turn = Turn.OUTSIDE) -> Choice | None:
        step = Step(target, mode, turn)
        self._path[-1].members.append(step)
        self._path.append(step)
        step.choice = super().look(target, mode, turn)
        self._path.pop()
        return step.choice

    def note(self, seen: Seen) -> None:
        super().note(seen)
        self.looked[seen.trace.name] = None

    def hold(self, seen: Seen) -> bool:
        held = super().hold(seen)
        self._path[-1].held = held
        return held
