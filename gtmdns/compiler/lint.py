"""Warnings: what loads but cannot be meant. Each has its place, like a mistake.

What is looked at here: zones and records. Pools and health checks: lint_pools.
"""

from collections.abc import Iterator

from ..config.load import Loaded
from ..config.mistakes import Keys, Mistake
from ..config.model import Chain, FallbackPools, Nearest, Record, Target, TtlRange
from ..config.rrtypes import type_number
from ..config.targets import parts_of, pools_of
from ..wire.constants import AAAA, DS, NS, A
from ..wire.name import WireName, ancestors, from_text, is_below
from .build import Compiled
from .draws import Family, has_family
from .lint_pools import detection_times, pool_warnings

AT_CUTS = {NS, DS, A, AAAA}  # types
FAMILIES: tuple[tuple[Family, str], ...] = ((4, "IPv4"), (6, "IPv6"))


def warnings_of(loaded: Loaded, compiled: Compiled) -> list[str]:
    """Return every warning about a configuration that was compiled, by place."""
    records: list[tuple[Keys, Record, frozenset[str]]] = [
        (("zones", zone, "records", owner), record, record.pool_names)
        for zone, content in loaded.config.zones.items()
        for owner, record in content.records.items()
        if record.route or record.federate
    ]
    found = [*_gaps(loaded, compiled)]
    found += pool_warnings(loaded, frozenset[str]().union(*(names for *_, names in records)))
    families = _Families(loaded)
    detection = detection_times(loaded.config)
    for keys, record, names in records:
        found += _unreached(loaded, compiled, keys, record)
        found += families.warnings(keys, record)
        found += _ttl(loaded, keys, record, max((detection[name] for name in names), default=0))
        found += _order(loaded, keys, record)
    found += _hidden(loaded)
    found += _undelegated(loaded)
    return [str(warning) for warning in sorted(set(found))]


def _gaps(loaded: Loaded, compiled: Compiled) -> Iterator[Mistake]:
    gaps: dict[tuple[str, str], list[str]] = {}
    for region, kind, value in compiled.gaps:
        gaps.setdefault((region, kind), []).append(value)
    for (region, kind), values in gaps.items():
        yield loaded.mistake(
            ("regions", region, kind),
            f"no database of geoip.databases knows {', '.join(values)}: nobody is found by it",
        )


def _placed_targets(keys: Keys, record: Record) -> Iterator[tuple[Keys, Target]]:
    """Yield each target of a record, the fallback too, with the keys where it is written."""
    for rule in record.route:
        yield (*keys, "route", rule.region) if record.routed else (*keys, "pools"), rule.target
    if isinstance(record.when_all_down, FallbackPools):
        yield (*keys, "when_all_down", "pools"), record.when_all_down.target


def _unreached(loaded: Loaded, compiled: Compiled, keys: Keys, record: Record) -> Iterator[Mistake]:
    regions = tuple(rule.region for rule in record.route[:-1])
    for region in compiled.unreached.get(regions, ()):
        above = "the rules above take all of its clients"
        why = "no client is in the region" if region == regions[0] else above
        yield loaded.mistake((*keys, "route", region), f"never reached: {why}")


