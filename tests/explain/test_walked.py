"""Reasons for the way through a target: what was passed over, held back, resorted to."""

from typing import Any

import pytest

from gtmdns.compiler.locations import Place
from gtmdns.config.model import Endpoint, Location, Pool, PoolRef
from gtmdns.explain.walked import Shape, shape_of
from gtmdns.health.standing import Standing
from tests.compiler.judge import apart
from tests.compiler.pools import target_of
from tests.explain.scene import DOWN, told, walk, witness


def test_a_chain_says_what_was_passed_over_and_what_was_not_needed() -> None:
    lost = witness({("192.0.2.1", "web"): DOWN, ("192.0.2.2", "slow"): DOWN})

    assert walk(told("chain")["target"][0]["target"]) == (
        "chain", [("home", "answers"), ("away", "not needed")],
    )  # fmt: skip
    assert walk(told("chain", lost)["target"][0]["target"]) == (
        "chain", [("home", "0 of 2 endpoints usable, 1 needed"), ("away", "answers")],
    )  # fmt: skip


def test_weights_tell_their_shares_as_drawn() -> None:
    [stage] = told("mesh")["target"]

    members = stage["target"]["members"]
    assert [(m["label"], m["weight"], m["exact"], m["taken"]) for m in members] == [
        ("in", 9, "9/10", True), ("out", 1, "1/10", True), ("spare", 0, "0", False),
    ]  # fmt: skip


def test_failback_is_told_with_what_is_left_of_it() -> None:
    held = witness(held={"home": 12.0})
    [stage] = told("chain", held)["target"]
    home = stage["target"]["members"][0]

    assert home["held"]
    assert home["why"] == "2 of 2 endpoints usable, held back by failback for 12 s more"
    forever = told("never", witness(held={"home": float("inf")}))["target"][0]["target"]
    assert forever["members"][0]["why"].endswith("until it is let return")
    gone = told("chain", witness(held={"home": float("inf")}))["target"][0]["target"]
    assert gone["members"][0]["why"].endswith("for 60 s from when it is back")


def test_what_failback_holds_is_taken_where_nothing_else_is_there() -> None:
    seen = witness({("192.0.2.9", "slow"): DOWN}, held={"home": 12.0})

    [stage] = told("chain", seen)["target"]

    assert stage["target"]["why"] == "nothing else is available, so what failback held is taken"
    assert walk(stage["target"])[1][0] == ("home", "answers")


LOST = {("192.0.2.1", "web"): DOWN, ("192.0.2.2", "web"): DOWN}
# fmt: off
ALL_DOWN = [
    # owner, what is down -> stages, what was resorted to, rcode
    ("chain", LOST | {("192.0.2.9", "slow"): DOWN}, ["minimum", "any", "serve_all"], "when_all_down: serve_all", "NOERROR"),
    ("other", LOST, ["minimum", "any", "fallback"], "when_all_down: pools", "NOERROR"),
    ("empty", LOST, ["minimum", "any"], "when_all_down: empty", "NOERROR"),
    ("sorry", LOST, ["minimum", "any"], "when_all_down: CNAME near.example.test.", "NOERROR"),
    ("chain", {}, ["minimum"], None, "NOERROR"),
]
# fmt: on


@pytest.mark.parametrize(("owner", "lost", "stages", "resort", "rcode"), ALL_DOWN)
def test_what_is_resorted_to(
    owner: str, lost: dict[tuple[str, str], Standing], stages: list[str], resort: str, rcode: str
) -> None:
    said = told(owner, witness(lost))

    assert [stage["stage"] for stage in said["target"]] == stages
    assert (said["all_down"], said["rcode"]) == (resort, rcode)


HANGZHOU, BEIJING, FRANKFURT = (30.27, 120.15), (39.9, 116.4), (50.1, 8.7)


def at(place: Place | None) -> Pool:
    location = None if place is None else Location(*place)
    return Pool(endpoints=(Endpoint(address="192.0.2.1"),), location=location)


PLACED = {"h": at(HANGZHOU), "b": at(BEIJING), "f": at(FRANKFURT), "none": at(None)}


def pools_in(shape: Shape) -> Any:
    """Return a shape as nested lists of pools."""
    if isinstance(shape.target, PoolRef):
        return shape.target.pool
    return [pools_in(member) for member in shape.members]


# fmt: off
SHAPES = [
    # target, place of the client -> pools in the order of that client, how far it is to which
    ({"nearest": ["none", "f", ["b", "h"], "h"]}, (30.5, 120.0), ["h", ["b", "h"], "f", "none"], [HANGZHOU, BEIJING, FRANKFURT, None]),
    ({"nearest": ["f", "h"]}, None, ["f", "h"], [None, None]),
    (["f", "h"], (30.5, 120.0), ["f", "h"], []),
]
# fmt: on


@pytest.mark.parametrize(("target", "place", "pools", "sites"), SHAPES)
def test_nearest_is_told_in_the_order_of_the_client(
    target: Any, place: Place | None, pools: Any, sites: list[Place | None]
) -> None:
    shape = shape_of(target_of(target), place, PLACED)

    assert pools_in(shape) == pools
    far = [None if place is None or site is None else apart(place, site) for site in sites]
    assert shape.distances == pytest.approx(tuple(far), abs=0.06)
