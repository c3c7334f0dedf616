"""Whole files: what a configuration becomes, and the exact mistakes of each stage."""

import gc
import re
import time
from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck as Health
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gtmdns.config.load import BadConfig, load
from gtmdns.config.model import Config, Endpoint, HealthCheck, Minimum, Pool, Record, Strict
from gtmdns.config.targets import AllOf, Chain, Member, PoolRef, Rule, Weights
from gtmdns.config.words import MODELS
from tests.config.mistakes import TABLE

ZONE = "zones: {z.example: {nameservers: {ns1: [192.0.2.53]}, contact: h@z.example}}\n"


@pytest.fixture
def loaded(tmp_path):
    def load_text(text):
        path = tmp_path / "f.yaml"
        path.write_text(text)
        return load(path)

    return load_text


@pytest.fixture
def mistakes(loaded, tmp_path):
    """Return the mistakes of a text, without the folder."""

    def of_text(text):
        with pytest.raises(BadConfig) as caught:
            loaded(text)
        assert str(caught.value) == "\n".join(map(str, caught.value.mistakes))
        assert caught.value.files == (tmp_path / "f.yaml",)
        prefix = f"{tmp_path}/f.yaml:"
        return [str(mistake).removeprefix(prefix) for mistake in caught.value.mistakes]

    return of_text


FULL = """
server:
  listen: ["127.0.0.1:5300", "[::1]:5300"]
  workers: auto
  user: nobody
  state_dir: state
  nsid: edge-1
  version: null
  cookies: {secret_file: secrets}
  client_subnet: false
  udp_payload: 1400
  startup_wait: 500ms
  tcp: {max_connections: 10, max_per_client: 5, idle_timeout: 1m}
  log: {format: json, level: debug}
admin: {listen: null, hosts: [GTM.example.net], token_file: token}
geoip: {databases: [city.mmdb, builtin]}
regions:
  office: {networks: [203.0.113.0/24, "2001:db8::/32"]}
  zj: {subdivisions: [CN-ZJ], isps: [telecom], asns: [4134], countries: [CN, NO], continents: [AS], match: all}
health_checks:
  web: {type: http, path: /healthz, host: www.example.com, expect_status: ["200-399", 404], expect_body: null}
  tls: {type: https, interval: 1s, verify_tls: false, method: HEAD}
  port: {type: tcp, port: 22, timeout: 100ms, fall: 1, rise: 1, clear: 2}
pools:
  plain: {endpoints: [192.0.2.1, "2001:DB8::1"]}
  heavy:
    endpoints:
      - 192.0.2.2
      - {address: 192.0.2.3, weight: 3, health_check: port}
      - {address: 192.0.2.4, weight: 0, health_check: null}
    health_check: [web, tls]
    min_available: "50%"
  few: {endpoints: [192.0.2.5], max_answers: 2, min_available: 1, select: weighted, health_check: web}
  names: {endpoints: [LB.Example.net., {address: lb2.example.net, weight: 2}]}
zones:
  GTM.example.com:
    nameservers: {ns1: [192.0.2.53, "2001:db8::53"], ns2.other.example.: [], ns3.gtm.example.com.: [192.0.2.54]}
    contact: hostmaster@example.com
    serial: 7
    ttl: 0
    negative_ttl: 5
    records:
      "@": {MX: ["10 mail"], TXT: "v=spf1 -all"}
      www: {pools: plain, ttl: 30, TXT: [a, b]}
      10: {PTR: x.example.}
      mesh: {pools: {home: {weight: 90, to: [plain, heavy]}, few: 10}, when_all_down: empty}
      near:
        route: {zj: {all: [plain, few]}, office: heavy, default: [plain]}
        when_all_down: servfail
      cname: {pools: names}
"""


