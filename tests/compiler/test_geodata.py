"""What is read out of records, files that are none, and the files that come with gtmdns."""

from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import geoip2.database
import pytest

from gtmdns.answers.cache import client_number
from gtmdns.compiler.geodata import (
    BadDatabase,
    Facts,
    builtin_databases,
    client_facts,
    facts_of,
    files_of,
    open_databases,
)
from tests.compiler.mmdb_files import write_mmdb

CITY = {
    "city": {"geoname_id": 1808926, "names": {"en": "Hangzhou", "zh-CN": "杭州"}},
    "continent": {"code": "AS", "names": {"en": "Asia"}},
    "country": {"iso_code": "CN", "names": {"en": "China"}},
    "registered_country": {"iso_code": "US"},
    "location": {"latitude": 30.2936, "longitude": 120.1614, "accuracy_radius": 20},
    "subdivisions": [{"iso_code": "ZJ", "names": {"en": "Zhejiang"}}],
}

# fmt: off
RECORDS = [
    ("flat country",        {"country_code": "CN"},                       Facts("AS", "CN")),
    ("flat lower case",     {"country_code": "de"},                       Facts("EU", "DE")),
    ("flat plain keys",     {"continent": "EU", "country": "GB"},         Facts("EU", "GB")),
    ("continent in file",   {"continent_code": "AS", "country_code": "RU"}, Facts("AS", "RU")),
    ("no country",          {"country_code": ""},                         Facts()),
    ("unknown country",     {"country_code": "ZZ"},                       Facts()),
    ("a name, not a code",  {"country": "Germany"},                       Facts()),
    ("country not in table", {"country_code": "QX"},                      Facts(None, "QX")),
    ("bad continent",       {"continent_code": "XX"},                     Facts()),
    ("MaxMind city",        CITY,                                         Facts("AS", "CN", ("CN-ZJ",), location=(30.5, 120.0))),
    ("registered country",  {"registered_country": {"iso_code": "AU"}},   Facts("OC", "AU")),
    ("represented country", {"represented_country": {"iso_code": "US"}},  Facts()),
    ("two levels",          {"country": {"iso_code": "GB"}, "subdivisions": [{"iso_code": "ENG"}, {"iso_code": "WSM"}]},
                            Facts("EU", "GB", ("GB-ENG", "GB-WSM"))),
    ("GB/T 2260 number",    {"country": {"iso_code": "CN"}, "subdivisions": [{"iso_code": "22"}]},
                            Facts("AS", "CN", ("CN-JL",))),
    ("name only",           {"country": {"iso_code": "CN"}, "subdivisions": [{"names": {"en": "Tibet"}}]},
                            Facts("AS", "CN", ("CN-XZ",))),
    ("Chinese name only",   {"country": {"iso_code": "CN"}, "subdivisions": [{"names": {"zh-CN": "浙江省"}}]},
                            Facts("AS", "CN", ("CN-ZJ",))),
    ("flat name",           {"country_code": "CN", "state1": "Inner Mongolia"}, Facts("AS", "CN", ("CN-NM",))),
    ("flat name, no table", {"country_code": "US", "state1": "California"}, Facts("NA", "US", ("US-CALIFORNIA",))),
    ("state without land",  {"state1": "Zhejiang"},                       Facts()),
    ("empty state",         {"country_code": "CN", "state1": ""},         Facts("AS", "CN")),
    ("MaxMind ASN",         {"autonomous_system_number": 4134, "autonomous_system_organization": "Chinanet"}, Facts(asn=4134)),
    ("ASN as text",         {"asn": "AS4809"},                            Facts(asn=4809)),
    ("ASN nonsense",        {"asn": "none"},                              Facts()),
    ("MaxMind ISP",         {"isp": "China Telecom", "organization": "x"}, Facts(isp="telecom")),
    ("organization",        {"organization": "Example Net"},              Facts(isp="example net")),
    ("Chinese ISP",         {"isp": "联通"},                              Facts(isp="unicom")),
    ("enterprise traits",   {"traits": {"isp": "CERNET", "autonomous_system_number": 4538}}, Facts(isp="education", asn=4538)),
    ("flat location",       {"latitude": 30.29, "longitude": 120.16},     Facts(location=(30.5, 120.0))),
    ("location as texts",   {"lat": "-33.9", "lng": "151.2"},             Facts(location=(-34.0, 151.0))),
    ("180 east is 180 west", {"latitude": -18, "longitude": 179.9},       Facts(location=(-18.0, -180.0))),
    ("half a location",     {"location": {"latitude": 1.0}, "longitude": 2.0}, Facts()),
    ("null island",         {"location": {"latitude": 0.0, "longitude": 0.0}}, Facts()),
    ("off the earth",       {"latitude": 90.1, "longitude": 0.0},         Facts()),
    ("odd coordinates",     {"latitude": "north", "lat": True, "longitude": float("nan")}, Facts()),
    ("endless coordinates", {"latitude": "1e999", "longitude": "nan"},    Facts()),
    ("not a map",           ["CN"],                                       Facts()),
    ("odd types",           {"country": 86, "subdivisions": "ZJ", "continent": [], "isp": 1, "asn": 0}, Facts()),
]

# fmt: on


