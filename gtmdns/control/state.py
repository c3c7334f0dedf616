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
from typing import Any

from ..health.standing import SavedVerdict
from ..health.verdict import State as VerdictState

FILE = "state.json"
VERSION = 1

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
    # Whatever stands there, control must start: a value of the wrong kind may raise any of these.
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        log.warning("%s cannot be used, beginning without what it held: %s", path, error)
        return State()


def _state(data: Any) -> State:
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']}, expected {VERSION}")
    return State(
        int(data["generation"]),
        {zone: (str(text), int(serial)) for zone, (text, serial) in data["serials"].items()},
        [_verdict(saved) for saved in data["verdicts"]],
    )


def _verdict(saved: Any) -> SavedVerdict:
    texts = {name: str(saved[name]) for name in ("host", "check", "definition")}
    state = VerdictState(saved["state"]).value
    return SavedVerdict(**texts, state=state, since=float(saved["since"]))


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