def test_a_full_configuration(loaded, tmp_path):
    result = loaded(FULL)
    config = result.config

    server = config.server
    assert server.listen == ("127.0.0.1:5300", "[::1]:5300")
    assert (server.workers, server.user, server.state_dir) == (None, "nobody", "state")
    assert (server.nsid, server.version) == ("edge-1", None)
    assert server.cookies.secret_file == "secrets"
    assert (server.client_subnet, server.udp_payload, server.startup_wait) == (False, 1400, 0.5)
    assert dict(server.tcp) == {"max_connections": 10, "max_per_client": 5, "idle_timeout": 60.0}
    assert dict(server.log) == {"format": "json", "level": "debug"}
    assert dict(config.admin) == {
        "listen": None, "hosts": ("gtm.example.net",), "token_file": "token",
    }  # fmt: skip
    assert config.geoip.databases == ("city.mmdb", "builtin")
    assert config.regions["office"].networks == (
        ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"),
    )  # fmt: skip
    assert dict(config.regions["zj"]) == {
        "networks": (), "continents": ("AS",), "countries": ("CN", "NO"), "subdivisions": ("CN-ZJ",),
        "isps": ("telecom",), "asns": (4134,), "match": "all",
    }  # fmt: skip
    assert result.base == tmp_path
    assert result.files == (tmp_path / "f.yaml",)


def test_health_checks(loaded):
    checks = loaded(FULL).config.health_checks

    assert dict(checks["web"]) == {
        "type": "http", "port": 80, "path": "/healthz", "method": "GET", "host": "www.example.com",
        "expect_status": ((200, 399), (404, 404)), "verify_tls": True, "interval": 5.0,
        "timeout": 2.0, "fall": 3, "rise": 2, "clear": 1,
    }  # fmt: skip
    tls = checks["tls"]
    assert (tls.port, tls.interval, tls.timeout, tls.verify_tls) == (443, 1.0, 0.5, False)
    port = checks["port"]
    assert (port.port, port.timeout, port.fall, port.rise, port.clear) == (22, 0.1, 1, 1, 2)
    assert HealthCheck(**port.model_dump()) == port


def test_pools(loaded):
    pools = loaded(FULL).config.pools

    plain, heavy, few, names = (pools[name] for name in ("plain", "heavy", "few", "names"))
    assert [(e.address, e.weight, e.health_checks, e.family) for e in heavy.endpoints] == [
        ("192.0.2.2", None, None, 4), ("192.0.2.3", 3, ("port",), 4), ("192.0.2.4", 0, (), 4),
    ]  # fmt: skip
    assert [(e.address, e.family) for e in (*plain.endpoints, *names.endpoints)] == [
        ("192.0.2.1", 4), ("2001:db8::1", 6), ("lb.example.net", 0), ("lb2.example.net", 0),
    ]  # fmt: skip
    assert [(p.select, p.max_answers) for p in (plain, heavy, few, names)] == [
        ("all", 8), ("weighted", 1), ("weighted", 2), ("weighted", 1),
    ]  # fmt: skip
    assert [p.health_checks for p in (plain, heavy, few)] == [(), ("web", "tls"), ("web",)]
    assert heavy.min_available == Minimum(percent=50)
    assert few.min_available == plain.min_available == Minimum(count=1)


def test_zones(loaded):
    zone = loaded(FULL).config.zones["GTM.example.com"]
    plain, heavy, few = PoolRef("plain"), PoolRef("heavy"), PoolRef("few")

    assert zone.nameservers == {
        "ns1": ("192.0.2.53", "2001:db8::53"),
        "ns2.other.example.": (),
        "ns3.gtm.example.com.": ("192.0.2.54",),
    }
    assert (zone.serial, zone.ttl, zone.negative_ttl) == (7, 0, 5)
    assert zone.contact == "hostmaster@example.com"
    assert zone.records == {
        "@": Record(rrsets={"MX": ("10 mail",), "TXT": ("v=spf1 -all",)}),
        "www": Record(rrsets={"TXT": ("a", "b")}, route=(Rule("default", plain),), ttl=30),
        "10": Record(rrsets={"PTR": ("x.example.",)}),
        "mesh": Record(
            route=(
                Rule(
                    "default",
                    Weights((Member("home", 90, Chain((plain, heavy))), Member("few", 10, few))),
                ),
            ),
            when_all_down="empty",
        ),
        "near": Record(
            route=(
                Rule("zj", AllOf((plain, few))),
                Rule("office", heavy),
                Rule("default", Chain((plain,))),
            ),
            routed=True,
            when_all_down="servfail",
        ),
        "cname": Record(route=(Rule("default", PoolRef("names")),)),
    }


