"""Explanations: what they say, and that the answers that are really given agree with them."""

from collections import Counter
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.compiler.draws import Drawn
from gtmdns.control.publication import Publication
from gtmdns.control.witnesses import of_file
from gtmdns.explain.explain import BadQuestion, explain
from gtmdns.explain.shares import EXACT_DRAWS, SUMMED_DRAWS, shares_of
from gtmdns.explain.witness import Witness
from tests.compiler.support import (
    LAW,
    ask,
    compile_text,
    drawn_shares,
    rcode,
    refresh,
    with_records,
)

SECTIONS = """
regions:
  east: {networks: [203.0.113.0/24, "2001:db8:e::/48"]}
  west: {networks: [198.51.100.0/25]}
pools:
  home:  {endpoints: [192.0.2.1, 192.0.2.2], max_answers: 1}
  away:  {endpoints: [192.0.2.9]}
  heavy: {endpoints: [{address: 192.0.2.21, weight: 3}, {address: 192.0.2.22, weight: 1},
                      {address: 192.0.2.23, weight: 0}]}
  pair:  {endpoints: [{address: 192.0.2.31, weight: 5}, {address: 192.0.2.32, weight: 2},
                      {address: 192.0.2.33, weight: 1}], max_answers: 2}
  two:   {endpoints: [192.0.2.41, 192.0.2.42, 192.0.2.43], min_available: 2, max_answers: 1}
  six:   {endpoints: ["2001:db8::6"]}
  names: {endpoints: [n1.example.net, n2.example.net]}
"""
RECORDS = """
home:    {pools: home}
chain:   {pools: [two, home, away]}
weights: {pools: {home: 90, away: 10}}
heavy:   {pools: heavy}
pair:    {pools: pair}
nested:  {pools: [{heavy: 2, two: 1}, away]}
mesh:    {pools: {x: {weight: 3, to: [home, away]}, y: {weight: 1, to: [away, home]}}}
all:     {pools: {all: [heavy, {home: 1, away: 3}]}}
near:    {route: {east: [home, away], west: away, default: {home: 1, away: 1}}, ttl: 30}
some:    {route: {east: six, default: home}}
alias:   {pools: names}
fail:    {pools: home, when_all_down: servfail}
empty:   {pools: home, when_all_down: empty}
static:  {A: [192.0.2.77, 192.0.2.78], TXT: hello, ttl: 99}
mixed:   {pools: home, TXT: beside}
"*.wild": {pools: away, ttl: 7}
cname:   {CNAME: static}
sub:     {NS: ns.other.test.}
"""


@cache
def compiled() -> Any:
    return compile_text(with_records(RECORDS, SECTIONS))


def published(*down: str) -> tuple[Publication, Witness]:
    """Return a publication, brought to the state in which these addresses are down."""
    made = compiled()
    publication = Publication.of(made.plan, made.pieces)
    witness = of_file(made.plan).assuming(down, ())
    refresh(publication, publication.plan.pools, witness.conditions)
    return publication, witness


def told(owner: str, *down: str, rtype: str = "A", client: str = "192.0.2.200") -> dict[str, Any]:
    publication, conditions = published(*down)
    return explain(publication.snapshot, conditions, f"{owner}.example.test", rtype, client)


HOME, AWAY = ("192.0.2.1", "192.0.2.2"), ("192.0.2.9",)
EAST, WEST, NOWHERE = "203.0.113.5", "198.51.100.5", "192.0.2.200"

# fmt: off
DRAWN = [
    # owner, client, what is down
    ("home", NOWHERE, ()),
    ("home", NOWHERE, ("192.0.2.1",)),
    ("chain", NOWHERE, ()),
    ("chain", NOWHERE, ("192.0.2.41", "192.0.2.42")),
    ("chain", NOWHERE, ("192.0.2.41", "192.0.2.42", *HOME, *AWAY)),
    ("weights", NOWHERE, ()),
    ("weights", NOWHERE, AWAY),
    ("weights", NOWHERE, (*HOME, *AWAY)),
    ("heavy", NOWHERE, ()),
    ("heavy", NOWHERE, ("192.0.2.21", "192.0.2.22")),
    ("pair", NOWHERE, ()),
    ("nested", NOWHERE, ()),
    ("nested", NOWHERE, ("192.0.2.21", "192.0.2.22", "192.0.2.23")),
    ("mesh", NOWHERE, ()),
    ("mesh", NOWHERE, HOME),
    ("all", NOWHERE, ()),
    ("all", NOWHERE, AWAY),
    ("near", EAST, ()),
    ("near", EAST, HOME),
    ("near", WEST, ()),
    ("near", NOWHERE, ()),
    ("some", EAST, ()),
    ("alias", NOWHERE, ()),
    ("alias", NOWHERE, ("n1.example.net",)),
    ("fail", NOWHERE, HOME),
    ("empty", NOWHERE, HOME),
    ("static", NOWHERE, ()),
    ("mixed", NOWHERE, ()),
    ("x.wild", NOWHERE, ()),
    ("cname", NOWHERE, ()),
    ("no", NOWHERE, ()),
]
# fmt: on


