"""One record of a zone, from its mapping in the file: RR types, `pools` or `route`, TTL.

RR texts are not read here: the compiler knows the zone that relative names belong to.
"""

from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from ..wire.constants import AAAA, CNAME, A
from .mistakes import KEY, did_you_mean
from .rrtypes import RR_TYPES, UNKNOWN, refusal, type_number, type_text
from .targets import Rule, parse_target
from .values import (
    Checked,
    JsonSchema,
    Problem,
    all_wrong,
    choice,
    integer,
    list_of,
    problems_of,
    read_name,
    shown,
    text,
    wrong,
)

STEERING = ("pools", "route")
LATER_KEYS = ("federate", "failback")
KNOWN_KEYS = (*STEERING, *LATER_KEYS, "ttl", "when_all_down", *RR_TYPES)
ADDRESS_TYPES = (A, AAAA, CNAME)  # what a steered name answers itself

TTL = integer(0, 2**31 - 1, "whole seconds")  # RFC 2181, section 8
RR_TEXTS = list_of(text("a text in presentation format"), "one or more texts", 1, single=True)
ALL_DOWN = choice("serve_all", "empty", "servfail")


def read_ttl(value: Any) -> int:
    if isinstance(value, dict) and value.keys() <= {"min", "max"}:
        raise wrong("a TTL of min and max is not supported yet")
    ttl: int = TTL.read(value)
    return ttl


def read_all_down(value: Any) -> str:
    if isinstance(value, dict) and (value.keys() & {"pools", "cname"}):
        raise wrong("a target of its own is not supported yet")
    policy: str = ALL_DOWN.read(value)
    return policy


WHEN_ALL_DOWN = Checked(read_all_down, ALL_DOWN.schema)
ZONE_TTL = Checked(read_ttl, TTL.schema)


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
            elif key == "ttl":
                fields["ttl"] = read_ttl(item)
            elif key == "when_all_down":
                fields["when_all_down"] = read_all_down(item)
            elif key == "pools":
                target = parse_target(item, problems, ("pools",))
                fields["route"] = (Rule("default", target),) if target else ()
            elif key == "route":
                fields["route"] = _route(item, problems)
            else:
                problems.append(((key, KEY), _unknown_key(key)))
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


def _unknown_key(key: str) -> str:
    if key in LATER_KEYS:
        return "not supported yet"
    return f"neither a known key nor an RR type{did_you_mean(key, KNOWN_KEYS)}"


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
    steering = [key for key in value if key in (*STEERING, "federate")]
    problems: list[Problem] = []
    if not types and not value.keys() & {*STEERING, *LATER_KEYS}:
        problems.append(((), "expected RR types, or pools, or route; the record has none of them"))
    if steering:
        second = f"{steering[0]} is there already; expected only one of them"
        beside = f"cannot stand beside {steering[0]}, which answers this type itself"
        problems += [((key, KEY), second) for key in steering[1:]]
        problems += [
            ((key, KEY), beside) for number, key in types.items() if number in ADDRESS_TYPES
        ]
    if not steering and CNAME in types and len(types) > 1:
        problems.append(
            ((types[CNAME], KEY), "cannot stand beside other types (RFC 2181, section 10.1)")
        )
    if "when_all_down" in value and not steering:
        problems.append((("when_all_down", KEY), "only where there is pools or route"))
    if value.get("when_all_down") == "empty" and "route" in value:
        problem = "empty cannot stand together with route; expected serve_all or servfail"
        problems.append((("when_all_down",), problem))
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
    properties: JsonSchema = dict.fromkeys(RR_TYPES, RR_TEXTS.schema)
    properties |= {"ttl": TTL.schema, "when_all_down": ALL_DOWN.schema}
    properties |= {"pools": target, "route": route}
    steered = dict.fromkeys(map(type_text, ADDRESS_TYPES), False)
    static = {"when_all_down": False}
    return {
        "title": "Record",
        "type": "object",
        "properties": properties,
        "patternProperties": {f"^{UNKNOWN.pattern}$": RR_TEXTS.schema},
        "additionalProperties": False,
        "oneOf": [
            {"required": ["pools"], "properties": {**steered, "route": False}},
            {
                "required": ["route"],
                "properties": {
                    **steered, "pools": False,
                    "when_all_down": {"enum": ["serve_all", "servfail"]},
                },
            },
            {
                "not": {"propertyNames": {"enum": ["ttl", "when_all_down"]}},
                "properties": {**static, "pools": False, "route": False},
            },
        ],
    }  # fmt: skip


__all__ = ["TTL", "WHEN_ALL_DOWN", "ZONE_TTL", "read_record", "record_schema"]
