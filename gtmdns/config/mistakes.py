"""What is wrong with a configuration, and where: places, mistakes, and the one error."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

Keys = tuple[str | int, ...]  # path of keys and list indexes: ("pools", "shop", "endpoints", 0)

# Last element of a path that means a key itself rather than its value, as pydantic writes it too.
KEY = "[key]"

MAX_KEYS = 24  # elements of a path that are shown; only nonsense is nested deeper
MANY_NAMES = 2_000  # did-you-mean compares with so many names at most: it must not cost seconds
MAX_HINTED = 64  # characters of a name that is compared


class Place(NamedTuple):
    """A place in a file. Lines and columns count from 1, columns in characters; 0: the line."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")


class Mistake(NamedTuple):
    """One mistake. Mistakes sort by place. `key` is empty where the text is not YAML at all.

    `column` is 0 for a line of a master file.
    """

    file: str
    line: int
    column: int
    key: str  # "pools.shop.endpoints[0].weight"
    problem: str  # what is wrong, and what was expected

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{Place(*self[:3])}: {key}{self.problem}"


class BadConfig(Exception):
    """The files are not a configuration. `mistakes`: one or more, sorted by place.

    `files`: what was looked at before the load gave up, for whoever waits for a repair.
    """

    def __init__(self, mistakes: Iterable[Mistake], files: tuple[Path, ...] = ()) -> None:
        self.mistakes = sorted(mistakes)
        self.files = files
        super().__init__("\n".join(map(str, self.mistakes)))


def mistake_at(place: Place, keys: Keys, problem: str) -> Mistake:
    return Mistake(place.file, place.line, place.column, key_path(keys), problem)


def key_path(keys: Keys) -> str:
    """Return keys as people write them: `pools.shop.endpoints[0].weight`."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys[:MAX_KEYS]]
    if len(keys) > MAX_KEYS:
        parts.append("...")
    return "".join(parts).removeprefix(".")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "port"?` for the nearest of `known`, or nothing."""
    return _nearest(name[:MAX_HINTED], tuple(islice(known, MANY_NAMES)))


@lru_cache(maxsize=256)  # the same slip tends to be in every record
def _nearest(name: str, known: tuple[str, ...]) -> str:
    lowered = name.lower()
    same = [other for other in known if other.lower() == lowered]
    near = same or get_close_matches(name, known, n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""
