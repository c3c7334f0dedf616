"""The JSON Schema against files, by a small judge of its own that reads nothing of gtmdns.

The judge knows the words that the schema uses, and refuses a word that it does not know.
"""

import json
import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

import gtmdns
from gtmdns.config.model import FILE, Config
from gtmdns.config.schema import json_schema
from gtmdns.config.yaml import plain, read_yaml

CONFIG = Path(gtmdns.__file__).parent.parent / "config"
SCHEMA = json.loads(json.dumps(json_schema()))

KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
TALK = {"title", "description", "default", "$schema", "$defs"}


def is_kind(value, kind):
    if kind in ("integer", "number"):
        kinds = (int,) if kind == "integer" else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, KINDS[kind])


def matches(value, schema):
    """Whether `value` is valid (JSON Schema 2020-12, the words used here)."""
    if isinstance(schema, bool):
        return schema
    return all(holds(word, rule, value, schema) for word, rule in schema.items())


def holds(word, rule, value, schema):
    a_map, a_list, a_text = (isinstance(value, kind) for kind in (dict, list, str))
    rules = {
        "$ref": lambda: matches(value, SCHEMA["$defs"][rule.removeprefix("#/$defs/")]),
        "type": lambda: is_kind(value, rule),
        "enum": lambda: value in rule,
        "const": lambda: value == rule,
        "anyOf": lambda: any(matches(value, one) for one in rule),
        "oneOf": lambda: sum(matches(value, one) for one in rule) == 1,
        "not": lambda: not matches(value, rule),
        "pattern": lambda: not a_text or re.search(rule, value),
        "minLength": lambda: not a_text or len(value) >= rule,
        "minimum": lambda: not is_kind(value, "number") or value >= rule,
        "maximum": lambda: not is_kind(value, "number") or value <= rule,
        "minItems": lambda: not a_list or len(value) >= rule,
        "maxItems": lambda: not a_list or len(value) <= rule,
        "prefixItems": lambda: not a_list or all(map(matches, value, rule)),
        "items": lambda: not a_list or all(matches(item, rule) for item in value),
        "minProperties": lambda: not a_map or len(value) >= rule,
        "required": lambda: not a_map or set(rule) <= value.keys(),
        "propertyNames": lambda: not a_map or all(matches(key, rule) for key in value),
        "properties": lambda: not a_map
        or all(matches(value[key], one) for key, one in rule.items() if key in value),
        "patternProperties": lambda: not a_map
        or all(matches(value[key], one) for key in value for pattern, one in rule.items() if re.search(pattern, key)),
        "additionalProperties": lambda: not a_map
        or all(
            matches(value[key], rule)
            for key in value.keys() - schema.get("properties", {}).keys()
            if not any(re.search(pattern, key) for pattern in schema.get("patternProperties", {}))
        ),
    }  # fmt: skip
    return word in TALK or bool(rules[word]())


@pytest.mark.parametrize(
    "path", sorted(CONFIG.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONFIG))
)
def test_shipped_files_are_valid(path):
    assert matches(yaml.safe_load(path.read_text()), SCHEMA)


