"""What people say of endpoints: which of it wins, and when it ends."""

from dataclasses import replace
from math import inf

import pytest

from gtmdns.health.overrides import Override, Overrides

NOW, WALL = 1_000.0, 1_800_000_000.0


def said(
    state: str, address: str | None = None, lasts: float | None = 60.0, pool: str = "home"
) -> Override:
    expires = None if lasts is None else WALL + lasts
    return Override(pool, address, state, "me", "why", WALL, expires)  # type: ignore[arg-type]


def holding(*overrides: Override) -> Overrides:
    made = Overrides()
    for override in overrides:
        made.put(override, NOW, WALL)
    return made


# fmt: off
WINS = [
    # the pool's, the endpoint's                 what decides of 192.0.2.1
    ("nothing is said",     None,   None,   None),
    ("the pool is down",    "down", None,   "down"),
    ("the pool is up",      "up",   None,   "up"),
    ("the endpoint is down", None,  "down", "down"),
    ("the endpoint is up",  None,   "up",   "up"),
    ("down beats its up",   "down", "up",   "down"),
    ("down, and its down",  "down", "down", "down"),
    ("its down beats up",   "up",   "down", "down"),
    ("up, and its up",      "up",   "up",   "up"),
]
# fmt: on


@pytest.mark.parametrize(
    ("pool", "endpoint", "wins"), [row[1:] for row in WINS], ids=[row[0] for row in WINS]
)
def test_what_wins(pool: str | None, endpoint: str | None, wins: str | None) -> None:
    overrides = holding(
        *([said(pool)] if pool else ()), *([said(endpoint, "192.0.2.1")] if endpoint else ())
    )

    ruling = overrides.ruling("home", "192.0.2.1")

    assert (None if ruling is None else ruling.override.state) == wins
    other = overrides.ruling("home", "192.0.2.2")
    assert (None if other is None else other.override.state) == pool
    assert overrides.ruling("away", "192.0.2.1") is None


def test_the_end_is_that_of_what_decides() -> None:
    overrides = holding(said("down", lasts=60), said("up", "192.0.2.1", lasts=10))

    assert overrides.next_end() == NOW + 10
    ruling = overrides.ruling("home", "192.0.2.1")
    assert ruling is not None
    assert ruling.ends == NOW + 60


def test_they_end_in_their_time_and_never_where_never_was_said() -> None:
    short, long, never = said("down", lasts=10), said("up", "192.0.2.1"), said("up", "a", None)
    overrides = holding(short, long, never)

    assert overrides.drop_ended(NOW + 9.9) == []
    assert overrides.drop_ended(NOW + 10) == [short]
    assert overrides.drop_ended(NOW + 10) == []
    assert overrides.drop_ended(NOW + 1e9) == [long]
    assert len(overrides) == 1
    assert overrides.next_end() == inf
    assert holding().next_end() == inf


def test_a_new_one_takes_the_place_of_the_old_one_of_its_target() -> None:
    overrides = holding(said("down", lasts=10), said("up", lasts=99))

    assert len(overrides) == 1
    assert overrides.next_end() == NOW + 99
    dropped = overrides.drop(("home", None))
    assert dropped is not None
    assert dropped.state == "up"
    assert overrides.drop(("home", None)) is None


@pytest.mark.parametrize("step", [86_400.0, -86_400.0, -WALL])
def test_setting_the_clock_neither_ends_nor_prolongs(step: float) -> None:
    """While the process runs, time is what passed, and what is shown follows the clock."""
    override = said("down", lasts=3600)
    overrides = holding(override)

    assert overrides.drop_ended(NOW + 1800) == []
    (told,) = overrides.all(NOW + 1800, WALL + 1800 + step)
    assert told == replace(override, expires=WALL + step + 3600)
    assert overrides.drop_ended(NOW + 3600) == [override]


def test_what_is_shown_is_what_was_said_while_clocks_agree() -> None:
    override = said("down")
    overrides = holding(override, said("up", "192.0.2.1", None))

    assert overrides.all(NOW + 5, WALL + 5.3)[0] == override
    assert [each.address for each in overrides.all(NOW, WALL)] == [None, "192.0.2.1"]


def test_what_was_saved_ends_by_the_time_of_day() -> None:
    """A restart: other monotonic seconds, and an hour of the two is over."""
    again = Overrides()
    again.put(said("down", lasts=7200), 5.0, WALL + 3600)

    assert again.next_end() == 5.0 + 3600
    assert again.drop_ended(5.0 + 3600)


def test_trying_one_on_changes_nothing() -> None:
    overrides = holding(said("up"))
    trial = overrides.trial()
    trial.put(said("down"), NOW, WALL)

    assert [each.state for each in overrides.all(NOW, WALL)] == ["up"]
    assert [each.state for each in trial.all(NOW, WALL)] == ["down"]
