"""What A, AAAA and another type get: families x targets x health x `when_all_down`, asked for real."""

import pytest

from gtmdns.control.publication import Publication
from gtmdns.health.condition import WELL, Condition
from tests.compiler.support import ask, compile_text, rcode, refresh, section, with_records

DOWN = Condition(usable=False)
SECTIONS = """
regions:
  east: {networks: [203.0.113.0/24, "2001:db8:e::/48"]}
pools:
  four:  {endpoints: [192.0.2.4]}
  six:   {endpoints: ["2001:db8::6"]}
  dual:  {endpoints: [192.0.2.46, "2001:db8::46"]}
  spare: {endpoints: [192.0.2.99]}
  hash:  {endpoints: [192.0.2.70, "2001:db8::70"], select: hash}
  names: {endpoints: [n.example.net]}
"""
TARGETS = {
    "four": "four", "six": "six", "dual": "dual", "hash": "hash", "chain": "[four, dual]",
    "weights": "{four: 1, dual: 0}", "all": "{all: [four, six]}", "nearest": "{nearest: [four, six]}",
    "to": "{x: {weight: 1, to: [four, six]}}",
}  # fmt: skip
POLICIES = {
    "serve": "serve_all", "empty": "empty", "fail": "servfail", "other": "{pools: spare}",
    "alias": "{cname: sorry.example.org.}",
}  # fmt: skip
RECORDS = "\n".join(
    f"{policy}.{target}: {{pools: {spelled}, when_all_down: {said}}}"
    for target, spelled in TARGETS.items()
    for policy, said in POLICIES.items()
) + """
names: {pools: names}
names-alias: {pools: names, when_all_down: {cname: sorry.example.org.}}
text:  {pools: four, TXT: beside}
some:  {route: {east: six, default: four}}
some-alias: {route: {east: six, default: four}, when_all_down: {cname: sorry.example.org.}}
"""  # fmt: skip
SORRY = "sorry.example.org."


@pytest.fixture(scope="module")
def publication() -> Publication:
    made = compile_text(with_records(RECORDS, SECTIONS))
    return Publication.of(made.plan, made.pieces)


def told(publication: Publication, owner: str, rtype: str, client: str = "198.51.100.1") -> str:
    """Return the last word of each record, or what an empty answer is."""
    response = ask(publication.snapshot, f"{owner}.example.test.", rtype, client)
    if response.answer:
        return " ".join(line.split()[-1] for line in section(response.answer))
    return {"NOERROR": "NODATA"}.get(rcode(response), rcode(response))


def all_told(publication: Publication, owner: str, client: str = "198.51.100.1") -> list[str]:
    return [told(publication, owner, rtype, client) for rtype in ("A", "AAAA", "TXT")]


def lose(publication: Publication, *addresses: str) -> None:
    conditions = {
        name: tuple(DOWN if e.address in addresses else WELL for e in pool.endpoints)
        for name, pool in publication.plan.pools.items()
    }
    refresh(publication, publication.plan.pools, conditions)


FOUR, SIX, DUAL4, DUAL6 = "192.0.2.4", "2001:db8::6", "192.0.2.46", "2001:db8::46"
HASH4, HASH6, SPARE = "192.0.2.70", "2001:db8::70", "192.0.2.99"
ALL = (FOUR, SIX, DUAL4, DUAL6, HASH4, HASH6)
N = "NODATA"

# fmt: off
UP: dict[str, list[str]] = {  # target -> A, AAAA, TXT, whatever `when_all_down` says
    "four": [FOUR, N, N], "six": [N, SIX, N], "dual": [DUAL4, DUAL6, N], "hash": [HASH4, HASH6, N],
    "chain": [FOUR, DUAL6, N], "weights": [FOUR, DUAL6, N], "all": [FOUR, SIX, N],
    "nearest": [FOUR, SIX, N], "to": [FOUR, SIX, N],
}
# A, AAAA and TXT where all is down, by target: for serve_all what UP has; the other policies:
V4, V6 = "A reaches", "AAAA reaches"
# fmt: on


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("policy", POLICIES)
def test_all_up(publication: Publication, target: str, policy: str) -> None:
    lose(publication)

    assert all_told(publication, f"{policy}.{target}") == UP[target]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("policy", POLICIES)
