"""Log lines of changes: one each in quiet times, few and a sum in a flood."""

import asyncio
import logging

import pytest

from gtmdns.health import lines
from gtmdns.health.lines import LINES, Lines
from gtmdns.health.standing import Standing
from gtmdns.health.verdict import State, Verdict
from tests.health.support import run_fast

KEY = ("192.0.2.1", "web")
UP, DOWN = Standing(Verdict(State.UP, since=60.0)), Standing(Verdict(State.DOWN, since=90.5))
LATER = Standing(Verdict(State.UP, since=4000.0))  # the time of day was set back since


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, lines.__name__)


# fmt: off
CHANGES = [
    # before      after  level      text
    (UP,          DOWN,  "WARNING", "check web: 192.0.2.1 is down since 1970-01-01T00:01:30Z (why), up for 30.5 s before"),
    (LATER,       DOWN,  "WARNING", "check web: 192.0.2.1 is down since 1970-01-01T00:01:30Z (why)"),
    (Standing(),  UP,    "INFO",    "check web: 192.0.2.1 is up since 1970-01-01T00:01:00Z (why)"),
    (DOWN, Standing(),   "INFO",    "check web: 192.0.2.1 is unknown since 1970-01-01T00:00:00Z (why)"),
]
# fmt: on


@pytest.mark.parametrize(("before", "after", "level", "text"), CHANGES)
def test_a_line(
    before: Standing, after: Standing, level: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        Lines().tell(KEY, before, after, "why", 90.5)

    run_fast(story())

    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [(level, text)]


def test_a_flood_is_summed_up_at_the_end_of_its_second(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        told = Lines()
        for number in range(100):
            told.tell(KEY, UP, DOWN, "why", 90.5)
            if number % 4 == 0:
                told.tell(KEY, DOWN, UP, "why", 90.5)
        assert len(caplog.records) == LINES
        await asyncio.sleep(0.99)
        assert len(caplog.records) == LINES
        await asyncio.sleep(0.02)
        assert len(caplog.records) == LINES + 1
        told.tell(KEY, UP, DOWN, "why", 90.5)  # the next second begins
        assert len(caplog.records) == LINES + 2
        await asyncio.sleep(10)
        assert len(caplog.records) == LINES + 2

    run_fast(story())
    sums = [r for r in caplog.records if "more" in r.getMessage()]

    assert [r.getMessage() for r in sums] == ["checks: and 105 more changed: 21 up, 84 down"]
    assert sums[0].levelname == "WARNING"


def test_what_is_counted_is_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        told = Lines()
        for _ in range(LINES + 3):
            told.tell(KEY, DOWN, UP, "why", 90.5)
        told.finish()
        told.finish()
        await asyncio.sleep(5)

    run_fast(story())

    assert caplog.records[-1].getMessage() == "checks: and 3 more changed: 3 up"
    assert caplog.records[-1].levelname == "INFO"
    assert len(caplog.records) == LINES + 1
