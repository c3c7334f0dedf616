"""The reasons in explanations: for the client, the rule, the walk, each endpoint, TTL and scope."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gtmdns.answers.snapshot import Settings, Snapshot
from gtmdns.compiler.geodata import Facts
from gtmdns.compiler.plan import Plan, packed_regions
from gtmdns.config.model import Admin, Region, Server
from gtmdns.control.asker import Asker, asker_of, regions_told, rules_told
from gtmdns.control.comebacks import Comebacks
from gtmdns.control.conditions import Moment
from gtmdns.control.explain import BadQuestion, explain
from gtmdns.control.following import MOST_BRANCHES
from gtmdns.control.publication import Publication
from gtmdns.control.witness import Witness, of_file
from gtmdns.health.overrides import Override, Overrides
from gtmdns.health.standing import LastResult, Standing
from gtmdns.health.verdict import State, Verdict
from tests.compiler.support import compile_text, with_records

NOW, WALL = 1_000.0, 1_800_000_000.0
SECTIONS = """
health_checks:
  web: {type: http, interval: 5s, fall: 3, rise: 2}
  slow: {type: tcp, port: 9, interval: 60s, fall: 1, rise: 1}
regions:
  east: {networks: [203.0.113.0/24, "2001:db8:e::/48"]}
pools:
  home: {endpoints: [192.0.2.1, {address: 192.0.2.2, health_check: [web, slow]}], health_check: web, ramp: 100s,
         select: weighted}
  away: {endpoints: [192.0.2.9], health_check: slow}
  none: {endpoints: ["2001:db8::9"]}
  hash: {endpoints: [192.0.2.31, 192.0.2.32, 192.0.2.33], select: hash}
  known: {endpoints: [{address: a.example.net, resolve: true, weight: 3}, {address: b.example.net, resolve: true}]}
  loop: {endpoints: [loop.example.test, far.example.test]}
  wide: {endpoints: [c1.example.test, c2.example.test]}
  f1: {endpoints: [192.0.2.41], locality: {region: r, zone: z1}}
  f2: {endpoints: [192.0.2.42], locality: {region: r, zone: z2}}
