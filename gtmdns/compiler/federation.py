"""Names that steered records make: federation names, and what a fallback CNAME leads to.

Of record N in zone D, over pools of zones Z in regions R (docs/decisions.md): N.Z.R.D and N.Z.D
answer with the pools of that zone, N.R.D with those of that region, N.D with all. Where none of its
endpoints is usable, a name is an alias of the next wider one: zone, region, all; the widest does
as the record says.

That each pool has a locality, that a zone lies in one region, that no label is both, and that the
record is no wildcard and not the apex was checked before (config/federation.py).
"""

from collections.abc import Iterator

from ..config.load import Loaded
from ..config.mistakes import Mistake
from ..config.model import (
    AllOf,
    FallbackCname,
    Locality,
    PoolRef,
    Record,
    Rule,
    WhenAllDown,
    Zone,
)
from ..wire.name import BadName, WireName, from_text, to_text
from .zones import Owner, ZoneDraft


def add_steered_names(zone: Zone, draft: ZoneDraft, loaded: Loaded) -> list[Mistake]:
    """Make fallback CNAMEs of `draft` absolute and add its federation names; return mistakes."""
    mistakes: list[Mistake] = []
    federated = []
    for name, owner in draft.owners.items():
        record = owner.record
        if record is None and owner.key[2:3] == ("records",):
            record = zone.records[str(owner.key[3])]
        if record is None or not (record.route or record.federate):
            continue
        if isinstance(record.when_all_down, FallbackCname):
            record, problem = _absolute(record, record.when_all_down.name, name, draft)
            if problem:
                mistakes.append(loaded.mistake((*owner.key, "when_all_down", "cname"), problem))
        if record.federate:
            federated.append((name, owner, record))
        else:
            owner.record = record
    for name, owner, record in federated:
        mistakes += _federate(name, owner, record, draft, loaded)
    return mistakes


def _absolute(
    record: Record, text: str, owner: WireName, draft: ZoneDraft
) -> tuple[Record, str | None]:
    """Return `record` with an absolute fallback CNAME, and what is wrong with it."""
    try:
        target = from_text(text, draft.apex)
    except BadName as error:
        return record, f"{error}, expected a domain name"
    problem = "an alias of itself; expected another name" if target == owner else None
    return record.model_copy(update={"when_all_down": FallbackCname(to_text(target))}), problem


def _federate(
    name: WireName, owner: Owner, record: Record, draft: ZoneDraft, loaded: Loaded
) -> Iterator[Mistake]:
    """Give the names of one record to the draft; yield a mistake for each that cannot be one."""
    key = (*owner.key, "federate")
    names = _names(name, record, draft.apex, loaded)
    while True:
        try:
            made = next(names, None)
        except BadName as error:
            yield loaded.mistake(key, f"makes a name that is none: {error}")
            return
        if made is None:
            return
        wire, steered = made
        other = draft.owners.get(wire)
        if other is owner and not owner.rrsets:
            owner.record = steered
        elif other is not None:
            line = next(iter(other.lines.values()), None)
            place = loaded.where(*other.key) if line is None else line
            problem = f"makes the name {to_text(wire)}, which stands at {place} too"
            yield loaded.mistake(key, problem)
        elif draft.is_occluded(wire):
            yield loaded.mistake(key, f"makes the name {to_text(wire)}, which is delegated")
        else:
            draft.owners[wire] = Owner(owner.key, record=steered)


def _names(
    name: WireName, record: Record, apex: WireName, loaded: Loaded
) -> Iterator[tuple[WireName, Record]]:
    """Yield every name with what it answers, the widest first. Raises BadName."""
    pools = loaded.config.pools
    localities: dict[str, Locality] = {}
    for pool in record.federate:
        locality = pools[pool].locality
        assert locality is not None, "localities were checked"
        localities[pool] = locality
    regions = dict.fromkeys(each.region for each in localities.values())
    zones = {each.zone: each.region for each in localities.values()}
    yield name, _steered(record, record.federate, record.when_all_down)
    for region in regions:
        there = tuple(pool for pool in record.federate if localities[pool].region == region)
        wire = _inside(name, apex, region)
        yield wire, _steered(record, there, FallbackCname(to_text(name)))
    for zone, region in zones.items():
        there = tuple(pool for pool in record.federate if localities[pool].zone == zone)
        wider = FallbackCname(to_text(_inside(name, apex, region)))
        yield _inside(name, apex, zone, region), _steered(record, there, wider)
        yield _inside(name, apex, zone), _steered(record, there, wider)


def _inside(name: WireName, apex: WireName, *labels: str) -> WireName:
    """Return `name` with labels between it and the apex of its zone."""
    between = from_text(".".join(labels), apex)
    return from_text(to_text(WireName(name[: len(name) - len(apex)] + between)))


def _steered(record: Record, pools: tuple[str, ...], when_all_down: WhenAllDown) -> Record:
    target = AllOf(tuple(map(PoolRef, pools)), whole=True)
    route = (Rule("default", target),)
    return record.model_copy(update={"route": route, "when_all_down": when_all_down})
