"""From regions and routes to tables: which rule of each route every address of the world gets.

Every address has a label (conditions.py): what holds for it, as one integer. All sources are laid
over each other once, whatever the number of routes, and each route then reads its rules, and the
orders of what is `nearest` there, off that integer.

A client of IPv6 that carries an IPv4 address is looked up as IPv4, so IPv6 networks and data never
see it. Networks inside such a prefix are the IPv4 networks that they stand for (::ffff:10.0.0.0/104
is 10.0.0.0/8); one that covers such a prefix (::/0, 2002::/16) means IPv6, never all of IPv4.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

from ..answers.route import EMBEDDINGS, MAPPED, MAX_RULE, TEREDO, RouteTable, embedded_ipv4
from ..answers.snapshot import PRIVATE
from .conditions import KINDS, SINGULAR, SPELLING, Conditions, Network, Region
from .geodata import (
    FACT_KEYS,
    LOCATION_KEYS,
    BadDatabase,
    Facts,
    facts_of,
    location_of,
    open_databases,
)
from .intervals import Intervals, from_ranges, joined, mapped, merged, overlaid, replaced
from .locations import Place
from .mmdb import BadMmdb, Mmdb
from .nearest import Order, Sites, order_of

IPV4 = 0xFFFF << 32  # where IPv4 clients begin among the integers

Gap = tuple[str, str, str]  # region, kind, value as written


Line = tuple[int, tuple[Order, ...]]  # a rule, and the order of each `nearest` in its target


class Route(NamedTuple):
    """What a table is made for.

    regions: tried from the top; who is in none gets the rule after them, the default
    sites:   for each rule, the default too, those of each `nearest` in what it leads to; empty
             where no rule has any
    """

    regions: tuple[str, ...]
    sites: tuple[tuple[Sites, ...], ...] = ()

    def lines(self, place: Place | None = None) -> tuple[Line, ...]:
        """Return each rule with its orders for this place."""
        sites = self.sites or ((),) * (len(self.regions) + 1)
        return tuple((rule, orders_of(place, each)) for rule, each in enumerate(sites))


class RouteTables(NamedTuple):
    """What `compile_routes` makes.

    tables:        one for each route; equal routes share one. Its numbers are places in `lines`
    lines:         for each route, what the numbers of its table mean: with a `nearest` those that
                   any client gets, by rule; else one for each rule
    known_private: (first, last) clients in networks of some region
    gaps:          facts of used regions that no database can give
    """

    tables: list[RouteTable]
    lines: list[tuple[Line, ...]]
    known_private: tuple[tuple[int, int], ...]
    gaps: list[Gap]


class TooManyLines(Exception):
    """A route needs more numbers than a table can hold. `index`: which one, from 0."""

    def __init__(self, index: int, problem: str) -> None:
        self.index = index
        self.problem = problem
        super().__init__(problem)


def orders_of(place: Place | None, sites: tuple[Sites, ...]) -> tuple[Order, ...]:
    """Return the order of each `nearest` of a target for this place."""
    return tuple(order_of(place, each) for each in sites)


def compile_routes(
    routes: Sequence[Route],
    regions: Mapping[str, Region],
    databases: Sequence[Path | str],
) -> RouteTables:
    """Make the table of each route.

    `databases`: files, or "builtin"; opened always, walked where a region in use asks for facts,
    or a `nearest` for places. Raises BadDatabase, TooManyLines, and KeyError for a region that is
    not there (references are checked before).
    """
    used = {name: regions[name] for route in routes for name in route.regions}
    conditions = Conditions(used, places=any(route.sites for route in routes))
    seen: set[tuple[str, object]] = set()
    layers = list(_layers(conditions, open_databases(databases), seen))
    world4 = _laid_over(conditions, 4, [layer4 for layer4, _ in layers])
    world6 = _laid_over(conditions, 6, [layer6 for _, layer6 in layers])
    made: dict[Route, tuple[RouteTable, tuple[Line, ...]]] = {}
    for index, route in enumerate(routes):
        if route not in made:
            lines = _Lines(route, conditions, index)
            made[route] = lines.table(world4, world6), lines.lines
    return RouteTables(
        [made[route][0] for route in routes],
        [made[route][1] for route in routes],
        _known_private(regions),
        list(_gaps(used, seen)),
    )


def _layers(
    conditions: Conditions, databases: list[tuple[int, Mmdb]], seen: set[tuple[str, object]]
) -> Iterator[tuple[Intervals, Intervals]]:
    """Yield the labels of IPv4 and of IPv6 in each file that knows a kind of fact in use.

    Adds (kind, value) of every fact in the files to `seen`. Empties `databases`, file by file, so
    that only one file is unpacked in memory at a time.
    """
    wanted = [kind for kind, bits in conditions.of_kind.items() if bits]
    while databases:
        index, file = databases.pop(0)
        if not wanted:
            continue
        try:
            labels: dict[int, int] = {}
            for numbers, record in file.records(FACT_KEYS):
                facts = facts_of(record)
                labels.update(dict.fromkeys(numbers, conditions.label(facts)))
                for kind in wanted:
                    seen.update((kind, value) for value in KINDS[kind](facts) if value is not None)
            if conditions.places:
                _add_locations(labels, file, conditions)
            if any(labels.values()):
                yield file.walk4(labels), file.walk6(labels)
        except BadMmdb as error:
            raise BadDatabase(index, f"{file.path}: {error}") from error


def _add_locations(labels: dict[int, int], file: Mmdb, conditions: Conditions) -> None:
    """Add the locations of records to their labels.

    Apart from the other facts: a city file has some thousand different ones of these, and half a
    million of those, of which all but two numbers is not worth decoding.
    """
    known: dict[Place | None, int] = {}
    for numbers, record in file.records(LOCATION_KEYS):
        location = location_of(record)
        if location not in known:
            known[location] = conditions.label(Facts(location=location))
        for number in numbers:
            labels[number] |= known[location]


def _laid_over(conditions: Conditions, version: int, layers: list[Intervals]) -> Intervals:
    """Return which conditions hold where, from networks and files of one IP version together."""
    bits = 32 if version == 4 else 128
    facts = Intervals([0], [0])
    first_over = conditions.first_over()
    for layer in layers:
        facts = overlaid(facts, layer, first_over)
    ranges = (
        (*_span(network), bit)
        for network, bit in map(_as_ipv4, conditions.networks)
        if network.version == version
    )
    return overlaid(facts, from_ranges(ranges, 1 << bits), lambda one, other: one | other)


class _Lines:
    """The lines of one route as they are met, and its table."""

    def __init__(self, route: Route, conditions: Conditions, index: int) -> None:
        self._route, self._conditions, self._index = route, conditions, index
        self.lines: tuple[Line, ...] = () if route.sites else route.lines()
        self._numbers = {line: number for number, line in enumerate(self.lines)}
        self._check(len(self.lines))

    def _check(self, count: int) -> None:
        if count > MAX_RULE:
            what = "rules" if not self._route.sites else "different orders of `nearest`"
            raise TooManyLines(self._index, f"expected at most {MAX_RULE} {what}, got more")

    def table(self, world4: Intervals, world6: Intervals) -> RouteTable:
        """Return the table; `lines` is right from then on."""
        rules4 = mapped(world4, self._number_of)
        rules6 = mapped(world6, self._number_of)
        for marker, (first, length, _) in EMBEDDINGS.items():
            rule = rules4.values[0] if len(rules4.values) == 1 else marker
            rules6 = replaced(rules6, first, first + (1 << 128 - length) - 1, rule)
        rules6 = merged(rules6)
        if self._route.sites:
            rules4, rules6 = self._renumbered(rules4, rules6)
        return RouteTable(rules4.starts[1:], rules4.values, rules6.starts[1:], rules6.values)

    def _number_of(self, label: int) -> int:
        """Return the number of the first region that holds a label, and of the orders there."""
        rule = self._rule_of(label)
        if not self._route.sites:
            return rule
        sites = self._route.sites[rule]
        line = rule, orders_of(self._conditions.place(label), sites) if sites else ()
        number = self._numbers.setdefault(line, len(self._numbers))
        self._check(number + 1)
        return number

    def _rule_of(self, label: int) -> int:
        for rule, region in enumerate(self._route.regions):
            if self._conditions.holds(region, label):
                return rule
        return len(self._route.regions)

    def _renumbered(self, rules4: Intervals, rules6: Intervals) -> tuple[Intervals, Intervals]:
        """Number the lines that any client gets by rule, the markers being left as they are."""
        used = {*rules4.values, *rules6.values}
        found = sorted((line, number) for line, number in self._numbers.items() if number in used)
        self.lines = tuple(line for line, _ in found)
        new = {number: place for place, (_, number) in enumerate(found)}
        new |= {marker: marker for marker in EMBEDDINGS}
        return mapped(rules4, new.__getitem__), mapped(rules6, new.__getitem__)


def _as_ipv4(pair: tuple[Network, int]) -> tuple[Network, int]:
    """Turn a network inside a prefix that carries IPv4 into the IPv4 network that it stands for.

    All of ::ffff:0:0/96 is all of IPv4 in another spelling. A Teredo prefix, and one that is longer
    than a 6to4 site, say nothing of an IPv4 network, and stay as they are.
    """
    network, bit = pair
    if network.version == 4:
        return pair
    first = int(network.network_address)
    for marker, (start, length, _) in EMBEDDINGS.items():
        inside = network.prefixlen > length or (marker == MAPPED and network.prefixlen == length)
        if marker != TEREDO and inside and first >> 128 - length == start >> 128 - length:
            bits = network.prefixlen - length
            if bits <= 32:
                return IPv4Network((embedded_ipv4(first, marker), bits)), bit
    return pair


def _span(network: Network) -> tuple[int, int]:
    """Return the first and the last address as integers of the network's own IP version."""
    return int(network.network_address), int(network.broadcast_address)


