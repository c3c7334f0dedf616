"""From regions and routes to tables: which rule of each route every address of the world gets.

One *condition* is one kind of fact of one region ("subdivisions of east-china"), and one bit. Every
address has the set of conditions that hold for it, as one integer; all sources are laid over each
other once, whatever the number of routes, and each route then reads its rules off that integer.

A client of IPv6 that carries an IPv4 address is looked up as IPv4, so IPv6 networks and data never
see it. Networks inside such a prefix are the IPv4 networks that they stand for (::ffff:10.0.0.0/104
is 10.0.0.0/8); one that covers such a prefix (::/0, 2002::/16) means IPv6, never all of IPv4.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..answers.route import EMBEDDINGS, MAPPED, MAX_RULE, TEREDO, RouteTable, embedded_ipv4
from ..answers.snapshot import PRIVATE
from .geodata import FACT_KEYS, BadDatabase, Facts, client_facts, facts_of, open_databases
from .intervals import Intervals, from_ranges, joined, mapped, merged, overlaid, replaced
from .mmdb import BadMmdb, Mmdb
from .places import isp_name, subdivision_code

IPV4 = 0xFFFF << 32  # where IPv4 clients begin among the integers

Network = IPv4Network | IPv6Network
Gap = tuple[str, str, str]  # region, kind, value as written


class Region(Protocol):
    """The part of `config.model.Region` that is read here."""

    @property
    def networks(self) -> Sequence[Network]: ...
    @property
    def continents(self) -> Sequence[str]: ...
    @property
    def countries(self) -> Sequence[str]: ...
    @property
    def subdivisions(self) -> Sequence[str]: ...
    @property
    def isps(self) -> Sequence[str]: ...
    @property
    def asns(self) -> Sequence[int]: ...
    @property
    def match(self) -> str: ...


class RouteTables(NamedTuple):
    """What `compile_routes` makes."""

    tables: list[RouteTable]  # one for each route; equal routes share one
    known_private: tuple[tuple[int, int], ...]  # (first, last) clients in networks of some region
    gaps: list[Gap]  # facts of used regions that no database can give


# Kind of fact -> the values of a record, in the spelling of Facts. The order gives the bit of
# "this file knows it".
_KINDS: dict[str, Callable[[Facts], tuple[str | int | None, ...]]] = {
    "continents": lambda facts: (facts.continent,),
    "countries": lambda facts: (facts.country,),
    "subdivisions": lambda facts: facts.subdivisions,
    "isps": lambda facts: (facts.isp,),
    "asns": lambda facts: (facts.asn,),
}
_SPELLING: dict[str, Callable[[Any], str | int | None]] = {
    "continents": str.upper,
    "countries": str.upper,
    "subdivisions": subdivision_code,
    "isps": isp_name,
    "asns": int,
}
_SINGULAR = {
    "continents": "continent",
    "countries": "country",
    "subdivisions": "subdivision",
    "isps": "ISP",
    "asns": "AS",
}
_KNOWN = (1 << len(_KINDS)) - 1  # the lowest bits of a label: kinds that a file knows there


class _Conditions:
    """The bits of all conditions of the regions in use, and what asks for them."""

    def __init__(self, regions: Mapping[str, Region]) -> None:
        self.of_region: dict[str, tuple[int, bool]] = {}  # bits, and whether all must hold
        self.networks: list[tuple[Network, int]] = []
        self.wanted: dict[str, dict[str | int, int]] = {kind: {} for kind in _KINDS}
        self.of_kind = dict.fromkeys(_KINDS, 0)
        self._next = _KNOWN + 1
        for name, region in regions.items():
            bits = self._add_networks(region) | self._add_facts(region)
            self.of_region[name] = bits, region.match == "all"

    def _add_networks(self, region: Region) -> int:
        if not region.networks:
            return 0
        bit = self._new_bit()
        self.networks += ((network, bit) for network in region.networks)
        return bit

    def _add_facts(self, region: Region) -> int:
        bits = 0
        for kind, wanted in self.wanted.items():
            values = getattr(region, kind)
            if not values:
                continue
            bit = self._new_bit()
            bits |= bit
            self.of_kind[kind] |= bit
            for value in map(_SPELLING[kind], values):
                if value is not None:
                    wanted[value] = wanted.get(value, 0) | bit
        return bits

    def _new_bit(self) -> int:
        bit = self._next
        self._next <<= 1
        return bit

    def label(self, facts: Facts) -> int:
        """Return the conditions that these facts fulfil, and which kinds in use they know."""
        label = 0
        for place, (kind, values_of) in enumerate(_KINDS.items()):
            values = [value for value in values_of(facts) if value is not None]
            if values and self.of_kind[kind]:
                label |= 1 << place
                for value in values:
                    label |= self.wanted[kind].get(value, 0)
        return label

    def holds(self, region: str, label: int) -> bool:
        """Say whether an address with these conditions is in the region."""
        bits, every = self.of_region[region]
        met = label & bits
        return bits != 0 and met == bits if every else met != 0

    def first_over(self) -> Callable[[int, int], int]:
        """Return the function that joins the label of a file with that of a later one."""
        open_bits = []  # for each set of known kinds: the bits that a later file may still give
        for known in range(_KNOWN + 1):
            bits = 0
            for place, kind in enumerate(_KINDS):
                if not known >> place & 1:
                    bits |= 1 << place | self.of_kind[kind]
            open_bits.append(bits)
        return lambda first, later: first | later & open_bits[first & _KNOWN]


def compile_routes(
    routes: Sequence[tuple[str, ...]],
    regions: Mapping[str, Region],
    databases: Sequence[Path | str],
) -> RouteTables:
    """Make the table of each route: rule i is its region i, the last number the default.

    `databases`: files, or "builtin"; opened always, walked where a region in use asks for facts.
    Raises BadDatabase, and KeyError for a region that is not there (references are checked before).
    """
    used = {name: regions[name] for route in routes for name in route}
    conditions = _Conditions(used)
    seen: set[tuple[str, str | int]] = set()
    layers = list(_layers(conditions, open_databases(databases), seen))
    world4 = _laid_over(conditions, 4, [layer4 for layer4, _ in layers])
    world6 = _laid_over(conditions, 6, [layer6 for _, layer6 in layers])
    made: dict[tuple[str, ...], RouteTable] = {}
    for route in routes:
        if route not in made:
            made[route] = _table(route, conditions, world4, world6)
    return RouteTables(
        [made[route] for route in routes], _known_private(regions), list(_gaps(used, seen))
    )


def _layers(
    conditions: _Conditions, databases: list[tuple[int, Mmdb]], seen: set[tuple[str, str | int]]
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
            labels = {}
            for numbers, record in file.records(FACT_KEYS):
                facts = facts_of(record)
                labels.update(dict.fromkeys(numbers, conditions.label(facts)))
                for kind in wanted:
                    seen.update((kind, value) for value in _KINDS[kind](facts) if value is not None)
            if any(labels.values()):
                yield file.walk4(labels), file.walk6(labels)
        except BadMmdb as error:
            raise BadDatabase(index, f"{file.path}: {error}") from error


def _laid_over(conditions: _Conditions, version: int, layers: list[Intervals]) -> Intervals:
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


def _table(
    route: tuple[str, ...], conditions: _Conditions, world4: Intervals, world6: Intervals
) -> RouteTable:
    """Return the table of one route: the first region of it that holds each address."""
    if len(route) > MAX_RULE:
        raise ValueError(f"a route of {len(route)} regions, at most {MAX_RULE}")

    def rule_of(label: int) -> int:
        for rule, region in enumerate(route):
            if conditions.holds(region, label):
                return rule
        return len(route)

    rules4 = mapped(world4, rule_of)
    rules6 = mapped(world6, rule_of)
    for marker, (first, length, _) in EMBEDDINGS.items():
        rule = rules4.values[0] if len(rules4.values) == 1 else marker
        rules6 = replaced(rules6, first, first + (1 << 128 - length) - 1, rule)
    rules6 = merged(rules6)
    return RouteTable(rules4.starts[1:], rules4.values, rules6.starts[1:], rules6.values)


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


def _gaps(used: Mapping[str, Region], seen: set[tuple[str, str | int]]) -> Iterator[Gap]:
    """Yield each fact of a region that no file has."""
    for name, region in used.items():
        for kind in _KINDS:
            for value in getattr(region, kind):
                if (kind, _SPELLING[kind](value)) not in seen:
                    yield name, kind, str(value)


def client_of(client: int) -> int:
    """Return the client that is looked up: an IPv4 address inside IPv6 as ::ffff:a.b.c.d."""
    for marker, (first, length, _) in EMBEDDINGS.items():
        if client >> 128 - length == first >> 128 - length:
            return IPV4 | embedded_ipv4(client, marker)
    return client


def regions_of(
    client: int, regions: Mapping[str, Region], databases: Sequence[Path | str]
) -> dict[str, list[str]]:
    """Return the regions of a client, each with what puts it there ("country CN"), for people.

    Looks the address up by itself, apart from the tables. Raises BadDatabase.
    """
    client = client_of(client)
    facts = Facts(**client_facts(client, databases))
    found = {}
    for name, region in regions.items():
        reasons: dict[str, list[str]] = {}
        if region.networks:
            reasons["networks"] = [
                f"network {network}" for network in region.networks if _is_in(client, network)
            ]
        for kind, values_of in _KINDS.items():
            if values := getattr(region, kind):
                reasons[kind] = [
                    f"{_SINGULAR[kind]} {value}"
                    for value in values
                    if _SPELLING[kind](value) in values_of(facts)
                ]
        if reasons and (all if region.match == "all" else any)(reasons.values()):
            found[name] = [reason for kind in reasons.values() for reason in kind]
    return found


def _is_in(client: int, network: Network) -> bool:
    """Say whether a client, as `client_of` gives it, is in a network."""
    first, last = client_span(_as_ipv4((network, 0))[0])
    return first <= client <= last and (client >> 32 == 0xFFFF) == (first >> 32 == 0xFFFF)
