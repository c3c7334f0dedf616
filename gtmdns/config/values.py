"""Single values of the configuration: how each is read, and its JSON Schema.

A reader takes what the file has (or its own result, so that models can be made in code) and
returns the value. It raises `wrong(...)`, in words for an operator: what was expected, and what
there was. Readers of lists raise one error that holds every bad item.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import isfinite
from typing import Any

from pydantic import GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from .mistakes import Keys, did_you_mean

Reader = Callable[[Any], Any]
JsonSchema = dict[str, Any]
Problem = tuple[Keys, str]  # where, relative to the value at hand, and what

WRONG = "gtmdns"  # the type of every pydantic error that is already in our words

NAME = re.compile(r"[A-Za-z0-9._-]+")
MAX_WEIGHT = 1_000_000
RESERVED = ("default", "nearest", "all")
DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h)?")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
MAX_NAME = 253  # characters of a domain name without its final dot (255 octets, RFC 1035 2.3.4)


@dataclass(frozen=True)
class Checked:
    """Put into `Annotated[type, Checked(reader, json_schema)]` on a field of a model."""

    read: Reader
    schema: JsonSchema

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        return dict(self.schema)


def as_configured(address: str) -> str:
    """Return an address or a host name in the spelling that a loaded pool has.

    IPv6 may stand in brackets, as in URLs. What is neither is returned as it may be.
    """
    bracketed = address.startswith("[") and address.endswith("]") and ":" in address
    try:
        return str(ip_address(address[1:-1] if bracketed else address))
    except ValueError:
        return address.lower().removesuffix(".")


def wrong(problem: str) -> PydanticCustomError:
    return PydanticCustomError(WRONG, "{problem}", {"problem": problem})


def expected(what: str, value: Any) -> PydanticCustomError:
    return wrong(f"expected {what}, got {shown(value)}")


def all_wrong(problems: Iterable[Problem]) -> ValidationError:
    """Return several problems, each at its own place, as one error that pydantic passes on."""
    details: list[InitErrorDetails] = [
        {"type": wrong(problem), "loc": keys, "input": None} for keys, problem in problems
    ]
    return ValidationError.from_exception_data("configuration", details)


def problems_of(error: ValidationError | PydanticCustomError) -> list[Problem]:
    """Return what a reader raised as problems, relative to the value that it read."""
    if isinstance(error, ValidationError):
        return [(item["loc"], item["msg"]) for item in error.errors(include_url=False)]
    return [((), error.message())]


def shown(value: Any) -> str:
    """Return a value as it would be written, shortened; collections by kind only."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else str(value)
    return text if len(text) <= 80 else f"{text[:76]}..."


# ---- numbers, words, texts


def integer(low: int, high: int, what: str = "a whole number") -> Checked:
    """Whole numbers from `low` to `high`."""
    what = f"{what} from {low} to {high}"

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise expected(what, value)
        return value

    return Checked(read, {"type": "integer", "minimum": low, "maximum": high})


def choice(*words: str) -> Checked:
    """One of `words`."""
    either = f"{', '.join(words[:-1])} or {words[-1]}"

    def read(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        near = did_you_mean(value, words) if isinstance(value, str) else ""
        raise wrong(f"expected {either}, got {shown(value)}{near}")

    return Checked(read, {"enum": list(words)})


def text(what: str = "a text") -> Checked:
    """Texts that are not empty. Numbers and booleans have to be quoted."""

    def read(value: Any) -> str:
        if isinstance(value, str) and value:
            return value
        hint = f'; write it in quotes: "{shown(value)}"' if isinstance(value, (int, float)) else ""
        raise wrong(f"expected {what}, got {shown(value)}{hint}")

    return Checked(read, {"type": "string", "minLength": 1})


def optional(checked: Checked) -> Checked:
    """The value, or null."""

    def read(value: Any) -> Any:
        return None if value is None else checked.read(value)

    return Checked(read, {"anyOf": [checked.schema, {"type": "null"}]})


def read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        hint = "; YAML 1.2 has no yes and no" if value in ("yes", "no", "on", "off") else ""
        raise wrong(f"expected true or false, got {shown(value)}{hint}")
    return value


FLAG = Checked(read_flag, {"type": "boolean"})


def read_name(value: Any) -> str:
    """Return a name for a pool, region or health check; raises where it is none or reserved."""
    if not isinstance(value, str):
        raise expected("a name; a number must be put in quotes", value)
    if value in RESERVED:
        raise wrong(f'the name "{value}" is reserved')
    if not NAME.fullmatch(value):
        raise expected("a name of letters, digits, dots, underscores and hyphens", value)
    return value


NAMED = Checked(
    read_name,
    {"type": "string", "pattern": f"^{NAME.pattern}$", "not": {"enum": list(RESERVED)}},
)


# ---- durations


def parse_duration(value: Any) -> float:
    """Return seconds. `value`: `500ms`, `5s`, `2m`, `1h`, or a bare number of seconds.

    Raises ValueError.
    """
    if isinstance(value, str) and (found := DURATION.fullmatch(value)):
        return float(found[1]) * UNITS[found[2]] if found[2] != "ms" else float(found[1]) / 1000
    if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    raise ValueError(f"expected a duration such as 500ms, 5s, 2m or 1h, got {shown(value)}")


def format_duration(seconds: float) -> str:
    """Return the shortest way to write a duration. `seconds`: not negative."""
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds) // size}{unit}"
    milliseconds = round(seconds * 1000)
    if milliseconds / 1000 == seconds and milliseconds:
        return f"{milliseconds}ms"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def duration(low: float, high: float) -> Checked:
    """Durations from `low` to `high` seconds, as float seconds."""
    what = f"a duration from {format_duration(low)} to {format_duration(high)}"

    def read(value: Any) -> float:
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise expected(f"{what}, such as 500ms, 5s, 2m or 1h", value) from None
        if not low <= seconds <= high:
            raise expected(what, value)
        return seconds

    pattern = f"^{DURATION.pattern}$".replace("(?:", "(")
    schema = {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "number"}]}
    return Checked(read, schema)


