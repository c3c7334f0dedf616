"""The answers that workers hold give exactly the shares that `explain` prints: tickets counted."""

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.answers.answer import FIRST_TAG, Fixed, Hashed, Weighted, decode
from gtmdns.compiler.decide import decide
from gtmdns.compiler.draws import Drawn, Family, Mixed
from gtmdns.compiler.octets import Tags, answer_of, hash_key
from gtmdns.compiler.outcome import Outcome
from gtmdns.compiler.plan import AnswerSpec
from gtmdns.config.model import PoolRef, Target, TtlRange
from gtmdns.explain.shares import shares_of
from tests.compiler.pools import (
    ADDRESS_TARGETS,
    ADDRESSES,
    DEAD,
    FAMILIES,
    NAMES,
    POOLS,
    target_of,
    targets,
    usable,
)
from tests.compiler.support import LAW, records_of, shares_held

NAME_TARGETS = targets(["names", "names_w", "more"])


def spec_of(
    target: Target, family: Family, ttl: int = 60, by: str = "default", policy: str = "serve_all"
) -> AnswerSpec:
    return AnswerSpec(target, family, ttl, policy, by)


def decided(spec: AnswerSpec, down: str) -> Outcome:
    return decide(spec.target, spec.family, POOLS, usable(down), spec.when_all_down)


@LAW
@given(target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD)
def test_the_octets_hold_the_shares_that_are_printed(
    target: Target, family: Family, down: str
) -> None:
    spec = spec_of(target, family)
    outcome = decided(spec, down)

    answer = decode(answer_of(spec, outcome, Tags([])).encoded())

    assert shares_held(answer) == (shares_of(outcome.choice) if outcome.choice else {})


@LAW
@given(target=NAME_TARGETS, down=DEAD)
def test_a_cname_is_one_and_its_shares_are_exact(target: Target, down: str) -> None:
    spec = spec_of(target, 0)
    outcome = decided(spec, down)
    answer = answer_of(spec, outcome, Tags([]))

    assert outcome.choice is not None
    assert shares_held(answer) == shares_of(outcome.choice)
    assert sum(shares_held(answer).values()) == 1
    for draw in range(0, 1 << 64, 1 << 59):
        assert len(records_of(answer.choose(draw))) == 1


@LAW
@given(target=ADDRESS_TARGETS, family=FAMILIES, down=DEAD, draw=st.integers(0, 2**64 - 1))
def test_an_answer_holds_different_endpoints_of_one_family_and_one_ttl(
    target: Target, family: Family, down: str, draw: int
) -> None:
    spec = spec_of(target, family, ttl=7)
    chosen = answer_of(spec, decided(spec, down), Tags([])).choose(draw)

    found = records_of(chosen)
    assert len(found) == len(set(found)) == int.from_bytes(chosen[0][0:2])
    assert {(":" in address) for address in found} <= {family == 6}
    octets = chosen[2] or b""
    if octets:
        assert octets[:12] == b"\xc0\x0c\x00" + bytes([28 if family == 6 else 1]) + (
            b"\x00\x01\x00\x00\x00\x07\x00" + bytes([16 if family == 6 else 4])
        )


