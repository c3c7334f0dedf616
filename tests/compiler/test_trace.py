"""A traced decision is the decision, and its steps say what was looked at, and in which order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gtmdns.compiler.decide import Decider
from gtmdns.compiler.outcome import Mode, Turn
from gtmdns.compiler.trace import Step, traced
from gtmdns.config.model import Chain, FallbackPools, Target, Weights, WhenAllDown
from gtmdns.config.targets import pools_of
from tests.compiler.pools import ADDRESS_TARGETS, DEAD, FAMILIES, POOLS, target_of, usable
from tests.compiler.support import LAW

POLICY = st.sampled_from(["serve_all", "empty", "servfail"]) | ADDRESS_TARGETS.map(FallbackPools)


def check_step(step: Step) -> None:
    """A step says of its members what the kind of its target makes of them."""
    for member in step.members:
        assert member.mode is step.mode
        check_step(member)
    found = [member.choice is not None for member in step.members]
    if isinstance(step.target, Chain):
        assert any(found) == (step.choice is not None) == (bool(found) and found[-1])
    elif isinstance(step.target, Weights):
        assert len(found) == len(step.target.members)
        assert any(found) == (step.choice is not None)
    if step.held:
        assert step.turn is Turn.FIRST
        assert step.choice is None


@LAW
@given(
    target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD, barred=DEAD, policy=POLICY,
    held=st.dictionaries(st.sampled_from(sorted(POOLS)), st.floats(0, 100), max_size=4),
)  # fmt: skip
def test_it_decides_the_same_and_tells_how(
    target: Target, family: Any, down: str, barred: str, policy: WhenAllDown, held: dict[str, float]
) -> None:
    decider = Decider(POOLS, usable(down, barred))
    outcome = decider.decide(target, family, policy, held)

    found = traced(decider, target, family, policy, held)

    assert found.outcome == outcome
    assert found.stages[-1].choice == outcome.choice
    assert all(step.choice is None for step in found.stages[:-1])
    for step in found.stages:
        check_step(step)
    assert {seen.name for seen in outcome.trace} == set(found.looked)
    fallback = pools_of(policy.target) if isinstance(policy, FallbackPools) else ()
    assert set(found.looked) <= {*pools_of(target), *fallback}


def test_the_stages_are_told_in_their_order() -> None:
    decider = Decider(POOLS, usable("a1 a2 b1 b2"))

    found = traced(decider, target_of(["a", "b"]), 4, "serve_all")

    assert [step.mode for step in found.stages] == [Mode.MINIMUM, Mode.ANY, Mode.ALL]
    assert [len(step.members) for step in found.stages] == [2, 2, 1]


def test_a_chain_that_looks_twice_has_both_turns() -> None:
    decider = Decider(POOLS, usable("b1 b2"))

    [step] = traced(decider, target_of(["a", "b"]), 4, "serve_all", {"a": 5.0}).stages

    told = [(each.turn, each.held, each.choice is not None) for each in step.members]
    assert told == [
        (Turn.FIRST, True, False), (Turn.FIRST, False, False), (Turn.SECOND, False, True),
    ]  # fmt: skip