# ---- lists


def list_of(checked: Checked, what: str, least: int = 0, single: bool = False) -> Checked:
    """Lists of what `checked` reads, as tuples. `single`: one value without a list will do.

    The same item twice is a mistake at the second.
    """

    def read(value: Any) -> tuple[Any, ...]:
        if single and not isinstance(value, (list, tuple, dict)) and value is not None:
            return (checked.read(value),)
        if not isinstance(value, (list, tuple)) or len(value) < least:
            raise expected(f"a list of {what}", value)
        items: dict[Any, int] = {}
        problems: list[Problem] = []
        for index, item in enumerate(value):
            try:
                good = checked.read(item)
            except (PydanticCustomError, ValidationError) as error:
                problems += [((index, *keys), problem) for keys, problem in problems_of(error)]
                continue
            if good in items:
                problems.append(((index,), f"{shown(item)} is in the list twice"))
            items[good] = index
        if problems:
            raise all_wrong(problems)
        return tuple(items)

    schema: JsonSchema = {"type": "array", "items": checked.schema}
    if least:
        schema["minItems"] = least
    return Checked(read, {"anyOf": [checked.schema, schema]} if single else schema)


# ---- addresses and host names


def read_address(value: Any) -> str:
    """Return an IPv4 or IPv6 address in its canonical text, without a zone index."""
    address = _address(value)
    if address is None:
        raise expected("an IP address", value)
    return str(address)


ADDRESS = Checked(read_address, {"type": "string"})


def _address(value: Any) -> IPv4Address | IPv6Address | None:
    if not isinstance(value, str) or "%" in value:
        return None
    try:
        return ip_address(value)
    except ValueError:
        return None


def is_host_name(value: str) -> bool:
    """Whether each label has 1 to 63 letters, digits, hyphens or underscores (RFC 1123, 2.1)."""
    name = value.removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_NAME or labels[-1].isdigit():
        return False
    return all(LABEL.fullmatch(label) for label in labels)


def read_endpoint_address(value: Any) -> str:
    """Return canonical IP text, or a host name in lower case without its final dot."""
    address = _address(value)
    if address is not None:
        return str(address)
    if isinstance(value, str) and is_host_name(value) and "." in value:
        return value.lower().removesuffix(".")
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    hint = "; a port belongs to the health check" if host and port.isdigit() else ""
    raise wrong(f"expected an IP address or a full host name, got {shown(value)}{hint}")


def read_network(value: Any) -> IPv4Network | IPv6Network:
    """Return a network; an address alone is a network of one."""
    if isinstance(value, (IPv4Network, IPv6Network)):
        return value
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        network = ip_network(value, strict=False)
    except ValueError:
        raise expected("a network such as 203.0.113.0/24 or 2001:db8::/32", value) from None
    if str(network.network_address) != str(ip_address(value.partition("/")[0])):
        raise wrong(f"{value} has bits set beyond its prefix; did you mean {network}?")
    return network


NETWORK = Checked(read_network, {"type": "string"})


def read_listen(value: Any) -> str:
    """Return `ADDRESS:PORT` in canonical text, IPv6 in brackets."""
    what = 'an address and a port, such as "127.0.0.1:5300" or "[::1]:5300"'
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise expected(what, value) from None
    if not colon or bracketed != (address.version == 6) or not re.fullmatch("[0-9]{1,5}", port):
        raise expected(what, value)
    if not 1 <= int(port) <= 65_535:
        raise expected("a port from 1 to 65535", value)
    return f"[{address}]:{int(port)}" if bracketed else f"{address}:{int(port)}"


LISTEN = Checked(read_listen, {"type": "string"})
