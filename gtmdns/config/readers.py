"""Readers for values that one section alone has: see `values` for what a reader is."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from .values import (
    Checked,
    choice,
    expected,
    integer,
    is_host_name,
    optional,
    read_address,
    read_endpoint_address,
)

PERCENT = re.compile(r"([1-9][0-9]?|100)%")
STATUS = re.compile(r"([1-5][0-9][0-9])(?:-([1-5][0-9][0-9]))?")
PATH = re.compile(r"/[!-~]*")
SUBDIVISION_CODE = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
COUNTRY_CODE = re.compile(r"[A-Z]{2}")
CONTACT_TEXT = re.compile(r"[!-?A-\[\]-~]{1,64}@([^@]+)")


@dataclass(frozen=True, slots=True)
class Minimum:
    """How many endpoints must be usable: a count, or percent of the family's, rounded up."""

    count: int | None = None
    percent: int | None = None


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
CONTINENT = choice("AF", "AN", "AS", "EU", "NA", "OC", "SA")
ASN = integer(1, 2**32 - 1, "an AS number")
COUNTRY = Checked(read_country, {"type": "string", "pattern": "^[A-Z]{2}$"})
SUBDIVISION = Checked(
    read_subdivision, {"type": "string", "pattern": f"^{SUBDIVISION_CODE.pattern}$"}
)
ENDPOINT_ADDRESS = Checked(read_endpoint_address, {"type": "string"})
