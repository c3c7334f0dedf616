"""Laws of decisions. The model here says again, in another way, what docs/decisions.md says."""

from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.compiler.decide import Decider, decide
from gtmdns.compiler.draws import Choice, Drawn
from gtmdns.compiler.outcome import Outcome
from gtmdns.config.model import (
    Chain,
    Endpoint,
    FallbackCname,
    FallbackPools,
    Member,
    PoolRef,
    Target,
    Weights,
    WhenAllDown,
)
from gtmdns.explain.shares import shares_of
from gtmdns.health.condition import Conditions
from tests.compiler.pools import ADDRESS_TARGETS, ADDRESSES, DEAD, FAMILIES, POOLS, draws, usable
from tests.compiler.support import LAW

Mixture = list[tuple[Fraction, dict[str, int], int, bool]]  # share, weights, how many, by weight


def up_in(name: str, family: int, up: Conditions) -> list[Endpoint]:
    pairs = zip(POOLS[name].endpoints, up[name], strict=True)
    return [e for e, condition in pairs if condition.usable and e.family == family]


def model(target: Target, family: int, up: Conditions, minima: bool) -> Mixture:
    """Return the mixture of draws that `target` stands for; empty where it is not available."""
    if isinstance(target, PoolRef):
        pool, endpoints = POOLS[target.pool], up_in(target.pool, family, up)
        total = sum(endpoint.family == family for endpoint in pool.endpoints)
        wanted = pool.min_available
        percent = wanted.percent if wanted.percent is not None else 0
        needed = wanted.count if wanted.count is not None else max(1, -(-percent * total // 100))
        if not endpoints or (minima and len(endpoints) < needed):
            return []
        weighted = pool.select in ("weighted", "hash")
        weights = {e.address: (e.weight or 0) if weighted else 1 for e in endpoints}
        positive = {address: weight for address, weight in weights.items() if weight}
        weights = positive or dict.fromkeys(weights, 1)
        return [(Fraction(1), weights, min(pool.max_answers, len(weights)), weighted)]
    if isinstance(target, Chain):
        each = [model(member, family, up, minima) for member in target.members]
        return next(filter(None, each), [])
    if isinstance(target, Weights):
        found = [(m.weight, model(m.target, family, up, minima)) for m in target.members]
        live = [(weight, mixture) for weight, mixture in found if mixture]
        live = [pair for pair in live if pair[0]] or [(1, mixture) for _, mixture in live]
        total = sum(weight for weight, _ in live)
        return [
            (share * weight / total, *rest) for weight, mixture in live for share, *rest in mixture
        ]  # type: ignore[misc]
    joined: Mixture = [(Fraction(1), {}, 8, False)]
    members = [found for m in target.members if (found := model(m, family, up, minima))]
    for mixture in members:
        joined = [
            (one * other, {**mine, **theirs}, 8, False)
            for one, mine, _, _ in joined
            for other, theirs, _, _ in mixture
        ]
    return [(s, dict.fromkeys(w, 1), min(8, len(w)), False) for s, w, _, _ in joined if members]


def model_shares(mixture: Mixture) -> dict[str, Fraction]:
    """Return how likely each address is in an answer, every order of draws by weight walked."""
    shares: dict[str, Fraction] = {}

    def walk(left: dict[str, int], take: int, share: Fraction) -> None:
        for address, weight in left.items() if take else ():
            part = share * weight / sum(left.values())
            shares[address] = shares.get(address, Fraction(0)) + part
            walk({a: w for a, w in left.items() if a != address}, take - 1, part)

    for share, weights, take, by_weight in mixture:
        if not by_weight:
            for address in weights:
                part = share * Fraction(take, len(weights))
                shares[address] = shares.get(address, Fraction(0)) + part
        else:
            walk(weights, take, share)
    return shares


@LAW
@given(target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD)
def test_decisions_are_those_of_the_model(target: Target, family: Any, down: str) -> None:
    up = usable(down)
    everything = usable("")

    outcome = decide(target, family, POOLS, up)

    expected = (
        model(target, family, up, minima=True)
        or model(target, family, up, minima=False)
        or model(target, family, everything, minima=False)
    )
    told = {} if outcome.choice is None else shares_of(outcome.choice)
    assert told == model_shares(expected)
    assert outcome.all_down == (bool(expected) and not model(target, family, up, minima=True))


WHEN_ALL_DOWN = st.sampled_from(
    ["serve_all", "empty", "servfail", FallbackCname("sorry.test.")]
) | ADDRESS_TARGETS.map(FallbackPools)


def of_family(target: Target, family: int) -> set[str]:
    return {
        endpoint.address
        for seen in all_pools(target)
        for endpoint in POOLS[seen].endpoints
        if endpoint.family == family
    }


@LAW
@given(
    target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD, barred=DEAD,
    held=st.sets(st.sampled_from(sorted(POOLS))), policy=WHEN_ALL_DOWN,
)  # fmt: skip
def test_nothing_down_is_answered_while_anything_of_the_family_is_usable(
    target: Target, family: Any, down: str, barred: str, held: set[str], policy: WhenAllDown
) -> None:
    """In the whole target, spares and pools below their minimum included.

    And never what an override bars, whatever is usable.
    """
    out = {ADDRESSES[name] for name in barred.split()}
    dead = out | {ADDRESSES[name] for name in down.split()}
    outcome = decide(target, family, POOLS, usable(down, barred), policy, held)

    there, answered = of_family(target, family), addresses(outcome)
    assert not answered & out
    if there - dead:
        assert answered
        assert answered <= there - dead
        assert outcome.cname is None
    elif not there:
        assert not answered
        assert not outcome.servfail
    elif policy == "serve_all":
        assert answered <= there
        assert bool(answered) == bool(there - out) == (not outcome.servfail)
    elif isinstance(policy, FallbackPools):
        spare = of_family(policy.target, family)
        assert answered <= (spare - dead or spare)
        assert outcome.servfail == (bool(spare) and not spare - out)
        assert bool(answered) == bool(spare - out)
    elif isinstance(policy, FallbackCname):
        other = of_family(target, 4) | of_family(target, 6)
        assert outcome.cname == (None if other - dead else "sorry.test.")
        assert not answered
    else:
        assert not answered
        assert outcome.servfail == (policy == "servfail")


def addresses(outcome: Outcome) -> set[str]:
    return {address for drawn in draws(outcome.choice) for address in drawn.addresses}


@LAW
@given(
    target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD,
    held=st.sets(st.sampled_from(sorted(POOLS))),
)  # fmt: skip
def test_what_is_held_back_answers_only_where_it_is_told(
    target: Target, family: Any, down: str, held: set[str]
) -> None:
    """Being held back never empties an answer, and a target without a chain knows none of it."""
    free = decide(target, family, POOLS, usable(down))
    kept = decide(target, family, POOLS, usable(down), held=held)

    assert (kept.choice is None) == (free.choice is None)
    assert kept.all_down == free.all_down
    used = {name for drawn in draws(kept.choice) for name in drawn.pools}
    assert kept.returned <= used & held
    if isinstance(target, Chain) and not kept.all_down:
        assert used & held == kept.returned
    if not has_chain(target):
        assert kept.choice == free.choice
        assert not kept.returned


def has_chain(target: Target) -> bool:
    if isinstance(target, PoolRef):
        return False
    members = (m.target if isinstance(m, Member) else m for m in target.members)
    return isinstance(target, Chain) or any(map(has_chain, members))


@settings(LAW, max_examples=60)
@given(target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD, policy=WHEN_ALL_DOWN)
def test_one_decider_for_many_decides_as_one_for_each(
    target: Target, family: Any, down: str, policy: WhenAllDown
) -> None:
    """What it keeps of a pool from one decision serves the next: nothing leaks between them."""
    conditions = usable(down)
    decider = Decider(POOLS, conditions)
    for other in (4, 6, 0):
        for name in POOLS:
            decider.decide(Chain((PoolRef(name), target)), other, policy)  # type: ignore[arg-type]

    assert decider.decide(target, family, policy) == decide(
        target, family, POOLS, conditions, policy
    )


def all_pools(target: Target) -> set[str]:
    if isinstance(target, PoolRef):
        return {target.pool}
    members = (m.target if isinstance(m, Member) else m for m in target.members)
    return set().union(*map(all_pools, members))


@LAW
@given(target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD)
def test_shares_add_up_to_what_one_answer_holds(target: Target, family: Any, down: str) -> None:
    choice = decide(target, family, POOLS, usable(down)).choice

    def taken(choice: Choice) -> Fraction:
        if isinstance(choice, Drawn):
            assert 1 <= choice.take <= len(choice.addresses) == len(choice.weights)
            assert len(set(choice.addresses)) == len(choice.addresses)
            assert min(choice.weights) > 0
            return Fraction(choice.take)
        total = sum(weight for weight, _ in choice.parts)
        return sum((taken(part) * weight / total for weight, part in choice.parts), Fraction(0))

    if choice is not None:
        shares = shares_of(choice)
        assert sum(shares.values()) == taken(choice)
        assert all(0 < share <= 1 for share in shares.values())