@pytest.mark.parametrize(
    ("record", "facts"), [row[1:] for row in RECORDS], ids=[row[0] for row in RECORDS]
)
def test_facts_of_a_record(record: Any, facts: Facts) -> None:
    assert facts_of(record) == facts


def test_first_file_that_knows_a_kind_wins(tmp_path: Path) -> None:
    one = write_mmdb(tmp_path / "one.mmdb", {"192.0.2.0/24": {"country_code": "CN"}})
    two = write_mmdb(
        tmp_path / "two.mmdb",
        {"192.0.2.0/25": {"country_code": "JP", "continent_code": "EU", "isp": "移动"}},
    )
    client = 0xFFFF << 32 | int(IPv4Address("192.0.2.1"))

    assert client_facts(client, [one, two]) == Facts("AS", "CN", (), "mobile")._asdict()
    assert client_facts(client, [two, one]) == Facts("EU", "JP", (), "mobile")._asdict()


def _good(path: Path) -> Path:
    return write_mmdb(path, {"192.0.2.0/24": {"country_code": "CN"}}, ip_version=4)


def test_broken_files_say_what_is_wrong(tmp_path: Path) -> None:
    whole = _good(tmp_path / "good.mmdb").read_bytes()
    (tmp_path / "empty.mmdb").touch()
    (tmp_path / "text.mmdb").write_text("not a database\n" * 100)
    (tmp_path / "short.mmdb").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.mmdb").mkdir()
    problems = {
        "missing.mmdb": "no such file",
        "empty.mmdb": "an empty file",
        "text.mmdb": "not an MMDB file, or cut short",
        "short.mmdb": "not an MMDB file, or cut short",
        "folder.mmdb": "a folder, not a file",
    }

    for name, problem in problems.items():
        with pytest.raises(BadDatabase) as caught:
            open_databases(["builtin", tmp_path / "good.mmdb", tmp_path / name])
        assert caught.value.index == 2
        with pytest.raises(BadDatabase) as same:
            client_facts(1, [tmp_path / name])
        assert same.value.index == 0
        assert caught.value.problem == f"{tmp_path / name}: {problem}"


# fmt: off
KNOWN = [
    ("115.236.0.1",     "AS", "CN", ("CN-ZJ",), "telecom"),    # Hangzhou
    ("60.12.0.1",       "AS", "CN", ("CN-ZJ",), "unicom"),
    ("210.32.0.1",      "AS", "CN", ("CN-ZJ",), "education"),  # Zhejiang University
    ("202.106.0.20",    "AS", "CN", ("CN-BJ",), "unicom"),     # Beijing
    ("36.112.0.1",      "AS", "CN", ("CN-BJ",), "telecom"),
    ("221.179.155.161", "AS", "CN", ("CN-BJ",), "mobile"),
    ("166.111.8.28",    "AS", "CN", ("CN-BJ",), "education"),  # Tsinghua University
    ("202.96.209.133",  "AS", "CN", ("CN-SH",), "telecom"),    # Shanghai
    ("202.96.128.86",   "AS", "CN", ("CN-GD",), "telecom"),    # Guangdong
    ("2409:8928::1",    "AS", "CN", ("CN-ZJ",), "mobile"),
    ("8.8.8.8",         "NA", "US", (),         None),
    ("193.0.6.139",     "EU", "NL", (),         None),
    ("200.160.0.8",     "SA", "BR", (),         None),
    ("196.216.2.1",     "AF", "ZA", (),         None),
    ("192.0.2.1",       None, None, (),         None),
    ("10.0.0.1",        None, None, (),         None),
]
# fmt: on


@pytest.mark.parametrize("row", KNOWN, ids=[row[0] for row in KNOWN])
def test_builtin_files_know_these_clients(row: tuple[Any, ...]) -> None:
    address = ip_address(row[0])
    client = int(address) + ((0xFFFF << 32) if address.version == 4 else 0)

    assert client_facts(client, ["builtin"]) == Facts(*row[1:])._asdict()


def test_maxminds_own_library_reads_the_same(tmp_path: Path) -> None:
    networks = {
        "115.236.0.0/16": CITY,
        "2001:db8::/32": {**CITY, "subdivisions": [{"iso_code": "BJ"}]},
        "198.51.100.0/24": {"country": {"iso_code": "US"}, "continent": {"code": "NA"}},
    }
    path = write_mmdb(tmp_path / "city.mmdb", networks, database_type="GeoLite2-City")

    with geoip2.database.Reader(path) as judge:
        for text in ("115.236.8.1", "2001:db8::7", "198.51.100.9"):
            city = judge.city(text)
            codes = tuple(f"{city.country.iso_code}-{s.iso_code}" for s in city.subdivisions)
            known = client_facts(client_number(text), [path])
            assert known["continent"] == city.continent.code
            assert known["country"] == city.country.iso_code
            assert known["subdivisions"] == codes


def test_builtin_is_two_files_of_one_place() -> None:
    files = list(files_of([Path("/a.mmdb"), "builtin"]))

    assert [index for index, _ in files] == [0, 1, 1]
    assert [path.name for path in builtin_databases()] == ["world.mmdb", "china.mmdb"]
    assert all(path.is_file() for path in builtin_databases())
