"""Readers for values that one section alone has: see `values` for what a reader is."""

import re
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import re2
from dns.rdtypes.ANY.TXT import TXT
from pydantic_core import PydanticCustomError

from .mistakes import KEY, did_you_mean
from .rrtypes import is_meta, type_number
from .values import (
    LABEL,
    Checked,
    JsonSchema,
    Problem,
    all_wrong,
    choice,
    expected,
    integer,
    is_host_name,
    optional,
    read_address,
    read_endpoint_address,
    read_listen,
    wrong,
)

PERCENT = re.compile(r"([1-9][0-9]?|100)%")
STATUS = re.compile(r"([1-5][0-9][0-9])(?:-([1-5][0-9][0-9]))?")
PATH = re.compile(r"/[!-~]*")
SUBDIVISION_CODE = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
COUNTRY_CODE = re.compile(r"[A-Z]{2}")
CANARY = re.compile(r"(.+):([0-9]{1,5})")
MAX_PATTERN = 1_000  # octets of a pattern for the body of an HTTP answer
MAX_PATTERN_MEMORY = 2**20  # octets that RE2 may use for one pattern
CONTACT_TEXT = re.compile(r"[!-?A-\[\]-~]{1,64}@([^@]+)")


@dataclass(frozen=True, slots=True)
class Minimum:
    """How many endpoints must be usable: a count, or percent of the family's, rounded up."""

    count: int | None = None
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class TtlRange:
    """A TTL that follows health, from `min` to `max` seconds."""

    min: int
    max: int


Ttl = int | TtlRange  # seconds


def longest(ttl: Ttl) -> int:
    """Return the TTL of what no check can change."""
    return ttl.max if isinstance(ttl, TtlRange) else ttl


def read_ttl(value: Any) -> Ttl:
    """Return seconds, or the range of `{min: 5, max: 60}`. Raises one error with every problem."""
    if isinstance(value, TtlRange):
        return value
    if not isinstance(value, dict):
        seconds: int = TTL.read(value)
        return seconds
    known = ("min", "max")
    problems: list[Problem] = [
        ((key, KEY), f"unknown key{did_you_mean(key, known)}") for key in value if key not in known
    ]
    problems += [
        ((key,), "missing; expected both min and max") for key in known if key not in value
    ]
    good: dict[str, int] = {}
    for key in known:
        try:
            if key in value:
                good[key] = TTL.read(value[key])
        except PydanticCustomError as error:
            problems.append(((key,), error.message()))
    if len(good) == len(known) and good["min"] > good["max"]:
        problems.append((("min",), f"{good['min']} is above max {good['max']}"))
    if problems:
        raise all_wrong(problems)
    return TtlRange(**good)


def none_is_empty(checked: Checked) -> Checked:
    """The list, or null for none."""
    both = optional(checked)
    return Checked(lambda value: both.read(value) or (), both.schema)


def read_workers(value: Any) -> int | None:
    """Return a number of processes, or None for `auto`."""
    if value is None or value == "auto":
        return None
    if type(value) is not int or not 1 <= value <= 256:
        raise expected("auto, or a whole number from 1 to 256", value)
    return value


def read_serial(value: Any) -> int | None:
    """Return an SOA serial (RFC 1035, 3.3.13), or None for `auto`."""
    if value is None or value == "auto":
        return None
    if type(value) is not int or not 0 <= value <= 2**32 - 1:
        raise expected("auto, or a whole number from 0 to 4294967295", value)
    return value


def read_contact(value: Any) -> str:
    found = CONTACT_TEXT.fullmatch(value) if isinstance(value, str) else None
    if not found or not is_host_name(found[1]):
        raise expected("an e-mail address such as hostmaster@example.com", value)
    return found[0]


def read_host_name(value: Any) -> str:
    if not isinstance(value, str) or not is_host_name(value):
        raise expected("a host name", value)
    return value.lower().removesuffix(".")


def read_short_text(value: Any) -> str:
    """Return a text that one string of a TXT record holds (RFC 1035, 3.3.14)."""
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= 255:
        raise expected("a text of 1 to 255 octets", value)
    return value


