"""Orders by distance: by plain cases, and compiled against a judge that goes address by address."""

from ipaddress import IPv4Network, IPv6Network
from math import atan2, degrees
from pathlib import Path
from random import Random
from typing import Any

import maxminddb
import pytest

from gtmdns.answers.route import MAX_RULE
from gtmdns.compiler.locations import COUNTRY_PLACES, SUBDIVISION_PLACES
from gtmdns.compiler.nearest import (
    Order,
    Sites,
    distance_km,
    in_order,
    order_of,
    sites_of,
)
from gtmdns.compiler.regions import Route, TooManyLines, compile_routes
from gtmdns.config.model import Endpoint, Location, Pool
from tests.compiler.judge import (
    Judge,
    Network,
    Place,
    Region,
    apart,
    client,
    edges,
    is_shortest,
    networks,
    plain,
)
from tests.compiler.mmdb_files import write_mmdb
from tests.compiler.pools import target_of

HANGZHOU, BEIJING, FRANKFURT = (30.27, 120.15), (39.9, 116.4), (50.1, 8.7)
VIRGINIA, OREGON, SYDNEY = (39.0, -77.5), (45.8, -119.7), (-33.9, 151.2)


def straightforward(place: Place | None, sites: Sites) -> Order:
    """Take the nearest with all within 5 % of it, and again."""
    if place is None:
        return tuple(range(len(sites)))
    left = [i for i, site in enumerate(sites) if site]
    found: list[int] = []
    while left:
        least = min(apart(place, sites[i] or place) for i in left)
        found += [i for i in left if apart(place, sites[i] or place) <= 1.05 * least]
        left = [i for i in left if i not in found]
    return (*found, *(i for i, site in enumerate(sites) if site is None))


# --- distance and order -----------------------------------------------------------------------------

# fmt: off
DISTANCES = [
    ("London, New York",       (51.5074, -0.1278), (40.7128, -74.006), 5570),
    ("Hangzhou, Beijing",      HANGZHOU, BEIJING, 1125),
    ("a degree of the equator", (0.0, 10.0), (0.0, 11.0), 111.19),
    ("over the antimeridian",  (0.0, 179.5), (0.0, -179.5), 111.19),
    ("over the pole",          (89.0, 0.0), (89.0, 180.0), 222.39),
    ("at the pole",            (90.0, 0.0), (90.0, 135.0), 0),
    ("pole to pole",           (90.0, 0.0), (-90.0, 0.0), 20015.1),
    ("to the other side",      (30.0, 40.0), (-30.0, -140.0), 20015.1),
    ("nowhere",                (48.0, 2.0), (48.0, 2.0), 0),
]
# fmt: on


@pytest.mark.parametrize(
    ("one", "other", "km"), [row[1:] for row in DISTANCES], ids=[row[0] for row in DISTANCES]
)
def test_distances(one: Place, other: Place, km: float) -> None:
    assert distance_km(one, other) == pytest.approx(km, rel=0.002, abs=1e-9)
    assert distance_km(one, other) == pytest.approx(distance_km(other, one), abs=1e-9)


def east(*degrees_east: float | None) -> Sites:
    """Sites on the equator."""
    return tuple(None if one is None else (0.0, one) for one in degrees_east)


# fmt: off
ORDERS = [
    ("by distance",                     (0.0, 0.0), east(30, 10, 20), (1, 2, 0)),
    ("written, within 5 %",             (0.0, 0.0), east(10.49, 10), (0, 1)),
    ("by distance, over 5 %",           (0.0, 0.0), east(10.51, 10), (1, 0)),
    ("the band begins at the nearest",  (0.0, 0.0), east(10.8, 10.4, 10), (1, 2, 0)),
    ("a band of those that are left",   (0.0, 0.0), east(20.9, 10.8, 10.4, 10, 20), (2, 3, 1, 0, 4)),
    ("tie",                             (0.0, 0.0), east(5, -5, 5), (0, 1, 2)),
    ("nothing is near to no distance",  (0.0, 0.0), east(0.001, 0, 0), (1, 2, 0)),
    ("over the antimeridian",           (0.0, 179.0), east(170, -179), (1, 0)),
    ("at the pole all are equal",       (90.0, 0.0), ((10.0, 0.0), (10.0, 90.0), (10.2, -120.0)), (0, 1, 2)),
    ("from pole to latitude",           (-90.0, 0.0), ((10.0, 0.0), (-10.0, 90.0)), (1, 0)),
    ("over the pole is near",           (85.0, 0.0), ((60.0, 0.0), (85.0, 180.0)), (1, 0)),
    ("not flat degrees",                (60.0, 0.0), ((60.0, 30.0), (40.0, 0.0)), (0, 1)),
    ("without location last",           (0.0, 0.0), east(None, 30, None, 10), (3, 1, 0, 2)),
    ("no location at all",              (0.0, 0.0), east(None, None), (0, 1)),
    ("a client without place",          None, east(None, 30, 10), (0, 1, 2)),
]
# fmt: on