def test_defaults(loaded):
    config = loaded(ZONE + "server:\nadmin:\nregions:\npools:\n").config

    assert config.server.listen == ("127.0.0.1:5300",)
    assert (config.server.workers, config.server.user, config.server.state_dir) == (None,) * 3
    assert (config.server.udp_payload, config.server.startup_wait) == (1232, 5.0)
    assert dict(config.server.tcp) == {
        "max_connections": 1000, "max_per_client": 50, "idle_timeout": 10.0,
    }  # fmt: skip
    assert dict(config.server.log) == {"format": "text", "level": "info"}
    assert dict(config.admin) == {"listen": "127.0.0.1:8053", "hosts": (), "token_file": None}
    assert config.geoip.databases == ("builtin",)
    assert config.regions == config.pools == config.health_checks == {}
    zone = config.zones["z.example"]
    assert (zone.ttl, zone.negative_ttl, zone.serial, zone.records) == (60, 30, None, {})


def test_a_loaded_configuration_never_changes(loaded):
    config = loaded(FULL).config

    with pytest.raises(ValueError, match="frozen"):
        config.server.udp_payload = 1
    for mapping in (config.pools, config.zones, config.zones["GTM.example.com"].records):
        with pytest.raises(TypeError):
            mapping["x"] = None


def test_models_can_be_made_in_code():
    """By field names, as tests and the rest of the program do."""
    pool = Pool(
        endpoints=(Endpoint(address="192.0.2.1", weight=2), Endpoint(address="192.0.2.2")),
        health_checks=("web",),
    )

    assert (pool.select, pool.max_answers, pool.health_checks) == ("weighted", 1, ("web",))
    assert pool.endpoints[1].health_checks is None
    assert HealthCheck(type="tcp", port=1, path="/").port == 1
    assert Record(rrsets={"A": ("192.0.2.1",)}).route == ()
    assert Pool(**pool.model_dump(exclude={"min_available"})) == pool
    assert Config.model_validate({"pools": {"a": pool}, "zones": {"z": None}} | {"zones": {
        "z": {"nameservers": {"ns1": ["192.0.2.1"]}, "contact": "a@b"}
    }}).pools["a"] is pool  # fmt: skip


def test_every_model_of_a_file_has_its_words():
    assert {*Strict.__subclasses__()} - {Record} == {*MODELS.values()}


def test_a_configuration_can_be_dumped(loaded):
    dump = loaded(FULL).config.model_dump(mode="json")

    assert dump["regions"]["office"]["networks"] == ["203.0.113.0/24", "2001:db8::/32"]
    assert dump["zones"]["GTM.example.com"]["records"]["www"]["rrsets"] == {"TXT": ["a", "b"]}


def test_places(loaded, tmp_path):
    result = loaded(FULL)
    lines = FULL.splitlines()

    def at(*keys):
        place = result.where(*keys)
        assert place.file == str(tmp_path / "f.yaml")
        return lines[place.line - 1][place.column - 1 :]

    assert at("server").startswith("server:")
    assert at("server", "udp_payload") == "1400"
    assert at("pools", "heavy", "endpoints", 1, "weight").startswith("3, health")
    assert at("pools", "heavy", "endpoints", 1).startswith("{address: 192.0.2.3")
    zone = ("zones", "GTM.example.com", "records")
    assert at(*zone, "www").startswith("www:")
    assert at(*zone, "www", "TXT", 1).startswith("b]")
    assert at(*zone, "near", "route", "office").startswith("heavy,")
    assert at(*zone, "@", "TXT", 0).startswith('"v=spf1')
    assert at(*zone, "none", "A", 0).startswith("records:")
    assert at().startswith("server:")
    mistake = result.mistake((*zone, "@", "TXT", 0), "no")
    assert mistake.key == "zones.GTM.example.com.records.@.TXT"
    assert mistake.problem == "no"


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=[row[0][:40] for row in TABLE])
def test_mistakes(mistakes, text, expected):
    """A text without zones that is about something else gets a good zone at its end."""
    about_zones = re.search("^(zone|- zone|# zone|a: {})", text, re.MULTILINE)

    assert mistakes(text + "\n" + ("" if about_zones else ZONE)) == expected


