"""YAML text to a tree of nodes that know their place, by the YAML 1.2 core schema.

PyYAML only cuts the text into events here; what they mean is decided below. Keys are always
texts, as written. A duplicate key, a key that is not a scalar, an unknown tag and a second
document are mistakes. Aliases share the node they name, and what they would expand to is counted
before anybody walks it, so a few lines cannot become a billion values.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import yaml

from .mistakes import Keys, Mistake, Place, mistake_at
from .scalars import TAG, BadScalar, Scalar, plain_scalar, tagged_scalar

MAX_DEPTH = 64  # nested collections; routes and targets need fewer than ten
KEY_IS_TEXT = "a key must be a text; a mapping or a list cannot be a key"
MAX_VALUES = 8_000_000  # of one file; about 1.5 GB of nodes, and a million records
MAX_EXPANDED = 1_000_000  # values that all aliases of a file may stand for together

# What YAML does not allow in its text (YAML 1.2.2, section 5.1, c-printable).
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# libyaml is about twenty times as fast as PyYAML's own parser, where it was built in.
PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


NO_KEYS: dict[str, Place] = {}  # of all scalars and lists together; never written to


class Node:
    """A value and where it stands. `size` counts the values in it, aliases expanded.

    `value`: a scalar, a list of nodes, or a mapping by key; `key_places` says where its keys are.
    """

    __slots__ = ("key_places", "place", "size", "value")

    def __init__(
        self,
        value: "Scalar | list[Node] | dict[str, Node]",
        place: Place,
        key_places: dict[str, Place] | None = None,
    ) -> None:
        self.value = value
        self.place = place
        self.size = 1
        self.key_places = NO_KEYS if key_places is None else key_places


def read_yaml(octets: bytes, file: str) -> tuple[Node | None, list[Mistake]]:
    """Return the tree of one document and every mistake in its syntax.

    The tree is None where the text could not be read to its end. `file` is for places only.
    """
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place_of(octets[: error.start].decode("utf-8", "replace"), file)
        return None, [mistake_at(place, (), "not UTF-8 text")]
    if found := UNPRINTABLE.search(text):
        problem = f"character U+{ord(found[0]):04X} is not allowed in YAML"
        return None, [mistake_at(_place_of(text[: found.start()], file), (), problem)]
    composer = _Composer(file)
    try:
        for event in _events(text):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        composer.mistakes.append(_parser_mistake(error, file))
    except _Refused as refusal:
        composer.mistakes.append(refusal.mistake)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # an escape beyond Unicode
        composer.mistakes.append(Mistake(file, 1, 1, "", f"not YAML: {error}"))
    else:
        return composer.root, composer.mistakes
    return None, composer.mistakes


def plain(node: Node) -> Any:
    """Return the tree as plain scalars, lists and dicts."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return value


