"""A checked configuration to the pieces of a snapshot, and the plan that control keeps.

Everything is compiled as if every endpoint were usable; control decides anew for
those that are not before it publishes. So a load needs no verdicts, and a verdict
that changes meanwhile is not lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from ..answers.answer import Answer
from ..answers.route import RouteTable
from ..config.load import Loaded
from ..config.mistakes import BadConfig, Mistake
from ..config.model import Config, Record, Target, Zone
from ..config.rrtypes import type_text
from ..config.targets import pools_of
from ..config.zonefile import ZoneFile
from ..wire.constants import AAAA, CNAME, DS, A
from ..wire.name import WireName
from .alias import follow
from .decide import Family, TooManyCombinations, decide, reaches
from .geodata import BadDatabase
from .octets import Tags, answer_of
from .plan import FIXED, AnswerSpec, Plan, SteeredName, ZonePlan, all_usable, name_text
from .regions import Gap, RouteTables, compile_routes
from .secrets import BadSecrets, read_secrets
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
    return _Compiler(loaded, serials, now).compile()


@dataclass(slots=True)
class _Numbered:
    """Things that are shared: each different one gets the next number."""

    keys: dict[Any, int] = field(default_factory=dict)
    items: list[Any] = field(default_factory=list)

    def number(self, key: Any, item: Any) -> int:
        known = self.keys.get(key)
        if known is None:
            known = self.keys[key] = len(self.items)
            self.items.append(item)
        return known


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
        self.tags = Tags(self.plan.tags)
        self.usable = all_usable(config.pools)
        self.answers = _Numbered()
        self.target_numbers: dict[Target, int] = {}
        self.spec_numbers: dict[AnswerSpec, int] = {}
        self.routed = _Numbered()
        self.routes = _Numbered()
        self.apexes: dict[WireName, str] = {}
        self.mistakes: list[Mistake] = []

    def compile(self) -> Compiled:
        drafts = self._drafts()
        zone_pieces = [
            piece for number, draft in enumerate(drafts) for piece in self._zone(number, draft)
        ]
        tables = self._tables()
        self._read_secrets()
        self._raise_mistakes()
        pieces: list[Piece] = [("private", tables.known_private)]
        distinct, numbers = _distinct(tables.tables)
        pieces += [("routes", (table.encode(),)) for table in distinct]
        pieces += _chunks("answers", (answer.encoded() for answer in self.answers.items))
        pieces += _chunks(
            "routed", ((numbers[route], answers) for route, answers in self.routed.items)
        )
        unreached = {
            regions: tuple(name for rule, name in enumerate(regions) if rule not in table.rules())
            for regions, table in zip(self.routes.items, tables.tables, strict=True)
        }
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

    def _tables(self) -> RouteTables:
        geoip = self.config.geoip.databases
        databases: list[Path | Literal["builtin"]] = [
            "builtin" if name == "builtin" else self.loaded.base / name for name in geoip
        ]
        try:
            return compile_routes(self.routes.items, self.config.regions, databases)
        except BadDatabase as error:
            self._mistake(("geoip", "databases", error.index), error.problem)
            return RouteTables([], (), [])

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
        nodes: list[Piece] = []
        names = list(draft.nodes())
        existing = frozenset(names)
        for name in names:
            owner = draft.owners.get(name)
            if owner is None:
                nodes.append((name, base, (), None, None))  # an empty non-terminal
                continue
            node_base = base
            if name != draft.apex:
                if len(self.plan.counted) <= MAX_COUNTED:
                    node_base = self._base(apex_text, name_text(name))
                else:
                    other = node_base = self._base(apex_text, OTHER) if other is None else other
            nodes.append(self._node(name, owner, draft, existing, apex_text, node_base))
            self.plan.names[apex_text, name_text(name)] = _types(owner)
        yield "zone", draft.apex, base, draft.negative
        for piece in _chunks("nodes", nodes):
            yield piece[0], number, piece[1]
        for piece in _chunks("wildcards", wildcards(names)):
            yield piece[0], number, piece[1]

    def _base(self, zone: str, owner: str) -> int:
        self.plan.counted.append((zone, owner))
        return (len(self.plan.counted) - 1) << BASE_BITS

    def _node(
        self,
        name: WireName,
        owner: Owner,
        draft: ZoneDraft,
        existing: frozenset[WireName],
        zone: str,
        base: int,
    ) -> Piece:
        if name in draft.cuts:
            signer = [(DS, self._static(draft.answer(name, DS)))] if DS in owner.rrsets else []
            return (name, base, tuple(signer), None, self._static(draft.referral(name)))
        types = [(t, self._static(draft.answer(name, t))) for t in owner.rrsets if t != CNAME]
        cname = None
        if CNAME in owner.rrsets:
            followed = follow(name, draft, existing, self.apexes)
            types = [(rtype, self._static(answer)) for rtype, answer in followed.types]
            cname = self._static(followed.other)
        record = owner.record
        if record is not None:
            ttl = self.config.zones[str(owner.key[1])].ttl if record.ttl is None else record.ttl
            steered = SteeredName(
                zone,
                str(owner.key[-1]),
                tuple((rule.region, self._target(rule.target)) for rule in record.route),
                record.routed,
                ttl,
                record.when_all_down,
            )
            self.plan.steered[name] = steered
            families: tuple[tuple[Family, int], ...] = ((4, A), (6, AAAA))
            types += [
                (rtype, self._steered(steered, family, owner))
                for family, rtype in families
                if self._reaches(record, family)
            ]
            if self._reaches(record, 0):
                cname = self._steered(steered, 0, owner)
        return (name, base, tuple(types), cname, None)

    def _target(self, target: Target) -> int:
        known = self.target_numbers.get(target)
        if known is None:
            known = self.target_numbers[target] = len(self.plan.targets)
            self.plan.targets.append(target)
        return known

    def _reaches(self, record: Record, family: Family) -> bool:
        return any(reaches(rule.target, family, self.config.pools) for rule in record.route)

    def _static(self, answer: Answer) -> int:
        code = answer.encoded()
        return self.answers.number(code, answer)

    def _steered(self, steered: SteeredName, family: Family, owner: Owner) -> int:
        """Return the entry of a steered name for one family: a number, or ~n if clients matter."""
        numbers = tuple(
            self._spec(
                AnswerSpec(
                    self.plan.targets[target],
                    family,
                    steered.ttl,
                    steered.when_all_down,
                    "default" if region == "default" else "region",
                ),
                owner,
            )
            for region, target in steered.rules
        )
        if len(numbers) == 1:
            return numbers[0]
        regions = tuple(region for region, _ in steered.rules[:-1])
        route = self.routes.number(regions, regions)
        return ~self.routed.number((route, numbers), (route, numbers))

    def _spec(self, spec: AnswerSpec, owner: Owner) -> int:
        known = self.spec_numbers.get(spec)
        if known is not None:
            return known
        try:
            outcome = decide(
                spec.target, spec.family, self.config.pools, self.usable, spec.when_all_down
            )
        except TooManyCombinations:
            self._mistake(owner.key, "`all` joins more weighted members than 1024 answers can hold")
            return 0
        answer = answer_of(spec, outcome, self.tags)
        # Keyed by the spec, never by octets: two specs may look alike now and differ when
        # an endpoint goes down.
        number = self.answers.number(spec, answer)
        self.plan.specs[number] = spec
        self.spec_numbers[spec] = number
        return number


class _Hashes:
    """Tells contents of zones apart: the zone itself, and the pools and regions that it uses."""

    def __init__(self, config: Config, zone_files: Mapping[str, ZoneFile]) -> None:
        self._files = {name: found.digest for name, found in zone_files.items()}
        self._pools = {name: _hash(pool) for name, pool in config.pools.items()}
        self._regions = {name: _hash(region) for name, region in config.regions.items()}

    def of_zone(self, name: str, zone: Zone) -> str:
        rules = {rule for record in zone.records.values() for rule in record.route}
        pools = {name for rule in rules for name in pools_of(rule.target)}
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


def _types(owner: Owner) -> tuple[str, ...]:
    record = owner.record
    steered = () if record is None else ("route" if record.routed else "pools",)
    return steered + tuple(map(type_text, owner.rrsets))


def _chunks(kind: str, items: Iterable[Any]) -> Iterator[Piece]:
    """Yield (kind, tuple of at most CHUNK items)."""
    iterator = iter(items)
    while chunk := tuple(islice(iterator, CHUNK)):
        yield kind, chunk


def _distinct(tables: Sequence[RouteTable]) -> tuple[list[RouteTable], list[int]]:
    """Return each table once, and for each route the number of its table."""
    numbers: dict[int, int] = {}
    distinct: list[RouteTable] = []
    for table in tables:
        if id(table) not in numbers:
            numbers[id(table)] = len(distinct)
            distinct.append(table)
    return distinct, [numbers[id(table)] for table in tables]
