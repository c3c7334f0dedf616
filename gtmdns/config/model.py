"""The shape of the configuration: sections, keys, ranges, defaults, and rules inside one section.

Models are frozen; collections are tuples or read-only mappings; durations are float seconds.
A file is read with `context=FILE` and by alias (see load): there a record has the form of the file,
and a key that may be left out may also be null. In code, models are made by field name.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WrapSerializer,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from . import readers, records
from .readers import Minimum
from .targets import AllOf, Chain, Member, PoolRef, Rule, Target, Weights
from .values import (
    ADDRESS,
    FLAG,
    LISTEN,
    MAX_WEIGHT,
    NAMED,
    NETWORK,
    all_wrong,
    choice,
    duration,
    expected,
    format_duration,
    integer,
    list_of,
    optional,
    text,
    wrong,
)

__all__ = [
    "FILE", "Admin", "AllOf", "Chain", "Config", "Cookies", "Endpoint", "Geoip", "HealthCheck",
    "Log", "Member", "Minimum", "Pool", "PoolRef", "Record", "Region", "Rule", "Server", "Strict",
    "Target", "Tcp", "Weights", "Zone",
]  # fmt: skip

MISSING = object()  # stands for a key that is needed, until its field is read
FILE = "file"  # the context of a validation whose data came from a file
HOUR, DAY = 3600.0, 86_400.0

T = TypeVar("T")


def _as_dict(value: Any, handler: SerializerFunctionWrapHandler) -> Any:
    return handler(dict(value))


ReadOnly = Annotated[dict[str, T], AfterValidator(MappingProxyType), WrapSerializer(_as_dict)]
Named = Annotated[
    dict[Annotated[str, NAMED], T], AfterValidator(MappingProxyType), WrapSerializer(_as_dict)
]


class Strict(BaseModel):
    """An unknown key is an error, and a loaded value never changes."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True
    )

    LATER: ClassVar[frozenset[str]] = frozenset()  # keys that are known, but not built
    SECTIONS: ClassVar[frozenset[str]] = frozenset()  # keys that may stand there with nothing

    @model_validator(mode="before")
    @classmethod
    def _pass_over_nothing(cls, data: Any, info: ValidationInfo) -> Any:
        if info.context != FILE or not isinstance(data, dict):
            return data
        absent = cls.LATER | cls.SECTIONS
        return {key: item for key, item in data.items() if item is not None or key not in absent}


class Tcp(Strict):
    """Limits of TCP, for each worker."""

    max_connections: Annotated[int, integer(1, 1_000_000)] = 1000
    max_per_client: Annotated[int, integer(1, 1_000_000)] = 50
    idle_timeout: Annotated[float, duration(0.1, HOUR)] = 10.0


class Log(Strict):
    format: Annotated[Literal["text", "json"], choice("text", "json")] = "text"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], choice("debug", "info", "warning", "error")
    ] = "info"


class Cookies(Strict):
    """DNS cookies. Without a file the secret is made at each start."""

    secret_file: Annotated[str | None, optional(text("a file"))] = None


class Server(Strict):
    SECTIONS = frozenset({"tcp", "log", "cookies"})

    listen: Annotated[tuple[str, ...], list_of(LISTEN, "one or more addresses with ports", 1)] = (
        "127.0.0.1:5300",
    )
    workers: Annotated[int | None, readers.WORKERS] = None  # None: one for each CPU
    user: Annotated[str | None, optional(text("the name of a user"))] = None
    state_dir: Annotated[str | None, optional(text("a folder"))] = None
    nsid: Annotated[str | None, optional(readers.SHORT_TEXT)] = None  # None: not told
    version: Annotated[str | None, optional(readers.SHORT_TEXT)] = None
    cookies: Cookies = Cookies()
    client_subnet: Annotated[bool, FLAG] = True  # EDNS Client Subnet, RFC 7871
    udp_payload: Annotated[int, integer(512, 4096, "octets")] = 1232  # RFC 9715
    startup_wait: Annotated[float, duration(0, HOUR)] = 5.0
    tcp: Tcp = Tcp()
    log: Log = Log()


