"""`nearest` in whole configurations: rules, answers, scopes, and what the plan keeps."""

import re
from pathlib import Path
from textwrap import dedent

import dns.edns
import dns.message
import dns.rcode
import pytest

from gtmdns.answers.cache import client_number
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Snapshot
from gtmdns.compiler.build import Compiled, compile_config
from gtmdns.compiler.plan import AnswerSpec, SteeredName
from gtmdns.config.load import load
from gtmdns.config.mistakes import BadConfig
from gtmdns.config.model import FallbackPools, Target
from gtmdns.wire.name import from_text
from tests.compiler.mmdb_files import write_mmdb
from tests.compiler.pools import target_of
from tests.compiler.support import NOW, snapshot_of

# fmt: off
PLACES = {
    "192.0.2.0/24":    {"latitude": 30.3, "longitude": 120.2},   # Hangzhou
    "198.51.100.0/25": {"latitude": 39.9, "longitude": 116.4},   # Beijing
    "203.0.113.0/24":  {"latitude": 50.1, "longitude": 8.7},     # Frankfurt
    "2001:db8::/33":   {"latitude": 39.9, "longitude": 116.4},
}
# fmt: on
CLIENTS = {
    "hangzhou": "192.0.2.7",
    "beijing": "198.51.100.7",
    "frankfurt": "203.0.113.7",
    "nowhere": "198.51.100.200",
}
REST = """
geoip: {databases: [places.mmdb]}
regions:
  office: {networks: [192.0.2.128/25]}
  everyone: {networks: [0.0.0.0/0, "::/0"]}
pools:
  hangzhou: {endpoints: [10.0.0.1, "fd00::1"], location: [30.27, 120.15]}
  beijing: {endpoints: [10.0.0.2], location: [39.9, 116.4]}
  frankfurt: {endpoints: [10.0.0.3, "fd00::3"], location: [50.1, 8.7]}
  spare: {endpoints: [10.0.0.9]}
zones:
  example.test:
    nameservers: {ns1: [192.0.2.53]}
    contact: hostmaster@example.test
    records:
"""


def compiled_of(tmp_path: Path, records: str) -> Compiled:
    write_mmdb(tmp_path / "places.mmdb", PLACES)
    lines = "".join(f"      {line}\n" for line in dedent(records).strip("\n").splitlines())
    (tmp_path / "gtmdns.yaml").write_text(REST + lines)
    return compile_config(load(tmp_path / "gtmdns.yaml"), {}, NOW)


def asked(
    snapshot: Snapshot,
    name: str,
    client: str,
    rtype: str = "A",
    source: int = 32,
    zone: str = "example.test",
) -> tuple[list[str], int | None]:
    """Return the addresses of the answer for a client in the subnet option, and the scope."""
    option = dns.edns.ECSOption(client, source)
    query = dns.message.make_query(f"{name}.{zone}", rtype, use_edns=0, options=[option])
    octets = respond(query.to_wire(), client_number("127.0.0.1"), snapshot, 0, 65_535)
    assert octets is not None
    response = dns.message.from_wire(octets)
    scopes = [one.scopelen for one in response.options if isinstance(one, dns.edns.ECSOption)]
    found = [str(rdata) for rrset in response.answer for rdata in rrset]
    return sorted(found), scopes[0] if scopes else None


def steered_of(compiled: Compiled, name: str) -> SteeredName:
    return compiled.plan.steered[from_text(f"{name}.example.test")]


def targets_of(compiled: Compiled, name: str) -> list[tuple[str, Target]]:
    plan = compiled.plan
    return [(region, plan.targets[number]) for region, number in steered_of(compiled, name).rules]


def specs_of(compiled: Compiled, name: str) -> list[AnswerSpec]:
    targets = {target for _, target in targets_of(compiled, name)}
    return [spec for spec in compiled.plan.specs.values() if spec.target in targets]


def test_each_client_gets_the_nearest(tmp_path: Path) -> None:
    compiled = compiled_of(
        tmp_path, "www: {pools: {nearest: [frankfurt, spare, beijing, hangzhou]}}"
    )
    snapshot = snapshot_of(compiled)

    answers = {place: asked(snapshot, "www", client) for place, client in CLIENTS.items()}

    assert answers == {
        "hangzhou": (["10.0.0.1"], 24),
        "beijing": (["10.0.0.2"], 25),
        "frankfurt": (["10.0.0.3"], 24),
        "nowhere": (["10.0.0.3"], 25),
    }
    assert asked(snapshot, "www", "2001:db8::7", source=56) == (["10.0.0.2"], 33)
    assert asked(snapshot, "www", "0.0.0.0", source=0) == (["10.0.0.3"], 0)
    assert asked(snapshot, "www", CLIENTS["beijing"], "TXT") == ([], 0)
    assert targets_of(compiled, "www") == [
        ("default", target_of(order))
        for order in (
            ["frankfurt", "spare", "beijing", "hangzhou"],
            ["frankfurt", "beijing", "hangzhou", "spare"],
            ["beijing", "hangzhou", "frankfurt", "spare"],
            ["hangzhou", "beijing", "frankfurt", "spare"],
        )
    ]
    assert {compiled.plan.targets[n] for n in steered_of(compiled, "www").written} == {
        target_of({"nearest": ["frankfurt", "spare", "beijing", "hangzhou"]})
    }


