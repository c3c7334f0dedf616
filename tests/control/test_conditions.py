"""Verdicts, overrides and comebacks put together into how each endpoint stands."""

from math import inf
from typing import Any

import pytest

from gtmdns.compiler.plan import Plan
from gtmdns.config.model import Admin, HealthCheck, Pool, Server
from gtmdns.control.comebacks import Comebacks
from gtmdns.control.conditions import Moment
from gtmdns.health.condition import FULL, WELL, Condition
from gtmdns.health.overrides import Override, Overrides
from gtmdns.health.standing import CheckKey, Standing
from gtmdns.health.verdict import State, Verdict

NOW = 1_000.0
UP = Standing(Verdict(State.UP))
SHAKEN = Standing(Verdict(State.UP, counted=2))
DOWN = Standing(Verdict(State.DOWN))
RISING = Standing(Verdict(State.DOWN, counted=1))
EJECTED = Standing(Verdict(State.DOWN, ejections=1, ejected_until=NOW + 45))
UNKNOWN = Standing()

FIRST, SECOND = "192.0.2.1", "192.0.2.2"
PLAN = Plan(
    server=Server(),
    admin=Admin(),
    pools={
        "home": Pool.model_validate(
            {
                "endpoints": [FIRST, SECOND],
                "health_check": ["web", "ssh"],
                "select": "weighted",
                "ramp": 100.0,
            }
        ),
        "plain": Pool.model_validate({"endpoints": [FIRST]}),
    },
    health_checks={
        "web": HealthCheck(type="http", interval=10.0, fall=3, rise=2),
        "ssh": HealthCheck(type="tcp", port=22, interval=60.0, fall=1, rise=1),
    },
)


def moment(
    web: Standing | None = UP,
    ssh: Standing | None = UP,
    overrides: Overrides | None = None,
    comebacks: Comebacks | None = None,
) -> Moment:
    """Return the conditions where the checks of FIRST stand so, and SECOND is not watched."""
    standings: dict[CheckKey, Standing | None] = {(FIRST, "web"): web, (FIRST, "ssh"): ssh}
    return Moment(PLAN, standings.get, overrides or Overrides(), comebacks or Comebacks(), NOW)


# fmt: off
VERDICTS = [
    # web, ssh, usable, seconds in which that could change
    ("both up: the sooner",          UP,      UP,      True,  30.0),
    ("two failures: one is missing", SHAKEN,  UP,      True,  10.0),
    ("one result is enough for ssh", UP,      UNKNOWN, True,  30.0),
    ("nothing known",                UNKNOWN, UNKNOWN, True,  10.0),
    ("nobody watches",               None,    None,    True,  inf),
    ("one is down",                  DOWN,    UP,      False, 20.0),
    ("it needs one more",            RISING,  UP,      False, 10.0),
    ("both down: the later",         DOWN,    DOWN,    False, 60.0),
    ("ejected for longer",           EJECTED, UP,      False, 45.0),
]
# fmt: on


@pytest.mark.parametrize(
    ("web", "ssh", "usable", "until"), [row[1:] for row in VERDICTS], ids=[r[0] for r in VERDICTS]
)
def test_verdicts(web: Standing | None, ssh: Standing | None, usable: bool, until: float) -> None:
    now = moment(web, ssh)

    assert now["home"] == (Condition(usable, until=until), WELL)
    assert now["plain"] == (WELL,)
    assert now.usable("home", PLAN.pools["home"], PLAN.pools["home"].endpoints[0]) is usable


def overridden(*said: tuple[str | None, str, float | None]) -> Overrides:
    made = Overrides()
    for address, state, lasts in said:
        expires = None if lasts is None else 5_000.0 + lasts
        override = Override("home", address, state, "me", "why", 5_000.0, expires)  # type: ignore[arg-type]
        made.put(override, NOW, 5_000.0)
    return made


def forced(up: bool, until: float = inf) -> Condition:
    return Condition(up, not up, True, FULL, until)


# fmt: off
OVERRIDES: list[Any] = [
    ("down beats the verdict",         UP,   [(FIRST, "down", 99.0)],                     forced(False, 99.0)),
    ("up beats the verdict",           DOWN, [(FIRST, "up", None)],                       forced(True)),
    ("the pool is down",               UP,   [(None, "down", 5.0)],                       forced(False, 5.0)),
    ("the pool is up",                 DOWN, [(None, "up", 5.0)],                         forced(True, 5.0)),
    ("the pool's down beats its up",   UP,   [(None, "down", 5.0), (FIRST, "up", 1.0)],   forced(False, 5.0)),
    ("its down beats the pool's up",   UP,   [(None, "up", 5.0), (FIRST, "down", 1.0)],   forced(False, 1.0)),
    ("another endpoint's is not its",  UP,   [(SECOND, "down", 5.0)],                     Condition(until=30.0)),
]
# fmt: on


@pytest.mark.parametrize(
    ("web", "said", "found"), [row[1:] for row in OVERRIDES], ids=[row[0] for row in OVERRIDES]
)
def test_overrides(web: Standing, said: Any, found: Condition) -> None:
    now = moment(web, overrides=overridden(*said))

    assert now["home"][0] == found
    assert now["plain"] == (WELL,)


def back(since: float) -> Comebacks:
    comebacks = Comebacks()
    comebacks.see("home", FIRST, usable=False, now=NOW - since - 1)
    comebacks.see("home", FIRST, usable=True, now=NOW - since)
    return comebacks


def test_comebacks() -> None:
    assert moment(comebacks=back(25.0))["home"][0] == Condition(parts=2, until=5.0)
    assert moment(DOWN, comebacks=back(25.0))["home"][0] == Condition(False, until=20.0)
    assert moment(comebacks=back(100.0))["home"][0] == Condition(until=30.0)
    up = overridden((FIRST, "up", None))
    assert moment(overrides=up, comebacks=back(25.0))["home"][0] == forced(True)
    assert moment(comebacks=back(25.0)).next_step("home") == 5.0
    assert moment(comebacks=back(100.0)).next_step("home") == inf
    assert moment(comebacks=back(25.0)).next_step("plain") == inf


def test_what_counts_down_is_what_comes_without_a_result() -> None:
    assert moment().countdown("home") == inf
    assert moment(DOWN).countdown("home") == inf
    assert moment(EJECTED).countdown("home") == 45.0
    assert moment(overrides=overridden((SECOND, "down", 7.0))).countdown("home") == 7.0
    assert moment(comebacks=back(25.0)).countdown("home") == 5.0
    # An override decides: what is ejected below it changes nothing.
    assert moment(EJECTED, overrides=overridden((FIRST, "up", 80.0))).countdown("home") == 80.0


def test_it_is_a_mapping_of_all_pools() -> None:
    now = moment()

    assert dict(now) == {"home": now["home"], "plain": now["plain"]}
    assert len(now) == 2
    with pytest.raises(KeyError):
        now["nowhere"]
