"""Warnings: what loads but cannot be meant. Each has its place, like a mistake."""

from collections.abc import Iterator, Sequence

from ..config.load import Loaded
from ..config.mistakes import Mistake
from ..config.model import HealthCheck, Pool, Record, Target
from ..config.rrtypes import type_number
from ..config.targets import pools_of
from ..wire.constants import AAAA, DS, NS, A
from ..wire.name import ancestors, from_text, is_below
from .build import Compiled
from .decide import Family, needed_of, reaches
from .plan import checks_of

AT_CUTS = {NS, DS, A, AAAA}  # types
FAMILIES: tuple[tuple[Family, str], ...] = ((4, "IPv4"), (6, "IPv6"))


def warnings_of(loaded: Loaded, compiled: Compiled) -> list[str]:
    """Return every warning about a configuration that was compiled, by place."""
    found: list[Mistake] = []
    gaps: dict[tuple[str, str], list[str]] = {}
    for region, kind, value in compiled.gaps:
        gaps.setdefault((region, kind), []).append(value)
    for (region, kind), values in gaps.items():
        found.append(
            loaded.mistake(
                ("regions", region, kind),
                f"no database of geoip.databases knows {', '.join(values)}: nobody is found by it",
            )
        )
    records = [
        (("zones", zone, "records", owner), record)
        for zone, content in loaded.config.zones.items()
        for owner, record in content.records.items()
        if record.route
    ]
    found += _pools(loaded, [record for _, record in records])
    for keys, record in records:
        found += _record(loaded, compiled, keys, record)
        found += _ttl(loaded, keys, record)
    found += _hidden(loaded)
    return [str(warning) for warning in sorted(set(found))]


def _pools(loaded: Loaded, records: Sequence[Record]) -> Iterator[Mistake]:
    used = {name for record in records for rule in record.route for name in pools_of(rule.target)}
    for name, pool in loaded.config.pools.items():
        if name not in used:
            yield loaded.mistake(("pools", name), "no record uses this pool")
        for family, label in FAMILIES:
            total = sum(endpoint.family == family for endpoint in pool.endpoints)
            if total and needed_of(pool.min_available, total) > total:
                number = f"{total} {label} endpoint{'' if total == 1 else 's'}"
                yield loaded.mistake(
                    ("pools", name, "min_available"), f"can never be met: the pool has {number}"
                )
        weights = [endpoint.weight for endpoint in pool.endpoints]
        if pool.select == "all" and any(weight is not None for weight in weights):
            yield loaded.mistake(("pools", name, "select"), '"all" leaves the weights unused')


def _hidden(loaded: Loaded) -> Iterator[Mistake]:
    """Yield a warning for each name that a deeper zone of this server answers in its place.

    NS, DS and addresses are no surprise there: they are the delegation to that zone and its glue.
    """
    apexes = {from_text(zone): zone for zone in loaded.config.zones}
    for apex, zone in apexes.items():
        deeper = {other for other in apexes if is_below(other, apex)}
        for owner, record in loaded.config.zones[zone].records.items() if deeper else ():
            name = from_text(owner, apex)
            hiding = deeper.intersection((name, *ancestors(name)))
            if hiding and (record.route or not set(map(type_number, record.rrsets)) <= AT_CUTS):
                yield loaded.mistake(
                    ("zones", zone, "records", owner),
                    f"never answered: the zone {apexes[max(hiding, key=len)]} has this name",
                )
        found = loaded.zone_files.get(zone)
        for name, rrsets in found.rrsets.items() if found and deeper else ():
            hiding = deeper.intersection((name, *ancestors(name)))
            if hiding and not rrsets.keys() <= AT_CUTS:
                place = next(iter(rrsets.values())).place
                problem = f"never answered: the zone {apexes[max(hiding, key=len)]} has this name"
                yield Mistake(*place, "", problem)


def _record(
    loaded: Loaded, compiled: Compiled, keys: tuple[str, ...], record: Record
) -> Iterator[Mistake]:
    pools = loaded.config.pools
    targets = [rule.target for rule in record.route]
    regions = tuple(rule.region for rule in record.route[:-1])
    for region in compiled.unreached.get(regions, ()):
        yield loaded.mistake(
            (*keys, "route", region), "never reached: the rules above take all of its clients"
        )
    for family, label in FAMILIES:
        reached = [reaches(target, family, pools) for target in targets]
        if any(reached) and not all(reached):
            rule = record.route[reached.index(False)].region
            yield loaded.mistake(
                (*keys, "route", rule),
                f"has no {label} endpoint, while other rules of this name have some",
            )


def _ttl(loaded: Loaded, keys: tuple[str, ...], record: Record) -> Iterator[Mistake]:
    """Warn of a written TTL in which a dead address outlives the checks that find it dead."""
    zone = loaded.config.zones[keys[1]]
    if record.ttl is not None:
        ttl, place = record.ttl, (*keys, "ttl")
    elif "ttl" in zone.model_fields_set:
        ttl, place = zone.ttl, (*keys[:2], "ttl")
    else:
        return
    targets = [rule.target for rule in record.route]
    detection = _detection(loaded, targets, loaded.config.pools)
    if detection is not None and ttl > detection:
        yield loaded.mistake(
            place,
            f"{ttl} s is longer than the {detection:g} s in which a failure is noticed: "
            "resolvers keep a dead address longer than needed",
        )


def _detection(loaded: Loaded, targets: Sequence[Target], pools: dict[str, Pool]) -> float | None:
    """Return the longest time in which a failure of these targets is noticed, in seconds."""
    checks = loaded.config.health_checks
    times = [
        _longest(checks[name])
        for target in targets
        for pool in map(pools.__getitem__, pools_of(target))
        for endpoint in pool.endpoints
        for name in checks_of(pool, endpoint)
    ]
    return max(times, default=None)


def _longest(check: HealthCheck) -> float:
    return check.fall * check.interval + check.timeout