def read_http_host(value: Any) -> str:
    """Return a host name or an address, without a port: it is the name for TLS too."""
    try:
        return read_address(value)
    except PydanticCustomError:
        return read_host_name(value)


def read_http_path(value: Any) -> str:
    if not isinstance(value, str) or not PATH.fullmatch(value):
        raise expected("a path that begins with / and has no spaces", value)
    return value


def read_status_range(value: Any) -> tuple[int, int]:
    """Return the first and the last HTTP status of `200-399`, `"204"` or `204`."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        value = f"{value[0]}-{value[1]}"
    found = STATUS.fullmatch(str(value)) if type(value) in (int, str) else None
    if found is None:
        raise expected('a status such as 204 or "200-399"', value)
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise expected("the smaller status first", value)
    return first, last


def read_minimum(value: Any) -> Minimum:
    if isinstance(value, Minimum):
        return value
    if type(value) is int and value >= 1:
        return Minimum(count=value)
    if isinstance(value, str) and PERCENT.fullmatch(value):
        return Minimum(percent=int(value[:-1]))
    raise expected('a number from 1, or a percentage such as "50%", from 1% to 100%', value)


def read_subdivision(value: Any) -> str:
    if not isinstance(value, str) or not SUBDIVISION_CODE.fullmatch(value):
        raise expected("an ISO 3166-2 code such as CN-ZJ", value)
    return value


def read_country(value: Any) -> str:
    if not isinstance(value, str) or not COUNTRY_CODE.fullmatch(value):
        raise expected("two capital letters such as CN (ISO 3166-1)", value)
    return value


@lru_cache(maxsize=256)
def body_pattern(pattern: str) -> Any:
    """Return a pattern compiled by RE2, which takes linear time for any text.

    Raises ValueError, in words for an operator.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PATTERN_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"not a pattern of RE2: {reason}") from None


def read_body_pattern(value: Any) -> str:
    """Return a pattern that RE2 can compile (`body_pattern`)."""
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= MAX_PATTERN:
        raise expected(f"a pattern of 1 to {MAX_PATTERN} octets", value)
    try:
        body_pattern(value)
    except ValueError as error:
        raise wrong(str(error)) from None
    return value


def read_qname(value: Any) -> str:
    """Return a domain name in lower case without its final dot, or "." for the root."""
    if value == ".":
        return "."
    if not isinstance(value, str) or not is_host_name(value):
        raise expected('a domain name, or "." for the root', value)
    return value.lower().removesuffix(".")


def read_qtype(value: Any) -> str:
    number = type_number(value) if isinstance(value, str) else None
    if number is None or is_meta(number):
        raise expected("an RR type such as SOA or A", value)
    return str(value)


def read_rdata(rtype: str, text: str) -> str:
    """Return RDATA of a type in presentation format; names are relative to the root.

    TXT without double quotes is one text, as in the records of a zone, and gets its quotes.
    """
    number = type_number(rtype)
    if number is None:
        raise expected("an RR type such as SOA or A", rtype)
    if rtype == "TXT" and not text.startswith('"'):
        octets = text.encode()
        strings = [octets[at : at + 255] for at in range(0, len(octets), 255)]
        return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings).to_text()
    kind = dns.rdatatype.RdataType.make(number)
    try:
        if "\n" in text or "\r" in text:  # all but the first line would be dropped
            raise ValueError
        dns.rdata.from_text(dns.rdataclass.IN, kind, text, origin=dns.name.root, relativize=False)
    except (dns.exception.DNSException, ValueError, OverflowError):
        raise expected(f"a record of type {rtype} in presentation format", text) from None
    return text


def read_grpc_service(value: Any) -> str:
    if not isinstance(value, str) or len(value.encode()) > 255:
        raise expected("the name of a service, of at most 255 octets", value)
    return value


def read_canary(value: Any) -> str:
    """Return `HOST:PORT`: an address (IPv6 in brackets) or a full host name, for TCP."""
    try:
        return str(read_listen(value))
    except PydanticCustomError:
        found = CANARY.fullmatch(value) if isinstance(value, str) else None
    if not found or not 1 <= int(found[2]) <= 65_535 or not is_host_name(found[1]):
        raise expected('a host and a port, such as "192.0.2.1:443"', value)
    return f"{found[1].lower().removesuffix('.')}:{int(found[2])}"


