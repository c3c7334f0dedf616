"""Warnings: each with a row that has it at its place, and a twin that does not."""

from pathlib import Path

import pytest

from gtmdns.compiler.build import compile_config
from gtmdns.compiler.lint import warnings_of
from gtmdns.config.load import load
from tests.compiler.mmdb_files import write_mmdb
from tests.compiler.support import NOW, load_text, with_records

QUIET = """
health_checks:
  web: {type: http, interval: 5s, timeout: 2s, fall: 3}
regions:
  east: {networks: [203.0.113.0/24]}
  wide: {networks: [203.0.0.0/16]}
pools:
  home: {endpoints: [192.0.2.1, 192.0.2.2], health_check: web}
"""


def warnings(text: str) -> list[str]:
    """Return "LINE key: problem" for each warning. The zone has no TTL of its own."""
    loaded = load_text(text.replace("    ttl: 60\n", ""))
    found = warnings_of(loaded, compile_config(loaded, {}, NOW))
    return [warning.partition("gtmdns.yaml:")[2].replace(":", " ", 1) for warning in found]


def zone_ttl(ttl: int) -> str:
    """Return a configuration whose zone has a TTL."""
    return with_records(
        "a: {pools: home}\nb: {pools: home}\nc: {pools: home, ttl: 5}", QUIET
    ).replace("contact:", f"ttl: {ttl}  # written\n    contact:")


def with_pool(pool: str, record: str = "www: {pools: [home, new]}") -> str:
    return with_records(record, QUIET + f"  new: {pool}\n")


def with_check(
    check: str, pool: str = "{endpoints: [192.0.2.9]}", record: str = "www: {pools: [home, new]}"
) -> str:
    """Return a configuration with a health check of the name spare."""
    checks = f"  web: {{type: http, interval: 5s, timeout: 2s, fall: 3}}\n  spare: {check}\n"
    return with_pool(pool, record).replace(checks.splitlines()[0] + "\n", checks)


def federated(endpoints: str, more: str = "") -> str:
    home = "home: {endpoints: [192.0.2.1, 192.0.2.2], health_check: web"
    text = with_pool(
        f"{{endpoints: [{endpoints}], locality: {{region: r, zone: z2}}}}",
        f"svc: {{federate: [home, new]{more}}}",
    )
    return text.replace(home, home + ", locality: {region: r, zone: z1}")