def test_a_family_that_the_nearest_lacks_is_the_next_ones(tmp_path: Path) -> None:
    snapshot = snapshot_of(
        compiled_of(tmp_path, "www: {pools: {nearest: [frankfurt, beijing, hangzhou]}}")
    )

    assert asked(snapshot, "www", CLIENTS["beijing"], "AAAA") == (["fd00::1"], 25)
    assert asked(snapshot, "www", CLIENTS["frankfurt"], "AAAA") == (["fd00::3"], 5)


def test_nearest_inside_of_rules(tmp_path: Path) -> None:
    """A number is a rule and an order; the rule that has no `nearest` needs no places."""
    compiled = compiled_of(
        tmp_path,
        """
        www:
          route:
            office: [spare, {nearest: [frankfurt, hangzhou]}]
            default: {nearest: [frankfurt, hangzhou]}
        plain: {route: {office: spare, default: frankfurt}}
        """,
    )
    snapshot = snapshot_of(compiled)

    assert targets_of(compiled, "www") == [
        ("office", target_of(["spare", ["hangzhou", "frankfurt"]])),
        ("default", target_of(["frankfurt", "hangzhou"])),
        ("default", target_of(["hangzhou", "frankfurt"])),
    ]
    assert asked(snapshot, "www", "192.0.2.200") == (["10.0.0.9"], 25)
    assert asked(snapshot, "www", "192.0.2.7") == (["10.0.0.1"], 25)
    assert asked(snapshot, "www", CLIENTS["frankfurt"]) == (["10.0.0.3"], 5)
    assert asked(snapshot, "plain", "192.0.2.7") == (["10.0.0.3"], 25)
    assert {spec.by for spec in specs_of(compiled, "www")} == {"region", "default"}
    assert compiled.unreached == {("office",): ()}


def test_rules_that_no_client_is_left_for(tmp_path: Path) -> None:
    compiled = compiled_of(
        tmp_path,
        """
        www: {route: {everyone: spare, office: {nearest: [frankfurt, hangzhou]}, default: spare}}
        """,
    )

    assert compiled.unreached == {("everyone", "office"): ("office",)}


def test_where_all_get_one_order_no_client_matters(tmp_path: Path) -> None:
    compiled = compiled_of(
        tmp_path,
        """
        one: {pools: {nearest: [spare]}}
        far: {pools: {nearest: [frankfurt, spare]}}
        """,
    )
    snapshot = snapshot_of(compiled)

    assert targets_of(compiled, "one") == [("default", target_of(["spare"]))]
    assert targets_of(compiled, "far") == [("default", target_of(["frankfurt", "spare"]))]
    assert snapshot.routed == []
    assert asked(snapshot, "far", CLIENTS["beijing"]) == (["10.0.0.3"], 0)


def test_fallback_pools_by_distance(tmp_path: Path) -> None:
    compiled = compiled_of(
        tmp_path,
        """
        www:
          pools: {nearest: [spare, frankfurt]}
          when_all_down: {pools: [beijing, {nearest: [frankfurt, hangzhou]}]}
        """,
    )

    found = {(spec.target, spec.when_all_down) for spec in specs_of(compiled, "www")}

    assert found == {
        (target_of(target), FallbackPools(target_of(["beijing", fallback])))
        for target, fallback in (
            (["spare", "frankfurt"], ["frankfurt", "hangzhou"]),
            (["frankfurt", "spare"], ["frankfurt", "hangzhou"]),
            (["frankfurt", "spare"], ["hangzhou", "frankfurt"]),
        )
    }


def test_equal_names_share_everything(tmp_path: Path) -> None:
    compiled = compiled_of(
        tmp_path,
        """
        one: {pools: {nearest: [frankfurt, hangzhou]}}
        two: {pools: {nearest: [frankfurt, hangzhou]}}
        three: {pools: {nearest: [frankfurt, hangzhou]}, ttl: 5}
        """,
    )
    snapshot = snapshot_of(compiled)

    assert steered_of(compiled, "one").rules is steered_of(compiled, "two").rules
    assert len(snapshot.routed) == 4  # two families, two TTLs
    assert len({id(routed.route) for routed in snapshot.routed}) == 1


def test_the_example() -> None:
    path = Path(__file__).parents[2] / "config" / "examples" / "nearest.yaml"
    snapshot = snapshot_of(compile_config(load(path), {}, NOW))
    zone = "gtm.example-domain.club"
    lines = re.findall(r"\+short (\S+) \+subnet=(\S+)/24", path.read_text())

    answers = [asked(snapshot, name, subnet, source=24, zone="")[0] for name, subnet in lines]

    assert {name for name, _ in lines} == {f"www.{zone}"}
    assert answers == [["192.0.2.1"], ["192.0.2.2"], ["192.0.2.3"]]
    assert asked(snapshot, "api", "203.0.113.9", zone=zone) == (["192.0.2.2"], 24)


def test_more_orders_than_a_table_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gtmdns.compiler.regions.MAX_RULE", 2)

    with pytest.raises(BadConfig) as caught:
        compiled_of(tmp_path, "www: {pools: {nearest: [frankfurt, spare, beijing, hangzhou]}}")

    [mistake] = caught.value.mistakes
    assert mistake.key == "zones.example.test.records.www"
    assert mistake.problem == "expected at most 2 different orders of `nearest`, got more"