@pytest.mark.parametrize(
    ("place", "sites", "order"), [row[1:] for row in ORDERS], ids=[row[0] for row in ORDERS]
)
def test_orders(place: Place | None, sites: Sites, order: Order) -> None:
    assert order_of(place, sites) == straightforward(place, sites) == order


def random_place(draw: Random) -> Place:
    """Return a place, each square kilometre being as likely."""
    return round(degrees(atan2(z := draw.uniform(-1, 1), (1 - z * z) ** 0.5)), 2), round(
        draw.uniform(-180, 180), 2
    )


def test_orders_of_random_places() -> None:
    draw = Random(1)
    for _ in range(2_000):
        here = random_place(draw)
        sites = tuple(
            random_place(draw) if draw.random() < 0.9 else None for _ in range(draw.randint(1, 16))
        )
        order = order_of(here, sites)
        assert order == straightforward(here, sites)
        assert sorted(order) == list(range(len(sites)))


# --- targets ----------------------------------------------------------------------------------------


def pool(place: Place | None) -> Pool:
    return Pool(
        endpoints=(Endpoint(address="192.0.2.1"),),
        location=None if place is None else Location(*place),
    )


POOLS = {"h": pool(HANGZHOU), "b": pool(BEIJING), "f": pool(FRANKFURT), "none": pool(None)}

# fmt: off
TARGETS: list[tuple[str, Any, tuple[Sites, ...], tuple[Order, ...], Any]] = [
    ("a pool", "h", (), (), "h"),
    ("nothing nearest", ["h", {"b": 1, "f": 2}], (), (), ["h", {"b": 1, "f": 2}]),
    ("alone", {"nearest": ["h", "f", "none"]}, ((HANGZHOU, FRANKFURT, None),), ((1, 0, 2),), ["f", "h", "none"]),
    ("in a chain, beside another", [{"nearest": ["h", "f"]}, {"nearest": ["f", "b"]}],
     ((HANGZHOU, FRANKFURT), (FRANKFURT, BEIJING)), ((0, 1), (1, 0)), [["h", "f"], ["b", "f"]]),
    ("in weights", {"home": {"weight": 9, "to": {"nearest": ["h", "b"]}}, "f": 1},
     ((HANGZHOU, BEIJING),), ((1, 0),), {"home": {"weight": 9, "to": ["b", "h"]}, "f": 1}),
    ("in all", {"all": [{"nearest": ["h", "b"]}, "f"]}, ((HANGZHOU, BEIJING),), ((1, 0),), {"all": [["b", "h"], "f"]}),
    ("members that are targets: the first pool with a location", {"nearest": [["none", "b"], {"f": 1, "h": 9}]},
     ((BEIJING, FRANKFURT),), ((1, 0),), [{"f": 1, "h": 9}, ["none", "b"]]),
    ("inside itself: the outer first", {"nearest": [{"nearest": ["h", "b"]}, {"nearest": ["f", "b"]}, "none"]},
     ((HANGZHOU, FRANKFURT, None), (HANGZHOU, BEIJING), (FRANKFURT, BEIJING)), ((1, 0, 2), (1, 0), (0, 1)),
     [["f", "b"], ["b", "h"], "none"]),
]
# fmt: on


@pytest.mark.parametrize(
    ("spelling", "sites", "orders", "meant"),
    [row[1:] for row in TARGETS],
    ids=[row[0] for row in TARGETS],
)
def test_targets_in_an_order(
    spelling: Any, sites: tuple[Sites, ...], orders: tuple[Order, ...], meant: Any
) -> None:
    target = target_of(spelling)

    assert sites_of(target, POOLS) == sites
    assert in_order(target, orders) == target_of(meant)


