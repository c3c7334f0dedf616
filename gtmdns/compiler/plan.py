"""What control needs of a compiled configuration: what hangs on which endpoints, and why.

The octets for the workers are opaque to control; a plan is the small rest. It is
made by the loader and travels to control in parts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..config.mistakes import Place
from ..config.model import Admin, Endpoint, HealthCheck, Pool, Server, Target
from ..config.targets import pools_of
from ..wire.name import WireName, ancestors, to_text
from .decide import Family

# What only a restart changes: the parent opened the sockets, gave up root, and writes a log too.
FIXED = (
    ("server", "listen"),
    ("server", "workers"),
    ("server", "user"),
    ("server", "state_dir"),
    ("server", "log"),
    ("admin", "listen"),
)

CheckKey = tuple[str, str]  # (endpoint's address or host name, name of the health check)


@dataclass(frozen=True, slots=True)
class AnswerSpec:
    """What a steered answer is made from. Equal specs share one answer.

    by:  "region" or "default": what led here, before health is looked at
    ttl: seconds
    """

    target: Target
    family: Family
    ttl: int
    when_all_down: str
    by: str


@dataclass(frozen=True, slots=True)
class SteeredName:
    """A name that is answered from pools.

    rules: (region, number in Plan.targets), "default" last; many names share few targets
    """

    zone: str
    owner: str  # as the configuration has it
    rules: tuple[tuple[str, int], ...]
    routed: bool
    ttl: int
    when_all_down: str


@dataclass(slots=True)
class ZonePlan:
    """A zone for people."""

    apex: str
    serial: int


@dataclass(slots=True)
class Plan:
    """All that control keeps of a configuration.

    targets: each different target once
    specs:   by answer number
    names:   (zone, name) -> types, or "pools" or "route" where it is steered
    counted: (zone, owner) by tally base >> BASE_BITS
    tags:    (rcode, pool, reason) by tag less FIRST_TAG
    cookie_secrets: of `server.cookies`; none: control makes one
    serials: zone apex -> (hash of its content, serial)
    places:  where the settings stand that only a restart changes, by (section, key)
    """

    server: Server
    admin: Admin
    pools: dict[str, Pool]
    health_checks: dict[str, HealthCheck]
    targets: list[Target] = field(default_factory=list)
    specs: dict[int, AnswerSpec] = field(default_factory=dict)
    steered: dict[WireName, SteeredName] = field(default_factory=dict)
    zones: dict[str, ZonePlan] = field(default_factory=dict)
    names: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    counted: list[tuple[str, str]] = field(default_factory=list)
    tags: list[tuple[int, str, str]] = field(default_factory=list)
    cookie_secrets: tuple[bytes, ...] = ()
    serials: dict[str, tuple[str, int]] = field(default_factory=dict)
    places: dict[tuple[str, str], Place] = field(default_factory=dict)

    def checks(self) -> dict[CheckKey, HealthCheck]:
        """Return every probe that the pools want; an address of several pools is there once."""
        return {
            (endpoint.address, name): self.health_checks[name]
            for pool in self.pools.values()
            for endpoint in pool.endpoints
            for name in checks_of(pool, endpoint)
        }

    def specs_by_pool(self) -> dict[str, list[int]]:
        """Return the numbers of the answers that look at each pool."""
        found: dict[str, list[int]] = {name: [] for name in self.pools}
        for number, spec in self.specs.items():
            for name in pools_of(spec.target):
                found[name].append(number)
        return found

    def steered_name(self, qname: WireName) -> SteeredName | None:
        """Return the steered name that answers `qname`, a wildcard included."""
        for owner in _owners(qname):
            if owner in self.steered:
                return self.steered[owner]
        return None


def _owners(qname: WireName) -> Iterator[WireName]:
    yield qname
    for encloser in ancestors(qname):
        yield WireName(b"\x01*" + encloser)


def checks_of(pool: Pool, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the names of the health checks of an endpoint: its own, or else its pool's."""
    return pool.health_checks if endpoint.health_checks is None else endpoint.health_checks


def all_usable(pools: Mapping[str, Pool]) -> dict[str, tuple[bool, ...]]:
    """Return the standing in which nothing is known to be down."""
    return {name: (True,) * len(pool.endpoints) for name, pool in pools.items()}


def name_text(name: WireName) -> str:
    """Return a name for people and labels: without the final dot, but for the root."""
    text = to_text(name)
    return text if text == "." else text[:-1]
