"""Health checks: their keys, which of them fit which type, and their defaults."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from . import readers
from .base import DAY, FILE, HOUR, Strict
from .values import (
    FLAG,
    Problem,
    all_wrong,
    choice,
    duration,
    format_duration,
    integer,
    list_of,
    optional,
    text,
    wrong,
)

HTTP = ("http", "https")
TYPES = (*HTTP, "tcp", "tls", "icmp", "dns", "grpc", "push")
DEFAULT_PORTS = {"http": 80, "https": 443, "dns": 53}
FITS = {  # keys that are not for every type
    "port": tuple(word for word in TYPES if word not in ("icmp", "push")),
    "path": HTTP,
    "method": HTTP,
    "expect_status": HTTP,
    "expect_body": HTTP,
    "host": (*HTTP, "tls", "grpc"),
    "verify_tls": (*HTTP, "tls", "grpc"),
    "query": ("dns",),
    "query_type": ("dns",),
    "expect_rcode": ("dns",),
    "expect_answer": ("dns",),
    "service": ("grpc",),
    "tls": ("grpc",),
    "token_file": ("push",),
    "timeout": tuple(word for word in TYPES if word != "push"),
}


class Eject(Strict):
    """How long an endpoint that goes down stays down at least: `base` for each time in a row."""

    base: Annotated[float, duration(0, DAY)] = 0.0
    max: Annotated[float, duration(0, DAY)] = 300.0

    @model_validator(mode="after")
    def _base_fits(self) -> "Eject":
        if self.base > self.max:
            longest = format_duration(self.max)
            raise wrong(f"base {format_duration(self.base)} is longer than max {longest}")
        return self


def _default_port(data: dict[str, Any]) -> int | None:
    return DEFAULT_PORTS.get(data["type"])


class HealthCheck(Strict):
    """How endpoints are probed. A key that is not for the type (FITS) keeps its default.

    `port` is 0 for icmp and push, which have none.
    """

    SECTIONS = frozenset({"eject"})

    type: Annotated[
        Literal["http", "https", "tcp", "tls", "icmp", "dns", "grpc", "push"], choice(*TYPES)
    ] = Field(description="http, https, tcp, tls, icmp, dns, grpc or push")
    tls: Annotated[bool, FLAG] = False  # grpc over TLS
    port: Annotated[int, integer(1, 65_535, "a port")] = Field(
        default_factory=_default_port, validate_default=True
    )
    path: Annotated[str, readers.HTTP_PATH] = "/"
    method: Annotated[Literal["GET", "HEAD"], choice("GET", "HEAD")] = "GET"
    host: Annotated[str | None, optional(readers.HTTP_HOST)] = None  # None: the endpoint's address
    expect_status: Annotated[
        tuple[tuple[int, int], ...],  # inclusive ranges
        list_of(readers.STATUS_RANGE, "statuses or ranges of them", 1, single=True),
    ] = ((200, 399),)
    expect_body: Annotated[str | None, optional(readers.BODY_PATTERN)] = None  # RE2
    verify_tls: Annotated[bool, FLAG] = True
    query: Annotated[str, readers.QNAME] = "."
    query_type: Annotated[str, readers.QTYPE] = "SOA"
    expect_rcode: Annotated[
        tuple[str, ...], list_of(readers.RCODE, "response codes", 1, single=True)
    ] = ("NOERROR",)
    expect_answer: Annotated[
        tuple[str, ...], list_of(text("the text of a record"), "texts of records", single=True)
    ] = ()  # any of them; (): whatever the answer holds
    service: Annotated[str, readers.GRPC_SERVICE] = ""  # of grpc.health.v1; "": the whole server
    token_file: Annotated[str | None, optional(text("a file"))] = Field(
        default=None, validate_default=True
    )
    interval: Annotated[float, duration(0.01, DAY)] = 5.0  # start to start
    timeout: Annotated[float, duration(0.001, HOUR)] = Field(
        default_factory=lambda data: min(2.0, data["interval"] / 2)
    )
    fall: Annotated[int, integer(1, 1000)] = 3  # failures that turn up into down
    rise: Annotated[int, integer(1, 1000)] = 2  # successes in a row that turn down into up
    clear: Annotated[int, integer(1, 1000)] = 1  # successes in a row that wipe counted failures
    eject: Eject = Field(default=Eject(), description="a mapping such as {base: 1m, max: 5m}")

    @field_validator("port", mode="wrap")
    @classmethod
    def _port_is_there(cls, value: Any, read: Callable[[Any], int], info: ValidationInfo) -> int:
        kind = info.data.get("type")
        if value is None and kind in FITS["port"]:
            raise wrong(f"missing; a check of type {kind} needs a port")
        if kind not in FITS["port"] and (value is None or (value == 0 and info.context != FILE)):
            return 0
        return read(value)

    @field_validator("token_file", mode="before")
    @classmethod
    def _token_is_there(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.data.get("type") == "push":
            raise wrong("missing; a check of type push needs the file of its token")
        return value

    @field_validator(*FITS, mode="before")
    @classmethod
    def _key_fits_type(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("type")
        fitting = FITS[info.field_name or ""]
        if info.context == FILE and value is not None and kind and kind not in fitting:
            types = " and ".join((", ".join(fitting[:-1]), fitting[-1]) if fitting[1:] else fitting)
            raise wrong(f"a check of type {kind} has no such key; it is for {types}")
        return value

    @field_validator("verify_tls", mode="before")
    @classmethod
    def _there_is_tls(cls, value: Any, info: ValidationInfo) -> Any:
        if info.context == FILE and info.data.get("type") == "grpc" and not info.data.get("tls"):
            raise wrong("only with tls: true, or there is no certificate")
        return value

    @field_validator("expect_body", mode="before")
    @classmethod
    def _there_is_a_body(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("method") == "HEAD":
            raise wrong("the answer to HEAD has no body; expected method GET beside it")
        return value

    @field_validator("expect_answer")
    @classmethod
    def _answers_fit_the_type(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "query_type" not in info.data:
            return value
        good: list[str] = []
        problems: list[Problem] = []
        for index, answer in enumerate(value):
            try:
                good.append(readers.read_rdata(info.data["query_type"], answer))
            except PydanticCustomError as error:
                problems.append(((index,), error.message()))
        if problems:
            raise all_wrong(problems)
        return tuple(good)

    @field_validator("timeout")
    @classmethod
    def _timeout_fits(cls, value: float, info: ValidationInfo) -> float:
        interval = info.data.get("interval", DAY)
        if value > interval:
            raise wrong(
                f"expected at most the interval, {format_duration(interval)}, "
                f"got {format_duration(value)}"
            )
        return value
