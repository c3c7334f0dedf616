"""The table of answers as a witness's health makes it, for explanations: it changes nothing."""

from copy import copy
from functools import cached_property
from typing import Any

from ..answers.answer import Answer
from ..answers.snapshot import Snapshot
from ..compiler.decide import Decider
from ..compiler.octets import Tags, answer_of
from ..compiler.plan import AnswerSpec
from ..compiler.resolved import with_addresses
from ..compiler.trace import Traced, traced
from .witness import Witness


class View:
    """The published answers as a witness sees them.

    snapshot: the published one, with answers decided anew when they are asked for, and
              counters of its own
    pools, conditions: with addresses in place of names that are resolved
    """

    def __init__(self, published: Snapshot, witness: Witness) -> None:
        self.plan = witness.plan
        self.witness = witness
        self.pools, self.conditions = with_addresses(
            self.plan.pools, witness.conditions, witness.resolved
        )
        self.decider = Decider(self.pools, self.conditions)
        self._published = published
        self._traced: dict[int, Traced] = {}
        self._tags = Tags([])

    @cached_property
    def snapshot(self) -> Snapshot:
        view = copy(self._published)
        view.tally = copy(self._published.tally)
        view.answers = _Answers(self)  # type: ignore[assignment]  # all that is read is one item
        return view

    def traced(self, number: int) -> Traced:
        """Return the decision behind an answer that has a spec."""
        if number not in self._traced:
            spec = self.plan.specs[number]
            held = self.witness.held(spec)
            self._traced[number] = traced(
                self.decider, spec.target, spec.family, spec.when_all_down, held
            )
        return self._traced[number]

    def spec(self, number: int) -> AnswerSpec | None:
        """Return what an answer is made from; None: it is static."""
        return self.plan.specs.get(number)

    def answer(self, number: int) -> Answer:
        spec = self.spec(number)
        if spec is None:
            return self._published.answers[number]
        return answer_of(spec, self.traced(number).outcome, self._tags)


class _Answers:
    def __init__(self, view: View) -> None:
        self._view = view

    def __getitem__(self, number: int) -> Any:
        return self._view.answer(number)