def read_share(value: Any) -> int:
    """Return a percentage, 1 to 100."""
    if type(value) is int and 1 <= value <= 100:
        return value
    if isinstance(value, str) and PERCENT.fullmatch(value):
        return int(value[:-1])
    raise expected('a percentage such as "50%", from 1% to 100%', value)


def read_label(value: Any) -> str:
    """Return one DNS label in lower case."""
    if not isinstance(value, str) or not LABEL.fullmatch(value):
        what = "one DNS label: letters, digits, hyphens and underscores, at most 63 characters"
        raise expected(what, value)
    return value.lower()


def read_degrees(value: Any) -> tuple[float, float]:
    """Return latitude and longitude of `[30.27, 120.15]`, in degrees north and east."""
    what = "latitude (-90 to 90) and longitude (-180 to 180) in degrees, such as [30.27, 120.15]"
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise expected(what, value)
    for number, limit in zip(value, (90, 180), strict=True):
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        if not is_number or not isfinite(number) or abs(number) > limit:
            raise expected(what, number)
    return float(value[0]), float(value[1])


TTL = integer(0, 2**31 - 1, "whole seconds")  # RFC 2181, section 8
TTL_RANGE: JsonSchema = {
    "type": "object",
    "properties": {"min": TTL.schema, "max": TTL.schema},
    "required": ["min", "max"],
    "additionalProperties": False,
}
TTL_OR_RANGE = Checked(read_ttl, {"anyOf": [TTL.schema, TTL_RANGE]})
WORKERS = Checked(
    read_workers, {"anyOf": [{"const": "auto"}, integer(1, 256).schema, {"type": "null"}]}
)
SERIAL = Checked(read_serial, {"anyOf": [{"const": "auto"}, integer(0, 2**32 - 1).schema]})
CONTACT = Checked(read_contact, {"type": "string", "pattern": "^[^@]+@[^@]+$"})
SHORT_TEXT = Checked(read_short_text, {"type": "string", "minLength": 1})
HOST_NAME = Checked(read_host_name, {"type": "string"})
HTTP_HOST = Checked(read_http_host, {"type": "string"})
HTTP_PATH = Checked(read_http_path, {"type": "string", "pattern": "^/"})
STATUS_RANGE = Checked(
    read_status_range,
    {
        "anyOf": [
            {"type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"},
            {"type": "integer", "minimum": 100, "maximum": 599},
        ]
    },
)
MINIMUM = Checked(
    read_minimum,
    {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": f"^({PERCENT.pattern[1:-2]})%$"},
        ]
    },
)
BODY_PATTERN = Checked(read_body_pattern, {"type": "string", "minLength": 1})
QNAME = Checked(read_qname, {"type": "string", "minLength": 1})
QTYPE = Checked(read_qtype, {"type": "string", "minLength": 1})
RCODE = choice("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
GRPC_SERVICE = Checked(read_grpc_service, {"type": "string"})
CANARY_HOST = Checked(read_canary, {"type": "string", "pattern": ":[0-9]{1,5}$"})
SHARE = Checked(
    read_share,
    {
        "anyOf": [
            {"type": "string", "pattern": f"^({PERCENT.pattern[1:-2]})%$"},
            {"type": "integer", "minimum": 1, "maximum": 100},
        ]
    },
)
LABEL_TEXT = Checked(read_label, {"type": "string", "pattern": f"^{LABEL.pattern}$"})
CONTINENT = choice("AF", "AN", "AS", "EU", "NA", "OC", "SA")
ASN = integer(1, 2**32 - 1, "an AS number")
COUNTRY = Checked(read_country, {"type": "string", "pattern": "^[A-Z]{2}$"})
SUBDIVISION = Checked(
    read_subdivision, {"type": "string", "pattern": f"^{SUBDIVISION_CODE.pattern}$"}
)
ENDPOINT_ADDRESS = Checked(read_endpoint_address, {"type": "string"})
DEGREES: JsonSchema = {
    "type": "array",
    "minItems": 2,
    "maxItems": 2,
    "prefixItems": [{"type": "number", "minimum": -limit, "maximum": limit} for limit in (90, 180)],
}
