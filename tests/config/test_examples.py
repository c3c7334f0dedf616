"""Every file in config/ loads, stays on loopback, and tells the story it says."""

from pathlib import Path

import pytest

import gtmdns
from gtmdns.config.load import load
from gtmdns.config.targets import Chain, Member, PoolRef, Weights

CONFIG = Path(gtmdns.__file__).parent.parent / "config"
FILES = sorted(CONFIG.rglob("*.yaml"))
FOR_THIS_MACHINE = [CONFIG / "gtmdns.yaml", *sorted((CONFIG / "examples").glob("*.yaml"))]


def config_of(name):
    return load(CONFIG / name).config


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIG)))
def test_loads(path):
    config = load(path).config

    assert config.zones


@pytest.mark.parametrize("path", FOR_THIS_MACHINE, ids=lambda path: path.stem)
def test_stays_on_loopback_and_uses_what_it_defines(path):
    config = load(path).config

    assert config.server.listen == ("127.0.0.1:5300",)
    assert config.admin.listen == "127.0.0.1:8053"
    used = set()
    for zone in config.zones.values():
        for record in zone.records.values():
            used |= record.pool_names
    assert used == set(config.pools)
    for pool in config.pools.values():
        for endpoint in pool.endpoints:
            if pool.health_checks or endpoint.health_checks:
                assert endpoint.address.startswith("127.")  # no probe leaves the machine


def test_the_stories_are_all_there():
    names = {path.stem for path in (CONFIG / "examples").glob("*.yaml")}

    assert {"weights", "regions", "federation", "locality", "outage", "nearest"} <= names


def test_weights():
    records = config_of("examples/weights.yaml").zones["ingress.example-domain.club"].records
    shares = {
        name: [member.weight for member in records[name].route[0].target.members]
        for name in ("even", "quarter", "canary")
    }

    assert shares == {"even": [1, 1], "quarter": [1, 3], "canary": [1, 99]}


@pytest.mark.parametrize(
    ("name", "zone", "record"),
    [
        ("gtmdns.yaml", "gtm.example.com", "near"),
        ("examples/regions.yaml", "gtm.example-domain.club", "shop"),
    ],
)
def test_regions(name, zone, record):
    config = config_of(name)
    rules = {rule.region: rule.target for rule in config.zones[zone].records[record].route}

    assert rules["east-china"] == Chain((PoolRef("cluster1"), PoolRef("cluster2")))
    assert rules["north-china"] == Chain((PoolRef("cluster2"), PoolRef("cluster1")))
    assert "CN-ZJ" in config.regions["east-china"].subdivisions
    assert "CN-BJ" in config.regions["north-china"].subdivisions
    addresses = {name: pool.endpoints[0].address for name, pool in config.pools.items()}
    assert (addresses["cluster1"], addresses["cluster2"]) == ("39.97.196.33", "39.96.244.3")


def test_locality():
    config = config_of("examples/locality.yaml")
    home, away = PoolRef("hangzhou"), PoolRef("shanghai")

    assert config.zones["gtm.example.com"].records["mesh"].route[0].target == Weights(
        (Member("home", 90, Chain((home, away))), Member("away", 10, Chain((away, home))))
    )
    check = config.health_checks["instances"]
    assert (check.interval, check.fall, check.eject.base) == (1.0, 1, 60.0)


def test_federation():
    zone = config_of("examples/federation.yaml").zones["example.com"]
    record = zone.records["nginx.mynamespace.myfederation.svc"]
    pools = config_of("examples/federation.yaml").pools
    zones = {pools[name].locality.zone for name in record.federate}

    assert {"asia-east1-b", "europe-west1-b", "us-east1-b", "us-central1-b"} < zones
    assert record.ttl is None  # so 180


def test_outage():
    config = config_of("examples/outage.yaml")

    assert {check.port for check in config.health_checks.values()} == {80, 801}
    assert {check.type for check in config.health_checks.values()} == {"http", "tcp"}