@pytest.mark.parametrize(("owner", "client", "down"), DRAWN)
def test_answers_are_given_as_often_as_is_said(
    owner: str, client: str, down: tuple[str, ...]
) -> None:
    """Many answers, drawn with a seed, within four deviations of the binomial distribution."""
    publication, usable = published(*down)
    said = explain(publication.snapshot, usable, f"{owner}.example.test", "A", client)
    chance, number = Random(7), 1000
    found: Counter[str] = Counter()
    for _ in range(number):
        draw = chance.getrandbits(64)
        response = ask(publication.snapshot, f"{owner}.example.test", "A", client, draw)
        found.update(str(rdata) for rrset in response.answer for rdata in rrset)

    assert rcode(response) == said["rcode"]
    section = response.answer or response.authority
    assert said["ttl"] == (section[0].ttl if section else None)
    assert set(found) == {answer["data"] for answer in said["answers"]}
    for answer in said["answers"]:
        share = answer["probability"]
        off = abs(found[answer["data"]] - number * share)
        assert off <= 4 * (number * share * (1 - share)) ** 0.5 + 1e-6


# fmt: off
REASONS = [
    # owner, type, client, down -> region, reason
    ("home",   "A",    NOWHERE, (),             None,      "default"),
    ("home",   "A",    NOWHERE, HOME,           None,      "all_down"),
    ("chain",  "A",    NOWHERE, (),             None,      "default"),
    ("chain",  "A",    NOWHERE, ("192.0.2.41", "192.0.2.42"), None, "failover"),
    ("mesh",   "A",    NOWHERE, HOME,           None,      "failover"),
    ("near",   "A",    EAST,    (),             "east",    "region"),
    ("near",   "A",    EAST,    HOME,           "east",    "failover"),
    ("near",   "A",    EAST,    (*HOME, *AWAY), "east",    "all_down"),
    ("near",   "A",    WEST,    (),             "west",    "region"),
    ("near",   "A",    NOWHERE, (),             "default", "default"),
    ("near",   "A",    "2001:db8:e::7", (),     "east",    "region"),
    ("some",   "A",    EAST,    (),             "east",    "region"),
    ("fail",   "A",    NOWHERE, HOME,           None,      "all_down"),
    ("static", "A",    NOWHERE, (),             None,      "static"),
    ("mixed",  "TXT",  NOWHERE, (),             None,      "static"),
    ("mixed",  "AAAA", NOWHERE, (),             None,      "static"),
    ("no",     "A",    NOWHERE, (),             None,      "static"),
]
# fmt: on


@pytest.mark.parametrize(("owner", "rtype", "client", "down", "region", "reason"), REASONS)
def test_region_and_reason(
    owner: str, rtype: str, client: str, down: tuple[str, ...], region: str | None, reason: str
) -> None:
    said = told(owner, *down, rtype=rtype, client=client)

    assert (said["region"], said["reason"]) == (region, reason)


# fmt: off
SCOPES = [
    ("near", EAST, 24), ("near", WEST, 25), ("near", "198.51.100.200", 25), ("near", "16.0.0.1", 4),
    ("near", "10.0.0.1", 8),
    ("near", "2001:db8:e::1", 48), ("home", EAST, 0), ("static", EAST, 0), ("no", EAST, 0),
]
# fmt: on


@pytest.mark.parametrize(("owner", "client", "scope"), SCOPES)
def test_scope_is_a_length_of_the_clients_own_family(owner: str, client: str, scope: int) -> None:
    said = told(owner, client=client)

    assert said["scope"] == scope
    assert said["client"] == client


def test_pools_are_told_with_what_was_found_there() -> None:
    said = told("chain", "192.0.2.41", "192.0.2.42")

    pools = [{key: pool[key] for key in FIELDS} for pool in said["pools"]]
    assert pools == [
        {
            "name": "two",
            "available": False,
            "usable": 1,
            "total": 3,
            "needed": 2,
            "reason": "passed over: 1 of 3 endpoints usable, 2 needed",
        },
        {
            "name": "home",
            "available": True,
            "usable": 2,
            "total": 2,
            "needed": 1,
            "reason": "answers: 2 of 2 endpoints usable",
        },
    ]


