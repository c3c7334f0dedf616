"""Endpoints that come back gain their weight in ten steps."""

from math import inf

import pytest

from gtmdns.config.model import Pool
from gtmdns.control.comebacks import Comebacks
from gtmdns.health.condition import FULL

HOME = ("home", "192.0.2.1")
RAMP = 100.0


def back_at(now: float) -> Comebacks:
    comebacks = Comebacks()
    comebacks.see(*HOME, usable=False, now=now - 50)
    comebacks.see(*HOME, usable=True, now=now)
    return comebacks


# fmt: off
STEPS = [
    # seconds since it is back, parts, seconds to the next step
    (0.0,   1, 20.0),
    (5.0,   1, 15.0),
    (19.5,  1, 0.5),
    (20.0,  2, 10.0),
    (29.0,  2, 1.0),
    (55.0,  5, 5.0),
    (99.0,  9, 1.0),
    (100.0, 10, inf),
    (1e6,   10, inf),
]
# fmt: on


@pytest.mark.parametrize(("since", "parts", "left"), STEPS)
def test_steps(since: float, parts: int, left: float) -> None:
    found = back_at(1000.0).parts(*HOME, RAMP, 1000.0 + since)

    assert found == (parts, pytest.approx(left))


def test_each_step_is_there_when_its_time_has_come() -> None:
    """A timer that is set to the next step finds it taken: nothing is stepped over or repeated."""
    comebacks, now, seen = back_at(1234.567), 1234.567, []
    while True:
        parts, left = comebacks.parts(*HOME, 0.7, now)
        seen.append(parts)
        if left == inf:
            break
        assert left > 0
        now += left

    assert seen == list(range(1, FULL + 1))


def test_who_was_never_seen_lost_is_whole() -> None:
    comebacks = Comebacks()
    comebacks.see(*HOME, usable=True, now=5.0)

    assert comebacks.parts(*HOME, RAMP, 5.0) == (FULL, inf)
    assert comebacks.parts("home", "192.0.2.9", RAMP, 5.0) == (FULL, inf)
    assert back_at(1000.0).parts(*HOME, 0.0, 1000.0) == (FULL, inf)


def test_going_again_and_coming_again_begins_anew() -> None:
    comebacks = back_at(1000.0)
    comebacks.see(*HOME, usable=True, now=1050.0)
    assert comebacks.parts(*HOME, RAMP, 1050.0)[0] == 5
    comebacks.see(*HOME, usable=False, now=1060.0)
    assert comebacks.parts(*HOME, RAMP, 1060.0) == (FULL, inf)
    comebacks.see(*HOME, usable=True, now=1070.0)
    assert comebacks.parts(*HOME, RAMP, 1070.0)[0] == 1


def test_what_is_not_configured_is_forgotten() -> None:
    comebacks = back_at(1000.0)
    comebacks.keep_only({"home": Pool(endpoints=("192.0.2.1",))})  # type: ignore[arg-type]
    assert comebacks.parts(*HOME, RAMP, 1000.0)[0] == 1
    comebacks.keep_only({"away": Pool(endpoints=("192.0.2.1",))})  # type: ignore[arg-type]
    assert comebacks.parts(*HOME, RAMP, 1000.0)[0] == FULL
