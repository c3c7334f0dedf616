"""The shape of the configuration: sections, keys, ranges, defaults, and rules inside one section.

Models are frozen; collections are tuples or read-only mappings; durations are float seconds.
A file is read with `context=FILE` and by alias (see load): there a record has the form of the file,
and a key that may be left out may also be null. In code, models are made by field name.
"""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from . import readers, records
from .base import FILE, HOUR, Named, ReadOnly, Strict
from .checks import Eject, HealthCheck
from .pools import Endpoint, Locality, Location, Pool
from .readers import Minimum, Ttl, TtlRange, longest
from .records import Failback, default_ttl
from .targets import (
    AllOf,
    Chain,
    FallbackCname,
    FallbackPools,
    Member,
    Nearest,
    PoolRef,
    Rule,
    Target,
    Weights,
    WhenAllDown,
    pools_of,
)
from .values import (
    ADDRESS,
    FLAG,
    LISTEN,
    NETWORK,
    choice,
    duration,
    expected,
    integer,
    list_of,
    optional,
    text,
    wrong,
)

__all__ = [
    "FILE", "Admin", "AllOf", "Chain", "Config", "Cookies", "Eject", "Endpoint", "Failback",
    "FallbackCname", "FallbackPools", "Geoip", "HealthCheck", "Isolation", "Locality", "Location",
    "Log", "Member", "Minimum", "Nearest", "Pool", "PoolRef", "Record", "Region", "Rule", "Server",
    "Strict", "Target", "Tcp", "Ttl", "TtlRange", "Weights", "WhenAllDown", "Zone",
    "default_ttl", "longest",
]  # fmt: skip

MISSING = object()  # stands for a key that is needed, until its field is read


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


class Isolation(Strict):
    """When to doubt the prober itself: so much down at once, and the canaries gone too."""

    canaries: Annotated[
        tuple[str, ...], list_of(readers.CANARY_HOST, "hosts with ports", 1, single=True)
    ] = Field(description='hosts and ports to reach by TCP, such as ["192.0.2.1:443"]')
    share: Annotated[int, readers.SHARE] = 50  # percent of all endpoints
    window: Annotated[float, duration(1, HOUR)] = 30.0


class Server(Strict):
    SECTIONS = frozenset({"tcp", "log", "cookies", "isolation"})

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
    isolation: Isolation | None = Field(
        default=None, description='a mapping such as {canaries: ["192.0.2.1:443"]}'
    )


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


class Record(Strict):
    """What one owner name answers: RRsets by type, and a route where the name is steered.

    A record with `pools` is steered by the one rule `default`; `routed` says it was a `route`.
    `federate` names the pools that several names are made of; such a record has no route.
    """

    rrsets: ReadOnly[tuple[str, ...]] = Field(default={}, validate_default=True)
    route: tuple[Rule, ...] = ()
    routed: bool = False
    federate: tuple[str, ...] = ()
    ttl: Annotated[Ttl | None, optional(readers.TTL_OR_RANGE)] = None  # None: as default_ttl
    when_all_down: WhenAllDown = "serve_all"
    failback: Failback | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        """The target of each rule, and the fallback that `when_all_down` names."""
        targets = tuple(rule.target for rule in self.route)
        if isinstance(self.when_all_down, FallbackPools):
            return (*targets, self.when_all_down.target)
        return targets

    @property
    def pool_names(self) -> frozenset[str]:
        """The name of every pool that this record uses."""
        return frozenset(self.federate).union(*map(pools_of, self.targets))

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

    A `ttl` of min and max is for steered names; other records, NS and SOA have its max.
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
    ttl: Annotated[Ttl, readers.TTL_OR_RANGE] = 60
    negative_ttl: Annotated[int, readers.TTL] = 30  # RFC 2308
    transfer_to: Annotated[
        tuple[IPv4Network | IPv6Network, ...], list_of(NETWORK, "networks", single=True)
    ] = ()
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
