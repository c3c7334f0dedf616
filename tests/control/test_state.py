"""What outlives control, and what becomes of it when the disk does not help."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from gtmdns.control.failback import SavedClock
from gtmdns.control.state import FILE, State, read_state
from gtmdns.health.overrides import Override
from gtmdns.health.standing import SavedVerdict
from tests.control.support import write_state

STATE = State(
    generation=42,
    serials={"example.test": ("abc", 1_800_000_000), "other.test": ("def", 7)},
    verdicts=[
        SavedVerdict("192.0.2.1", "web", "0123", "down", 1_800_000_000.5),
        SavedVerdict("n1.example.net", "web", "0123", "up", 0.0, 3, 41.5, 1_800_000_001.0),
    ],
    overrides=[
        Override("home", None, "down", "me", "why", 1_800_000_000.0, 1_800_003_600.0),
        Override("home", "2001:db8::1", "up", "me", "why", 1_800_000_000.0, None),
    ],
    clocks=[SavedClock("home", 4, 1_800_000_000.0), SavedClock("away", 6, None)],
    released=[("www.example.test", "home", 4)],
    addresses={"back.example.net": ("192.0.2.1", "2001:db8::1")},
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)

    assert read_state(tmp_path) == STATE
    assert os.listdir(tmp_path) == [FILE]


def test_nothing_there_is_a_new_state_and_no_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_state(tmp_path) == State()
    assert read_state(tmp_path / "no folder") == State()
    assert not caplog.records


def test_a_file_of_the_version_before_is_read(tmp_path: Path) -> None:
    """It has no overrides, clocks, releases and addresses, and verdicts without ejections."""
    (tmp_path / FILE).write_text(json.dumps(good()))

    assert read_state(tmp_path) == State(
        3, {"example.test": ("abc", 7)}, [SavedVerdict("h", "c", "d", "up", 1.0)]
    )


OVERRIDE = {
    "pool": "home", "address": None, "state": "down", "owner": "o", "reason": "r", "since": 1.0,
    "expires": 2.0,
}  # fmt: skip


def good() -> dict[str, Any]:
    return {
        "version": 1,
        "generation": 3,
        "serials": {"example.test": ["abc", 7]},
        "verdicts": [{"host": "h", "check": "c", "definition": "d", "state": "up", "since": 1.0}],
    }


def broken(**changes: Any) -> str:
    return json.dumps({**good(), **changes})


# fmt: off
BROKEN = [
    ("empty",                  ""),
    ("half of it",             broken()[:40]),
    ("no JSON",                "generation: 3"),
    ("not text",               "\x00\x01"),
    ("a list",                 "[]"),
    ("a number",               "7"),
    ("of a later version",     broken(version=2)),
    ("without a version",      "{}"),
    ("a generation in words",  broken(generation="three")),
    ("an endless generation",  broken(generation=float("inf"))),
    ("serials as a list",      broken(serials=["abc"])),
    ("a serial alone",         broken(serials={"example.test": 7})),
    ("verdicts as a number",   broken(verdicts=7)),
    ("a verdict in words",     broken(verdicts=["down"])),
    ("a verdict of no state",  broken(verdicts=[{**good()["verdicts"][0], "state": "fine"}])),
    ("a verdict without host", broken(verdicts=[{"state": "up", "since": 1.0}])),
    ("nested deeply",          "[" * 200_000),
    ("a negative generation",  broken(generation=-1)),
    ("a huge generation",      broken(generation=1e300)),
    ("a serial of 33 bits",    broken(serials={"example.test": ["abc", 1 << 32]})),
    ("a negative serial",      broken(serials={"example.test": ["abc", -1]})),
    ("a verdict of the future", broken(verdicts=[{**good()["verdicts"][0], "since": 1e300}])),
    ("a verdict at NaN",       broken(verdicts=[{**good()["verdicts"][0], "since": float("nan")}])),
    ("a negative ejection",    broken(verdicts=[{**good()["verdicts"][0], "ejected_for": -1}])),
    ("too many ejections",     broken(verdicts=[{**good()["verdicts"][0], "ejections": 1 << 40}])),
    ("an override to nothing", broken(overrides=[{**OVERRIDE, "state": "off"}])),
    ("an override for ever",   broken(overrides=[{**OVERRIDE, "expires": float("inf")}])),
    ("half an override",       broken(overrides=[{"pool": "home"}])),
    ("a clock in words",       broken(clocks=[{"pool": "home", "family": 4, "back": "soon"}])),
    ("a clock of no family",   broken(clocks=[{"pool": "home", "family": 5, "back": None}])),
    ("a release of one",       broken(released=[["www"]])),
    ("an address that is none", broken(addresses={"a.test": ["nowhere"]})),
    ("a verdict of no time",   broken(verdicts=[{**good()["verdicts"][0], "since": None}])),
]
# fmt: on


@pytest.mark.parametrize("text", [case[1] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_file_is_left_aside_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """Control must start whatever stands there; the good file is the proof of the broken ones."""
    (tmp_path / FILE).write_text(json.dumps(good()))
    assert read_state(tmp_path).generation == 3

    (tmp_path / FILE).write_text(text)

    with caplog.at_level(logging.WARNING):
        assert read_state(tmp_path) == State()
    assert "cannot be used" in caplog.text
    assert FILE in caplog.text


def test_octets_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe{}")

    assert read_state(tmp_path) == State()


def test_a_folder_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_state(tmp_path / "nowhere", STATE)


def test_a_write_that_fails_leaves_the_old_state_and_no_litter(tmp_path: Path) -> None:
    write_state(tmp_path, State(generation=1))
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / FILE).mkdir()  # a folder where the file should go

    with pytest.raises(OSError, match="directory"):
        write_state(tmp_path / "blocked", STATE)

    assert os.listdir(tmp_path / "blocked") == [FILE]
    assert read_state(tmp_path).generation == 1
