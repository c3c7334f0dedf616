"""The rules of steered names as tables number them: with each `nearest` put into its order.

A record without a `nearest` has the rules that its route spells. With one, each order that some
client gets makes a rule of its own, in whose target a plain chain stands for the `nearest`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..config.model import FallbackPools, Pool, Record, Target, WhenAllDown
from .nearest import Order, in_order, sites_of
from .regions import Route, RouteTables

Key = tuple[str | int, ...]  # where a record stands in the configuration


class SteeredRule(NamedTuple):
    """What one number of a table leads to.

    when_all_down: that of the record, with each `nearest` in its order too
    written:       the target as the configuration has it
    """

    region: str
    target: Target
    when_all_down: WhenAllDown
    written: Target


@dataclass(frozen=True, eq=False, slots=True)
class RuleSet:
    """The rules of all records with this route, the `default` last; can be a key by itself.

    route: the number of its table; None where no client matters, and there is one rule
    """

    rules: tuple[SteeredRule, ...]
    route: int | None


class Rules:
    """Collects the routes of all records; when these have tables, gives each record its rules."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        self.routes: list[Route] = []
        self.first: list[Key] = []  # for each route, the first record that has it
        self._numbers: dict[Route, int] = {}
        self._routes: dict[tuple[object, ...], Route] = {}
        self._sets: dict[tuple[object, ...], RuleSet] = {}
        self._tables: RouteTables | None = None

    def add(self, key: Key, record: Record) -> None:
        """Note a record; before there are tables."""
        route = self._route(record)
        if route != Route(()) and route not in self._numbers:
            self._numbers[route] = len(self.routes)
            self.routes.append(route)
            self.first.append(key)

    def use(self, tables: RouteTables) -> None:
        """Take the tables of `routes`; from then on there are rules."""
        self._tables = tables

    def of(self, record: Record) -> RuleSet:
        """Return what each number of the record's table leads to. Equal routes get the same."""
        key = record.route, record.when_all_down
        known = self._sets.get(key)
        if known is None:
            known = self._sets[key] = self._make(record)
        return known

    def _make(self, record: Record) -> RuleSet:
        route = self._route(record)
        number = self._numbers.get(route)
        if number is None or self._tables is None:
            lines = route.lines()
        else:
            lines = self._tables.lines[number]
        rules = tuple(_rule(record, self._pools, rule, orders) for rule, orders in lines)
        return RuleSet(rules, number if len(rules) > 1 else None)

    def _route(self, record: Record) -> Route:
        key = record.route, record.when_all_down
        if key not in self._routes:
            fallback: tuple[Target, ...] = ()
            if isinstance(record.when_all_down, FallbackPools):
                fallback = (record.when_all_down.target,)
            sites = tuple(
                tuple(
                    s for target in (rule.target, *fallback) for s in sites_of(target, self._pools)
                )
                for rule in record.route
            )
            regions = tuple(rule.region for rule in record.route[:-1])
            self._routes[key] = Route(regions, sites if any(sites) else ())
        return self._routes[key]


def _rule(
    record: Record, pools: Mapping[str, Pool], rule: int, orders: tuple[Order, ...]
) -> SteeredRule:
    region, written = record.route[rule].region, record.route[rule].target
    when_all_down = record.when_all_down
    if orders and isinstance(when_all_down, FallbackPools):
        rest = orders[len(sites_of(written, pools)) :]
        when_all_down = FallbackPools(in_order(when_all_down.target, rest))
    return SteeredRule(
        region, in_order(written, orders) if orders else written, when_all_down, written
    )