# fmt: off
CASES = [
    # what, configuration, key and words of its only warning; None: no warning
    ("quiet", with_records("www: {pools: home}", QUIET), None),

    ("an unused pool", with_pool("{endpoints: [192.0.2.9]}", "www: {pools: home}"),
        "pools.new: no record uses this pool"),
    ("a pool used inside a target", with_pool("{endpoints: [192.0.2.9]}", "www: {pools: {home: 1, x: {weight: 1, to: {all: [new]}}}}"), None),

    ("a minimum above the endpoints", with_pool("{endpoints: [192.0.2.9], min_available: 2}"),
        "pools.new.min_available: can never be met: the pool has 1 IPv4 endpoint"),
    ("a minimum above those of one family", with_pool('{endpoints: [192.0.2.9, 192.0.2.8, "2001:db8::1"], min_available: 2}', "www: {pools: home}\nx: {pools: new}"),
        "pools.new.min_available: can never be met: the pool has 1 IPv6 endpoint"),
    ("a minimum of them all", with_pool("{endpoints: [192.0.2.9, 192.0.2.8], min_available: 2}"), None),
    ("a percentage of few", with_pool('{endpoints: [192.0.2.9], min_available: "100%"}'), None),

    ("weights for nothing", with_pool("{endpoints: [{address: 192.0.2.9, weight: 3}], select: all}"),
        'pools.new.select: "all" leaves the weights unused'),
    ("weights for something", with_pool("{endpoints: [{address: 192.0.2.9, weight: 3}]}"), None),

    ("a rule never reached", with_records("www: {route: {wide: home, east: home, default: home}}", QUIET),
        "zones.example.test.records.www.route.east: never reached: the rules above take all of its clients"),
    ("a rule that is reached", with_records("www: {route: {east: home, wide: home, default: home}}", QUIET), None),

    ("a family that some rules lack", with_pool('{endpoints: ["2001:db8::1", 192.0.2.9]}', "www: {route: {east: new, default: home}}"),
        "zones.example.test.records.www.route.default: has no IPv6 endpoint, while other targets of this name have some"),
    ("a family that all rules have", with_pool('{endpoints: ["2001:db8::1", 192.0.2.9]}', "www: {route: {east: new, default: new}}\nx: {pools: home}"), None),
    ("a family that one pool of a chain lacks", with_pool('{endpoints: ["2001:db8::1", 192.0.2.9]}', "www: {pools: [new, home]}"),
        "zones.example.test.records.www.pools: pool home has no IPv6 endpoint, while other pools here have some"),
    ("pools of one family each", with_pool('{endpoints: ["2001:db8::1"]}', "www: {pools: [home, {x: {weight: 1, to: {all: [new]}}}]}"), None),
    ("a fallback without a family", with_pool('{endpoints: ["2001:db8::1", 192.0.2.9]}', "www: {pools: new, when_all_down: {pools: home}}"),
        "zones.example.test.records.www.when_all_down.pools: has no IPv6 endpoint, while other targets of this name have some"),
    ("a federated pool without a family", federated('"2001:db8::1", 192.0.2.9'),
        "zones.example.test.records.svc.federate: pool home has no IPv6 endpoint, while other pools here have some"),
    ("federated pools of one family", federated("192.0.2.9"), None),
    ("names that are resolved have both families", with_pool('{endpoints: [{address: a.test, resolve: true}, "2001:db8::1"]}', "www: {pools: new}\nx: {pools: home}"), None),

    ("a pool used as a fallback", with_pool("{endpoints: [192.0.2.9]}", "www: {pools: home, when_all_down: {pools: [new]}}"), None),
    ("a check that nothing uses", with_check("{type: tcp, port: 5}"),
        "health_checks.spare: no pool uses this health check"),
    ("a check of one endpoint", with_check("{type: tcp, port: 5}", "{endpoints: [{address: 192.0.2.9, health_check: [spare]}]}"), None),

    ("all weights on one endpoint", with_pool("{endpoints: [{address: 192.0.2.9, weight: 0}, {address: 192.0.2.8, weight: 5}]}"),
        "pools.new.endpoints[1].weight: all the weight of 2 IPv4 endpoints is here: the others are spares alone"),
    ("all weights of names on one", with_pool("{endpoints: [{address: b.test, weight: 0}, a.test], select: weighted}", "x: {pools: home}\nwww: {pools: new}"),
        "pools.new.endpoints[1]: all the weight of 2 host names is here"),
    ("a spare beside two", with_pool("{endpoints: [{address: 192.0.2.9, weight: 0}, 192.0.2.8, 192.0.2.7]}"), None),
    ("one endpoint of each family with a weight", with_pool('{endpoints: [{address: 192.0.2.9, weight: 2}, {address: "2001:db8::1", weight: 5}]}', "www: {pools: new}\nx: {pools: home}"), None),
    ("a minimum of host names", with_pool("{endpoints: [a.test], min_available: 2}", "x: {pools: home}\nwww: {pools: new}"),
        "pools.new.min_available: can never be met: the pool has 1 host name"),
    ("a minimum of what is resolved", with_pool("{endpoints: [{address: a.test, resolve: true}], min_available: 2}", "www: {pools: home}\nx: {pools: new}"), None),

    ("https by address without host", with_check("{type: https}", "{endpoints: [192.0.2.9], health_check: spare}"),
        "health_checks.spare: probes 192.0.2.9 (pool new) over TLS without host: the certificate has to be for that address"),
    ("grpc over TLS by address", with_check("{type: grpc, port: 5, tls: true}", "{endpoints: [192.0.2.9], health_check: spare}"),
        "health_checks.spare: probes 192.0.2.9 (pool new) over TLS without host"),
    ("grpc by address", with_check("{type: grpc, port: 5}", "{endpoints: [192.0.2.9], health_check: spare}"), None),
    ("https with host", with_check("{type: https, host: a.test}", "{endpoints: [192.0.2.9], health_check: spare}"), None),
    ("https that verifies nothing", with_check("{type: https, verify_tls: false}", "{endpoints: [192.0.2.9], health_check: spare}"), None),
    ("https of a name", with_check("{type: https}", "{endpoints: [a.test], health_check: spare}", "x: {pools: home}\nwww: {pools: new}"), None),

    ("eject without a base", with_check("{type: tcp, port: 5, eject: {max: 1m}}", "{endpoints: [192.0.2.9], health_check: spare}"),
        "health_checks.spare.eject.max: has no effect: base is 0s, so nothing is ejected"),
    ("eject with a base", with_check("{type: tcp, port: 5, eject: {base: 1s, max: 1m}}", "{endpoints: [192.0.2.9], health_check: spare}"), None),

    ("ramp without a check", with_pool("{endpoints: [{address: 192.0.2.9, weight: 3}], ramp: 1m}"),
        "pools.new.ramp: no endpoint of this pool has a health check that it could come back by"),
    ("ramp with a check", with_pool("{endpoints: [{address: 192.0.2.9, weight: 3, health_check: web}], ramp: 1m}"), None),

    ("nearest without a place", with_pool("{endpoints: [192.0.2.9]}", "www: {pools: {home: 1, x: {weight: 2, to: {nearest: [home, [new]]}}}}"),
        "zones.example.test.records.www.pools.x.to.nearest: no pool here has a location"),
    ("nearest with one place", with_pool("{endpoints: [192.0.2.9], location: [1, 2]}", "www: {pools: {nearest: [home, [new]]}}"), None),

    ("failback without a chain", with_pool("{endpoints: [192.0.2.9]}", "www: {pools: {home: 1, new: 2}, failback: {delay: 1m}}"),
        "zones.example.test.records.www.failback: has no effect: there is no chain"),
    ("failback with a chain of one", with_records("www: {pools: [home], failback: {delay: 1m}}", QUIET),
        "zones.example.test.records.www.failback: has no effect: there is no chain"),
    ("failback with a chain inside", with_pool("{endpoints: [192.0.2.9]}", "www: {pools: {x: {weight: 1, to: [home, new]}}, failback: {delay: 1m}}"), None),
    ("failback with nearest", with_pool("{endpoints: [192.0.2.9], location: [1, 2]}", "www: {pools: {nearest: [home, new]}, failback: {delay: never}}"), None),

    ("a TTL of federation names that nobody wrote", federated("192.0.2.9"), None),
    ("a TTL of federation names above the detection time", federated("192.0.2.9", ", ttl: 60"),
        "zones.example.test.records.svc.ttl: 60 s is longer than the 17 s in which a failure is noticed"),
    ("a TTL that follows health", with_records("www: {pools: home, ttl: {min: 5, max: 600}}", QUIET), None),
    ("a TTL above the silence of a push check", with_check("{type: push, token_file: t, interval: 20s, fall: 2}", "{endpoints: [192.0.2.9], health_check: spare}", "www: {pools: new, ttl: 41}\nx: {pools: home}"),
        "zones.example.test.records.www.ttl: 41 s is longer than the 40 s in which a failure is noticed"),
    ("a TTL above the detection time of a fallback", with_check("{type: tcp, port: 5, interval: 60s}", "{endpoints: [192.0.2.9], health_check: spare}", "www: {pools: home, when_all_down: {pools: new}, ttl: 100}"), None),
    ("a TTL above the detection time", with_records("www: {pools: home, ttl: 18}", QUIET),
        "zones.example.test.records.www.ttl: 18 s is longer than the 17 s in which a failure is noticed"),
    ("a TTL of the detection time", with_records("www: {pools: home, ttl: 17}", QUIET), None),
    ("a TTL that nobody wrote", with_records("www: {pools: home}", QUIET.replace("5s", "1s").replace("2s", "500ms")), None),
    ("a zone's TTL above the detection time", zone_ttl(60),
        "zones.example.test.ttl: 60 s is longer than the 17 s in which a failure is noticed"),
    ("a zone's TTL of the detection time", zone_ttl(17), None),
    ("a TTL without checks", with_pool("{endpoints: [192.0.2.9]}", "www: {pools: new, ttl: 9999}\nx: {pools: home}"), None),
    ("a static TTL", with_records("www: {A: 192.0.2.1, ttl: 9999}\nx: {pools: home}", QUIET), None),
]
# fmt: on