class Admin(Strict):
    listen: Annotated[str | None, optional(LISTEN)] = "127.0.0.1:8053"
    hosts: Annotated[tuple[str, ...], list_of(readers.HOST_NAME, "host names")] = ()
    token_file: Annotated[str | None, optional(text("a file"))] = None


class Geoip(Strict):
    databases: Annotated[tuple[str, ...], list_of(text("a file or builtin"), "MMDB files")] = (
        "builtin",
    )


class Region(Strict):
    """A named group of clients. Facts are alternatives, unless `match` is "all"."""

    networks: Annotated[tuple[IPv4Network | IPv6Network, ...], list_of(NETWORK, "networks")] = ()
    continents: Annotated[tuple[str, ...], list_of(readers.CONTINENT, "continents")] = ()
    countries: Annotated[tuple[str, ...], list_of(readers.COUNTRY, "countries")] = ()
    subdivisions: Annotated[tuple[str, ...], list_of(readers.SUBDIVISION, "subdivisions")] = ()
    isps: Annotated[tuple[str, ...], list_of(text("the name of an ISP"), "ISPs")] = ()
    asns: Annotated[tuple[int, ...], list_of(readers.ASN, "AS numbers")] = ()
    match: Annotated[Literal["any", "all"], choice("any", "all")] = "any"

    @model_validator(mode="after")
    def _has_a_fact(self) -> "Region":
        kinds = ("networks", "continents", "countries", "subdivisions", "isps", "asns")
        if not any(getattr(self, kind) for kind in kinds):
            raise wrong(f"a region without a client; expected one or more of {', '.join(kinds)}")
        return self


def _default_port(data: dict[str, Any]) -> int | None:
    return {"http": 80, "https": 443}.get(data["type"])


class HealthCheck(Strict):
    """How endpoints are probed. What is only for http and https keeps its default under tcp."""

    LATER = frozenset({"expect_body", "eject", "token_file"})

    type: Annotated[
        Literal["http", "https", "tcp"],
        choice("http", "https", "tcp", later=("tls", "icmp", "dns", "grpc", "push")),
    ] = Field(description="http, https or tcp")
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
    verify_tls: Annotated[bool, FLAG] = True
    interval: Annotated[float, duration(0.01, DAY)] = 5.0  # start to start
    timeout: Annotated[float, duration(0.001, HOUR)] = Field(
        default_factory=lambda data: min(2.0, data["interval"] / 2)
    )
    fall: Annotated[int, integer(1, 1000)] = 3  # failures that turn up into down
    rise: Annotated[int, integer(1, 1000)] = 2  # successes in a row that turn down into up
    clear: Annotated[int, integer(1, 1000)] = 1  # successes in a row that wipe counted failures

    @field_validator("port", mode="before")
    @classmethod
    def _port_is_there(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.data.get("type") == "tcp":
            raise wrong("missing; a check of type tcp needs a port")
        return value

    @field_validator("path", "method", "host", "expect_status", "verify_tls", mode="before")
    @classmethod
    def _key_fits_type(cls, value: Any, info: ValidationInfo) -> Any:
        from_file = info.context == FILE and value is not None
        if from_file and info.data.get("type") == "tcp":
            raise wrong("a check of type tcp has no such key; it is for http and https")
        return value

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


CHECKS = list_of(NAMED, "names of health checks", single=True)


class Endpoint(Strict):
    """An address, or a host name that is answered as a CNAME."""

    address: Annotated[str, readers.ENDPOINT_ADDRESS] = Field(
        description="an IP address or a host name"
    )
    weight: Annotated[int | None, optional(integer(0, MAX_WEIGHT, "a weight"))] = None
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

    @field_validator("health_checks", mode="before")
    @classmethod
    def _null_is_no_check(cls, value: Any, info: ValidationInfo) -> Any:
        return () if value is None and info.context == FILE else value

    @property
    def family(self) -> int:
        """4 or 6, or 0 for a host name."""
        try:
            return ip_address(self.address).version
        except ValueError:
            return 0


def _default_select(data: dict[str, Any]) -> Literal["all", "weighted"]:
    weighted = any(endpoint.weight is not None for endpoint in data["endpoints"])
    return "weighted" if weighted else "all"


def _default_max_answers(data: dict[str, Any]) -> int:
    return 1 if data["select"] == "weighted" else 8


ENDPOINTS = "one or more addresses, host names, or mappings with an address"


class Pool(Strict):
    """Interchangeable endpoints. The defaults of `select` and `max_answers` are resolved here."""

    LATER = frozenset({"locality", "location", "ramp"})

    endpoints: tuple[Endpoint, ...] = Field(description=ENDPOINTS)
    health_checks: Annotated[tuple[str, ...], readers.none_is_empty(CHECKS)] = Field(
        default=(), alias="health_check"
    )
    select: Annotated[Literal["all", "weighted"], choice("all", "weighted", later=("hash",))] = (
        Field(default_factory=_default_select)
    )
    max_answers: Annotated[int, integer(1, 255)] = Field(default_factory=_default_max_answers)
    min_available: Annotated[Minimum, readers.MINIMUM] = Minimum(count=1)

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


class Record(Strict):
    """What one owner name answers: RRsets by type, and a route where the name is steered.

    A record with `pools` is steered by the one rule `default`; `routed` says it was a `route`.
    """

    rrsets: ReadOnly[tuple[str, ...]] = Field(default={}, validate_default=True)
    route: tuple[Rule, ...] = ()
    routed: bool = False
    ttl: Annotated[int | None, optional(records.TTL)] = None  # None: the zone's
    when_all_down: Literal["serve_all", "empty", "servfail"] = "serve_all"

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, data: Any, info: ValidationInfo) -> Any:
        if info.context != FILE:
            return data
        if not isinstance(data, dict):
            raise expected("a mapping of RR types, or with pools or route", data)
        return records.read_record(data)


