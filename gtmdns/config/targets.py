"""Targets: what a record or a rule leads to (a pool, a chain, weights ...), and their parsing.

Equal spellings give equal values, whichever record they stand in, so a target can be a key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union

from pydantic_core import PydanticCustomError

from .mistakes import KEY, Keys, did_you_mean
from .values import MAX_WEIGHT, JsonSchema, Problem, read_name, shown

Target = Union["PoolRef", "Chain", "Weights", "AllOf", "Nearest"]
MAX_NEAREST = 16  # members of one `nearest`


@dataclass(frozen=True, slots=True)
class PoolRef:
    """One pool."""

    pool: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The first member that is available."""

    members: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One line of weights. `label`: the pool's name, or any name where `to` says the target."""

    label: str
    weight: int
    target: Target


@dataclass(frozen=True, slots=True)
class Weights:
    """Drawn by weight among the members that are available."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """The endpoints of every available member together.

    whole: every usable endpoint of the members whatever their minima, in one answer, as federation
    names have it; no target of a file is so
    """

    members: tuple[Target, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Nearest:
    """A chain that is ordered for each client by distance."""

    members: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a route. `region`: a region's name; `default` is last and takes the rest."""

    region: str
    target: Target


@dataclass(frozen=True, slots=True)
class FallbackPools:
    """What answers a record of which no endpoint of the asked family is usable."""

    target: Target


@dataclass(frozen=True, slots=True)
class FallbackCname:
    """The CNAME of a record of which no endpoint is usable.

    name: relative to the zone unless it ends in a dot
    """

    name: str


WhenAllDown = Literal["serve_all", "empty", "servfail"] | FallbackPools | FallbackCname


def pools_of(target: Target) -> tuple[str, ...]:
    """Return the name of each pool in a target, once each, in the order written."""
    if isinstance(target, PoolRef):
        return (target.pool,)
    members = [m.target if isinstance(m, Member) else m for m in target.members]
    return tuple(dict.fromkeys(name for member in members for name in pools_of(member)))


def parts_of(target: Target, at: Keys) -> Iterator[tuple[Keys, Target]]:
    """Yield the target and everything inside it, each with the keys where it is written.

    at: the keys of the target itself
    """
    yield at, target
    if isinstance(target, Weights):
        for member in target.members:
            direct = member.label == getattr(member.target, "pool", None)
            yield from parts_of(member.target, (*at, member.label, KEY if direct else "to"))
    elif not isinstance(target, PoolRef):
        word = {AllOf: ("all",), Nearest: ("nearest",)}.get(type(target), ())
        for index, part in enumerate(target.members):
            yield from parts_of(part, (*at, *word, index))


def parse_target(value: Any, problems: list[Problem], keys: Keys) -> Target | None:
    """Return the target that `value` spells, or None after adding to `problems`.

    `keys`: where `value` stands, to begin the path of each problem.
    """
    if isinstance(value, str):
        return _pool(value, problems, keys)
    if isinstance(value, list):
        members = _members(value, problems, keys)
        return Chain(members) if members else None
    if not isinstance(value, dict):
        what = "a pool, a list of targets or a mapping of weights"
        problems.append((keys, f"expected {what}, got {shown(value)}"))
        return None
    if "all" in value or "nearest" in value:
        return _special(value, problems, keys)
    if not value:
        problems.append((keys, "expected pools and their weights, got an empty mapping"))
        return None
    lines = [_member(label, line, problems, (*keys, label)) for label, line in value.items()]
    good = tuple(line for line in lines if line)
    return Weights(good) if len(good) == len(lines) else None


def _pool(value: Any, problems: list[Problem], keys: Keys) -> PoolRef | None:
    try:
        return PoolRef(read_name(value))
    except PydanticCustomError as error:
        problems.append((keys, error.message()))
        return None


def _members(value: Any, problems: list[Problem], keys: Keys) -> tuple[Target, ...] | None:
    if not isinstance(value, list) or not value:
        problems.append((keys, f"expected a list of one or more targets, got {shown(value)}"))
        return None
    parts = [parse_target(item, problems, (*keys, index)) for index, item in enumerate(value)]
    good = tuple(part for part in parts if part)
    return good if len(good) == len(parts) else None


def _special(value: dict[str, Any], problems: list[Problem], keys: Keys) -> Target | None:
    """Read `{all: [...]}` or `{nearest: [...]}`."""
    word = "all" if "all" in value else "nearest"
    if len(value) > 1:
        problems.append(
            ((*keys, word, KEY), f'"{word}" stands alone in its mapping; the name is reserved')
        )
        return None
    members = _members(value[word], problems, (*keys, word))
    if word == "all":
        return AllOf(members) if members else None
    if members and len(members) > MAX_NEAREST:
        problem = f"expected at most {MAX_NEAREST} members, got {len(members)}"
        problems.append(((*keys, word), problem))
        return None
    return Nearest(members) if members else None


def _member(label: str, line: Any, problems: list[Problem], keys: Keys) -> Member | None:
    """Read `pool: weight` or `label: {weight: 90, to: target}`."""
    name = _pool(label, problems, (*keys, KEY))
    if not isinstance(line, dict):
        weight = _weight(line, problems, keys)
        return None if weight is None or name is None else Member(label, weight, name)
    known = ("weight", "to")
    problems += [
        ((*keys, key, KEY), f"unknown key{did_you_mean(key, known)}")
        for key in line
        if key not in known
    ]
    form = "missing; expected a mapping {weight: 90, to: target}"
    problems += [((*keys, key), form) for key in known if key not in line]
    weight = _weight(line["weight"], problems, (*keys, "weight")) if "weight" in line else None
    target = parse_target(line["to"], problems, (*keys, "to")) if "to" in line else None
    if name is None or weight is None or target is None:
        return None
    return Member(label, weight, target)


def _weight(value: Any, problems: list[Problem], keys: Keys) -> int | None:
    if type(value) is int and 0 <= value <= MAX_WEIGHT:
        return value
    problems.append((keys, f"expected a weight from 0 to {MAX_WEIGHT}, got {shown(value)}"))
    return None


def target_schema(ref: str) -> JsonSchema:
    """Return the JSON Schema of a target. `ref`: where the schema itself will stand."""
    several = {"type": "array", "minItems": 1, "items": {"$ref": ref}}
    weight = {"type": "integer", "minimum": 0, "maximum": MAX_WEIGHT}
    line = {
        "type": "object",
        "properties": {"weight": weight, "to": {"$ref": ref}},
        "required": ["weight", "to"],
        "additionalProperties": False,
    }
    special = [
        {
            "type": "object",
            "properties": {word: members},
            "required": [word],
            "additionalProperties": False,
        }
        for word, members in (("all", several), ("nearest", several | {"maxItems": MAX_NEAREST}))
    ]
    weights = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {
            "pattern": "^[A-Za-z0-9._-]+$",
            "not": {"enum": ["all", "nearest", "default"]},
        },
        "additionalProperties": {"anyOf": [weight, line]},
    }
    return {
        "title": "Target",
        "description": "a pool, a chain, weights, all or nearest; they nest",
        "anyOf": [{"type": "string", "minLength": 1}, several, *special, weights],
    }