def test_no_stage_hides_behind_an_earlier_one_in_another_file(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "b.yaml").write_text("server: {x: 1}\n")

    with pytest.raises(BadConfig) as caught:
        load(tmp_path)

    assert [str(m).replace(f"{tmp_path}/", "") for m in caught.value.mistakes] == [
        "a.yaml:2:1: a: set twice; first set in line 1, column 1"
    ]
    assert caught.value.files == (tmp_path, tmp_path / "a.yaml", tmp_path / "b.yaml")


def test_mistakes_in_a_folder_name_the_file(tmp_path):
    (tmp_path / "a.yaml").write_text("pools: {a: {endpoints: []}}\n")
    (tmp_path / "b.yaml").write_text("pools:\n  b: {endpoint: x}\n" + ZONE)

    with pytest.raises(BadConfig) as caught:
        load(tmp_path)

    assert [
        (m.file.removeprefix(f"{tmp_path}/"), m.line, m.key) for m in caught.value.mistakes
    ] == [
        ("a.yaml", 1, "pools.a.endpoints"),
        ("b.yaml", 2, "pools.b.endpoints"),
        ("b.yaml", 2, "pools.b.endpoint"),
    ]


def test_a_missing_file(tmp_path):
    with pytest.raises(BadConfig) as caught:
        load(tmp_path / "none.yaml")

    assert str(caught.value) == (
        f"{tmp_path}/none.yaml:1:1: cannot be read: no such file or directory"
    )


def test_the_collector_is_left_as_it_was(loaded):
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            loaded(ZONE)
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


WORDS = st.sampled_from(
    re.split(
        " +",
        "server admin geoip regions health_checks pools zones listen endpoints records nameservers "
        "contact route default pools: all weight to type http tcp A TXT CNAME ttl select max_answers "
        "interval min_available when_all_down a b @ 5s 50% 192.0.2.1 ::1 x.example. null true -1 5 "
        "1.5 ''",
    )
)
DATA = st.recursive(
    WORDS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(WORDS, inner, max_size=4).map(
            lambda items: "{" + ", ".join(f'"{key}": {value}' for key, value in items.items()) + "}"
        )
    ),
    max_leaves=30,
)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[Health.function_scoped_fixture],
)
@given(st.text(max_size=60) | DATA | DATA.map(lambda text: f"zones: {{z.example: {text}}}"))
@example('zones: {z: {nameservers: {ns1: ["::1"]}, contact: a@b, records: {"": {A: x}}}}')
@example('"[key]": 5')
@example("{0: 1, zones: {0: {0: 1}}}")
def test_any_text_is_a_configuration_or_raises_bad_config(tmp_path, text):
    """And no word of pydantic's reaches an operator."""
    path = tmp_path / "f.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(path)
    except BadConfig as error:
        found = error.mistakes
        assert found == sorted(found)
        assert found
        for mistake in found:
            assert mistake.line >= 1
            assert mistake.column >= 1
            assert "Input should" not in mistake.problem
            assert "type=" not in mistake.problem


def test_thousands_of_records_load_in_reasonable_time(loaded):
    """100 000 take 5 s of a core (a tree walked quadratically would take minutes)."""
    text = ZONE.replace("}}", ", records: {") + ",\n".join(
        f"r{n}: {{pools: [p{n % 100}, p1], ttl: 30}}" for n in range(10_000)
    )
    pools = "".join(f"  p{n}: {{endpoints: [192.0.2.{n}]}}\n" for n in range(100))
    begin = time.process_time()

    config = loaded(f"{text}\n}}}}}}\npools:\n{pools}").config

    assert len(config.zones["z.example"].records) == 10_000
    assert time.process_time() - begin < 8


def test_thousands_of_mistakes_are_told_in_reasonable_time(mistakes):
    records = ",\n".join(f"r{n}: {{pools: q{n}, tl{n}: 5}}" for n in range(2_000))
    begin = time.process_time()

    found = mistakes(ZONE.replace("}}", f", records: {{{records}}}}}}}"))

    assert len(found) == 2_000
    assert time.process_time() - begin < 8
