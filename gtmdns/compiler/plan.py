"""What control needs of a compiled configuration: what hangs on which endpoints, and why.

The octets for the workers are opaque to control; a plan is the small rest. It is
made by the loader and travels to control in parts.
"""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ..config.mistakes import Place
from ..config.model import (
    Admin,
    Endpoint,
    FallbackPools,
    HealthCheck,
    Pool,
    Region,
    Server,
    Target,
    Ttl,
    WhenAllDown,
)
from ..config.targets import pools_of
from ..health.condition import WELL, Condition
from ..wire.name import WireName, ancestors, to_text
from .draws import Family

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

    ttl: seconds, or a range in which it follows health
    by:  "region" or "default": what led here, before health is looked at
    failback: seconds for which a pool must have been available before a chain returns to it
    hold: whose pools are held back for that: the name, "" where nobody's are
    """

    target: Target
    family: Family
    ttl: Ttl
    when_all_down: WhenAllDown
    by: str
    failback: float | None = None
    hold: str = ""

    def pools(self) -> tuple[str, ...]:
        """Return the name of each pool that the answer may look at, once each."""
        names = pools_of(self.target)
        if isinstance(self.when_all_down, FallbackPools):
            names = tuple(dict.fromkeys((*names, *pools_of(self.when_all_down.target))))
        return names


@dataclass(frozen=True, slots=True)
class SteeredName:
    """A name that is answered from pools.

    rules: (region, number in Plan.targets), "default" last; many names share few targets. With a
           `nearest`, one for each order that some client gets, as a chain in that order
    written: for each rule, the number of its target as the configuration has it
    failback, hold: as in AnswerSpec
    """

    zone: str
    owner: str  # as the configuration has it
    rules: tuple[tuple[str, int], ...]
    routed: bool
    ttl: Ttl
    when_all_down: WhenAllDown
    failback: float | None = None
    hold: str = ""
    written: tuple[int, ...] = ()


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
    names:   (zone, name) -> types, or "pools", "route" or "federate" where it is steered
    counted: (zone, owner) by tally base >> BASE_BITS
    tags:    (rcode, pool, reason) by tag less FIRST_TAG
    cookie_secrets: of `server.cookies`; none: control makes one
    serials: zone apex -> (hash of its content, serial)
    places:  where the settings stand that only a restart changes, by (section, key)
    packed_regions, databases: what tells where a client is, for people; "builtin" or paths
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
    packed_regions: bytes = b""
    databases: tuple[str, ...] = ()

    @property
    def regions(self) -> Mapping[str, Region]:
        """The regions by name. Unpacking ten thousand networks takes 0.1 s: off the loop."""
        return unpacked_regions(self.packed_regions)

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
            for name in spec.pools():
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


def all_usable(pools: Mapping[str, Pool]) -> dict[str, tuple[Condition, ...]]:
    """Return the conditions in which nothing is known to be down."""
    return {name: (WELL,) * len(pool.endpoints) for name, pool in pools.items()}


def packed_regions(regions: Mapping[str, Region]) -> bytes:
    """Return regions as one piece of octets: large ones cost no time where nobody asks for them."""
    return pickle.dumps(dict(regions))


@lru_cache(maxsize=2)
def unpacked_regions(packed: bytes) -> Mapping[str, Region]:
    return pickle.loads(packed) if packed else {}  # noqa: S301  # from our own child


def name_text(name: WireName) -> str:
    """Return a name for people and labels: without the final dot, but for the root."""
    text = to_text(name)
    return text if text == "." else text[:-1]
