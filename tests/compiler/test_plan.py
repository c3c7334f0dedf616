"""What control keeps of a configuration."""

import pytest

from gtmdns.compiler.plan import Plan, all_usable, checks_of, name_text
from gtmdns.health.condition import WELL
from gtmdns.wire.name import from_text
from tests.compiler.support import compile_text, with_records

SECTIONS = """
health_checks:
  web: {type: http}
  ssh: {type: tcp, port: 22}
pools:
  home:
    endpoints:
      - 192.0.2.1
      - {address: 192.0.2.2, health_check: ssh}
      - {address: 192.0.2.3, health_check: null}
    health_check: [web, ssh]
  away: {endpoints: [192.0.2.1, 192.0.2.9], health_check: web}
  plain: {endpoints: [192.0.2.7]}
"""
RECORDS = """
www:     {pools: [home, away]}
apart:   {pools: away}
"*.any": {pools: plain}
x.any:   {TXT: no pools here}
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_text(with_records(RECORDS, SECTIONS)).plan


def test_checks_are_those_of_the_endpoint_or_else_of_its_pool(plan: Plan) -> None:
    """An address of two pools is probed once for the same check; null is no check."""
    assert set(plan.checks()) == {
        ("192.0.2.1", "web"),
        ("192.0.2.1", "ssh"),
        ("192.0.2.2", "ssh"),
        ("192.0.2.9", "web"),
    }
    assert plan.checks()["192.0.2.2", "ssh"].port == 22
    home = plan.pools["home"]
    assert [checks_of(home, endpoint) for endpoint in home.endpoints] == [
        ("web", "ssh"),
        ("ssh",),
        (),
    ]


def test_answers_hang_on_the_pools_that_they_look_at(plan: Plan) -> None:
    by_pool = plan.specs_by_pool()

    assert {name: len(numbers) for name, numbers in by_pool.items()} == {
        "home": 1,
        "away": 2,
        "plain": 1,
    }
    assert set(by_pool["home"]) < set(by_pool["away"])


@pytest.mark.parametrize(
    ("qname", "owner"),
    [
        ("www.example.test.", "www"),
        ("a.any.example.test.", "*.any"),
        ("a.b.any.example.test.", "*.any"),
        ("any.example.test.", None),
        ("no.example.test.", None),
        ("www.example.net.", None),
    ],
)
def test_which_steered_name_answers(plan: Plan, qname: str, owner: str | None) -> None:
    steered = plan.steered_name(from_text(qname))

    assert (None if steered is None else steered.owner) == owner


def test_all_usable(plan: Plan) -> None:
    assert all_usable(plan.pools) == {
        "home": (WELL, WELL, WELL),
        "away": (WELL, WELL),
        "plain": (WELL,),
    }


@pytest.mark.parametrize(
    ("name", "text"), [("www.Example.test.", "www.example.test"), (".", "."), (r"a\.b.", r"a\.b")]
)
def test_names_for_people(name: str, text: str) -> None:
    assert name_text(from_text(name)) == text
