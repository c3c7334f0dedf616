"""Compiled routes against an independent judge, and by plain cases."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gtmdns.compiler.geodata import (
    BadDatabase,
    Facts,
    builtin_databases,
    client_facts,
    client_of,
)
from gtmdns.compiler.regions import Route, TooManyLines, compile_routes, reasons_of
from tests.compiler.judge import (
    Judge,
    Network,
    Region,
    client,
    edges,
    is_shortest,
    networks,
    plain,
)
from tests.compiler.mmdb_files import write_mmdb

PRESETS = builtin_databases()[0].parent / "presets"


# --- generated cases --------------------------------------------------------------------------------

PLACES4 = [0, 0x0A000000, 0x0A400000, 0xC0000200, 0xC0000280, 0xC6336400, 0xFFFFFF00]
PLACES6 = [
    int(IPv6Address(text))
    for text in ("::", "2001:db8::", "2001:db8:0:1::", "2400::", "2001:0:8000::", "2002:a40::", "ff00::")
]  # fmt: skip


def network_of(place: int, length: int, bits: int) -> Network:
    value = place >> bits - length << bits - length
    return IPv4Network((value, length)) if bits == 32 else IPv6Network((value, length))


network4 = st.builds(network_of, st.sampled_from(PLACES4), st.integers(0, 32), st.just(32))
network6 = st.builds(network_of, st.sampled_from(PLACES6), st.integers(0, 72), st.just(128))
data4 = st.builds(network_of, st.sampled_from(PLACES4), st.integers(1, 32), st.just(32))
data6 = st.builds(network_of, st.sampled_from(PLACES6[1:]), st.integers(4, 72), st.just(128))


def some(*values: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


region = st.builds(
    Region,
    networks=st.lists(network4 | network6, max_size=3).map(tuple),
    continents=some("AS", "EU"),
    countries=some("CN", "US"),
    subdivisions=some("CN-ZJ", "US-CA"),
    isps=some("telecom", "other net"),
    asns=some(64500, 64501),
    match=st.sampled_from(["any", "any", "all"]),
)
record = st.fixed_dictionaries(
    {},
    optional={
        "country_code": st.sampled_from(["CN", "JP", "DE", "US"]),
        "state1": st.sampled_from(["ZJ", "CA"]),
        "isp": st.sampled_from(["telecom", "other net"]),
        "asn": st.sampled_from([64500, 64501, 64502]),
    },
).filter(lambda found: "country_code" in found or "state1" not in found)
database = st.lists(st.tuples(data4 | data6, record), max_size=4)


def is_literal(network: Network) -> bool:
    """A network that the judge reads as written: not one inside a prefix that carries IPv4."""
    return network.version == 4 or not any(
        network.subnet_of(ip_network(text))
        for text in ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "2001::/32")
    )


def reasons(number: int, regions: dict[str, Region], files: Any) -> dict[str, list[str]]:
    """Return what puts a client in each region that holds it."""
    facts = Facts(**client_facts(client_of(number), files))
    found = {name: reasons_of(client_of(number), facts, one) for name, one in regions.items()}
    return {name: by for name, by in found.items() if by}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    st.lists(region, min_size=1, max_size=4),
    st.lists(database, max_size=2),
    st.lists(st.integers(0, 2**128 - 1), max_size=3),
)
def test_rules_and_scopes_are_those_of_the_judge(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[Region],
    databases: list[list[tuple[Network, dict[str, Any]]]],
    asked: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("geo")
    regions = {
        f"r{number}": Region(
            tuple(filter(is_literal, one.networks)), one.continents, one.countries,
            one.subdivisions, one.isps, one.asns, one.match,
        )
        for number, one in enumerate(drawn)
    }  # fmt: skip
    regions = {name: one for name, one in regions.items() if one != Region(match=one.match)}
    files = [
        write_mmdb(folder / f"{number}.mmdb", {str(network): record for network, record in one})
        for number, one in enumerate(databases)
    ]
    found = {network for one in regions.values() for network in one.networks}
    found |= {network for one in databases for network, _ in one}
    route = tuple(regions)
    judge = Judge(route, regions, files)

    [table] = compile_routes([Route(route)], regions, files).tables

    for number in sorted(edges(found, 0))[:: max(1, len(found) // 2)] + asked:
        rule, scope = table.find_with_scope(number)
        assert table.find(number) == rule == judge.rule(number), plain(number)
        assert is_shortest(judge, number, rule, scope, found), (plain(number), scope)
        assert set(reasons(number, regions, files)) >= {*route[rule : rule + 1]}


# --- plain cases ------------------------------------------------------------------------------------


def test_hangzhou_and_beijing_by_a_file_of_provinces(tmp_path: Path) -> None:
    path = write_mmdb(
        tmp_path / "provinces.mmdb",
        {
            "198.51.100.0/25": {"country_code": "CN", "state1": "Zhejiang"},
            "198.51.100.128/25": {"country": {"iso_code": "CN"}, "subdivisions": [{"iso_code": "11"}]},
            "2001:db8::/33": {"country_code": "CN", "state1": "浙江"},
        },
    )  # fmt: skip
    regions = {
        "east": Region(subdivisions=("CN-SH", "CN-33")),
        "north": Region(subdivisions=("CN-BJ",)),
    }

    [table] = compile_routes([Route(("east", "north"))], regions, [path]).tables

    assert table.find_with_scope(client("198.51.100.1")) == (0, 96 + 25)
    assert table.find_with_scope(client("198.51.100.200")) == (1, 96 + 25)
    assert table.find_with_scope(client("2001:db8::1")) == (0, 33)
    assert table.find_with_scope(client("192.0.2.1")) == (2, 96 + 6)


def test_first_file_that_knows_a_kind_wins(tmp_path: Path) -> None:
    one = write_mmdb(tmp_path / "one.mmdb", {"192.0.2.0/24": {"country_code": "JP"}})
    two = write_mmdb(
        tmp_path / "two.mmdb",
        {"192.0.2.0/25": {"country_code": "DE", "isp": "telecom"}, "192.0.3.0/24": {"country_code": "DE"}},
    )  # fmt: skip
    regions = {
        "de": Region(countries=("DE",)),
        "eu": Region(continents=("EU",)),
        "jp-telecom": Region(countries=("JP",), isps=("telecom",), match="all"),
        "jp": Region(countries=("JP",)),
    }

    def rules(*files: Path) -> list[int]:
        [table] = compile_routes([Route(tuple(regions))], regions, files).tables
        return [
            table.find(client(text))
            for text in ("192.0.2.1", "192.0.2.129", "192.0.3.1", "192.0.4.1")
        ]

    assert rules(one, two) == [2, 3, 0, 4]
    assert rules(two, one) == [0, 3, 0, 4]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("64:ff9b::10.0.0.0/104", "10.0.0.0/8"),
        ("2002:a00::/24", "10.0.0.0/8"),
        ("2002:a00:1::/48", "10.0.0.1/32"),
    ],
)
def test_networks_that_carry_ipv4_are_ipv4(written: str, meant: str) -> None:
    asked = [client(text) for text in ("10.0.0.1", "10.9.9.9", "11.0.0.1", "2002:a00:1::5", "::1")]
    tables = [
        compile_routes([Route(("office",))], {"office": networks(text)}, []).tables[0]
        for text in (written, meant)
    ]

    assert [tables[0].find_with_scope(one) for one in asked] == [
        tables[1].find_with_scope(one) for one in asked
    ]
    assert tables[0].find(client("10.0.0.1")) == 0


def test_all_of_ipv6_is_not_ipv4_in_disguise() -> None:
    """::/0 means IPv6: who comes by NAT64, 6to4 or Teredo counts as IPv4."""
    [table] = compile_routes([Route(("six",))], {"six": networks("::/0")}, []).tables

    assert table.find(client("2001:db8::1")) == 0
    for text in ("192.0.2.1", "64:ff9b::192.0.2.1", "2002:c000:201::1", "2001::1"):
        assert table.find(client(text)) == 1


@pytest.mark.parametrize("text", ["2001::/32", "2001::/120", "2002:a00:1:2::/64"])
def test_networks_that_no_client_can_be_in(text: str) -> None:
    """Parts of Teredo, and of one 6to4 site, are no IPv4 network: nobody is looked up there."""
    [table] = compile_routes([Route(("site",))], {"site": networks(text)}, []).tables

    assert table.rules() == {1}
    for one in (text.split("/")[0], "2001::ffff:1", "2002:a00:1:2::5", "10.0.0.1"):
        assert table.find(client(one)) == 1


def test_a_route_has_a_largest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gtmdns.compiler.regions.MAX_RULE", 1)
    regions = {"a": networks("10.0.0.0/8"), "b": networks("11.0.0.0/8")}

    with pytest.raises(TooManyLines, match="expected at most 1 rules, got more"):
        compile_routes([Route(("a", "b"))], regions, [])


def test_equal_routes_share_a_table() -> None:
    regions = {"a": networks("10.0.0.0/8"), "b": networks("11.0.0.0/8")}

    tables = compile_routes(
        [Route(("a", "b")), Route(("b",)), Route(("a", "b")), Route(())], regions, []
    ).tables

    assert tables[0] is tables[2]
    assert tables[0] is not tables[1]
    assert [table.find(client("11.1.1.1")) for table in tables] == [1, 0, 1, 0]
    assert tables[3].find_with_scope(client("2001:db8::1")) == (0, 0)


def test_private_networks_that_regions_hold() -> None:
    regions = {
        "a": networks("10.1.0.0/16", "10.2.0.0/16", "203.0.113.0/24", "fd00::/8"),
        "b": networks("0.0.0.0/5", "192.168.1.1/32", "::ffff:172.16.0.0/120"),
    }

    private = compile_routes([], regions, []).known_private

    assert private == (
        (client("0.0.0.0"), client("0.255.255.255")),
        (client("10.1.0.0"), client("10.2.255.255")),
        (client("172.16.0.0"), client("172.16.0.255")),
        (client("192.168.1.1"), client("192.168.1.1")),
        (client("fd00::"), client("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
    )


def test_facts_that_no_file_has_are_gaps(tmp_path: Path) -> None:
    path = write_mmdb(
        tmp_path / "a.mmdb", {"192.0.2.0/24": {"country_code": "CN", "isp": "电信", "asn": 64500}}
    )
    regions = {
        "a": Region(countries=("CN", "QQ"), subdivisions=("CN-ZJ",), isps=("China Telecom",)),
        "b": Region(continents=("AS", "AN"), asns=(64500, 64501)),
        "unused": Region(countries=("QX",)),
    }

    tables = compile_routes([Route(("a", "b"))], regions, [path])

    assert tables.gaps == [
        ("a", "countries", "QQ"),
        ("a", "subdivisions", "CN-ZJ"),
        ("b", "continents", "AN"),
        ("b", "asns", "64501"),
    ]


def test_files_are_walked_only_where_facts_are_asked(tmp_path: Path) -> None:
    """A damaged tree is not seen by a configuration of networks; a missing file always is."""
    path = write_mmdb(tmp_path / "a.mmdb", {"192.0.2.0/24": {"country_code": "CN"}}, ip_version=4)
    data = bytearray(path.read_bytes())
    data[:6] = bytes(6)
    path.write_bytes(data)
    regions = {"net": networks("10.0.0.0/8"), "cn": Region(countries=("CN",))}

    assert (
        compile_routes([Route(("net",))], regions, [path]).tables[0].find(client("10.1.1.1")) == 0
    )
    with pytest.raises(BadDatabase, match="damaged") as caught:
        compile_routes([Route(("cn",))], regions, ["builtin", path])
    assert caught.value.index == 1
    with pytest.raises(BadDatabase, match="no such file"):
        compile_routes([Route(("net",))], regions, [tmp_path / "missing.mmdb"])


def test_why_a_client_is_in_a_region() -> None:
    regions = {
        "office": networks("10.0.0.0/8", "::ffff:115.236.0.0/112"),
        "zj-telecom": Region(subdivisions=("CN-ZJ",), isps=("telecom",), match="all"),
        "zj-unicom": Region(subdivisions=("CN-ZJ",), isps=("unicom",), match="all"),
        "asia": Region(continents=("AS",), countries=("CN", "JP")),
    }

    assert reasons(client("2002:73ec:1::"), regions, ["builtin"]) == {
        "office": ["network ::ffff:73ec:0/112"],
        "zj-telecom": ["subdivision CN-ZJ", "ISP telecom"],
        "asia": ["continent AS", "country CN"],
    }
    assert client_of(client("2002:73ec:1::")) == client("115.236.0.1")
    assert client_of(client("2001:db8::1")) == client("2001:db8::1")


def preset(name: str) -> dict[str, Region]:
    content = yaml.safe_load((PRESETS / name).read_text())
    assert list(content) == ["regions"]
    return {
        region: Region(**{kind: tuple(values) for kind, values in facts.items()})
        for region, facts in content["regions"].items()
    }


def test_presets_hold_with_the_builtin_files() -> None:
    regions = preset("china.yaml") | preset("isps.yaml") | preset("continents.yaml")
    routes = [
        tuple(preset("china.yaml")),
        tuple(preset("isps.yaml")),
        tuple(preset("continents.yaml")),
    ]

    compiled = compile_routes([*map(Route, routes)], regions, ["builtin"])

    named = [
        [dict(enumerate(route)).get(table.find(client(text)))
         for route, table in zip(routes, compiled.tables, strict=True)]
        for text in ("115.236.0.1", "202.106.0.20", "202.96.128.86", "221.179.155.161", "193.0.6.139",
                     "64:ff9b::115.236.0.1", "192.0.2.1")
    ]  # fmt: skip
    assert named == [
        ["east-china", "telecom", "asia"],
        ["north-china", "unicom", "asia"],
        ["south-china", "telecom", "asia"],
        ["north-china", "mobile", "asia"],
        [None, None, "europe"],
        ["east-china", "telecom", "asia"],
        [None, None, None],
    ]
    assert {kind for _, kind, _ in compiled.gaps} == {"asns"}
    assert [table.rules() for table in compiled.tables] == [
        set(range(8)), set(range(5)), set(range(8)),
    ]  # fmt: skip


def test_every_province_of_the_mainland_is_in_one_region() -> None:
    provinces = [code for region in preset("china.yaml").values() for code in region.subdivisions]

    assert len(provinces) == len(set(provinces)) == 31
