"""What a whole file becomes: every section, its defaults, and the place of each value."""

import math
from ipaddress import ip_network

import pytest

from gtmdns.config.model import (
    Config,
    Eject,
    Endpoint,
    Failback,
    HealthCheck,
    Locality,
    Location,
    Minimum,
    Pool,
    Record,
    Strict,
    TtlRange,
    default_ttl,
    longest,
)
from gtmdns.config.targets import (
    AllOf,
    Chain,
    FallbackCname,
    FallbackPools,
    Member,
    Nearest,
    PoolRef,
    Rule,
    Weights,
)
from gtmdns.config.words import MODELS
from tests.config.texts import FULL, ZONE


def test_a_full_configuration(loaded, tmp_path):
    result = loaded(FULL)
    config = result.config

    server = config.server
    assert server.listen == ("127.0.0.1:5300", "[::1]:5300")
    assert (server.workers, server.user, server.state_dir) == (None, "nobody", "state")
    assert (server.nsid, server.version) == ("edge-1", None)
    assert server.cookies.secret_file == "secrets"
    assert server.isolation is not None
    assert dict(server.isolation) == {
        "canaries": ("192.0.2.1:443", "[::1]:53", "canary.example.net:80"), "share": 30, "window": 60.0,
    }  # fmt: skip
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
        "timeout": 2.0, "fall": 3, "rise": 2, "clear": 1, "eject": Eject(base=60.0, max=300.0),
        "expect_body": "^ok", "tls": False, "query": ".", "query_type": "SOA", "service": "",
        "expect_rcode": ("NOERROR",), "expect_answer": (), "token_file": None,
    }  # fmt: skip
    tls = checks["tls"]
    assert (tls.port, tls.interval, tls.timeout, tls.verify_tls) == (443, 1.0, 0.5, False)
    port = checks["port"]
    assert (port.port, port.timeout, port.fall, port.rise, port.clear) == (22, 0.1, 1, 1, 2)
    assert HealthCheck(**port.model_dump()) == port
    assert port.eject == Eject(base=0.0, max=300.0)
    hello, ping, zone, rpc, told = (checks[n] for n in ("hello", "ping", "zone", "rpc", "told"))
    assert (hello.port, hello.host, hello.verify_tls) == (853, "ns.example.com", False)
    assert (ping.port, told.port) == (0, 0)
    assert (zone.port, zone.query, zone.query_type) == (53, "example.com", "MX")
    assert (zone.expect_rcode, zone.expect_answer) == (
        ("NOERROR", "NXDOMAIN"), ("10 mail.example.com.",),
    )  # fmt: skip
    assert (rpc.port, rpc.service, rpc.tls, rpc.host) == (
        50051, "shop.Cart", True, "rpc.example.com",
    )  # fmt: skip
    assert (told.token_file, told.interval) == ("push-token", 30.0)


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
    assert plain.locality == Locality(region="cn-hangzhou", zone="cn-hangzhou-b")
    place, found = pools["place"], pools["found"]
    assert (place.select, place.max_answers, place.ramp) == ("hash", 1, 300.0)
    assert place.location == Location(latitude=-30.0, longitude=120.15)
    assert (plain.location, place.locality, plain.ramp) == (None, None, 0.0)
    assert [(e.family, e.resolve, e.is_alias) for e in (*found.endpoints, *names.endpoints)] == [
        (0, True, False), (0, False, True), (0, False, True),
    ]  # fmt: skip
    assert not plain.endpoints[0].is_alias


def test_zones(loaded):
    zone = loaded(FULL).config.zones["GTM.example.com"]
    plain, heavy, few, place = map(PoolRef, ("plain", "heavy", "few", "place"))

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
        "close": Record(
            route=(Rule("default", Nearest((place, Chain((plain, few))))),),
            failback=Failback(600.0),
            ttl=TtlRange(5, 60),
        ),
        "stay": Record(
            route=(Rule("default", Chain((plain, heavy))),),
            failback=Failback(math.inf),
            when_all_down=FallbackPools(Chain((PoolRef("found"), place))),
        ),
        "spare": Record(
            route=(Rule("default", plain),),
            failback=Failback(0.0),
            when_all_down=FallbackCname("static.example.net."),
        ),
        "svc": Record(federate=("plain",)),
    }


def test_a_ttl_that_follows_health(loaded):
    zones = loaded(FULL).config.zones
    zone = zones["static.example.com"]

    assert zone.ttl == TtlRange(min=1, max=30)
    assert (longest(zone.ttl), longest(60)) == (30, 60)
    assert default_ttl(zone.ttl, federated=False) is zone.ttl
    assert default_ttl(zone.ttl, federated=True) == 180
    assert zone.transfer_to == (ip_network("192.0.2.0/24"), ip_network("2001:db8::1"))
    assert zones["GTM.example.com"].transfer_to == ()


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
    assert config.server.isolation is None
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
    placed = Pool(endpoints=["192.0.2.1"], location=Location(1.0, 2.0))
    assert placed.location == Location(1.0, 2.0)
    assert HealthCheck(type="icmp", port=0).port == HealthCheck(type="push", token_file="t").port
    assert Record(route=(Rule("default", PoolRef("a")),), ttl=TtlRange(1, 2)).ttl == TtlRange(1, 2)
    assert Config.model_validate({"pools": {"a": pool}, "zones": {"z": None}} | {"zones": {
        "z": {"nameservers": {"ns1": ["192.0.2.1"]}, "contact": "a@b"}
    }}).pools["a"] is pool  # fmt: skip


def test_bounds_of_patterns_and_of_hashed_pools(mistakes, loaded):
    """A pattern is bounded in octets, and a pool that hashes in endpoints."""
    check = "health_checks: {a: {type: http, expect_body: %s}}\n" + ZONE
    pool = "pools: {a: {select: hash, endpoints: [%s]}}\n" + ZONE
    few, many = (", ".join(f"10.0.{n >> 8}.{n & 255}" for n in range(m)) for m in (256, 257))

    assert loaded(check % ("x" * 1_000)).config.health_checks["a"].expect_body == "x" * 1_000
    assert [m.partition(", got")[0] for m in mistakes(check % ("\u00e9" * 501))] == [
        "1:46: health_checks.a.expect_body: expected a pattern of 1 to 1000 octets"
    ]
    assert [m.partition(": ")[2] for m in mistakes(check % "'(a{1000}){1000}'")] == [
        "health_checks.a.expect_body: not a pattern of RE2: invalid repetition size: {1000}"
    ]
    assert len(loaded(pool % few).config.pools["a"].endpoints) == 256
    assert mistakes(pool % many) == [
        "1:21: pools.a.select: hash draws among at most 256 endpoints; the pool has 257"
    ]


def test_expected_txt_is_one_text_unless_it_is_quoted():
    """As in the records of a zone; what is read again in code stays as it is."""
    answers = ("v=spf1 -all", '"a" "b"', 'say "hi" \\', "x" * 256)
    check = HealthCheck(type="dns", query_type="TXT", expect_answer=answers)

    assert check.expect_answer == (
        '"v=spf1 -all"', '"a" "b"', r'"say \"hi\" \\"', f'"{"x" * 255}" "x"',
    )  # fmt: skip
    assert HealthCheck(**check.model_dump()) == check


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
