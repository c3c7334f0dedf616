"""What sections say of each other: names that must exist, endpoints that must fit together."""

from collections.abc import Iterable, Iterator

from .federation import federation_problems
from .mistakes import KEY, Keys, did_you_mean
from .model import Config, Record, Zone
from .targets import FallbackCname, FallbackPools, PoolRef, Target, parts_of
from .values import LABEL, MAX_NAME, Problem, is_host_name

MAX_HINTS = 100  # did-you-mean is a courtesy; a hundred thousand of them would take minutes


class References:
    """Finds every problem between the sections of one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.hints_left = MAX_HINTS
        self.kinds = {
            name: (
                any(endpoint.is_alias for endpoint in pool.endpoints),
                any(not endpoint.is_alias for endpoint in pool.endpoints),
            )
            for name, pool in config.pools.items()
        }
        self.sound: set[Target] = set()  # targets whose pools all exist

    def problems(self) -> Iterator[Problem]:
        yield from self._health_checks()
        yield from _zone_names(self.config.zones)
        for name, zone in self.config.zones.items():
            yield from _nameservers(name, zone)
            yield from self._transfer(name, zone)
            for owner, record in zone.records.items():
                if record.route or record.federate:
                    yield from self._steered(name, owner, record)

    def _missing(self, kind: str, name: str, known: Iterable[str]) -> str:
        self.hints_left -= 1
        hint = did_you_mean(name, known) if self.hints_left >= 0 else ""
        return f'no {kind} "{name}"{hint}'

    def _missing_pool(self, name: str) -> str:
        return self._missing("pool", name, self.config.pools)

    def _health_checks(self) -> Iterator[Problem]:
        known = self.config.health_checks
        for name, pool in self.config.pools.items():
            at: Keys = ("pools", name)
            named: list[tuple[Keys, tuple[str, ...]]] = [(at, pool.health_checks)]
            for index, endpoint in enumerate(pool.endpoints):
                named.append(((*at, "endpoints", index), endpoint.health_checks or ()))
            for keys, checks in named:
                for index, check in enumerate(checks):
                    if check not in known:
                        yield (
                            (*keys, "health_check", index),
                            self._missing("health check", check, known),
                        )

    def _transfer(self, name: str, zone: Zone) -> Iterator[Problem]:
        steered = next((o for o, r in zone.records.items() if r.route or r.federate), None)
        if zone.transfer_to and steered is not None:
            yield (
                ("zones", name, "transfer_to", KEY),
                f'only for zones whose records are all static; "{steered}" is steered',
            )

    def _steered(self, zone: str, owner: str, record: Record) -> Iterator[Problem]:
        keys: Keys = ("zones", zone, "records", owner)
        problems: list[Problem] = []
        for rule in record.route:
            at: Keys = (*keys, "route", rule.region) if record.routed else (*keys, "pools")
            if rule.region != "default" and rule.region not in self.config.regions:
                yield (*at, KEY), self._missing("region", rule.region, self.config.regions)
            problems += self._target(rule.target, at)
        if isinstance(record.when_all_down, FallbackPools):
            problems += self._target(record.when_all_down.target, (*keys, "when_all_down", "pools"))
        if record.federate:
            found = federation_problems(
                record, owner, _is_apex(owner, zone), self.config.pools, self._missing_pool
            )
            problems += [((*keys, *inside), problem) for inside, problem in found]
        yield from problems
        if not problems:
            yield from self._kinds(zone, owner, record)

    def _target(self, target: Target, at: Keys) -> list[Problem]:
        """Return the problems of one target; that it has none is worked out once."""
        if target in self.sound:
            return []
        problems = [
            (keys, self._missing_pool(part.pool))
            for keys, part in parts_of(target, at)
            if isinstance(part, PoolRef) and part.pool not in self.config.pools
        ]
        if not problems:
            self.sound.add(target)
        return problems

    def _kinds(self, zone: str, owner: str, record: Record) -> Iterator[Problem]:
        """The endpoints of a record are all addresses, or all host names: alone, not at the apex.

        A CNAME stands alone at its owner (RFC 2181, section 10.1), and the apex has SOA and NS.
        """
        word = "federate" if record.federate else "route" if record.routed else "pools"
        keys: Keys = ("zones", zone, "records", owner, word, KEY)
        at_apex = _is_apex(owner, zone)
        if at_apex and isinstance(record.when_all_down, FallbackCname):
            fallback: Keys = (*keys[:4], "when_all_down", "cname")
            yield fallback, "a CNAME cannot stand at the apex"
        with_names = sorted(pool for pool in record.pool_names if self.kinds[pool][0])
        with_addresses = sorted(pool for pool in record.pool_names if self.kinds[pool][1])
        if not with_names:
            return
        if with_addresses:
            yield (
                keys,
                (
                    f"host names (pool {with_names[0]}) and addresses (pool {with_addresses[0]}) "
                    "cannot answer one record; expected all of one kind"
                ),
            )
        if record.rrsets:
            types = ", ".join(record.rrsets)
            yield keys, f"host names are answered as CNAME, which cannot stand beside {types}"
        if at_apex:
            yield keys, "host names are answered as CNAME, which cannot stand at the apex"


def _zone_names(zones: Iterable[str]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for zone in zones:
        name = zone.removesuffix(".")
        labels = name.split(".")
        is_name = zone == "." or all(_is_label(label) for label in labels)
        if len(name) > MAX_NAME or not is_name:
            yield ("zones", zone, KEY), "expected a domain name such as gtm.example.com"
        elif (spelled := first.setdefault(name.lower(), zone)) != zone:
            yield ("zones", zone, KEY), f'the same zone as "{spelled}"'


def _is_label(label: str) -> bool:
    """Whether a zone's label is 1 to 63 characters; a slash is for RFC 2317 zones."""
    return bool(LABEL.fullmatch(label.replace("/", "-")))


def _nameservers(zone_name: str, zone: Zone) -> Iterator[Problem]:
    """A nameserver inside the zone needs addresses, for glue; one outside has none here."""
    apex = "." if zone_name == "." else "." + zone_name.lower().removesuffix(".") + "."
    for name, addresses in zone.nameservers.items():
        keys = ("zones", zone_name, "nameservers", name)
        inside = not name.endswith(".") or ("." + name.lower()).endswith(apex)
        if not is_host_name(name):
            yield (*keys, KEY), "expected a host name, relative to the zone or with a final dot"
        elif inside and not addresses:
            yield keys, "a name in the zone needs one or more addresses"
        elif not inside and addresses:
            yield keys, "a name outside the zone cannot have addresses here; expected []"


def _is_apex(owner: str, zone: str) -> bool:
    same = owner.endswith(".") and owner.lower() == zone.lower().removesuffix(".") + "."
    return same or owner == "@"
