"""Pools and their endpoints."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from . import readers
from .base import DAY, FILE, Strict
from .readers import Minimum
from .values import (
    FLAG,
    MAX_WEIGHT,
    NAMED,
    Checked,
    all_wrong,
    choice,
    duration,
    expected,
    integer,
    list_of,
    optional,
    wrong,
)

CHECKS = list_of(NAMED, "names of health checks", single=True)
ENDPOINTS = "one or more addresses, host names, or mappings with an address"
MAX_HASHED = 256  # endpoints among which a client's network draws its own


class Endpoint(Strict):
    """An address, or a host name that is answered as a CNAME or resolved into addresses."""

    address: Annotated[str, readers.ENDPOINT_ADDRESS] = Field(
        description="an IP address or a host name"
    )
    weight: Annotated[int | None, optional(integer(0, MAX_WEIGHT, "a weight"))] = None
    resolve: Annotated[bool, FLAG] = False
    health_checks: Annotated[tuple[str, ...] | None, optional(CHECKS)] = Field(
        default=None, alias="health_check"
    )  # None: those of the pool

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"address": data}
        if not isinstance(data, (dict, Endpoint)):
            raise expected("an IP address, a host name, or a mapping with an address", data)
        return data

    @field_validator("resolve")
    @classmethod
    def _is_a_name(cls, value: bool, info: ValidationInfo) -> bool:
        address = info.data.get("address")
        if value and address is not None and _family(address):
            raise wrong(f"{address} is an IP address; only a host name can be resolved")
        return value

    @field_validator("health_checks", mode="before")
    @classmethod
    def _null_is_no_check(cls, value: Any, info: ValidationInfo) -> Any:
        return () if value is None and info.context == FILE else value

    @property
    def family(self) -> int:
        """4 or 6, or 0 for a host name."""
        return _family(self.address)

    @property
    def is_alias(self) -> bool:
        """Whether it is a host name that is answered as a CNAME."""
        return not self.resolve and not self.family


@lru_cache(maxsize=65_536)  # it is asked for again at every change of health
def _family(address: str) -> int:
    try:
        return ip_address(address).version
    except ValueError:
        return 0


class Locality(Strict):
    """Where a pool is, in labels for federation names, in lower case."""

    region: Annotated[str, readers.LABEL_TEXT] = Field(description="one DNS label")
    zone: Annotated[str, readers.LABEL_TEXT] = Field(description="one DNS label")


@dataclass(frozen=True, slots=True)
class Location:
    """A place on the earth, in degrees north and east."""

    latitude: float
    longitude: float


def read_location(value: Any) -> Location:
    if isinstance(value, Location):
        return value
    return Location(*readers.read_degrees(value))


LOCATION = Checked(read_location, readers.DEGREES)


def _default_select(data: dict[str, Any]) -> Literal["all", "weighted"]:
    weighted = any(endpoint.weight is not None for endpoint in data["endpoints"])
    return "weighted" if weighted else "all"


def _default_max_answers(data: dict[str, Any]) -> int:
    return 8 if data["select"] == "all" else 1


class Pool(Strict):
    """Interchangeable endpoints. The defaults of `select` and `max_answers` are resolved here."""

    SECTIONS = frozenset({"locality"})

    endpoints: tuple[Endpoint, ...] = Field(description=ENDPOINTS)
    health_checks: Annotated[tuple[str, ...], readers.none_is_empty(CHECKS)] = Field(
        default=(), alias="health_check"
    )
    select: Annotated[Literal["all", "weighted", "hash"], choice("all", "weighted", "hash")] = (
        Field(default_factory=_default_select)
    )
    max_answers: Annotated[int, integer(1, 255)] = Field(default_factory=_default_max_answers)
    min_available: Annotated[Minimum, readers.MINIMUM] = Minimum(count=1)
    locality: Locality | None = Field(default=None, description="a mapping of region and zone")
    location: Annotated[Location | None, optional(LOCATION)] = None
    ramp: Annotated[float, duration(0, DAY)] = 0.0  # an endpoint that comes back gains its weight

    @field_validator("endpoints")
    @classmethod
    def _some_and_no_address_twice(cls, value: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        if not value:
            raise expected(ENDPOINTS, value)
        first: dict[str, int] = {}
        problems = []
        for index, endpoint in enumerate(value):
            if endpoint.address in first:
                problem = (
                    f"{endpoint.address} is in this pool already, as [{first[endpoint.address]}]"
                )
                problems.append(((index, "address"), problem))
            first.setdefault(endpoint.address, index)
        if problems:
            raise all_wrong(problems)
        return value

    @field_validator("select")
    @classmethod
    def _few_enough_to_hash(cls, value: str, info: ValidationInfo) -> str:
        total = len(info.data.get("endpoints", ()))
        if value == "hash" and total > MAX_HASHED:
            raise wrong(f"hash draws among at most {MAX_HASHED} endpoints; the pool has {total}")
        return value

    @field_validator("ramp")
    @classmethod
    def _there_is_a_weight_to_gain(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("select") == "all":
            raise wrong(
                "an endpoint gains its weight over this time, and select: all has no weights; "
                "expected select: weighted or hash beside it"
            )
        return value