def test_all_down(publication: Publication, target: str, policy: str) -> None:
    """A family that is nowhere is NODATA whatever `when_all_down` says, but for a CNAME."""
    lose(publication, *ALL)

    up = UP[target]
    expected = {
        "serve": up,
        "empty": [N, N, N],
        "fail": ["SERVFAIL" if up[0] != N else N, "SERVFAIL" if up[1] != N else N, N],
        "other": [SPARE if up[0] != N else N, N, N],
        "alias": [SORRY] * 3,
    }
    assert all_told(publication, f"{policy}.{target}") == expected[policy]


# fmt: off
ONE_FAMILY = [
    # owner, down -> A, AAAA, TXT
    ("serve.dual", (DUAL6,),       [DUAL4, DUAL6, N]),  # of IPv6 all is down, whatever IPv4 does
    ("empty.dual", (DUAL6,),       [DUAL4, N, N]),
    ("fail.dual",  (DUAL6,),       [DUAL4, "SERVFAIL", N]),
    ("other.dual", (DUAL4,),       [SPARE, DUAL6, N]),
    ("other.dual", (DUAL6,),       [DUAL4, N, N]),
    ("alias.dual", (DUAL6,),       [DUAL4, N, N]),  # a CNAME is for all types or none
    ("alias.dual", (DUAL4,),       [N, DUAL6, N]),
    ("alias.dual", (DUAL4, DUAL6), [SORRY] * 3),
    ("alias.chain", (FOUR, DUAL4), [N, DUAL6, N]),
    ("alias.four", (FOUR,),        [SORRY] * 3),
    ("serve.chain", (DUAL6,),      [FOUR, DUAL6, N]),
    ("serve.chain", (FOUR,),       [DUAL4, DUAL6, N]),
    ("fail.weights", (FOUR,),      [DUAL4, DUAL6, N]),
    ("fail.all",   (FOUR,),        ["SERVFAIL", SIX, N]),
    ("names",      ("n.example.net",), ["n.example.net."] * 3),
    ("names-alias", ("n.example.net",), ["sorry.example.org."] * 3),
    ("names-alias", (),            ["n.example.net."] * 3),
]
# fmt: on


@pytest.mark.parametrize(("owner", "down", "expected"), ONE_FAMILY)
def test_families_are_judged_apart(
    publication: Publication, owner: str, down: tuple[str, ...], expected: list[str]
) -> None:
    lose(publication, *down)

    assert all_told(publication, owner) == expected


def test_other_types_stand_beside_a_steered_name(publication: Publication) -> None:
    lose(publication, FOUR)

    assert all_told(publication, "text") == [FOUR, N, '"beside"']


EAST = "203.0.113.7"


# fmt: off
ROUTED = [
    # owner, client, down -> A, AAAA, TXT
    ("some", EAST,           (),          [N, SIX, N]),
    ("some", "198.51.100.1", (),          [FOUR, N, N]),
    ("some", EAST,           (SIX, FOUR), [N, SIX, N]),
    ("some-alias", EAST,     (),          [N, SIX, N]),
    ("some-alias", EAST,     (SIX,),      [SORRY] * 3),
    ("some-alias", "198.51.100.1", (SIX,), [FOUR, N, N]),
]
# fmt: on


@pytest.mark.parametrize(("owner", "client", "down", "expected"), ROUTED)
def test_a_route_decides_by_rule(
    publication: Publication, owner: str, client: str, down: tuple[str, ...], expected: list[str]
) -> None:
    lose(publication, *down)

    assert all_told(publication, owner, client) == expected


@pytest.mark.parametrize("down", [(), ALL, (FOUR,), (SIX, DUAL6)])
def test_a_name_exists_for_every_client_and_in_every_state(
    publication: Publication, down: tuple[str, ...]
) -> None:
    """NXDOMAIN never depends on health or client, and no SERVFAIL is for a type that is not there."""
    lose(publication, *down)

    owners = [name for zone, name in publication.plan.names if name != zone]
    for owner in owners:
        for client in (EAST, "198.51.100.1", "2001:db8:e::1", "2001:db8:f::1"):
            for rtype in ("A", "AAAA", "TXT", "CNAME", "ANY"):
                response = ask(publication.snapshot, owner, rtype, client)
                assert rcode(response) in ("NOERROR", "SERVFAIL"), (owner, rtype)
                if rtype in ("TXT", "CNAME", "ANY"):
                    assert rcode(response) == "NOERROR", (owner, rtype)


def test_any_is_answered_by_something_where_there_is_something(publication: Publication) -> None:
    """RFC 8482: not NODATA, which would say that the name has no records at all."""
    lose(publication)

    assert ask(publication.snapshot, "alias.four.example.test.", "ANY").answer
