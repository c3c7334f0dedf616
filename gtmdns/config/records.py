"""One record of a zone, from its mapping in the file: RR types, `pools` or `route`, TTL.

RR texts are not read here: the compiler knows the zone that relative names belong to.
"""

from dataclasses import dataclass
from math import inf
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from ..wire.constants import AAAA, CNAME, A
from .base import DAY
from .mistakes import KEY, did_you_mean
from .readers import TTL, TTL_OR_RANGE, Ttl, read_ttl
from .rrtypes import RR_TYPES, UNKNOWN, refusal, type_number, type_text
from .targets import FallbackCname, FallbackPools, Rule, WhenAllDown, parse_target
from .values import (
    NAMED,
    JsonSchema,
    Problem,
    all_wrong,
    choice,
    duration,
    expected,
    format_duration,
    is_host_name,
    list_of,
    problems_of,
    read_name,
    shown,
    text,
)


@dataclass(frozen=True, slots=True)
class Failback:
    """How long a pool must have been available before a chain returns to it.

    delay: seconds; infinite: only when the later one fails, or somebody says so
    """

    delay: float = 0.0


STEERING = ("pools", "route", "federate")
KNOWN_KEYS = (*STEERING, "failback", "ttl", "when_all_down", *RR_TYPES)
FEDERATION_TTL = 180
ADDRESS_TYPES = (A, AAAA, CNAME)  # what a steered name answers itself

RR_TEXTS = list_of(text("a text in presentation format"), "one or more texts", 1, single=True)
FEDERATED = list_of(NAMED, "one or more pools", 1)
ALL_DOWN = choice("serve_all", "empty", "servfail")
MAX_DELAY = 7 * DAY
DELAY = duration(0, MAX_DELAY)


def read_all_down(value: Any) -> WhenAllDown:
    """Return what answers where nothing is usable. Raises one error with every problem."""
    if isinstance(value, (FallbackPools, FallbackCname)):
        return value
    if not isinstance(value, dict):
        policy: WhenAllDown = ALL_DOWN.read(value)
        return policy
    known = ("pools", "cname")
    problems: list[Problem] = [
        ((key, KEY), f"unknown key{did_you_mean(key, known)}") for key in value if key not in known
    ]
    fallback: FallbackPools | FallbackCname | None = None
    if len(value.keys() & {*known}) != 1:
        problems.append(((), "expected one of {pools: target} and {cname: name}"))
    elif "cname" in value:
        if _is_cname(value["cname"]):
            fallback = FallbackCname(value["cname"])
        else:
            what = "a host name, relative to the zone or with a final dot"
            problems.append((("cname",), f"expected {what}, got {shown(value['cname'])}"))
    else:
        target = parse_target(value["pools"], problems, ("pools",))
        fallback = FallbackPools(target) if target else None
    if problems or fallback is None:
        raise all_wrong(problems)
    return fallback


def _is_cname(value: Any) -> bool:
    return isinstance(value, str) and is_host_name(value)


def read_failback(value: Any) -> Failback:
    """Read `{delay: 10m}` or `{delay: never}`."""
    if isinstance(value, Failback):
        return value
    if not isinstance(value, dict):
        raise expected("a mapping such as {delay: 10m} or {delay: never}", value)
    problems: list[Problem] = [
        ((key, KEY), f"unknown key{did_you_mean(key, ('delay',))}")
        for key in value
        if key != "delay"
    ]
    delay = value.get("delay", 0.0)
    try:
        delay = inf if delay == "never" else DELAY.read(delay)
    except PydanticCustomError:
        what = f"never, or a duration from 0s to {format_duration(MAX_DELAY)}, such as 10m"
        problems.append((("delay",), f"expected {what}, got {shown(delay)}"))
    if problems:
        raise all_wrong(problems)
    return Failback(delay)


def default_ttl(zone_ttl: Ttl, federated: bool) -> Ttl:
    """Return the TTL of a steered record that has none of its own."""
    return FEDERATION_TTL if federated else zone_ttl


