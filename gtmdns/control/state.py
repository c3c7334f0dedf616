"""What outlives control: verdicts, overrides, clocks, serials, the generation. One JSON file.

It lies in `server.state_dir` where that is set, and so survives a restart of the
server; else in the runtime folder, where it survives control alone. What is not in a file of
an earlier version is as if nothing had been.
"""

import contextlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from ..compiler.decide import FAMILIES
from ..compiler.draws import Family
from ..health.overrides import Override
from ..health.standing import SavedVerdict
from ..health.verdict import State as VerdictState
from .failback import Release, SavedClock

FILE = "state.json"
VERSION = 1
MAX_GENERATION = 1 << 63
MAX_SERIAL = (1 << 32) - 1
MAX_TIME = 253_402_300_799  # the end of the year 9999, which `datetime` can still show
MAX_EJECTIONS = 1 << 31

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
    """generation: the last one published; serials: as Plan.serials.

    released:  (record, pool, family) as of `failback`
    addresses: of each host name that control resolves, the last good ones
    """

    generation: int = 0
    serials: dict[str, tuple[str, int]] = field(default_factory=dict)
    verdicts: list[SavedVerdict] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    clocks: list[SavedClock] = field(default_factory=list)
    released: list[Release] = field(default_factory=list)
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)


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


def serials_in(folder: Path) -> dict[str, tuple[str, int]]:
    """Return the serials that were saved in `folder`; none, silently, where there is no state."""
    with contextlib.suppress(*UNUSABLE):
        return _state(json.loads((folder / FILE).read_text())).serials
    return {}


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
        [_override(saved) for saved in data.get("overrides", ())],
        [_clock(saved) for saved in data.get("clocks", ())],
        [_release(saved) for saved in data.get("released", ())],
        {str(host): _addresses(found) for host, found in data.get("addresses", {}).items()},
    )


def _within(what: str, value: Number, most: int) -> Number:
    """Return the value. Raises ValueError where nobody could go on from it."""
    if not 0 <= value <= most:  # neither is NaN
        raise ValueError(f"a {what} of {value}, expected 0 to {most}")
    return value


def _verdict(saved: Any) -> SavedVerdict:
    texts = {name: str(saved[name]) for name in ("host", "check", "definition")}
    return SavedVerdict(
        **texts,
        state=VerdictState(saved["state"]).value,
        since=_moment(saved["since"]),
        ejections=_within("number of ejections", int(saved.get("ejections", 0)), MAX_EJECTIONS),
        ejected_for=_moment(saved.get("ejected_for", 0.0)),
        at=_moment(saved.get("at", 0.0)),
    )


def _override(saved: Any) -> Override:
    address, expires, state = saved["address"], saved["expires"], saved["state"]
    if state not in ("up", "down"):
        raise ValueError(f"an override to {state!r}, expected up or down")
    return Override(
        str(saved["pool"]),
        None if address is None else str(address),
        state,
        str(saved["owner"]),
        str(saved["reason"]),
        _moment(saved["since"]),
        None if expires is None else _moment(expires),
    )


def _clock(saved: Any) -> SavedClock:
    back = saved["back"]
    return SavedClock(
        str(saved["pool"]), _family(saved["family"]), None if back is None else _moment(back)
    )


def _release(saved: Any) -> Release:
    record, pool, family = saved
    return str(record), str(pool), _family(family)


def _family(number: Any) -> Family:
    if number not in FAMILIES:
        raise ValueError(f"a family {number!r}, expected one of {FAMILIES}")
    family: Family = number
    return family


def _addresses(found: Any) -> tuple[str, ...]:
    return tuple(str(ip_address(str(text))) for text in found)


def _moment(seconds: Any) -> float:
    return _within("time", float(seconds), MAX_TIME)


def state_text(state: State) -> str:
    """Return what is written. It takes 20 ms for 5 000 verdicts, and may be done in a thread."""
    data: dict[str, Any] = {
        "version": VERSION,
        "generation": state.generation,
        "serials": state.serials,
        "verdicts": _rows(SavedVerdict, state.verdicts),
        "overrides": _rows(Override, state.overrides),
        "clocks": _rows(SavedClock, state.clocks),
        "released": state.released,
        "addresses": state.addresses,
    }
    return json.dumps(data)


def _rows(kind: Any, items: Sequence[Any]) -> list[dict[str, Any]]:
    """Return flat dataclasses as mappings: a tenth of the time that `asdict` takes."""
    names = [field.name for field in fields(kind)]
    return [{name: getattr(item, name) for name in names} for item in items]


def write_text(folder: Path, text: str) -> None:
    """Replace the file by what `state_text` gave. Raises OSError."""
    temporary = folder / (FILE + ".new")
    try:
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave an empty file under the new name
        os.replace(temporary, folder / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
