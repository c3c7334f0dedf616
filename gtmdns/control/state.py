"""What outlives control: verdicts, serials, the number of the generation. One JSON file.

It lies in `server.state_dir` where that is set, and so survives a restart of the
server; else in the runtime folder, where it survives control alone.
"""

import contextlib
import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..health.standing import SavedVerdict
from ..health.verdict import State as VerdictState

FILE = "state.json"
VERSION = 1
MAX_GENERATION = 1 << 63
MAX_SERIAL = (1 << 32) - 1
MAX_TIME = 253_402_300_799  # the end of the year 9999, which `datetime` can still show

Number = TypeVar("Number", int, float)

# What a file with any content may raise; RecursionError: JSON that is nested deeply.
UNUSABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class State:
    """generation: the last one published; serials: as Plan.serials."""

    generation: int = 0
    serials: dict[str, tuple[str, int]] = field(default_factory=dict)
    verdicts: list[SavedVerdict] = field(default_factory=list)


def read_state(folder: Path) -> State:
    """Return what was saved in `folder`; a new state, and a log line, where it cannot be read."""
    path = folder / FILE
    try:
        return _state(json.loads(path.read_text()))
    except FileNotFoundError:
        return State()
    # Whatever stands there, control must start.
    except UNUSABLE as error:
        log.warning("%s cannot be used, beginning without what it held: %s", path, error)
        return State()


def _state(data: Any) -> State:
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']}, expected {VERSION}")
    return State(
        _within("generation", int(data["generation"]), MAX_GENERATION),
        {
            zone: (str(text), _within("serial", int(serial), MAX_SERIAL))
            for zone, (text, serial) in data["serials"].items()
        },
        [_verdict(saved) for saved in data["verdicts"]],
    )


def _within(what: str, value: Number, most: int) -> Number:
    """Return the value. Raises ValueError where nobody could go on from it."""
    if not 0 <= value <= most:  # neither is NaN
        raise ValueError(f"a {what} of {value}, expected 0 to {most}")
    return value


def _verdict(saved: Any) -> SavedVerdict:
    texts = {name: str(saved[name]) for name in ("host", "check", "definition")}
    state = VerdictState(saved["state"]).value
    since = _within("time", float(saved["since"]), MAX_TIME)
    return SavedVerdict(**texts, state=state, since=since)


def write_state(folder: Path, state: State) -> None:
    """Replace the file in one step. Raises OSError."""
    data: dict[str, Any] = {
        "version": VERSION,
        "generation": state.generation,
        "serials": state.serials,
        "verdicts": [asdict(saved) for saved in state.verdicts],
    }
    temporary = folder / (FILE + ".new")
    try:
        temporary.write_text(json.dumps(data))
        os.replace(temporary, folder / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