"""
RECORDS = """
chain: {pools: [home, away], ttl: {min: 8, max: 20}, failback: {delay: 1m}}
never: {pools: [home, away], failback: {delay: never}}
mesh:  {pools: {in: {weight: 9, to: [home, away]}, out: {weight: 1, to: away}, spare: {weight: 0, to: hash}}}
near:  {route: {east: [home, away], default: away}}
hash:  {pools: hash}
known: {pools: known}
loop:  {pools: loop}
cname: {CNAME: near}
other: {pools: home, when_all_down: {pools: away}}
empty: {pools: home, when_all_down: empty}
sorry: {pools: home, when_all_down: {cname: near}}
fed:   {federate: [f1, f2]}
a.ent: {TXT: below}
"*.wild": {pools: away}
sub:   {NS: ns.other.test.}
old:   {DNAME: other.test.}
c0:    {pools: wide}
"""
LAST = LastResult(False, "timeout after 2 s", 2.0, WALL - 3, "192.0.2.1")
UP = Standing(Verdict(State.UP, since=WALL - 60))
SHAKEN = Standing(Verdict(State.UP, counted=1, since=WALL - 60), LAST)
DOWN = Standing(Verdict(State.DOWN, since=WALL - 60), LAST)
EJECTED = Standing(Verdict(State.DOWN, ejections=1, ejected_until=NOW + 45.0), LAST)


@cache
def compiled() -> Any:
    wide = "".join(f"c{n}: {{pools: wide}}\n" for n in range(1, 3))
    return compile_text(with_records(RECORDS + wide, SECTIONS))


def witness(
    standings: dict[tuple[str, str], Standing] | None = None,
    overrides: Overrides | None = None,
    comebacks: Comebacks | None = None,
    held: dict[str, float] | None = None,
) -> Witness:
    """Return a witness of a server where every other check is up."""
    plan = compiled().plan
    known = standings or {}
    standing_of: Callable[[tuple[str, str]], Standing | None] = lambda key: known.get(key, UP)  # noqa: E731
    said = overrides or Overrides()
    moment = Moment(plan, standing_of, said, comebacks or Comebacks(), NOW)
    holding = held or {}
    return Witness(
        plan, moment, standing_of, said, lambda spec: holding if spec.hold else {},
        NOW, WALL, live=True,
    )  # fmt: skip


def told(
    name: str, seen: Witness | None = None, rtype: str = "A", client: str = "198.51.100.1"
) -> dict[str, Any]:
    made = compiled()
    publication = Publication.of(made.plan, made.pieces)
    return explain(publication, seen or witness(), f"{name}.example.test", rtype, client)


# The client and the rules


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

    said = explain(publication, witness(), "near.example.test", "A", client, subnet)

    assert (said["counts"]["address"], said["counts"]["because"]) == (counts, because)
    assert said["region"] == ("east" if counts.startswith("203.0.113.") else "default")
    assert said["scope_reason"] == "server.client_subnet is off" or reads


def test_a_database_that_cannot_be_read_is_told_of() -> None:
    made = compiled()
    plan = replace(made.plan, databases=("/nowhere/x.mmdb",))
    publication = Publication.of(plan, made.pieces)

    said = explain(publication, of_file(plan), "near.example.test", "A", "192.0.2.7")

    assert "/nowhere/x.mmdb" in said["counts"]["problem"]
    assert said["region"] == "default"


# The walk


def walk(node: dict[str, Any]) -> Any:
    """Return a target as nested (what, state) pairs."""
    state = "answers" if node.get("taken") else node["why"] if node["kind"] == "pool" else ""
    if not node.get("reached", True):
        state = "not needed"
    if node["kind"] == "pool":
        return node["pool"], state
    return node["kind"], [walk(member) for member in node["members"]]


def test_a_chain_says_what_was_passed_over_and_what_was_not_needed() -> None:
    lost = witness({("192.0.2.1", "web"): DOWN, ("192.0.2.2", "slow"): DOWN})

    assert walk(told("chain")["target"][0]["target"]) == (
        "chain", [("home", "answers"), ("away", "not needed")],
    )  # fmt: skip
    assert walk(told("chain", lost)["target"][0]["target"]) == (
        "chain", [("home", "0 of 2 endpoints usable, 1 needed"), ("away", "answers")],
    )  # fmt: skip


def test_weights_tell_their_shares_as_drawn() -> None:
    [stage] = told("mesh")["target"]

    members = stage["target"]["members"]
    assert [(m["label"], m["weight"], m["exact"], m["taken"]) for m in members] == [
        ("in", 9, "9/10", True), ("out", 1, "1/10", True), ("spare", 0, "0", False),
    ]  # fmt: skip


def test_failback_is_told_with_what_is_left_of_it() -> None:
    held = witness(held={"home": 12.0})
    [stage] = told("chain", held)["target"]
    home = stage["target"]["members"][0]

    assert home["held"]
    assert home["why"] == "2 of 2 endpoints usable, held back by failback for 12 s more"
    forever = told("never", witness(held={"home": float("inf")}))["target"][0]["target"]
    assert forever["members"][0]["why"].endswith("until it is let return")
    gone = told("chain", witness(held={"home": float("inf")}))["target"][0]["target"]
    assert gone["members"][0]["why"].endswith("for 60 s from when it is back")


def test_what_failback_holds_is_taken_where_nothing_else_is_there() -> None:
    seen = witness({("192.0.2.9", "slow"): DOWN}, held={"home": 12.0})

    [stage] = told("chain", seen)["target"]

    assert stage["target"]["why"] == "nothing else is available, so what failback held is taken"
    assert walk(stage["target"])[1][0] == ("home", "answers")


LOST = {("192.0.2.1", "web"): DOWN, ("192.0.2.2", "web"): DOWN}
# fmt: off
ALL_DOWN = [
    # owner, what is down -> stages, what was resorted to, rcode
    ("chain", LOST | {("192.0.2.9", "slow"): DOWN}, ["minimum", "any", "serve_all"], "when_all_down: serve_all", "NOERROR"),
    ("other", LOST, ["minimum", "any", "fallback"], "when_all_down: pools", "NOERROR"),
    ("empty", LOST, ["minimum", "any"], "when_all_down: empty", "NOERROR"),
    ("sorry", LOST, ["minimum", "any"], "when_all_down: CNAME near.example.test.", "NOERROR"),
    ("chain", {}, ["minimum"], None, "NOERROR"),
]
# fmt: on


@pytest.mark.parametrize(("owner", "lost", "stages", "resort", "rcode"), ALL_DOWN)
def test_what_is_resorted_to(
    owner: str, lost: dict[tuple[str, str], Standing], stages: list[str], resort: str, rcode: str
) -> None:
    said = told(owner, witness(lost))

    assert [stage["stage"] for stage in said["target"]] == stages
    assert (said["all_down"], said["rcode"]) == (resort, rcode)


# Endpoints


def endpoints(said: dict[str, Any], pool: str = "home") -> dict[str, dict[str, Any]]:
    [found] = [each for each in said["pools"] if each["name"] == pool]
    return {endpoint["address"]: endpoint for endpoint in found["endpoints"]}


def test_an_endpoint_that_is_down_says_which_check_and_why() -> None:
    found = endpoints(told("chain", witness({("192.0.2.2", "slow"): EJECTED})))
    lost = found["192.0.2.2"]

    assert (lost["verdict"], lost["why"], lost["exact"]) == ("down", "down", "0")
    web, slow = lost["checks"]
    assert (web["verdict"], slow["verdict"]) == ("up", "down")
    assert slow["last_result"]["reason"] == "timeout after 2 s"
    assert (slow["could_change_in"], slow["ejected_for"]) == (60.0, 45.0)
    assert web["since"] == "2027-01-15T07:59:00.000+00:00"
    assert (found["192.0.2.1"]["why"], found["192.0.2.1"]["exact"]) == ("answered", "1")


def overridden(pool: str, address: str | None, state: Any) -> Overrides:
    said = Overrides()
    override = Override(pool, address, state, "zhang", "a new disk", WALL, WALL + 7200)
    said.put(override, NOW, WALL)
    return said


def test_overrides_are_told_with_who_and_why() -> None:
    found = endpoints(told("chain", witness(overrides=overridden("home", "192.0.2.1", "down"))))

    assert found["192.0.2.1"]["why"] == "barred"
    assert found["192.0.2.1"]["override"] == {
        "of": "endpoint",
        "state": "down",
        "owner": "zhang",
        "reason": "a new disk",
        "since": "2027-01-15T08:00:00.000+00:00",
        "expires": "2027-01-15T10:00:00.000+00:00",
    }
    assert found["192.0.2.2"]["override"] is None
    whole = endpoints(told("chain", witness(overrides=overridden("home", None, "down"))))
    assert {each["override"]["of"] for each in whole.values()} == {"pool"}


def test_a_ramp_shows_in_weights_and_probabilities() -> None:
    comebacks = Comebacks()
    comebacks.see("home", "192.0.2.1", False, NOW - 60)
    comebacks.see("home", "192.0.2.1", True, NOW - 30)

    found = endpoints(told("chain", witness(comebacks=comebacks)))

    back, whole = found["192.0.2.1"], found["192.0.2.2"]
    assert (back["ramp"], back["drawn_weight"], back["exact"]) == (0.3, 3, "3/13")
    assert (whole["ramp"], whole["drawn_weight"], whole["exact"]) == (1.0, 10, "10/13")


def test_addresses_of_a_name_are_told_with_the_name() -> None:
    seen = replace(witness(), resolved={"a.example.net": ("192.0.2.51", "2001:db8::51")})

    found = endpoints(told("known", seen), "known")

    assert (found["192.0.2.51"]["host"], found["192.0.2.51"]["exact"]) == ("a.example.net", "1")
    assert found["2001:db8::51"]["why"] == "not asked for: IPv4 is"
    assert found["b.example.net"]["why"] == "no address of it is known yet"


def test_hash_says_whose_network_it_is() -> None:
    said = told("hash", client="203.0.113.200")

    assert said["hash"] == "203.0.113.0/24"
    [answer] = said["answers"]
    assert answer["exact"] == "1"
    whys = [each["why"] for each in endpoints(said, "hash").values()]
    assert sorted(whys) == ["another one has the client's network by hash"] * 2 + ["answered"]
    assert said["scope_reason"] == "all of 203.0.113.0/24 are one network to the hash"


# TTL

# fmt: off
TTLS = [
    # witness -> TTL, why
    (witness, 15, "check web of 192.0.2.1 could change in 15 s; kept between min 8 and max 20"),
    (lambda: witness({("192.0.2.1", "web"): SHAKEN}), 10,
     "check web of 192.0.2.1 could change in 10 s; kept between min 8 and max 20"),
    (lambda: witness().assuming(["192.0.2.1"], ()), 10,
     "192.0.2.1, assumed down, could change in 10 s; kept between min 8 and max 20"),
    (lambda: witness(held={"home": 3.5}), 8, "failback could return to home in 3.5 s; raised to min 8"),
    (lambda: witness({("192.0.2.1", "web"): EJECTED, ("192.0.2.2", "web"): EJECTED}), 20,
     "check web of 192.0.2.1 could change in 45 s; lowered to max 20"),
    (lambda: witness(overrides=overridden("home", None, "up")), 20,
     "the override of 192.0.2.1 in home ends in 7200 s; lowered to max 20"),
]
# fmt: on


@pytest.mark.parametrize(("seen", "ttl", "why"), TTLS)
def test_ttl_reasons(seen: Callable[[], Witness], ttl: int, why: str) -> None:
    said = told("chain", seen())

    assert (said["ttl"], said["ttl_reason"]) == (ttl, why)


def test_a_ramp_is_a_reason_for_a_ttl() -> None:
    comebacks = Comebacks()
    comebacks.see("home", "192.0.2.1", False, NOW - 60)
    comebacks.see("home", "192.0.2.1", True, NOW - 11)

    said = told("chain", witness(comebacks=comebacks))

    assert said["ttl_reason"].startswith("192.0.2.1 in home gains weight (ramp) in 9 s")


# Names

# fmt: off
NAMES = [
    # name, type -> kind, why
    ("chain",  "A",    "steered",  "the record chain"),
    ("chain",  "AAAA", "nodata",   "no pool of the record chain has an IPv6 endpoint"),
    ("chain",  "TXT",  "nodata",   "the name exists, with A, and has no such type"),
    ("ent",    "A",    "nodata",   "no records: an empty non-terminal, as names below it exist"),
    ("a.ent",  "TXT",  "static",   "records of the configuration"),
    ("x.y.no", "A",    "nxdomain", "example.test exists, no.example.test does not, and there is no wildcard"),
    ("x.wild", "A",    "steered",  "the record *.wild"),
    ("x.sub",  "A",    "referral", "delegated at sub.example.test"),
    ("x.old",  "A",    "alias",    "old.example.test has a DNAME, which renames all below it"),
    ("cname",  "A",    "alias",    "a static CNAME to near.example.test"),
    ("chain",  "ANY",  "static",   "ANY gets one record in place of all (RFC 8482)"),
    ("chain",  "AXFR", "transfer", "transfers are for secondaries alone"),
]
# fmt: on


@pytest.mark.parametrize(("name", "rtype", "kind", "why"), NAMES)
def test_what_a_name_is(name: str, rtype: str, kind: str, why: str) -> None:
    said = told(name, rtype=rtype)

    assert (said["kind"], said["why"]) == (kind, why)
    assert said["wildcard"] == ("*.wild.example.test" if name == "x.wild" else None)


# Behind CNAMEs


def test_federation_leads_from_zone_to_region() -> None:
    said = told("fed.z1.r", witness().assuming(["f1"], ()))

    assert [(a["type"], a["data"]) for a in said["answers"]] == [
        ("CNAME", "fed.r.example.test."), ("A", "192.0.2.42"),
    ]  # fmt: skip
    [follow] = said["follows"]
    assert (follow["name"], follow["rcode"], follow["exact"]) == (
        "fed.r.example.test", "NOERROR", "1",
    )  # fmt: skip
    assert walk(follow["target"][0]["target"]) == (
        "federation", [("f1", "0 of 1 endpoints usable, 1 needed"), ("f2", "answers")],
    )  # fmt: skip


def test_a_ring_and_a_name_that_is_not_there() -> None:
    said = told("loop")

    kinds = {follow["name"]: (follow["kind"], follow["rcode"]) for follow in said["follows"]}
    assert kinds == {
        "loop.example.test": ("ring", "NOERROR"),
        "far.example.test": ("nxdomain", "NXDOMAIN"),
    }
    assert [answer["exact"] for answer in said["answers"]] == ["1/2", "1/2"]


def test_branches_are_followed_up_to_a_bound() -> None:
    """Two names that lead to each other in two ways each: 2 ** 16 ways, were there no bound."""
    said = told("c0")

    def count(follows: list[dict[str, Any]]) -> int:
        return sum(1 + count(each.get("follows", [])) for each in follows)

    assert count(said["follows"]) <= 2 * MOST_BRANCHES + 2
    assert sum(answer["probability"] for answer in said["answers"] if answer["name"][1] == "0") == 1


# Assumptions


@pytest.mark.parametrize("text", ["nobody", "home/192.0.2.9", "192.0.2.99", "x/192.0.2.1", ""])
def test_assumptions_about_nothing_are_refused(text: str) -> None:
    with pytest.raises(BadQuestion, match="no pool and no address"):
        witness().assuming([text], ())


def test_assumptions_beat_verdicts_but_not_what_bars() -> None:
    lost = {("192.0.2.1", "web"): DOWN}
    raised = endpoints(told("chain", witness(lost).assuming((), ["home/192.0.2.1"])))
    assert (raised["192.0.2.1"]["usable"], raised["192.0.2.1"]["assumed"]) == (True, "up")
    assert raised["192.0.2.1"]["verdict"] == "down"

    barred = witness(overrides=overridden("home", None, "down")).assuming(["home", "away"], ())
    said = told("chain", barred)
    assert [answer["data"] for answer in said["answers"]] == ["192.0.2.9"]
    assert said["all_down"] == "when_all_down: serve_all"


# The reference page


def keys_in(told: Any) -> set[str]:
    if isinstance(told, list):
        return set().union(*map(keys_in, told))
    if isinstance(told, dict):
        return set(told) | keys_in(list(told.values()))
    return set()


def test_every_member_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    part = page.partition("## Explain\n")[2].partition("\n## ")[0]
    seen = witness({("192.0.2.2", "slow"): EJECTED}, overridden("home", "192.0.2.1", "down"))
    known = replace(seen, resolved={"a.example.net": ("192.0.2.51",)})
    names = ("chain", "mesh", "near", "loop", "fed.z1.r", "cname", "x.sub", "no", "known", "hash")

    keys = set().union(*(keys_in(told(name, known.assuming(["f1"], ()))) for name in names))

    assert len(keys) > 60
    assert [key for key in sorted(keys) if f'"{key}"' not in part and f"`{key}`" not in part] == []