FIELDS = ("name", "available", "usable", "total", "needed", "reason")


def reasons(said: dict[str, Any]) -> list[str]:
    return [f"{pool['name']} {pool['reason']}" for pool in said["pools"]]


def test_why_a_pool_answers_below_its_minimum() -> None:
    assert reasons(told("chain", *HOME, *AWAY, "192.0.2.41", "192.0.2.42")) == [
        "two answers: 1 of 3 endpoints usable, 2 needed",
        "home passed over: 0 of 2 endpoints usable, 1 needed",
        "away passed over: 0 of 1 endpoints usable, 1 needed",
    ]


def test_a_pool_without_the_family() -> None:
    said = told("some", client=EAST)

    assert reasons(said) == ["six passed over: no IPv4 endpoint"]
    assert (said["rcode"], said["answers"], said["ttl"]) == ("NOERROR", [], 30)


def test_a_spare_that_is_not_drawn() -> None:
    made = compile_text(with_records("a: {pools: {home: 1, away: 0}}", SECTIONS))
    publication = Publication.of(made.plan, made.pieces)

    said = explain(publication.snapshot, of_file(made.plan), "a.example.test", "A", NOWHERE)

    assert reasons(said) == [
        "home answers: 2 of 2 endpoints usable",
        "away not drawn: 1 of 1 endpoints usable",
    ]


def test_a_name_that_is_not_ours_is_refused() -> None:
    publication, usable = published()

    said = explain(publication.snapshot, usable, "www.example.net", "A", NOWHERE)

    assert (said["zone"], said["rcode"], said["answers"]) == (None, "REFUSED", [])


def test_a_referral_has_no_answers() -> None:
    said = told("x.sub")

    assert (said["rcode"], said["answers"], said["reason"]) == ("NOERROR", [], "static")
    assert said["referral"] == ["ns.other.test."]
    assert "referral" not in told("no")


@pytest.mark.parametrize(
    ("name", "rtype", "client"),
    [
        ("", "A", NOWHERE),
        ("a..b", "A", NOWHERE),
        ("ü.example.test", "A", NOWHERE),
        ("www.example.test", "NOTYPE", NOWHERE),
        ("www.example.test", "TYPE99999", NOWHERE),
        ("www.example.test", "", NOWHERE),
        ("www.example.test", "A", "192.0.2.999"),
        ("www.example.test", "A", "localhost"),
        ("www.example.test", "A", "192.0.2.0/24"),
    ],
)
def test_bad_questions(name: str, rtype: str, client: str) -> None:
    publication, usable = published()

    with pytest.raises(BadQuestion):
        explain(publication.snapshot, usable, name, rtype, client)


@LAW
@given(
    name=st.text(max_size=20) | st.sampled_from(["www.example.test", "no.example.test"]),
    rtype=st.text(max_size=6) | st.sampled_from(["A", "any", "TXT", "OPT", "AXFR", "TYPE0"]),
    client=st.text(max_size=12) | st.ip_addresses().map(str),
)
def test_any_question_is_explained_or_bad(name: str, rtype: str, client: str) -> None:
    publication, usable = PUBLISHED
    try:
        said = explain(publication.snapshot, usable, name, rtype, client)
    except BadQuestion as bad:
        message = str(bad)
    else:
        message = said["rcode"]
    assert message


PUBLISHED = published()


# Shares of several draws


@pytest.mark.parametrize(
    ("weights", "take"),
    [((1, 1, 1, 1), 2), ((5, 2, 1), 2), ((9, 1), 1), ((1, 2, 3, 4, 5), 4), ((1000000, 1, 1), 2)],
)
def test_shares_of_draws_without_replacement_are_exact(weights: tuple[int, ...], take: int) -> None:
    names = tuple(f"192.0.2.{n}" for n in range(len(weights)))

    shares = shares_of(Drawn(("p",), names, weights, take, kind="ordered"))

    assert list(shares.values()) == [share for share, _ in drawn_shares(weights, take)]
    assert sum(shares.values()) == take


@pytest.mark.parametrize(
    ("number", "off"), [(EXACT_DRAWS + 1, 1e-9), (SUMMED_DRAWS, 1e-9), (SUMMED_DRAWS + 1, 0.01)]
)
def test_shares_of_more_endpoints_are_near_enough(number: int, off: float) -> None:
    """Equal weights, whose shares are known: by floats first, then by an estimate."""
    names = tuple(f"192.0.2.{n}" for n in range(number))

    shares = shares_of(Drawn(("p",), names, (7,) * number, 3, kind="ordered"))

    assert all(abs(share - Fraction(3, number)) < off for share in shares.values())
    assert abs(sum(shares.values()) - 3) < 1e-9
