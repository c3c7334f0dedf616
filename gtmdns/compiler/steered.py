"""Steered names to entries of nodes: which answer, by rule and family, and what it is made from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..answers.answer import Fixed
from ..answers.chain import ANY_LEAF
from ..answers.route import RouteTable
from ..answers.steps import EVERYONE
from ..config.model import Config, FallbackCname, FallbackPools, Record, Target
from ..config.records import default_ttl
from ..wire.constants import AAAA, ANY, A
from ..wire.name import WireName
from .decide import Decider, reaches
from .draws import Family, TooManyCombinations, has_family, most_parts
from .octets import Tags, answer_of
from .plan import AnswerSpec, Plan, SteeredName, all_usable, name_text
from .rules import Rules, RuleSet
from .zones import Key, Owner

ADDRESSES: tuple[tuple[Family, int], ...] = ((4, A), (6, AAAA))
FAMILIES: tuple[Family, ...] = (0, 4, 6)  # 0: host names
ANY_ANSWER = Fixed(ANY_LEAF)
TOO_MANY = "`all` joins more weighted members than 1024 answers can hold"


@dataclass(slots=True)
class Numbered:
    """Things that are shared: each different one gets the next number."""

    keys: dict[Any, int] = field(default_factory=dict)
    items: list[Any] = field(default_factory=list)

    def number(self, key: Any, item: Any) -> int:
        known = self.keys.get(key)
        if known is None:
            known = self.keys[key] = len(self.items)
            self.items.append(item)
        return known


class SteeredNames:
    """Gives their numbers to targets, specs and answers; equal ones have one.

    Everything is decided as if every endpoint were usable: control decides anew.
    mistake: called with the place of a record and what is wrong with it
    """

    def __init__(
        self,
        config: Config,
        plan: Plan,
        answers: Numbered,
        rules: Rules,
        mistake: Callable[[Key, str], None],
    ) -> None:
        self._config = config
        self._plan = plan
        self._answers = answers
        self._rules = rules
        self._mistake = mistake
        self._tags = Tags(plan.tags)
        self._decider = Decider(config.pools, all_usable(config.pools))
        self._targets: dict[Target, int] = {}
        self._lines: dict[RuleSet, tuple[tuple[tuple[str, int], ...], tuple[int, ...]]] = {}
        self._families: dict[RuleSet, frozenset[Family]] = {}
        self._entries: dict[tuple[object, ...], int] = {}
        self._specs: dict[AnswerSpec, int] = {}
        self._routed = Numbered()

    def entries(
        self, name: WireName, owner: Owner, zone: str
    ) -> tuple[list[tuple[int, int]], int | None]:
        """Return the entries of a steered name by type, and that of all other types (CNAME).

        An entry is the number of an answer, or ~n of what is routed, where clients matter.
        """
        record = owner.record
        assert record is not None, "a steered name is a record's"
        rules = self._rules.of(record)
        steered = self._plan.steered[name] = self._name(name, record, rules, owner, zone)
        families = self._families_of(rules, record)
        types = [
            (rtype, self._entry(steered, rules, family, owner))
            for family, rtype in ADDRESSES
            if family in families
        ]
        if isinstance(record.when_all_down, FallbackCname):
            if types:  # while addresses answer, ANY must not be NODATA as the other types are
                types.append((ANY, self._answers.number(ANY_ANSWER.encoded(), ANY_ANSWER)))
        elif 0 not in families:
            return types, None
        return types, self._entry(steered, rules, 0, owner)

    def more_tables(self) -> list[RouteTable]:
        """Return the table of those entries that no route is for, where there are any."""
        return [EVERYONE] if any(route is None for route, _, _ in self._routed.items) else []

    def routed(self, numbers: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...], bool]]:
        """Yield (table, answers, hashed) of each ~n.

        numbers: of the tables, by route; the last is that of `more_tables`
        """
        for route, answers, hashed in self._routed.items:
            yield numbers[-1 if route is None else route], answers, hashed

    def _name(
        self, name: WireName, record: Record, by: RuleSet, owner: Owner, zone: str
    ) -> SteeredName:
        ttl = record.ttl
        if ttl is None:
            zone_ttl = self._config.zones[str(owner.key[1])].ttl
            ttl = default_ttl(zone_ttl, bool(record.federate))
        failback = record.failback
        rules, written = self._numbered(by)
        return SteeredName(
            zone,
            str(owner.key[-1]),
            rules,
            record.routed,
            ttl,
            record.when_all_down,
            None if failback is None else failback.delay,
            "" if failback is None else name_text(name),
            written,
        )

    def _numbered(self, rules: RuleSet) -> tuple[tuple[tuple[str, int], ...], tuple[int, ...]]:
        """Return the rules as the plan has them, and the numbers of their targets as written."""
        known = self._lines.get(rules)
        if known is None:
            lines = tuple((rule.region, self._target(rule.target)) for rule in rules.rules)
            written = tuple(self._target(rule.written) for rule in rules.rules)
            known = self._lines[rules] = lines, written
        return known

    def _target(self, target: Target) -> int:
        known = self._targets.get(target)
        if known is None:
            known = self._targets[target] = len(self._plan.targets)
            self._plan.targets.append(target)
        return known

    def _families_of(self, rules: RuleSet, record: Record) -> frozenset[Family]:
        """Return the families that any target of a record has endpoints of."""
        known = self._families.get(rules)
        if known is None:
            pools = self._config.pools
            known = self._families[rules] = frozenset(
                family
                for family in FAMILIES
                if any(reaches(rule.target, family, pools) for rule in record.route)
            )
        return known

    def _entry(self, steered: SteeredName, rules: RuleSet, family: Family, owner: Owner) -> int:
        key = rules, family, steered.ttl, steered.failback, steered.hold
        entry = self._entries.get(key)
        if entry is None:
            try:
                entry = self._entries[key] = self._made(rules, steered, family)
            except TooManyCombinations:
                self._mistake(owner.key, TOO_MANY)
                return 0
        return entry

    def _made(self, rules: RuleSet, steered: SteeredName, family: Family) -> int:
        specs = [
            AnswerSpec(
                rule.target,
                family,
                steered.ttl,
                rule.when_all_down,
                "default" if rule.region == "default" else "region",
                steered.failback,
                steered.hold,
            )
            for rule in rules.rules
        ]
        numbers = tuple(map(self._spec, specs))
        hashed = any(map(self._is_hashed, specs))
        if rules.route is None and not hashed:
            return numbers[0]
        routed = rules.route, numbers, hashed
        return ~self._routed.number(routed, routed)

    def _is_hashed(self, spec: AnswerSpec) -> bool:
        """Return whether the client's network may decide about an answer."""
        pools = (self._config.pools[name] for name in spec.pools())
        return any(
            pool.select == "hash" and any(has_family(e, spec.family) for e in pool.endpoints)
            for pool in pools
        )

    def _spec(self, spec: AnswerSpec) -> int:
        """Return the number of an answer. Raises TooManyCombinations."""
        known = self._specs.get(spec)
        if known is not None:
            return known
        most_parts(spec.target)
        if isinstance(spec.when_all_down, FallbackPools):
            most_parts(spec.when_all_down.target)
        outcome = self._decider.decide(spec.target, spec.family, spec.when_all_down)
        # Keyed by the spec, never by octets: two specs may look alike now and differ when
        # an endpoint goes down.
        number = self._answers.number(spec, answer_of(spec, outcome, self._tags))
        self._plan.specs[number] = spec
        self._specs[spec] = number
        return number