@pytest.mark.parametrize(
    ("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_warning(text: str, expected: str | None) -> None:
    found = warnings(text)

    if expected is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].partition(": ")[2].startswith(expected)


def test_warnings_have_their_places_and_are_sorted_by_them() -> None:
    text = with_pool("{endpoints: [192.0.2.9]}", "www: {pools: home, ttl: 99}")

    found = warnings(text)

    lines = text.replace("    ttl: 60\n", "").splitlines()
    assert [warning.split(" ")[0] for warning in found] == [
        f"{lines.index('  new: {endpoints: [192.0.2.9]}') + 2}",
        f"{lines.index('      www: {pools: home, ttl: 99}') + 2}",
    ]


HIDDEN = """
  sub.example.test:
    nameservers: {ns.other.test.: []}
    contact: hostmaster@example.test
"""


@pytest.mark.parametrize(
    ("record", "warned"),
    [
        ("www.sub: {pools: home}", True),
        ("sub: {TXT: x}", True),
        ("a.b.sub: {MX: 10 m}", True),
        ("sub: {NS: ns.other.test.}", False),
        ("ns.sub: {A: 192.0.2.1}", False),
        ("sub2: {TXT: x}", False),
    ],
)
def test_a_name_that_a_deeper_zone_answers(record: str, warned: bool) -> None:
    found = warnings(with_records(f"x: {{pools: home}}\n{record}", QUIET) + HIDDEN)

    assert ["never answered: the zone sub.example.test has this name" in w for w in found] == (
        [True] if warned else []
    )


BOTH = """
zones:
  a.test: {nameservers: {ns1: [192.0.2.53]}, contact: a@a.test, transfer_to: [192.0.2.54]SAID}
  sub.a.test: {nameservers: {ns1: [192.0.2.53]}, contact: a@a.test}
  b.sub.a.test: {nameservers: {ns1: [192.0.2.53]}, contact: a@a.test}
"""
MISSING = "no NS records for sub.a.test, a zone of its own: secondaries will deny its names"


@pytest.mark.parametrize(
    ("said", "warned"),
    [
        ("", True),
        (", records: {other: {NS: ns1}, www.sub: {NS: ns1}}", True),
        (", records: {sub: {NS: ns1.sub}, ns1.sub: {A: 192.0.2.53}}", False),
        (", records: {SUB: {TYPE2: '\\# 5 036e733100'}}", False),
    ],
    ids=["not", "others alone", "delegated", "as TYPE2"],
)
def test_a_deeper_zone_that_secondaries_do_not_hear_of(said: str, warned: bool) -> None:
    """One that they do not get, and that other servers have by this configuration, is as it may."""
    found = warnings(BOTH.replace("SAID", said))
    alone = warnings(BOTH.replace("SAID", said).replace("transfer_to: [192.0.2.54]", "ttl: 60"))

    assert ([MISSING in warning for warning in found], alone) == ([True] * warned, [])


def test_a_region_that_no_database_can_give(tmp_path: Path) -> None:
    write_mmdb(tmp_path / "countries.mmdb", {"203.0.113.0/24": {"country_code": "CN"}})
    path = tmp_path / "gtmdns.yaml"
    path.write_text(
        "geoip: {databases: [countries.mmdb]}\n"
        "regions:\n  china: {countries: [CN]}\n  france: {countries: [FR]}\n"
        "pools: {home: {endpoints: [192.0.2.1]}}\n"
        + with_records(
            "www: {route: {china: home, france: home, default: home}}\n"
            "x: {route: {france: home, default: home}}"
        )
    )
    loaded = load(path)

    found = warnings_of(loaded, compile_config(loaded, {}, NOW))

    assert found == [
        f"{path}:4:12: regions.france.countries: no database of geoip.databases knows FR: "
        "nobody is found by it",
        f"{path}:14:42: zones.example.test.records.www.route.france: never reached: the rules "
        "above take all of its clients",
        f"{path}:15:27: zones.example.test.records.x.route.france: never reached: no client is in "
        "the region",
    ]