def test_pool_order_is_shuffled_so_that_each_is_equally_often_first() -> None:
    spec = spec_of(target_of({"all": ["a", "both_b", "c"]}), 4)
    answer = answer_of(spec, decided(spec, ""), Tags([]))

    firsts = dict.fromkeys(("a1", "a2", "b1", "b2", "c1"), 0)
    tickets = answer.tickets  # type: ignore[union-attr]  # a shuffled one
    for ticket in range(tickets):
        first = records_of(answer.choose(-(-(ticket << 64) // tickets)))[0]
        firsts[NAMES[first]] += 1

    assert len(set(firsts.values())) == 1


def test_several_are_drawn_by_weight_in_their_order() -> None:
    """The first of an answer has the share of its weight; draws of splitmix64 are not exact."""
    spec = spec_of(PoolRef("w_two"), 4)
    answer = answer_of(spec, decided(spec, ""), Tags([]))
    chance = Random(20)
    number = 6000

    firsts = [records_of(answer.choose(chance.getrandbits(64)))[0] for _ in range(number)]

    for name, share in (("w1", Fraction(1, 2)), ("w2", Fraction(1, 6)), ("w0", Fraction(1, 3))):
        deviation = 4 * float(number * share * (1 - share)) ** 0.5
        assert abs(firsts.count(ADDRESSES[name]) - number * share) <= deviation


# fmt: off
COUNTED = [
    # target, family, down, by, when_all_down -> rcode, pool, reason of each leaf's tag
    ("a", 4, "", "default", "serve_all",                {(0, "a", "default")}),
    ("a", 4, "", "region", "serve_all",                 {(0, "a", "region")}),
    (["a", "c"], 4, "a1 a2", "region", "serve_all",     {(0, "c", "failover")}),
    ({"a": 1, "c": 1}, 4, "", "default", "serve_all",   {(0, "a", "default"), (0, "c", "default")}),
    ({"a": 1, "c": 1}, 4, "c1", "default", "serve_all", {(0, "a", "failover")}),
    ({"all": ["a", "c"]}, 4, "", "default", "serve_all", {(0, "a+c", "default")}),
    ("a", 4, "a1 a2", "region", "serve_all",            {(0, "a", "all_down")}),
    ("a", 4, "a1 a2", "region", "empty",                {(0, "", "all_down")}),
    ("a", 4, "a1 a2", "region", "servfail",             {(2, "", "all_down")}),
    ("six", 4, "", "region", "servfail",                {(0, "", "region")}),
]
# fmt: on


@pytest.mark.parametrize(("spelling", "family", "down", "by", "policy", "counted"), COUNTED)
def test_what_an_answer_is_counted_as(
    spelling: Any,
    family: Family,
    down: str,
    by: str,
    policy: str,
    counted: set[tuple[int, str, str]],
) -> None:
    spec = spec_of(target_of(spelling), family, by=by, policy=policy)
    tags = Tags([])
    answer = answer_of(spec, decided(spec, down), tags)

    used = {answer.choose(draw)[3] - FIRST_TAG for draw in range(0, 1 << 64, 1 << 58)}
    assert {tags.known[number] for number in used} == counted


@pytest.mark.parametrize(("policy", "rcode"), [("empty", 0), ("servfail", 2)])
def test_an_answer_without_records_carries_its_rcode(policy: str, rcode: int) -> None:
    spec = spec_of(PoolRef("a"), 4, policy=policy)

    chosen = decode(answer_of(spec, decided(spec, "a1 a2"), Tags([])).encoded()).choose(0)

    assert chosen[2] is None
    assert tuple(chosen[0][:2]) == (1, rcode), "all are down"


def test_tags_keep_their_numbers_and_only_grow() -> None:
    tags = Tags([(0, "a", "default")])

    assert tags.number(0, "a", "default") == FIRST_TAG
    assert tags.number(0, "b", "default") == FIRST_TAG + 1
    assert tags.number(0, "b", "default") == FIRST_TAG + 1
    assert Tags(tags.known).number(0, "b", "default") == FIRST_TAG + 1


def test_one_endpoint_needs_no_table() -> None:
    """Nothing is drawn where there is nothing to draw: the quickest kinds of answer are used."""
    one, two = spec_of(PoolRef("c"), 4), spec_of(PoolRef("a"), 4)

    assert isinstance(answer_of(one, decided(one, ""), Tags([])), Fixed)
    assert isinstance(answer_of(two, decided(two, ""), Tags([])), Weighted)


def test_products_of_weights_stay_exact() -> None:
    """A million to one, four times nested: no float is anywhere near."""
    million = 1_000_000
    parts: Any = Drawn(("c",), ("192.0.2.5",), (1,), 1, "ordered")
    other = Drawn(("a",), ("192.0.2.1",), (1,), 1, "ordered")
    for _ in range(4):
        parts = Mixed(((million, parts), (1, other)))
    spec = spec_of(PoolRef("c"), 4)

    held = shares_held(answer_of(spec, Outcome(parts, all_down=False), Tags([])))

    assert held["192.0.2.5"] == Fraction(million, million + 1) ** 4
    assert sum(held.values()) == 1


def test_the_key_of_an_endpoint_is_the_same_in_every_version() -> None:
    """Another one would move the clients of `select: hash` at an upgrade."""
    assert hash_key("192.0.2.1") == 0xFF9D3FE99D5632D5
    assert hash_key("2001:db8::1") == 0x615B9E015024CABA


def test_one_usable_endpoint_is_hashed_for_nobody() -> None:
    spec = spec_of(PoolRef("hashed"), 4)

    assert isinstance(answer_of(spec, decided(spec, ""), Tags([])), Hashed)
    assert not answer_of(spec, decided(spec, "c1 z1"), Tags([])).by_client


@pytest.mark.parametrize(("until", "ttl"), [(2.9, 5), (17.8, 17), (1000.0, 60), (float("inf"), 60)])
def test_every_record_has_the_ttl_of_the_moment(until: float, ttl: int) -> None:
    """In a mixture too, and the CNAME of a fallback."""
    spec = AnswerSpec(target_of({"a": 1, "both_b": 1}), 4, TtlRange(5, 60), "serve_all", "default")
    outcome = replace(decided(spec, ""), until=until)
    alias = Outcome(None, all_down=True, until=until, cname="sorry.test.")

    for draw in range(0, 1 << 64, 1 << 60):
        octets = answer_of(spec, outcome, Tags([])).choose(draw)[2] or b""
        assert {int.from_bytes(octets[at + 6 : at + 10]) for at in range(0, len(octets), 16)} == {
            ttl
        }
    octets = answer_of(spec, alias, Tags([])).choose(0)[2] or b""
    assert octets[2:10] == b"\0\5\0\1" + ttl.to_bytes(4)
    assert records_of(answer_of(spec, alias, Tags([])).choose(0)) == ["sorry.test"]