class Zone(Strict):
    """A zone served. `nameservers` and `records` are by name as it was written.

    With a master file, `nameservers` and `contact` may be left out: what that must hold then
    is the compiler's to see.
    """

    SECTIONS = frozenset({"records"})

    zone_file: Annotated[str | None, optional(text("a master file"))] = None
    nameservers: ReadOnly[Annotated[tuple[str, ...], list_of(ADDRESS, "IP addresses")]] = Field(
        default={}, min_length=1, description="one or more names, such as {ns1: [192.0.2.53]}"
    )
    contact: Annotated[str | None, readers.CONTACT] = Field(
        default=None, description="an e-mail address such as hostmaster@example.com"
    )
    serial: Annotated[int | None, readers.SERIAL] = None  # None: when the content last changed
    ttl: Annotated[int, records.ZONE_TTL] = 60
    negative_ttl: Annotated[int, records.TTL] = 30  # RFC 2308
    records: ReadOnly[Record] = Field(default={}, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _mark_what_is_missing(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("zone_file") is None:
            return dict.fromkeys(("nameservers", "contact"), MISSING) | data
        return data

    @field_validator("nameservers", "contact", mode="before")
    @classmethod
    def _is_there(cls, value: Any) -> Any:
        if value is MISSING:
            raise PydanticCustomError("missing", "missing")
        return value


class Config(Strict):
    """A whole configuration. Names that sections use of each other are checked in `references`."""

    SECTIONS = frozenset({"server", "admin", "geoip", "regions", "health_checks", "pools"})

    server: Server = Server()
    admin: Admin = Admin()
    geoip: Geoip = Geoip()
    regions: Named[Region] = Field(default={}, validate_default=True)
    health_checks: Named[HealthCheck] = Field(default={}, validate_default=True)
    pools: Named[Pool] = Field(default={}, validate_default=True)
    zones: ReadOnly[Zone] = Field(min_length=1, description="one or more zones")
