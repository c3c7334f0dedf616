"""One record of a zone, from its mapping in the file: RR types, `pools` or `route`, TTL.

RR texts are not read here: the compiler knows the zone that relative names belong to.
"""

from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from .mistakes import KEY, did_you_mean
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

RR_TYPES = ("A", "AAAA", "CNAME", "NS", "MX", "TXT", "SRV", "CAA", "PTR")
LATER_RR_TYPES = (
    "AFSDB", "APL", "CDNSKEY", "CDS", "CERT", "CSYNC", "DHCID", "DNAME", "DNSKEY", "DS", "EUI48",
    "EUI64", "HINFO", "HIP", "HTTPS", "IPSECKEY", "KX", "LOC", "NAPTR", "NSEC", "NSEC3",
    "NSEC3PARAM", "OPENPGPKEY", "RP", "RRSIG", "SMIMEA", "SPF", "SSHFP", "SVCB", "TLSA", "URI",
    "ZONEMD",
)  # fmt: skip
STEERING = ("pools", "route")
LATER_KEYS = ("federate", "failback")
KNOWN_KEYS = (*STEERING, *LATER_KEYS, "ttl", "when_all_down", *RR_TYPES)
ADDRESS_TYPES = ("A", "AAAA", "CNAME")  # what a steered name answers itself

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
    for key, item in value.items():
        try:
            if key in RR_TYPES:
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
    problems += _conflicts(value)
    if problems:
        raise all_wrong(problems)
    return fields


def _unknown_key(key: str) -> str:
    if key in LATER_KEYS or key in LATER_RR_TYPES:
        return "not supported yet"
    if key == "SOA":
        return "a zone's SOA is made from its contact, serial, ttl and negative_ttl"
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


def _conflicts(value: dict[str, Any]) -> list[Problem]:
    """Return what cannot stand together in one record, whatever the values are."""
    steering = [key for key in value if key in (*STEERING, "federate")]
    types = [key for key in value if key in RR_TYPES or key in LATER_RR_TYPES]
    problems: list[Problem] = []
    if not value.keys() & {*KNOWN_KEYS, *LATER_RR_TYPES} - {"ttl", "when_all_down"}:
        problems.append(((), "expected RR types, or pools, or route; the record has none of them"))
    if steering:
        second = f"{steering[0]} is there already; expected only one of them"
        beside = f"cannot stand beside {steering[0]}, which answers this type itself"
        problems += [((key, KEY), second) for key in steering[1:]]
        problems += [((key, KEY), beside) for key in types if key in ADDRESS_TYPES]
    if not steering and "CNAME" in value and len(types) > 1:
        problems.append(
            (("CNAME", KEY), "cannot stand beside other types (RFC 2181, section 10.1)")
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
    steered = dict.fromkeys(ADDRESS_TYPES, False)
    static = {"when_all_down": False}
    return {
        "title": "Record",
        "type": "object",
        "properties": properties,
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
                "anyOf": [{"required": [rr_type]} for rr_type in RR_TYPES],
                "properties": {**static, "pools": False, "route": False},
            },
        ],
    }  # fmt: skip


__all__ = ["RR_TYPES", "TTL", "WHEN_ALL_DOWN", "ZONE_TTL", "read_record", "record_schema"]
