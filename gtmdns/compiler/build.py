"""A checked configuration to the pieces of a snapshot, and the plan that control keeps.

Everything is compiled as if every endpoint were usable; control decides anew for
those that are not before it publishes. So a load needs no verdicts, and a verdict
that changes meanwhile is not lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from ..answers.answer import Answer
from ..config.load import Loaded, collector_paused
from ..config.mistakes import BadConfig, Mistake
from ..config.model import Config, FallbackPools, Record, Zone
from ..config.rrtypes import type_text
from ..config.targets import pools_of
from ..config.zonefile import ZoneFile
from ..wire.constants import CNAME, DNAME
from ..wire.name import WireName
from .federation import add_steered_names
from .geodata import BadDatabase
from .plan import FIXED, Plan, ZonePlan, name_text, packed_regions
from .regions import Gap, RouteTables, TooManyLines, compile_routes
from .rules import Rules
from .secrets import BadSecrets, read_secrets
from .static import Statics
from .steered import Numbered, SteeredNames
from .tables import distinct_tables, route_pieces
from .transfer import transfer_pieces
from .zones import Owner, ZoneDraft, draft_zone, wildcards

BASE_BITS = 20  # a tally key is number << BASE_BITS | tag
MAX_COUNTED = 1000  # names with a counter of their own; the rest of a zone shares one
OTHER = "other"  # the name of that one
CHUNK = 500  # nodes or answers in one piece

Piece = tuple[Any, ...]
Serials = Mapping[str, tuple[str, int]]


@dataclass(slots=True)
class Compiled:
    """What a configuration becomes.

    pieces:    in the order in which SnapshotBuilder wants them
    gaps:      (region, kind, value) that no database can give
    unreached: by the regions of a route, those that no client is left for
    """

    pieces: list[Piece]
    plan: Plan
    gaps: list[Gap]
    unreached: dict[tuple[str, ...], tuple[str, ...]]


def compile_config(loaded: Loaded, serials: Serials, now: int) -> Compiled:
    """Compile `loaded`. Raises BadConfig with all mistakes of this stage.

    serials: the plan's `serials` of the generation before, so that `serial: auto` changes
             only with the content of a zone and never goes backwards
    now:     Unix time, seconds
    """
    with collector_paused():
        return _Compiler(loaded, serials, now).compile()


class _Compiler:
    def __init__(self, loaded: Loaded, serials: Serials, now: int) -> None:
        config = loaded.config
        self.loaded = loaded
        self.config = config
        self.now = now
        self.serials = serials
        self.plan = Plan(
            config.server, config.admin, dict(config.pools), dict(config.health_checks)
        )
        self.plan.places = {keys: loaded.where(*keys) for keys in FIXED}
        self.plan.counted.append(("", ""))  # base 0: no zone of ours
        self.answers = Numbered()
        self.statics = Statics((), self._number)
        self.rules = Rules(config.pools)
        self.steered = SteeredNames(config, self.plan, self.answers, self.rules, self._mistake)
        self.apexes: dict[WireName, str] = {}
        self.mistakes: list[Mistake] = []

    def compile(self) -> Compiled:
        drafts = self._drafts()
        tables = self._tables(drafts)
        self.statics = Statics(drafts, self._number)
        zone_pieces = [
            piece for number, draft in enumerate(drafts) for piece in self._zone(number, draft)
        ]
        self._read_secrets()
        self._raise_mistakes()
        pieces: list[Piece] = [("private", tables.known_private)]
        distinct, numbers = distinct_tables([*tables.tables, *self.steered.more_tables()])
        pieces += route_pieces(distinct)
        pieces += _chunks("answers", (answer.encoded() for answer in self.answers.items))
        pieces += _chunks("routed", self.steered.routed(numbers))
        unreached = _unreached(self.rules, tables)
        pieces += _chunks("records", self.statics.records)
        return Compiled(pieces + zone_pieces, self.plan, tables.gaps, unreached)

    def _raise_mistakes(self) -> None:
        if self.mistakes:
            raise BadConfig(self.mistakes, self.loaded.files)

    def _drafts(self) -> list[ZoneDraft]:
        drafts = []
        hashes = _Hashes(self.config, self.loaded.zone_files)
        for text, zone in self.config.zones.items():
            content = hashes.of_zone(text, zone)
            serial = zone.serial if zone.serial is not None else self._serial(text, content)
            draft = draft_zone(text, zone, serial, self.loaded)
            serial = draft.serial
            self.plan.serials[text] = (content, serial)
            self.mistakes += draft.mistakes
            self.mistakes += add_steered_names(zone, draft, self.loaded)
            if draft.apex in self.apexes:
                self._mistake(("zones", text), f"the same zone as {self.apexes[draft.apex]!r}")
            self.apexes[draft.apex] = text
            self.plan.zones[text] = ZonePlan(name_text(draft.apex), serial)
            drafts.append(draft)
        self._raise_mistakes()
        return drafts

    def _serial(self, apex: str, content: str) -> int:
        before = self.serials.get(apex)
        if before is None:
            return self.now
        return before[1] if before[0] == content else _next_serial(before[1], self.now)

    def _mistake(self, key: tuple[str | int, ...], problem: str) -> None:
        self.mistakes.append(self.loaded.mistake(key, problem))

    def _tables(self, drafts: Sequence[ZoneDraft]) -> RouteTables:
        for draft in drafts:
            for owner in draft.owners.values():
                if owner.record is not None:
                    self.rules.add(owner.key, owner.record)
        geoip = self.config.geoip.databases
        databases: list[Path | Literal["builtin"]] = [
            "builtin" if name == "builtin" else self.loaded.base / name for name in geoip
        ]
        self.plan.packed_regions = packed_regions(self.config.regions)
        self.plan.databases = tuple(map(str, databases))
        try:
            tables = compile_routes(self.rules.routes, self.config.regions, databases)
        except BadDatabase as error:
            self._mistake(("geoip", "databases", error.index), error.problem)
        except TooManyLines as error:
            self._mistake(self.rules.first[error.index], error.problem)
        else:
            self.rules.use(tables)
            return tables
        return RouteTables([], [], (), [])

    def _read_secrets(self) -> None:
        name = self.config.server.cookies.secret_file
        if name is None:
            return
        try:
            self.plan.cookie_secrets = read_secrets(self.loaded.base / name)
        except BadSecrets as error:
            self._mistake(("server", "cookies", "secret_file"), error.problem)

    def _zone(self, number: int, draft: ZoneDraft) -> Iterator[Piece]:
        """Yield the pieces of one zone; answers and routes get their numbers meanwhile."""
        apex_text = name_text(draft.apex)
        base = self._base(apex_text, apex_text)
        other = None
        pieces: dict[str, list[Piece]] = {"nodes": [], "aliases": [], "dnames": [], "static": []}
        names = list(draft.nodes())
        for name in names:
            owner = draft.owners.get(name)
            if owner is None:
                pieces["nodes"].append((name, base, (), None, None))  # an empty non-terminal
                continue
            node_base = base
            if name != draft.apex:
                if len(self.plan.counted) <= MAX_COUNTED:
                    node_base = self._base(apex_text, name_text(name))
                else:
                    other = node_base = self._base(apex_text, OTHER) if other is None else other
            kind, node = self._node(name, owner, draft, apex_text, node_base)
            if kind == "nodes" and node_base == other:
                kind, node = _shortened(node)
            pieces[kind].append(node)
            types = _types(_steered_by(owner.record), *owner.rrsets)
            self.plan.names[apex_text, name_text(name)] = types
        yield "zone", draft.apex, base, draft.negative
        for kind, nodes in pieces.items():
            for piece in _chunks(kind, nodes):
                yield (kind, number, *((other,) if kind == "static" else ()), piece[1])
        for piece in _chunks("wildcards", wildcards(names)):
            yield piece[0], number, piece[1]
        yield from transfer_pieces(number, base, self.config.zones[self.apexes[draft.apex]], draft)

    def _base(self, zone: str, owner: str) -> int:
        self.plan.counted.append((zone, owner))
        return (len(self.plan.counted) - 1) << BASE_BITS

    def _node(
        self,
        name: WireName,
        owner: Owner,
        draft: ZoneDraft,
        zone: str,
        base: int,
    ) -> tuple[str, Piece]:
        """Return the node and the kind of piece that it travels in."""
        if name in draft.cuts:
            signer, referral = self.statics.cut(draft, name)
            return "nodes", (name, base, signer, None, referral)
        if CNAME in owner.rrsets:
            seconds, values = owner.rrsets[CNAME]
            return "aliases", (name, base, seconds, values[0])
        types = [(rtype, self.statics.entry(draft, name, rtype)) for rtype in owner.rrsets]
        cname = None
        if owner.record is not None:
            entries, cname = self.steered.entries(name, owner, zone)
            types += entries
        if DNAME in owner.rrsets:
            seconds, values = owner.rrsets[DNAME]
            return "dnames", (name, base, tuple(types), seconds, values[0])
        return "nodes", (name, base, tuple(types), cname, None)

    def _number(self, answer: Answer) -> int:
        return self.answers.number(answer.encoded(), answer)


def _shortened(node: Piece) -> tuple[str, Piece]:
    """Return a node, or its name and records where it has nothing else."""
    name, _, types, cname, referral = node
    records = [entry for _, entry in types]
    if cname is None and referral is None and records and set(map(type, records)) == {bytes}:
        return "static", (name, b"".join(records))
    return "nodes", node


class _Hashes:
    """Tells contents of zones apart: the zone itself, and the pools and regions that it uses."""

    def __init__(self, config: Config, zone_files: Mapping[str, ZoneFile]) -> None:
        self._files = {name: found.digest for name, found in zone_files.items()}
        self._pools = {name: _hash(pool) for name, pool in config.pools.items()}
        self._regions = {name: _hash(region) for name, region in config.regions.items()}

    def of_zone(self, name: str, zone: Zone) -> str:
        rules = {rule for record in zone.records.values() for rule in record.route}
        pools = {name for rule in rules for name in pools_of(rule.target)}
        for record in zone.records.values():
            pools.update(record.federate)
            if isinstance(record.when_all_down, FallbackPools):
                pools.update(pools_of(record.when_all_down.target))
        regions = {rule.region for rule in rules if rule.region != "default"}
        used = [self._pools[name] for name in sorted(pools)]
        used += [self._regions[name] for name in sorted(regions)]
        return _hash((zone, used, self._files.get(name)))


def _hash(content: object) -> str:
    """Return a hash of a part of the configuration, whose models spell all of their values."""
    return sha256(repr(content).encode()).hexdigest()


def _next_serial(before: int, now: int) -> int:
    """Return the serial after `before`: the time if that is ahead, else one more (RFC 1982)."""
    ahead = (now - before) % 2**32
    return now if 0 < ahead < 2**31 else (before + 1) % 2**32


@lru_cache(maxsize=1024)  # the same few, a million times
def _types(steered_by: tuple[str, ...], *rtypes: int) -> tuple[str, ...]:
    return steered_by + tuple(map(type_text, rtypes))


def _steered_by(record: Record | None) -> tuple[str, ...]:
    if record is None:
        return ()
    return ("federate" if record.federate else "route" if record.routed else "pools",)


def _chunks(kind: str, items: Iterable[Any]) -> Iterator[Piece]:
    """Yield (kind, tuple of at most CHUNK items)."""
    iterator = iter(items)
    while chunk := tuple(islice(iterator, CHUNK)):
        yield kind, chunk


def _unreached(rules: Rules, tables: RouteTables) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return, by the regions of each route, those that no client is left for."""
    unreached = {}
    for route, table, lines in zip(rules.routes, tables.tables, tables.lines, strict=False):
        reached = {lines[number][0] for number in table.rules()}
        unreached[route.regions] = tuple(
            region for rule, region in enumerate(route.regions) if rule not in reached
        )
    return unreached