class _Families:
    """Finds what answers A and lacks AAAA, or the other way round."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.families = {
            name: {
                family
                for family, _ in FAMILIES
                if any(has_family(endpoint, family) for endpoint in pool.endpoints)
            }
            for name, pool in loaded.config.pools.items()
        }
        self.gaps: dict[tuple[frozenset[str], Family], str] = {}  # each set is looked at once

    def warnings(self, keys: Keys, record: Record) -> Iterator[Mistake]:
        placed = [(at, pools_of(target)) for at, target in _placed_targets(keys, record)]
        if record.federate:
            placed.append(((*keys, "federate"), record.federate))
        for family, label in FAMILIES:
            reached = [any(self._has(name, family) for name in names) for _, names in placed]
            if any(reached) and not all(reached):
                yield self.loaded.mistake(
                    placed[reached.index(False)][0],
                    f"has no {label} endpoint, while other targets of this name have some",
                )
            for at, names in placed:
                if gap := self._gap(frozenset(names), family):
                    yield self.loaded.mistake(
                        at, f"pool {gap} has no {label} endpoint, while other pools here have some"
                    )

    def _has(self, name: str, family: Family) -> bool:
        return family in self.families[name]

    def _gap(self, names: frozenset[str], family: Family) -> str:
        """Return a pool of the other family alone, beside one that has both, or nothing.

        Pools of one family each that make up for each other are no gap.
        """
        if (names, family) not in self.gaps:
            lacking = sorted(name for name in names if not self._has(name, family))
            other: Family = 4 if family == 6 else 6
            both = any(len(self.families[name]) == 2 for name in names)
            found = next((name for name in lacking if both and self._has(name, other)), "")
            self.gaps[names, family] = found
        return self.gaps[names, family]


def _order(loaded: Loaded, keys: Keys, record: Record) -> Iterator[Mistake]:
    """Yield what is said of an order that there is not: places of pools, and coming back."""
    pools = loaded.config.pools
    ordered = False
    for at, target in _placed_targets(keys, record):
        for inside, part in parts_of(target, at):
            ordered |= isinstance(part, (Chain, Nearest)) and len(part.members) > 1
            if isinstance(part, Nearest) and not any(pools[n].location for n in pools_of(part)):
                yield loaded.mistake(
                    (*inside, "nearest"),
                    "no pool here has a location: the order is the written one for every client",
                )
    if record.failback is not None and not ordered:
        yield loaded.mistake(
            (*keys, "failback"), "has no effect: there is no chain that could return to a pool"
        )


def _ttl(loaded: Loaded, keys: Keys, record: Record, detection: float) -> Iterator[Mistake]:
    """Warn of a written TTL in which a dead address outlives the checks that find it dead.

    A range follows health by itself. The zone's TTL is not that of federation names.
    detection: the longest time in which a failure of its pools is noticed, 0: never
    """
    zone = loaded.config.zones[str(keys[1])]
    if record.ttl is not None:
        ttl, place = record.ttl, (*keys, "ttl")
    elif "ttl" in zone.model_fields_set and not record.federate:
        ttl, place = zone.ttl, (*keys[:2], "ttl")
    else:
        return
    if isinstance(ttl, TtlRange):
        return
    if detection and ttl > detection:
        yield loaded.mistake(
            place,
            f"{ttl} s is longer than the {detection:g} s in which a failure is noticed: "
            "resolvers keep a dead address longer than needed",
        )


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
            steered = record.route or record.federate
            if hiding and (steered or not set(map(type_number, record.rrsets)) <= AT_CUTS):
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


def _undelegated(loaded: Loaded) -> Iterator[Mistake]:
    """Yield a warning for each deeper zone that a zone for secondaries has no NS records for.

    This server has both and answers from the deeper one, and so do others with this
    configuration. A secondary gets the zone above alone, and denies what that does not delegate
    (RFC 1034 section 4.2.1).
    """
    sent = {from_text(zone): zone for zone, said in loaded.config.zones.items() if said.transfer_to}
    cuts = {above: _cuts(loaded, above, zone) for above, zone in sent.items()}
    apexes = {from_text(zone): zone for zone in loaded.config.zones} if sent else {}
    for apex, zone in apexes.items():
        above = next((name for name in ancestors(apex) if name in apexes), None)
        if above in sent and cuts[above].isdisjoint((apex, *ancestors(apex))):
            yield loaded.mistake(
                ("zones", sent[above], "transfer_to"),
                f"no NS records for {zone}, a zone of its own: secondaries will deny its names",
            )


def _cuts(loaded: Loaded, apex: WireName, zone: str) -> set[WireName]:
    """Return the names below the apex of a zone that have NS records."""
    found = loaded.zone_files.get(zone)
    cuts = {name for name, rrsets in found.rrsets.items() if NS in rrsets} if found else set()
    for owner, record in loaded.config.zones[zone].records.items():
        if NS in map(type_number, record.rrsets):
            cuts.add(from_text(owner, apex))
    return cuts - {apex}
