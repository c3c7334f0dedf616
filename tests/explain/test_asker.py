"""Reasons for the client: which address counts, which regions hold it, which rule matched."""

from dataclasses import replace

import pytest

from gtmdns.answers.snapshot import Settings, Snapshot
from gtmdns.compiler.geodata import Facts
from gtmdns.compiler.plan import Plan, packed_regions
from gtmdns.config.model import Admin, Region, Server
from gtmdns.control.publication import Publication
from gtmdns.control.witnesses import of_file
from gtmdns.explain.asker import Asker, asker_of, regions_told, rules_told
from gtmdns.explain.explain import explain
from tests.explain.scene import compiled, witness


def asker(facts: Facts, client: str = "203.0.113.7") -> Asker:
    plan = Plan(Server(), Admin(), {}, {})
    return replace(asker_of(client, None, Snapshot(1, Settings()), plan), facts=facts)


REGIONS = {
    "office": {"networks": ["203.0.113.0/24", "2001:db8::/32"]},
    "provinces": {"subdivisions": ["CN-SH", "CN-JS", "CN-ZJ", "CN-AH", "CN-FJ", "CN-JX"]},
    "china": {"countries": ["CN"]},
    "both": {"subdivisions": ["CN-ZJ"], "isps": ["telecom"], "match": "all"},
}
ZHEJIANG = Facts("AS", "CN", ("CN-ZJ",), "unicom", 4837)
# fmt: off
RULES = [
    # region, client, facts, does the table say that it matched -> why
    ("office",    "203.0.113.7", Facts(),  True,  "network 203.0.113.0/24"),
    ("office",    "192.0.2.7",   Facts(),  False, "not in networks 203.0.113.0/24, 2001:db8::/32"),
    ("provinces", "192.0.2.7",   ZHEJIANG, True,  "subdivision CN-ZJ"),
    ("provinces", "192.0.2.7",   Facts("EU", "DE"), False,
     "not in subdivisions CN-SH, CN-JS, CN-ZJ, CN-AH and 2 more (not known)"),
    ("china",     "192.0.2.7",   Facts("EU", "DE"), False, "not in countries CN (is in DE)"),
    ("both",      "192.0.2.7",   ZHEJIANG, False,
     "subdivision CN-ZJ, but not in isps telecom (is in unicom)"),
    ("both",      "192.0.2.7",   ZHEJIANG._replace(isp="telecom"), True,
     "subdivision CN-ZJ and ISP telecom"),
    ("china",     "192.0.2.7",   Facts(),  True,  "held it when the configuration was loaded"),
    ("china",     "192.0.2.7",   ZHEJIANG, False, "did not hold it when the configuration was loaded"),
]
# fmt: on


@pytest.mark.parametrize(("region", "client", "facts", "matched", "why"), RULES)
def test_why_a_rule_matched_or_not(
    region: str, client: str, facts: Facts, matched: bool, why: str
) -> None:
    plan = Plan(Server(), Admin(), {}, {})
    plan.packed_regions = packed_regions(
        {name: Region.model_validate(each) for name, each in REGIONS.items()}
    )
    chosen = region if matched else "default"

    rules = rules_told([region, "default"], chosen, asker(facts, client), plan)

    assert rules[0] == {"region": region, "matched": matched, "why": why}
    last = (None, "not tried") if matched else (True, "what no other rule holds")
    assert (rules[1]["matched"], rules[1]["why"]) == last


def test_all_regions_of_a_client_with_the_facts() -> None:
    plan = Plan(Server(), Admin(), {}, {})
    plan.packed_regions = packed_regions(
        {name: Region.model_validate(each) for name, each in REGIONS.items()}
    )

    assert regions_told(asker(ZHEJIANG), plan) == [
        {"name": "office", "by": ["network 203.0.113.0/24"]},
        {"name": "provinces", "by": ["subdivision CN-ZJ"]},
        {"name": "china", "by": ["country CN"]},
    ]


# fmt: off
COUNTING = [
    # client, subnet, does the server read the option -> address that is looked up, why
    ("192.0.2.7", None,             True,  "192.0.2.7",   "the address that asks"),
    ("192.0.2.7", "203.0.113.0/24", True,  "203.0.113.0", "EDNS Client Subnet"),
    (None,        "203.0.113.0/24", True,  "203.0.113.0", "EDNS Client Subnet"),
    ("192.0.2.7", "203.0.113.0/24", False, "192.0.2.7",   "the address that asks: server.client_subnet is off"),
    ("192.0.2.7", "0.0.0.0/0",      True,  "192.0.2.7",   "the address that asks: a subnet of /0 tells nothing"),
    ("192.0.2.7", "10.0.0.0/8",     True,  "192.0.2.7",
     "the address that asks: no region's networks hold the private subnet"),
    ("64:ff9b::cb00:7107", None,    True,  "203.0.113.7", "the address that asks; 64:ff9b::/96 stands for IPv4"),
    ("2002:cb00:7107::1", None,     True,  "203.0.113.7", "the address that asks; 6to4 stands for IPv4"),
    ("::ffff:203.0.113.7", None,    True,  "203.0.113.7", "the address that asks"),
]
# fmt: on


@pytest.mark.parametrize(("client", "subnet", "reads", "counts", "because"), COUNTING)
def test_which_address_counts(
    client: str | None, subnet: str | None, reads: bool, counts: str, because: str
) -> None:
    made = compiled()
    publication = Publication.of(made.plan, made.pieces)
    snapshot = publication.snapshot
    snapshot.settings = snapshot.settings._replace(client_subnet=reads)

    said = explain(publication.snapshot, witness(), "near.example.test", "A", client, subnet)

    assert (said["counts"]["address"], said["counts"]["because"]) == (counts, because)
    assert said["region"] == ("east" if counts.startswith("203.0.113.") else "default")
    assert said["scope_reason"] == "server.client_subnet is off" or reads


def test_a_database_that_cannot_be_read_is_told_of() -> None:
    made = compiled()
    plan = replace(made.plan, databases=("/nowhere/x.mmdb",))
    publication = Publication.of(plan, made.pieces)

    said = explain(publication.snapshot, of_file(plan), "near.example.test", "A", "192.0.2.7")

    assert "/nowhere/x.mmdb" in said["counts"]["problem"]
    assert said["region"] == "default"
