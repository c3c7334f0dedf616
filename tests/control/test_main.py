"""The log of the control process: lines for people, or one JSON object each."""

import json
import logging
import re
import sys

import pytest

from gtmdns.control.__main__ import JsonLines, TextLines


def record(level: int, text: str, *arguments: object, error: bool = False) -> logging.LogRecord:
    trouble = None
    if error:
        try:
            raise ValueError("the cause")
        except ValueError:
            trouble = sys.exc_info()
    return logging.LogRecord("gtmdns.control", level, __file__, 1, text, arguments, trouble)


def test_text() -> None:
    line = TextLines().format(record(logging.WARNING, "pool %s", "home"))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ warning control: pool home", line)


def test_a_traceback_follows_on_its_own_lines() -> None:
    first, *rest = TextLines().format(record(logging.ERROR, "failed", error=True)).splitlines()

    assert first.endswith("error control: failed")
    assert rest[-1] == "ValueError: the cause"


@pytest.mark.parametrize("error", [False, True])
def test_json_is_one_line_whatever_it_says(error: bool) -> None:
    line = JsonLines().format(record(logging.ERROR, 'two\nlines "%s"', "ü", error=error))

    assert "\n" not in line
    entry = json.loads(line)
    assert set(entry) == {"time", "level", "process", "message"}
    assert (entry["level"], entry["process"]) == ("error", "control")
    assert entry["message"].startswith('two\nlines "ü"')
    assert ("ValueError: the cause" in entry["message"]) == error
