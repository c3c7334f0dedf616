"""Files to one tree: a folder's `*.yaml`, and what `include` names, merged.

Mappings merge at every depth; a leaf or a list that is set twice is a mistake that names both
places. Each file is read once, however often it is named. Names that begin with a dot are passed
over, so the `..data` links of a Kubernetes ConfigMap do not count twice. `builtin:NAME` includes
a preset that comes with gtmdns.
"""

import glob
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import gtmdns

from .mistakes import Keys, Mistake, Place, did_you_mean, mistake_at
from .yaml import Node, read_yaml

MAX_OCTETS = 64 * 2**20  # all files together; 100 000 records are about 5 MiB
MAX_FILES = 10_000  # files that one glob may match
BUILTIN = "builtin:"  # begins the name of a preset


class Sources:
    """What was read: one tree (None: nothing), each file and folder looked at, the mistakes.

    `base`: the folder that relative paths in the configuration are relative to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.base = path.parent
        self._merger: Merger | None = None
        self._mistakes: list[Mistake] = []
        self._files: dict[Path, None] = {}
        self._read: set[Path] = set()
        self._octets_left = MAX_OCTETS

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(self._files)

    @property
    def tree(self) -> Node | None:
        return self._merger.tree if self._merger else None

    @property
    def mistakes(self) -> list[Mistake]:
        return self._mistakes + (self._merger.mistakes if self._merger else [])

    def read(self) -> None:
        """Read everything. Raises nothing: what goes wrong is in `mistakes`."""
        if not os.path.isdir(self.path):  # Path.is_dir raises where a folder above is closed to us
            self._read_file(self.path, ())
            return
        self.base = self.path
        self._files[self.path] = None
        try:
            names = sorted(self.path.iterdir())
        except OSError as error:
            self._wrong_file(self.path, _os_problem(error))
            return
        chosen = [path for path in names if _is_configuration(path)]
        if not chosen:
            self._wrong_file(self.path, "a folder without a *.yaml file")
        for path in chosen:
            self._read_file(path, ())

    def _wrong_file(self, path: Path, problem: str) -> None:
        self._mistakes.append(Mistake(str(path), 1, 1, "", problem))

    def _read_file(self, path: Path, including: tuple[Path, ...]) -> None:
        """Read one file and what it includes. `including`: the real paths that lead here."""
        real = _real(path)
        if real in self._read:
            return
        self._read.add(real)
        self._files[path] = None
        octets = self._octets(path)
        if octets is None:
            return
        node, mistakes = read_yaml(octets, str(path))
        self._mistakes += mistakes
        if node is None:
            if not mistakes:
                self._wrong_file(path, "empty; expected a mapping with a key zones")
            return
        if not isinstance(node.value, dict):
            empty = "empty; " if node.value is None else ""
            problem = f"{empty}expected a mapping at the top level, such as zones: ..."
            self._mistakes.append(mistake_at(node.place, (), problem))
            return
        include = node.value.pop("include", None)
        if self._merger is None:
            self._merger = Merger(node)
        else:
            self._merger.add(node)
        if include is not None:
            self._include(include, path, (*including, real))

    def _octets(self, path: Path) -> bytes | None:
        """Return the content of a regular file, or None after a mistake. Never blocks on a pipe."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                self._wrong_file(path, "not a regular file")
                return None
            with path.open("rb") as file:
                octets = file.read(self._octets_left + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            self._wrong_file(path, _os_problem(error))
            return None
        if len(octets) > self._octets_left:
            problem = f"too large; all files together may have {MAX_OCTETS // 2**20} MiB"
            self._wrong_file(path, problem)
            return None
        self._octets_left -= len(octets)
        return octets

    def _include(self, include: Node, path: Path, including: tuple[Path, ...]) -> None:
        if not isinstance(include.value, list):
            problem = "expected a list of file names or globs"
            self._mistakes.append(mistake_at(include.place, ("include",), problem))
            return
        for index, item in enumerate(include.value):
            keys = ("include", index)
            if not isinstance(item.value, str) or not item.value or "\0" in item.value:
                problem = "expected a file name or a glob, such as zones/*.yaml"
                self._mistakes.append(mistake_at(item.place, keys, problem))
            elif item.value.startswith(BUILTIN):
                self._include_preset(item.value.removeprefix(BUILTIN), item.place, keys)
            else:
                self._include_glob(item.value, item.place, keys, path, including)

    def _include_preset(self, name: str, place: Place, keys: Keys) -> None:
        presets = {path.stem: path for path in sorted(_presets().glob("*.yaml"))}
        if name in presets:
            self._read_file(presets[name], ())
            return
        near = did_you_mean(name, presets) or f"; there are {', '.join(presets)}"
        self._mistakes.append(mistake_at(place, keys, f'no preset "{name}"{near}'))

    def _include_glob(
        self, pattern: str, place: Place, keys: Keys, path: Path, including: tuple[Path, ...]
    ) -> None:
        for folder in _folders(path.parent, pattern):
            self._files[folder] = None
        matches = sorted(islice(_matches(path, pattern), MAX_FILES + 1))
        if len(matches) > MAX_FILES:
            self._mistakes.append(mistake_at(place, keys, f"matches more than {MAX_FILES} files"))
            return
        if not matches:
            self._mistakes.append(mistake_at(place, keys, f'"{pattern}" matches no file'))
        for match in matches:
            real = _real(match)
            if real in including:
                loop = " -> ".join(map(str, (*including[including.index(real) :], real)))
                self._mistakes.append(mistake_at(place, keys, f"a file includes itself: {loop}"))
            else:
                self._read_file(match, including)


class Merger:
    """Merges mappings into one tree, without a change to nodes that aliases may share."""

    def __init__(self, tree: Node) -> None:
        self.mistakes: list[Mistake] = []
        self._owned: set[int] = set()  # ids of nodes made here: only these are changed
        self.tree = self._own(tree)

    def add(self, other: Node) -> None:
        self._merge(self.tree, other, ())

    def _own(self, node: Node) -> Node:
        """Return a mapping that may be changed: the node itself, or a shallow copy."""
        if id(node) in self._owned or not isinstance(node.value, dict):
            return node
        copy = Node(dict(node.value), node.place, dict(node.key_places))
        self._owned.add(id(copy))
        return copy

    def _merge(self, into: Node, other: Node, keys: Keys) -> None:
        if not (isinstance(into.value, dict) and isinstance(other.value, dict)):
            raise TypeError("only mappings merge")
        for key, node in other.value.items():
            mine = into.value.get(key)
            if mine is None or (mine.value is None and isinstance(node.value, dict)):
                into.value[key] = node
                into.key_places[key] = other.key_places[key]
            elif isinstance(mine.value, dict) and isinstance(node.value, dict):
                into.value[key] = owned = self._own(mine)
                self._merge(owned, node, (*keys, key))
            elif not (node.value is None and isinstance(mine.value, dict)):
                problem = f"set twice; first set at {into.key_places[key]}"
                self.mistakes.append(mistake_at(other.key_places[key], (*keys, key), problem))


def _presets() -> Path:
    """Return the folder of the presets: beside the package's code, else in the tree."""
    package = Path(gtmdns.__file__).parent
    installed = package / "geoip" / "presets"
    return installed if installed.is_dir() else package.parent / "geoip" / "presets"


def _matches(path: Path, pattern: str) -> Iterator[Path]:
    """Yield the files that `pattern` in the file `path` names; a glob never names its own file."""
    own = _real(path) if glob.has_magic(pattern) else None
    for name in glob.iglob(pattern, root_dir=path.parent, recursive=True):
        match = path.parent / name
        if not os.path.isdir(match) and _real(match) != own:
            yield match


def _folders(base: Path, pattern: str) -> list[Path]:
    """Return the folders whose listing decides what `pattern` matches, as far as they are plain."""
    parts = Path(pattern).parts
    fixed = next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return [base.joinpath(*parts[:fixed])]


def _is_configuration(path: Path) -> bool:
    return path.suffix == ".yaml" and not path.name.startswith(".") and not os.path.isdir(path)


def _real(path: Path) -> Path:
    """Return the path without links; a loop of links or a NUL leaves it as it is."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def _os_problem(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return f"cannot be read: {reason[:1].lower()}{reason[1:]}"