ZONE = "zones: {z: {nameservers: {ns1: [192.0.2.1]}, contact: a@b, records: {r: %s}}}"
# fmt: off
VALID = [
    "server: {workers: auto, startup_wait: 500ms, nsid: null, tcp: {idle_timeout: 5}}",
    "server: {workers: 4, listen: ['127.0.0.1:53'], log: {level: debug}}",
    "server: {nsid: edge-1, version: null, cookies: {secret_file: secrets}}",
    "include: [zones/*.yaml]",
    "admin: {listen: null}",
    "pools: {a: {endpoints: [192.0.2.1, {address: x.example, weight: 3, health_check: [a]}], min_available: 50%}}",
    "pools: {a: {endpoints: [192.0.2.1], health_check: null, location: null, locality: null}}",
    "health_checks: {a: {type: http, interval: 1.5s, expect_status: [200, 300-399]}}",
    "health_checks: {a: {type: https, expect_body: ok, eject: {base: 1m}, verify_tls: false, host: x}}",
    "health_checks: {a: {type: icmp}, b: {type: push, token_file: x}, c: {type: tls, port: 5, host: x}}",
    "health_checks: {a: {type: dns, query: x, query_type: A, expect_rcode: NXDOMAIN, expect_answer: [192.0.2.1]}}",
    "health_checks: {a: {type: grpc, port: 5, tls: true, service: '', verify_tls: true}}",
    "server: {isolation: null}",
    "server: {isolation: {canaries: ['192.0.2.1:443'], share: 30%, window: 1m}}",
    "pools: {a: {endpoints: [{address: x.example, resolve: true}], select: hash, ramp: 5m}}",
    "pools: {a: {endpoints: [192.0.2.1], location: [30, -120.5], locality: {region: r, zone: z}}}",
    "zones: {z: {zone_file: x, ttl: {min: 1, max: 60}, transfer_to: [192.0.2.0/24]}}",
    ZONE % "{pools: {nearest: [a, [b, c]]}, ttl: {min: 1, max: 60}, failback: {delay: 5m}}",
    ZONE % "{pools: [a, b], failback: {delay: never}, when_all_down: {pools: [c, {d: 1}]}}",
    ZONE % "{route: {default: a}, when_all_down: {cname: x.example.}, failback: {}}",
    ZONE % "{federate: [a, b], ttl: 5, when_all_down: servfail}",
    "regions: {a: {countries: ['NO'], match: all}}",
    ZONE % "{pools: a}",
    ZONE % "{pools: [a, {b: 1, c: {weight: 2, to: {all: [a, [b]]}}}], TXT: x, ttl: 5}",
    ZONE % "{route: {x: a, default: [b]}, when_all_down: servfail}",
    ZONE % "{A: [192.0.2.1, 192.0.2.2], TXT: x}",
    ZONE % "{HTTPS: 1 ., TYPE4711: x, NSAP-PTR: x}",
    ZONE % "{DNAME: x.example.}",
    "zones: {z: {zone_file: x}}",
    "zones: {z: {nameservers: {ns1: [192.0.2.1]}, contact: a@b, zone_file: null}}",
    "zones: {z: {contact: a@b, zone_file: x, records: {r: {TXT: x}}}}",
]
INVALID = [
    "server: {workers: many}",
    "server: {listn: []}",
    "server: {startup_wait: 5x}",
    "server: {nsid: ''}",
    "server: {cookies: {secret: x}}",
    "server: {listen: []}",
    "server: {udp_payload: 5000}",
    "include: x",
    "pools: {default: {endpoints: []}}",
    "pools: {a: {endpoints: [{weight: 3}]}}",
    "pools: {a: {endpoints: [192.0.2.1], health_checks: x}}",
    "pools: {a: {endpoints: [192.0.2.1], min_available: 0%}}",
    "pools: {a b: {endpoints: [192.0.2.1]}}",
    "health_checks: {a: {type: icmp, port: 5}}",
    "health_checks: {a: {type: push}}",
    "health_checks: {a: {type: tls}}",
    "health_checks: {a: {type: dns, path: /}}",
    "health_checks: {a: {type: tcp, port: 5, expect_body: x}}",
    "health_checks: {a: {type: http, eject: {bse: 5}}}",
    "health_checks: {a: {type: http, service: x}}",
    "server: {isolation: {share: 30%}}",
    "server: {isolation: {canaries: [x]}}",
    "pools: {a: {endpoints: [192.0.2.1], location: [30]}}",
    "pools: {a: {endpoints: [192.0.2.1], location: [30, 181]}}",
    "pools: {a: {endpoints: [192.0.2.1], locality: {region: r}}}",
    "pools: {a: {endpoints: [192.0.2.1], locality: {region: r.s, zone: z}}}",
    "zones: {z: {zone_file: x, ttl: {min: 1}}}",
    ZONE % "{A: 192.0.2.1, ttl: {min: 1, max: 60}}",
    ZONE % "{A: 192.0.2.1, failback: {delay: 5m}}",
    ZONE % "{pools: a, failback: {delay: soon}}",
    ZONE % "{pools: a, when_all_down: {pools: b, cname: c}}",
    ZONE % "{pools: a, when_all_down: {}}",
    ZONE % "{federate: []}",
    ZONE % "{federate: [a], TXT: x}",
    ZONE % "{federate: [a], pools: a}",
    ZONE % "{federate: [a], failback: {delay: 5m}}",
    ZONE % "{pools: {nearest: []}}",
    ZONE % "{pools: {nearest: [a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a]}}",
    "health_checks: {a: {port: 5}}",
    "regions: {a: {countries: [Norway]}}",
    "zones: {z: {contact: a@b}}",
    "zones: {z: {contact: a@b, zone_file: null}}",
    ZONE % "{NSEC: x}",
    ZONE % "{TYPE05: x}",
    ZONE % "{TYPE4711: 5}",
    "zones: {}",
    ZONE % "{}",
    ZONE % "{ttl: 5}",
    ZONE % "{pools: a, A: 192.0.2.1}",
    ZONE % "{pools: a, route: {default: a}}",
    ZONE % "{pools: {nearest: [a], b: 1}}",
    ZONE % "{pools: {a: -1}}",
    ZONE % "{pools: {a: {weight: 1}}}",
    ZONE % "{pools: []}",
    ZONE % "{route: {x: a}}",
    ZONE % "{route: {default: a}, when_all_down: empty}",
    ZONE % "{A: [], ttl: 5}",
    ZONE % "{a: 192.0.2.1}",
    ZONE % "{TXT: x, when_all_down: empty}",
]
# fmt: on


@pytest.mark.parametrize("text", VALID)
def test_valid(text):
    assert matches(yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize("text", INVALID)
def test_invalid(text):
    assert not matches(yaml.safe_load(text), SCHEMA)


def read(text):
    """Read keys and values as a load does, references and included files aside."""
    tree, mistakes = read_yaml(text.encode(), "f.yaml")
    assert mistakes == []
    data = yaml.safe_load(ZONE % "{TXT: x}") | plain(tree)
    data.pop("include", None)
    Config.model_validate(data, context=FILE, by_alias=True, by_name=False)


@pytest.mark.parametrize("text", VALID)
def test_what_the_schema_takes_is_read(text):
    read(text)


@pytest.mark.parametrize("text", [text for text in INVALID if not text.startswith("include")])
def test_what_the_schema_refuses_is_a_mistake(text):
    with pytest.raises(ValidationError):
        read(text)


def test_defaults_are_valid_themselves():
    """So an editor that fills them in writes a good file."""
    checked = 0
    for name, definition in SCHEMA["$defs"].items():
        for key, rule in definition.get("properties", {}).items():
            if isinstance(rule, dict) and "default" in rule:
                assert matches(rule["default"], rule), f"{name}.{key}"
                checked += 1

    assert checked > 30


def test_every_key_is_described_once():
    assert set(SCHEMA["properties"]) == {
        "server", "admin", "geoip", "regions", "health_checks", "pools", "zones", "include",
    }  # fmt: skip
    assert set(SCHEMA["$defs"]["HealthCheck"]["properties"]) >= {
        "type",
        "interval",
        "fall",
        "eject",
    }
    assert "health_check" in SCHEMA["$defs"]["Pool"]["properties"]
    assert "health_checks" not in SCHEMA["$defs"]["Pool"]["properties"]