# --- compiled ---------------------------------------------------------------------------------------


class NearestJudge(Judge):
    """Says the rule of a client, and the order of each `nearest` there."""

    def __init__(self, route: Route, regions: dict[str, Region], files: list[Path]) -> None:
        super().__init__(route.regions, regions, files)
        self.sites = route.sites

    def place(self, number: int) -> Place | None:
        facts = self.facts(plain(number))
        if "location" in facts:
            return tuple(round(2 * facts["location"][key]) / 2 for key in ("latitude", "longitude"))  # type: ignore[return-value]
        state = f"{facts.get('country_code')}-{facts.get('state1')}"
        return SUBDIVISION_PLACES.get(state) or COUNTRY_PLACES.get(facts.get("country_code", ""))

    def rule(self, number: int) -> Any:
        rule = super().rule(number)
        place = self.place(number)
        return rule, tuple(straightforward(place, sites) for sites in self.sites[rule])


def random_record(draw: Random) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if draw.random() < 0.6:
        latitude, longitude = random_place(draw)
        record["location"] = {"latitude": latitude, "longitude": longitude}
    if draw.random() < 0.6:
        record["country_code"] = draw.choice(["CN", "JP", "DE", "US"])
        if record["country_code"] == "CN" and draw.random() < 0.7:
            record["state1"] = draw.choice(["ZJ", "BJ", "XJ"])
    return record or {"asn": draw.randint(1, 9)}


def random_network(draw: Random) -> Network:
    if draw.random() < 0.6:
        length = draw.randint(2, 26)
        return IPv4Network((draw.getrandbits(length) << 32 - length, length))
    length = draw.randint(6, 60)
    first = draw.choice([0x2400, 0x2600, 0x2A00]) << 112 | draw.getrandbits(112)
    return IPv6Network((first >> 128 - length << 128 - length, length))


@pytest.mark.parametrize("seed", range(8))
def test_rules_orders_and_scopes_are_those_of_the_judge(tmp_path: Path, seed: int) -> None:
    """Scope too: the shortest prefix in which all clients get the same rule and the same order."""
    draw = Random(seed)
    databases = [
        {str(random_network(draw)): random_record(draw) for _ in range(draw.randint(1, 40))}
        for _ in range(2)
    ]
    files = [write_mmdb(tmp_path / f"{n}.mmdb", one) for n, one in enumerate(databases)]
    regions = {"cn": Region(countries=("CN",)), "net": networks("128.0.0.0/3", "2600::/12")}
    sites = [
        tuple(
            random_place(draw) if draw.random() < 0.9 else None for _ in range(draw.randint(2, 6))
        )
        for _ in range(3)
    ]
    route = Route(("cn", "net"), ((sites[0],), (), (sites[1], sites[2])))
    judge = NearestJudge(route, regions, files)
    found = {network for one in databases for network in map(_network, one)}
    found |= {*regions["net"].networks}

    compiled = compile_routes([route], regions, files)
    [table], [lines] = compiled.tables, compiled.lines

    assert lines == tuple(sorted(lines))
    assert table.rules() == set(range(len(lines)))
    for number in draw.sample(sorted(edges(found, 0)), 40):
        place, scope = table.find_with_scope(number)
        assert table.find(number) == place
        assert lines[place] == judge.rule(number), plain(number)
        assert is_shortest(judge, number, lines[place], scope, found), (plain(number), scope)


def _network(text: str) -> Network:
    return IPv6Network(text) if ":" in text else IPv4Network(text)