def client_span(network: Network) -> tuple[int, int]:
    """Return the first and the last client of a network: IPv4 as ::ffff:a.b.c.d."""
    first, last = _span(network)
    return (first | IPV4, last | IPV4) if network.version == 4 else (first, last)


def _known_private(regions: Mapping[str, Region]) -> tuple[tuple[int, int], ...]:
    """Return the private addresses that networks of any region hold, as joined spans of clients."""
    spans = []
    for region in regions.values():
        for network, _ in map(_as_ipv4, ((network, 0) for network in region.networks)):
            first, last = client_span(network)
            for private_first, private_last in PRIVATE:
                same_family = (private_first >> 32 == IPV4 >> 32) == (network.version == 4)
                if same_family and first <= private_last and last >= private_first:
                    spans.append((max(first, private_first), min(last, private_last)))
    return tuple(joined(spans))


def _gaps(used: Mapping[str, Region], seen: set[tuple[str, object]]) -> Iterator[Gap]:
    """Yield each fact of a region that no file has."""
    for name, region in used.items():
        for kind, spelling in SPELLING.items():
            for value in getattr(region, kind):
                if (kind, spelling(value)) not in seen:
                    yield name, kind, str(value)


def reasons_of(client: int, facts: Facts, region: Region) -> list[str]:
    """Return what puts a client in a region ("country CN"), for people; nothing: it is not in it.

    Apart from the tables. client, facts: as for `held_facts`
    """
    held = held_facts(client, facts, region)
    if not (all if region.match == "all" else any)(held.values()):
        return []
    return [reason for kind in held.values() for reason in kind]


def held_facts(client: int, facts: Facts, region: Region) -> dict[str, list[str]]:
    """Return, by each kind of fact that a region asks for, those that hold ("country CN").

    client: as `client_of` gives it, and `facts` what is known of it
    """
    held = {}
    if region.networks:
        held["networks"] = [
            f"network {network}" for network in region.networks if _is_in(client, network)
        ]
    for kind, spelling in SPELLING.items():
        if values := getattr(region, kind):
            known = KINDS[kind](facts)
            held[kind] = [
                f"{SINGULAR[kind]} {value}" for value in values if spelling(value) in known
            ]
    return held


def _is_in(client: int, network: Network) -> bool:
    """Say whether a client, as `client_of` gives it, is in a network."""
    first, last = client_span(_as_ipv4((network, 0))[0])
    return first <= client <= last and (client >> 32 == 0xFFFF) == (first >> 32 == 0xFFFF)