def _events(text: str) -> Iterator[Any]:
    parser = PARSER(text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _place_of(before: str, file: str) -> Place:
    """Return the place after the text `before`."""
    return Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _parser_mistake(error: yaml.MarkedYAMLError, file: str) -> Mistake:
    mark = error.problem_mark or error.context_mark
    problem = " ".join(text for text in (error.context, error.problem) if text)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Mistake(file, line, column, "", f"not YAML: {problem}")


class _Refused(Exception):
    """Reading on would cost too much."""

    def __init__(self, mistake: Mistake) -> None:
        self.mistake = mistake


class _Open:
    """A collection whose end has not come yet: a mapping, or else a list."""

    __slots__ = ("anchor", "items", "key", "mapping", "node")

    def __init__(self, place: Place, anchor: str | None, mapping: bool) -> None:
        self.anchor = anchor
        self.items: list[Node] = []
        self.mapping: dict[str, Node] | None = {} if mapping else None
        self.key: tuple[str, Place] | None = None  # the key that waits for its value
        self.node = Node(self.mapping if mapping else self.items, place, {} if mapping else None)

    @property
    def wants_key(self) -> bool:
        return self.mapping is not None and self.key is None


class _Composer:
    """Builds the tree from events, one at a time."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.mistakes: list[Mistake] = []
        self.anchors: dict[str, Node] = {}
        self.open: list[_Open] = []
        self.values = 0
        self.expanded = 0
        self.documents = 0
        self.steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._mapping_start,
            yaml.SequenceStartEvent: self._list_start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.DocumentStartEvent: self._document,
        }

    def take(self, event: Any) -> None:
        step = self.steps.get(type(event))
        if step:
            step(event)

    def _place(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _keys(self) -> Keys:
        """Return the path to the value that comes next, or to the mapping whose key comes next."""
        return tuple(
            level.key[0] if level.key else len(level.items)
            for level in self.open
            if not level.wants_key
        )

    def _wrong(self, place: Place, problem: str) -> None:
        self.mistakes.append(mistake_at(place, self._keys(), problem))

    def _refuse(self, place: Place, problem: str) -> NoReturn:
        raise _Refused(mistake_at(place, self._keys(), problem))

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self._refuse(
                self._place(event), "a second YAML document; a configuration file is one document"
            )

    def _scalar(self, event: Any) -> None:
        place = self._place(event)
        if event.style == '"' and (found := UNPRINTABLE.search(event.value)):
            self._wrong(place, f"character U+{ord(found[0]):04X} is not allowed in a text")
        is_key = bool(self.open) and self.open[-1].wants_key
        value: Scalar = event.value
        try:
            if event.tag is not None:
                value = tagged_scalar(event.value, event.tag)
            elif not event.style and not is_key:
                value = plain_scalar(event.value)
        except BadScalar as error:
            self._wrong(place, str(error))
        node = Node(event.value if is_key else value, place)
        if event.anchor:
            self.anchors[event.anchor] = node
        if not is_key:
            self._add(node)
            return
        if event.value == "<<" and not event.style:
            self._wrong(place, "merge keys (<<) are not part of YAML 1.2; write the keys out")
        self.open[-1].key = (event.value, place)

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        node = self.anchors.get(event.anchor)
        if node is None:
            inside = any(level.anchor == event.anchor for level in self.open)
            why = "stands inside what it names" if inside else "has no anchor before it"
            self._refuse(place, f"alias *{event.anchor} {why}")
        self.expanded += node.size
        if self.expanded > MAX_EXPANDED:
            self._refuse(place, f"aliases stand for more than {MAX_EXPANDED} values in all")
        if not (self.open and self.open[-1].wants_key):
            self._add(node)
        elif isinstance(node.value, str):
            self.open[-1].key = (node.value, place)
        else:
            self._refuse(place, KEY_IS_TEXT)

    def _mapping_start(self, event: Any) -> None:
        self._start(event, TAG + "map", mapping=True)

    def _list_start(self, event: Any) -> None:
        self._start(event, TAG + "seq", mapping=False)

    def _start(self, event: Any, own_tag: str, mapping: bool) -> None:
        place = self._place(event)
        if self.open and self.open[-1].wants_key:
            self._refuse(place, KEY_IS_TEXT)
        if event.tag not in (None, "!", own_tag):
            self._wrong(place, f"tags such as {event.tag.replace(TAG, '!!')} are not read")
        if len(self.open) >= MAX_DEPTH:
            self._refuse(place, f"nested more than {MAX_DEPTH} deep")
        self.open.append(_Open(place, event.anchor, mapping))

    def _end(self, _event: Any) -> None:
        ended = self.open.pop()
        if ended.anchor:
            self.anchors[ended.anchor] = ended.node
        self._add(ended.node)

    def _add(self, node: Node) -> None:
        """Put a complete value where it belongs."""
        self.values += 1
        if self.values > MAX_VALUES:
            self._refuse(node.place, f"more than {MAX_VALUES} values in one file")
        if not self.open:
            self.root = node
            return
        level = self.open[-1]
        level.node.size += node.size
        if level.mapping is None or level.key is None:
            level.items.append(node)
            return
        key, place = level.key
        if key in level.mapping:
            first = level.node.key_places[key]
            self._wrong(place, f"set twice; first set in line {first.line}, column {first.column}")
        else:
            level.mapping[key] = node
            level.node.key_places[key] = place
        level.key = None