def read_record(value: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `model.Record`. Raises one error with every problem in the record."""
    problems: list[Problem] = []
    fields: dict[str, Any] = {"routed": "route" in value, "rrsets": {}, "route": ()}
    types: dict[int, str] = {}  # how each was written first
    for key, item in value.items():
        number = type_number(key)
        try:
            if number is not None:
                _check_type(key, number, types)
                fields["rrsets"][key] = RR_TEXTS.read(item)
            elif key in READERS:
                fields[key] = READERS[key](item)
            elif key == "pools":
                target = parse_target(item, problems, ("pools",))
                fields["route"] = (Rule("default", target),) if target else ()
            elif key == "route":
                fields["route"] = _route(item, problems)
            else:
                problem = f"neither a known key nor an RR type{did_you_mean(key, KNOWN_KEYS)}"
                problems.append(((key, KEY), problem))
        except (PydanticCustomError, ValidationError) as error:
            problems += [((key, *keys), problem) for keys, problem in problems_of(error)]
    problems += _conflicts(value, types)
    if problems:
        raise all_wrong(problems)
    return fields


def _check_type(key: str, number: int, types: dict[int, str]) -> None:
    """Raise where a type cannot stand there; note it in `types` else."""
    first = types.setdefault(number, key)
    refused = refusal(number)
    if refused is not None:
        raise all_wrong([((KEY,), refused)])
    if first != key:
        raise all_wrong([((KEY,), f"the same type as {first}")])


def _route(value: Any, problems: list[Problem]) -> tuple[Rule, ...]:
    """Read `region: target` lines; `default` is required and last."""
    if not isinstance(value, dict):
        what = "a mapping of regions to targets, with default last"
        problems.append((("route",), f"expected {what}, got {shown(value)}"))
        return ()
    rules = []
    for region, item in value.items():
        if region != "default":
            try:
                read_name(region)
            except PydanticCustomError as error:
                problems.append((("route", region, KEY), error.message()))
        target = parse_target(item, problems, ("route", region))
        if target:
            rules.append(Rule(region, target))
    if "default" not in value:
        problems.append((("route", "default"), "missing; expected as the last rule of a route"))
    elif list(value)[-1] != "default":
        problems.append((("route", "default", KEY), "must be the last rule of its route"))
    return tuple(rules)


def _conflicts(value: dict[str, Any], types: dict[int, str]) -> list[Problem]:
    """Return what cannot stand together in one record, whatever the values are.

    types: the RR types of the record, and how they are written
    """
    steering = [key for key in value if key in STEERING]
    if not steering:
        return _static_conflicts(value, types)
    second = f"{steering[0]} is there already; expected only one of them"
    problems: list[Problem] = [((key, KEY), second) for key in steering[1:]]
    all_down = value.get("when_all_down")
    if "federate" in steering or (isinstance(all_down, dict) and "cname" in all_down):
        key = "federate" if "federate" in steering else "when_all_down: {cname: ...}"
        alone = f"cannot stand beside {key}: a CNAME has no other types (RFC 2181, section 10.1)"
        problems += [((written, KEY), alone) for written in types.values()]
    else:
        beside = f"cannot stand beside {steering[0]}, which answers this type itself"
        problems += [
            ((key, KEY), beside) for number, key in types.items() if number in ADDRESS_TYPES
        ]
    if all_down == "empty" and "route" in value:
        problem = "empty cannot stand together with route; expected serve_all or servfail"
        problems.append((("when_all_down",), problem))
    if "failback" in value and steering == ["federate"]:
        problems.append((("failback", KEY), "only where there is pools or route"))
    return problems


def _static_conflicts(value: dict[str, Any], types: dict[int, str]) -> list[Problem]:
    problems: list[Problem] = []
    if not types:
        what = "RR types, or pools, or route, or federate"
        problems.append(((), f"expected {what}; the record has none of them"))
    if CNAME in types and len(types) > 1:
        problems.append(
            ((types[CNAME], KEY), "cannot stand beside other types (RFC 2181, section 10.1)")
        )
    for key, where in (
        ("when_all_down", "pools, route or federate"),
        ("failback", "pools or route"),
    ):
        if key in value:
            problems.append(((key, KEY), f"only where there is {where}"))
    if isinstance(value.get("ttl"), dict):
        problems.append((("ttl",), "only a steered record follows health; expected whole seconds"))
    return problems


def record_schema(target_ref: str) -> JsonSchema:
    """Return the JSON Schema of a record in a file."""
    target = {"$ref": target_ref}
    route = {
        "type": "object",
        "description": "by client: the first region that contains it, from the top",
        "properties": {"default": target},
        "required": ["default"],
        "propertyNames": {"pattern": "^[A-Za-z0-9._-]+$", "not": {"enum": ["nearest", "all"]}},
        "additionalProperties": target,
    }
    fallbacks = [
        {
            "type": "object",
            "properties": {key: rule},
            "required": [key],
            "additionalProperties": False,
        }
        for key, rule in (("pools", target), ("cname", {"type": "string", "minLength": 1}))
    ]
    failback = {
        "type": "object",
        "properties": {"delay": {"anyOf": [{"const": "never"}, DELAY.schema]}},
        "additionalProperties": False,
    }
    properties: JsonSchema = dict.fromkeys(RR_TYPES, RR_TEXTS.schema)
    properties |= {"ttl": TTL_OR_RANGE.schema, "failback": failback}
    properties |= {"when_all_down": {"anyOf": [ALL_DOWN.schema, *fallbacks]}}
    properties |= {"pools": target, "route": route, "federate": FEDERATED.schema}
    steered = dict.fromkeys(map(type_text, ADDRESS_TYPES), False)
    not_empty = {"not": {"const": "empty"}}
    static = dict.fromkeys((*STEERING, "when_all_down", "failback"), False)
    return {
        "title": "Record",
        "type": "object",
        "properties": properties,
        "patternProperties": {f"^{UNKNOWN.pattern}$": RR_TEXTS.schema},
        "additionalProperties": False,
        "oneOf": [
            {"required": ["pools"], "properties": {**steered, "route": False, "federate": False}},
            {
                "required": ["route"],
                "properties": {
                    **steered, "pools": False, "federate": False, "when_all_down": not_empty,
                },
            },
            {
                "required": ["federate"],
                "propertyNames": {"enum": ["federate", "ttl", "when_all_down"]},
            },
            {
                "not": {"propertyNames": {"enum": ["ttl"]}},
                "properties": {**static, "ttl": TTL.schema},
            },
        ],
    }  # fmt: skip


READERS = {
    "ttl": read_ttl,
    "when_all_down": read_all_down,
    "failback": read_failback,
    "federate": FEDERATED.read,
}
