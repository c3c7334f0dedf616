"""Endpoints with `resolve`: each stands for its addresses, of both families."""

from typing import Any

import pytest

from gtmdns.compiler.resolved import with_addresses
from gtmdns.control.publication import Publication
from gtmdns.health.condition import WELL, Condition
from tests.compiler.support import ask, compile_text, rcode, refresh, section, with_records

POOLS = """
pools:
  cloud:
    endpoints:
      - {address: lb.example.net, resolve: true, weight: 3}
      - {address: 192.0.2.9, weight: 1}
    select: all
  only: {endpoints: [{address: lb.example.net, resolve: true}, {address: two.example.net, resolve: true}]}
  spare: {endpoints: ["2001:db8::9"]}
"""
RECORDS = """
cloud: {pools: cloud}
only:  {pools: only}
chain: {pools: [only, spare]}
"""
DOWN = Condition(usable=False, until=4.0)


@pytest.fixture
def publication() -> Publication:
    made = compile_text(with_records(RECORDS, POOLS))
    return Publication.of(made.plan, made.pieces)


def told(publication: Publication, owner: str, rtype: str) -> list[str] | str:
    response = ask(publication.snapshot, f"{owner}.example.test.", rtype)
    found = [line.split()[-1] for line in section(response.answer)]
    return found or rcode(response)


def follow(publication: Publication, resolved: Any, **conditions: Any) -> None:
    publication.resolved = resolved
    well = {name: (WELL,) * len(p.endpoints) for name, p in publication.plan.pools.items()}
    refresh(publication, publication.plan.pools, {**well, **conditions})


# fmt: off
STAGES: list[tuple[dict[str, tuple[str, ...]], dict[str, Any]]] = [
    # what is resolved -> what each name tells
    ({}, {
        "cloud A": ["192.0.2.9"], "cloud AAAA": "SERVFAIL",
        "only A": "SERVFAIL", "only AAAA": "SERVFAIL",
        "chain A": "SERVFAIL", "chain AAAA": ["2001:db8::9"],
    }),
    ({"lb.example.net": ("192.0.2.1", "192.0.2.2", "2001:db8::1")}, {
        "cloud A": ["192.0.2.1", "192.0.2.2", "192.0.2.9"], "cloud AAAA": ["2001:db8::1"],
        "only A": ["192.0.2.1", "192.0.2.2"], "only AAAA": ["2001:db8::1"],
        "chain A": ["192.0.2.1", "192.0.2.2"], "chain AAAA": ["2001:db8::1"],
    }),
    # one family only, of all that there is: the other is NODATA, as with addresses written down
    ({"lb.example.net": ("192.0.2.1",), "two.example.net": ("192.0.2.2",)}, {
        "cloud A": ["192.0.2.1", "192.0.2.9"], "cloud AAAA": "NOERROR",
        "only A": ["192.0.2.1", "192.0.2.2"], "only AAAA": "NOERROR",
        "chain A": ["192.0.2.1", "192.0.2.2"], "chain AAAA": ["2001:db8::9"],
    }),
    # an address of two names, or that is written down too, stands there once
    ({"lb.example.net": ("192.0.2.1", "192.0.2.9"), "two.example.net": ("192.0.2.1",)}, {
        "cloud A": ["192.0.2.1", "192.0.2.9"], "only A": ["192.0.2.1", "192.0.2.9"],
    }),
]
# fmt: on


@pytest.mark.parametrize(("resolved", "expected"), STAGES)
def test_what_names_tell(
    publication: Publication, resolved: dict[str, tuple[str, ...]], expected: dict[str, Any]
) -> None:
    follow(publication, resolved)

    assert {asked: told(publication, *asked.split()) for asked in expected} == expected


def test_addresses_have_the_condition_and_the_weight_of_their_name(
    publication: Publication,
) -> None:
    plan = publication.plan
    conditions = {"cloud": (DOWN, WELL), "only": (WELL, WELL), "spare": (WELL,)}
    resolved = {"lb.example.net": ("192.0.2.1", "2001:db8::1")}

    pools, found = with_addresses(plan.pools, conditions, resolved)

    rows = zip(pools["cloud"].endpoints, found["cloud"], strict=True)
    assert [(e.address, e.weight, e.resolve, c) for e, c in rows] == [
        ("192.0.2.1", 3, False, DOWN),
        ("2001:db8::1", 3, False, DOWN),
        ("192.0.2.9", 1, False, WELL),
    ]
    assert pools["spare"] is plan.pools["spare"]
    assert found["spare"] is conditions["spare"]


def test_nothing_is_copied_where_nothing_is_resolved(publication: Publication) -> None:
    conditions = {"cloud": (WELL,) * 2, "only": (WELL,) * 2, "spare": (WELL,)}

    pools, found = with_addresses(publication.plan.pools, conditions, {})

    assert pools is publication.plan.pools
    assert found is conditions


def test_a_name_that_is_down_takes_all_of_its_addresses_along(publication: Publication) -> None:
    resolved = {"lb.example.net": ("192.0.2.1", "192.0.2.2", "2001:db8::1")}

    follow(publication, resolved, cloud=(DOWN, WELL), only=(DOWN, WELL))

    assert told(publication, "cloud", "A") == ["192.0.2.9"]
    assert told(publication, "chain", "AAAA") == ["2001:db8::9"]
    assert told(publication, "only", "A") == ["192.0.2.1", "192.0.2.2"], "all down: served"
