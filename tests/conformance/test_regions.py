"""Clients of Hangzhou get one cluster, clients of Beijing the other: every time, by every way to tell.

By client subnet and by source address; by networks in the configuration and by an MMDB of
provinces. Sources stand in for places: 127.0.5.0/24 for Hangzhou, 127.0.6.0/24 for Beijing.
"""

import json
from collections.abc import Iterator

import pytest

from tests.compiler.mmdb_files import write_mmdb
from tests.conformance.server import Server, run, serving
from tests.conformance.shares import flows, summed

QUERIES = 1000
CLUSTER1, CLUSTER2 = "10.0.0.1", "10.0.0.2"
HANGZHOU, BEIJING = "101.37.0.0/16", "101.200.0.0/16"
FROM_HANGZHOU, FROM_BEIJING = "127.0.5.9", "127.0.6.9"

CONFIG = f"""
geoip: {{databases: [provinces.mmdb]}}
regions:
  hangzhou: {{networks: ["{HANGZHOU}", 127.0.5.0/24]}}
  beijing: {{networks: ["{BEIJING}", 127.0.6.0/24]}}
  east-china: {{subdivisions: [CN-SH, CN-JS, CN-ZJ, CN-AH, CN-FJ, CN-JX, CN-SD]}}
  north-china: {{subdivisions: [CN-BJ, CN-TJ, CN-HE, CN-SX, CN-NM]}}
pools:
  cluster1: {{endpoints: [{CLUSTER1}]}}
  cluster2: {{endpoints: [{CLUSTER2}]}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      networks:
        route:
          hangzhou: [cluster1, cluster2]
          beijing: [cluster2, cluster1]
          default: {{cluster1: 1, cluster2: 1}}
      provinces:
        route:
          east-china: [cluster1, cluster2]
          north-china: [cluster2, cluster1]
          default: {{cluster1: 1, cluster2: 1}}
"""


def province(code: str) -> dict[str, object]:
    return {"country": {"iso_code": "CN"}, "subdivisions": [{"iso_code": code}]}


PROVINCES = {
    HANGZHOU: province("ZJ"),
    "127.0.5.0/24": province("ZJ"),
    BEIJING: province("BJ"),
    "127.0.6.0/24": province("BJ"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("regions")
    write_mmdb(folder / "provinces.mmdb", PROVINCES)
    with serving(folder, CONFIG) as running:
        yield running


NAMES = ["networks.gtm.test", "provinces.gtm.test"]


@pytest.mark.parametrize("name", NAMES)
def test_by_client_subnet(server: Server, name: str) -> None:
    words = ["measure", name, "--server", f"127.0.0.1:{server.port}", "-n", str(QUERIES), "--json"]

    done = run(*words, "--subnet", HANGZHOU, "--subnet", BEIJING)

    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads(done.stdout)["results"]
    told = {r["subnet"]: [(*a["data"], a["count"]) for a in r["answers"]] for r in results}
    assert told == {HANGZHOU: [(CLUSTER1, QUERIES)], BEIJING: [(CLUSTER2, QUERIES)]}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("source", "cluster"), [(FROM_HANGZHOU, CLUSTER1), (FROM_BEIJING, CLUSTER2)]
)
def test_by_source_address(server: Server, name: str, source: str, cluster: str) -> None:
    with flows(server, name, number=50, source=source) as asked:
        counts = summed(asked.ask(QUERIES // 50))

    assert counts == {cluster: QUERIES}


@pytest.mark.parametrize("name", NAMES)
def test_everybody_else_gets_the_default(server: Server, name: str) -> None:
    with flows(server, name, source="127.0.7.9") as asked:
        assert set(summed(asked.ask(3))) == {CLUSTER1, CLUSTER2}


@pytest.mark.parametrize("name", NAMES)
def test_the_subnet_decides_over_the_source_and_its_scope_is_told(
    server: Server, name: str
) -> None:
    """The neighbours of 101.200.0.0/16 go elsewhere, so a scope shorter than it would be a lie."""
    response = server.ask(name, subnet="101.200.7.0/24", source=FROM_HANGZHOU)

    assert [str(data) for rrset in response.answer for data in rrset] == [CLUSTER2]
    (option,) = response.options
    assert str(option) == "ECS 101.200.7.0/24 scope/16"
