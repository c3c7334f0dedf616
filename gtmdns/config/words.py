"""From pydantic's errors to ours: what is wrong, and what was expected, in an operator's words."""

from typing import Any

from pydantic import ValidationError

from .mistakes import KEY, Keys, did_you_mean
from .model import (
    Admin,
    Config,
    Cookies,
    Eject,
    Endpoint,
    Geoip,
    HealthCheck,
    Isolation,
    Locality,
    Log,
    Pool,
    Region,
    Server,
    Strict,
    Tcp,
    Zone,
)
from .values import Problem, shown

# The model of each mapping of the file; "*" is any name or index.
MODELS: dict[Keys, type[Strict]] = {
    (): Config,
    ("server",): Server,
    ("server", "tcp"): Tcp,
    ("server", "log"): Log,
    ("server", "cookies"): Cookies,
    ("server", "isolation"): Isolation,
    ("admin",): Admin,
    ("geoip",): Geoip,
    ("regions", "*"): Region,
    ("health_checks", "*"): HealthCheck,
    ("health_checks", "*", "eject"): Eject,
    ("pools", "*"): Pool,
    ("pools", "*", "locality"): Locality,
    ("pools", "*", "endpoints", "*"): Endpoint,
    ("zones", "*"): Zone,
}
MAX_HINTS = 100  # with more mistakes than this, did-you-mean would take seconds


def problems_in_words(error: ValidationError) -> list[Problem]:
    """Return each problem with its path of keys in the file."""
    items = error.errors(include_url=False)
    # Not a mistake of its own: a default that another mistake kept from being made.
    items = [item for item in items if item["type"] != "default_factory_not_called"]
    return [_in_words(item, hint=at < MAX_HINTS) for at, item in enumerate(items)]


def _in_words(item: Any, hint: bool) -> Problem:
    keys: Keys = item["loc"]
    kind = item["type"]
    if kind == "extra_forbidden":
        return (*keys, KEY), _unknown_key(keys, hint)
    field = _field(keys)
    what = field.description if field else None
    if kind == "missing":
        return keys, f"missing; expected {what}" if what else "missing"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return keys, f"expected {what or 'a mapping'}, got {shown(item['input'])}"
    if kind in ("tuple_type", "too_short"):
        return keys, f"expected {what or 'a list'}, got {shown(item['input'])}"
    return keys, item["msg"]


def _pattern(keys: Keys) -> Keys:
    """Return keys with "*" in place of names and indexes, as in MODELS."""
    if keys[:1] == ("server",):
        return keys
    return tuple("*" if at in (1, 3) else key for at, key in enumerate(keys))


def _field(keys: Keys) -> Any:
    """Return the field of a model that `keys` lead to; None inside a mapping of names."""
    model = MODELS.get(_pattern(keys[:-1]))
    fields = model.model_fields if model else {}
    return next((f for name, f in fields.items() if keys[-1] in (name, f.alias)), None)


def _unknown_key(keys: Keys, hint: bool) -> str:
    model = MODELS[_pattern(keys[:-1])]
    known = [field.alias or name for name, field in model.model_fields.items()]
    known += ["include"] if model is Config else []
    return "unknown key" + (did_you_mean(str(keys[-1]), known) if hint else "")