def test_random_clients_of_a_city_file(tmp_path: Path) -> None:
    """Whoever is inside one scope gets one order."""
    draw = Random(7)
    records = {
        f"{first}.{second * 16}.0.0/12": {
            "location": dict(zip(("latitude", "longitude"), random_place(draw), strict=True))
        }
        for first in range(1, 200, 3)
        for second in range(0, 16, 2)
    }
    path = write_mmdb(tmp_path / "city.mmdb", records)
    sites = tuple(random_place(draw) for _ in range(16))
    route = Route((), ((sites,),))

    compiled = compile_routes([route], {}, [path])
    [table], [lines] = compiled.tables, compiled.lines

    assert len(lines) > 200
    with maxminddb.open_database(path) as reader:
        for _ in range(1_000):
            number = client("0.0.0.0") + draw.getrandbits(32)
            place, scope = table.find_with_scope(number)
            record: Any = reader.get(plain(number))
            here = None
            if record is not None:
                here = tuple(round(2 * degree) / 2 for degree in record["location"].values())
            assert lines[place] == (0, (straightforward(here, sites),))  # type: ignore[arg-type]
            other = number ^ draw.getrandbits(128 - scope) if scope < 128 else number
            assert lines[table.find(other)] == lines[place]


def test_one_order_for_all_is_one_number() -> None:
    """Where every client gets the same order, no client matters: scope 0."""
    same = (HANGZHOU, HANGZHOU, None)

    compiled = compile_routes([Route((), ((same,),))], {}, ["builtin"])

    assert compiled.lines == [((0, ((0, 1, 2),)),)]
    assert compiled.tables[0].find_with_scope(client("2001:db8::1")) == (0, 0)
    assert compiled.tables[0].find_with_scope(client("115.236.0.1")) == (0, 96)


def test_location_of_an_earlier_file_and_country_of_a_later_one(tmp_path: Path) -> None:
    """The first file that knows a location wins; any location goes before any country."""
    cities = {"192.0.2.0/25": {"location": {"latitude": 35.7, "longitude": 139.7}}}
    one = write_mmdb(tmp_path / "one.mmdb", {"192.0.2.0/24": {"country_code": "US"}})
    two = write_mmdb(tmp_path / "two.mmdb", cities)
    three = write_mmdb(
        tmp_path / "three.mmdb", {"192.0.2.0/25": {"latitude": 50.0, "longitude": 8.0}}
    )
    sites = ((50.0, 8.0), (35.5, 139.5), VIRGINIA)

    def nearest(*files: Path) -> list[int]:
        compiled = compile_routes([Route((), ((sites,),))], {}, files)
        [table], [lines] = compiled.tables, compiled.lines
        asked = (client("192.0.2.1"), client("192.0.2.200"), client("192.0.3.1"))
        return [lines[table.find(number)][1][0][0] for number in asked]

    assert nearest(one, two, three) == [1, 2, 0]
    assert nearest(one, three, two) == [0, 2, 0]
    assert nearest(three, one) == [0, 2, 0]
    assert nearest(one) == [2, 2, 0]


def test_builtin_files_are_enough() -> None:
    sites = (SYDNEY, HANGZHOU, BEIJING, FRANKFURT, VIRGINIA)
    compiled = compile_routes([Route((), ((sites,),))], {}, ["builtin"])
    [table], [lines] = compiled.tables, compiled.lines
    asked = ("115.236.0.1", "202.106.0.20", "193.0.6.139", "8.8.8.8", "2a00:1450::1", "192.0.2.1")

    firsts = [lines[table.find(client(text))][1][0][0] for text in asked]

    assert firsts == [1, 2, 3, 4, 3, 0]  # the last one is nowhere: the order written


def test_files_are_walked_where_nearest_asks(tmp_path: Path) -> None:
    path = write_mmdb(tmp_path / "a.mmdb", {"192.0.2.0/24": {"latitude": 50, "longitude": 8}})
    regions = {"net": networks("10.0.0.0/8")}
    sites = ((SYDNEY, FRANKFURT),)

    compiled = compile_routes([Route(("net",)), Route(("net",), ((), sites))], regions, [path])

    assert compiled.lines[0] == ((0, ()), (1, ()))
    assert compiled.lines[1] == ((0, ()), (1, ((0, 1),)), (1, ((1, 0),)))
    assert compiled.tables[1].find(client("192.0.2.1")) == 2
    assert compiled.gaps == []


def test_a_table_has_a_largest_number_of_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gtmdns.compiler.regions.MAX_RULE", 2)
    sites = (SYDNEY, HANGZHOU, FRANKFURT, VIRGINIA)

    with pytest.raises(TooManyLines, match="at most 2 different orders of `nearest`") as caught:
        compile_routes([Route(()), Route((), ((sites,),))], {}, ["builtin"])

    assert caught.value.index == 1
    assert MAX_RULE == 65_531
