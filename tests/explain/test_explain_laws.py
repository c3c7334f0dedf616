"""Laws of explanations: over made-up configurations and health they say what is really answered.

The judge does not read the decision: it counts the tickets of the compiled answers, and reads
real responses to queries with EDNS Client Subnet.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from ipaddress import ip_network
from random import Random
from typing import Any

import dns.edns
import dns.message
import dns.rcode
import pytest

from gtmdns.answers.answer import Answer, Hashed, Nested
from gtmdns.answers.cache import client_number
from gtmdns.answers.responder import prepare, respond
from gtmdns.answers.scope import rule_of
from gtmdns.control.publication import Publication
from gtmdns.control.witnesses import of_file
from gtmdns.explain.explain import explain
from gtmdns.explain.witness import Witness
from gtmdns.health.condition import FULL, Condition
from gtmdns.wire.query import parse_query
from tests.compiler.support import (
    compile_text,
    records_of,
    refresh,
    shares_held,
    ticket_shares,
    with_records,
)

SEEDS = range(6)
DRAWS = 30  # real responses for each question: all of them must have been foretold
CLIENTS = ("203.0.113.7", "198.51.100.7", "198.51.100.130", "192.0.2.200", "10.0.0.1",
           "2001:db8:e::1", "2001:db8:f::1", "64:ff9b::cb00:7105")  # fmt: skip
REGIONS = """
regions:
  east: {networks: [203.0.113.0/24, "2001:db8:e::/48"]}
  west: {networks: [198.51.100.0/25]}
"""
STATIC = """
static: {A: [192.0.2.77, 192.0.2.78], TXT: hello, ttl: 99}
cname:  {CNAME: one}
far:    {CNAME: www.other.test.}
a.ent:  {TXT: below}
"*.wild": {pools: p0, ttl: 7}
sub:    {NS: ns.other.test.}
old:    {DNAME: example.test.}
"""
NAMES = [
    "one", "two", "three", "four", "alias", "ours", "routed", "hash", "lost", "fed", "fed.z1.r1", "fed.r1",
    "static", "cname", "far", "ent", "x.wild", "x.sub", "x.old", "one.old", "no", "@",
]  # fmt: skip


def configuration(chance: Random) -> str:
    """Return a configuration with every kind of target, made by chance."""
    pools = "pools:\n" + "".join(f"  p{n}: {{{pool(chance, n)}}}\n" for n in range(6))
    pools += "  h: {endpoints: [192.0.2.201, {address: 192.0.2.202, weight: 5}, 192.0.2.203,"
    pools += f' "2001:db8::201"], select: hash, max_answers: {chance.randint(1, 2)}}}\n'
    pools += "  n: {endpoints: [n1.example.net, {address: n2.example.net, weight: 3}]}\n"
    pools += (
        "  o: {endpoints: [one.example.test, cname.example.test, no.example.test, n.other.test]}\n"
    )
    for n, zone in enumerate(["z1", "z2"]):
        pools += (
            f"  f{n}: {{endpoints: [192.0.2.{210 + n}], locality: {{region: r1, zone: {zone}}}}}\n"
        )
    records = "".join(f"{name}: {steered(chance)}\n" for name in ("one", "two", "three", "four"))
    records += "routed: {route: {east: o, default: n}}\n"
    records += "alias: {pools: [n]}\n" + "ours: {pools: o}\n" + "fed: {federate: [f0, f1]}\n"
    records += "hash: {pools: [{h: 3, p0: 1}, p1]}\n"
    records += "lost: {pools: p2, when_all_down: {cname: one}}\n"
    return with_records(records + STATIC, REGIONS + pools)


def pool(chance: Random, number: int) -> str:
    first = 10 * number + 1
    spelled = []
    weighted = chance.random() < 0.5
    for n in range(chance.randint(1, 5)):
        weight = f", weight: {chance.choice([0, 1, 2, 7, 99])}" if weighted else ""
        spelled.append(f"{{address: 192.0.2.{first + n}{weight}}}")
    if chance.random() < 0.6:
        spelled.append(f'{{address: "2001:db8::{first}"}}')
    rest = f", max_answers: {chance.randint(1, 4)}" if chance.random() < 0.7 else ""
    if chance.random() < 0.4:
        rest += f", min_available: {chance.choice(['2', '50%', '100%'])}"
    return f"endpoints: [{', '.join(spelled)}]{rest}"


def target(chance: Random, depth: int = 2) -> str:
    kind = chance.randrange(4) if depth else 0
    inner = [target(chance, depth - 1) for _ in range(chance.randint(1, 3) if kind else 0)]
    if kind == 1:
        return f"[{', '.join(inner)}]"
    if kind == 2:
        return f"{{all: [{', '.join(inner)}]}}"
    if kind == 3:
        lines = (
            f"m{n}: {{weight: {chance.choice([0, 1, 3, 90])}, to: {each}}}"
            for n, each in enumerate(inner)
        )
        return f"{{{', '.join(lines)}}}"
    return f"p{chance.randrange(6)}"


def steered(chance: Random) -> str:
    ttl = chance.choice(["ttl: 17", "ttl: {min: 5, max: 40}"])
    if chance.random() < 0.5:
        rules = (f"{region}: {target(chance)}" for region in ("east", "west", "default"))
        policy = chance.choice(["serve_all", "servfail", f"{{pools: {target(chance, 1)}}}"])
        body = f"route: {{{', '.join(rules)}}}"
    else:
        policy = chance.choice(["serve_all", "servfail", "empty"])
        body = f"pools: {target(chance)}"
    return f"{{{body}, {ttl}, when_all_down: {policy}, failback: {{delay: 1m}}}}"


def health(chance: Random, witness: Witness) -> Witness:
    """Return a witness in whose world much is down, overridden, held back or coming back."""
    lost = chance.choice([0.1, 0.5, 0.9])
    held = {name: chance.uniform(1, 50) for name in witness.plan.pools if chance.random() < 0.3}
    conditions = {
        name: tuple(condition(chance, lost) for _ in pool.endpoints)
        for name, pool in witness.plan.pools.items()
    }
    return replace(witness, conditions=conditions, held=lambda spec: held if spec.hold else {})


def condition(chance: Random, lost: float) -> Condition:
    until = chance.choice([3.0, 12.5, 100.0, float("inf")])
    if chance.random() < 0.1:
        usable = chance.random() < 0.5
        return Condition(usable, not usable, overridden=True, until=until)
    if chance.random() < lost:
        return Condition(False, until=until)
    return Condition(parts=chance.choice([1, 5, FULL, FULL]), until=until)


@dataclass(frozen=True)
class World:
    publication: Publication
    witness: Witness


def worlds(seed: int) -> Iterator[World]:
    chance = Random(seed)
    made = compile_text(configuration(chance))
    publication = Publication.of(made.plan, made.pieces)
    for _ in range(2):
        witness = health(chance, of_file(made.plan))
        refresh(publication, publication.plan.pools, witness.conditions, witness.held)
        yield World(publication, witness)


def shares_for(answer: Answer, client: int) -> dict[str, Fraction]:
    """Return how likely each record is in what this client gets: every ticket counted."""
    if isinstance(answer, Nested):
        shares: dict[str, Fraction] = {}
        for part, share in zip(answer.answers, ticket_shares(answer.table), strict=True):
            for text, inner in shares_for(part, client).items():
                shares[text] = shares.get(text, Fraction(0)) + share * inner
        return shares
    if isinstance(answer, Hashed):
        return dict.fromkeys(records_of(answer.choose_for(0, client)), Fraction(1))
    return shares_held(answer)


@pytest.mark.parametrize("seed", SEEDS)
def test_probabilities_are_those_of_the_compiled_answers(seed: int) -> None:
    compared, chance = 0, Random(seed)
    for world in worlds(seed):
        for name in ("one", "two", "three", "four", "hash", "alias"):
            for rtype, client in ((t, c) for t in ("A", "AAAA") for c in chance.sample(CLIENTS, 3)):
                said = explained(world, name, rtype, client)
                answer = compiled_answer(world, name, rtype, client)
                if answer is None or said["rcode"] != "NOERROR":
                    continue
                compared += 1
                told = {each["data"].removesuffix("."): each["exact"] for each in said["answers"]}
                held = shares_for(answer, client_of(client))
                assert told == {text: str(share) for text, share in held.items() if share}
    assert compared > 20


def explained(world: World, name: str, rtype: str, client: str) -> dict[str, Any]:
    return explain(world.publication.snapshot, world.witness, owner(name), rtype, client)


def owner(name: str) -> str:
    return "example.test" if name == "@" else f"{name}.example.test"


def client_of(text: str) -> int:
    return client_number(text)


def compiled_answer(world: World, name: str, rtype: str, client: str) -> Answer | None:
    packet = dns.message.make_query(owner(name), rtype).to_wire()
    snapshot = world.publication.snapshot
    prepared = prepare(packet, parse_query(packet), snapshot, 65_535)
    if prepared.leaf is not None:
        return None
    rule = 0
    if prepared.route is not None:
        rule, _ = rule_of(prepared.route, client_of(client), None, snapshot)
    return snapshot.answers[prepared.numbers[rule]]


@pytest.mark.parametrize("seed", SEEDS)
def test_responses_are_among_those_that_were_foretold(seed: int) -> None:
    """All kinds of names: records, RCODE, TTL and scope of real responses."""
    chance = Random(1000 + seed)
    for world in worlds(seed):
        for name in NAMES:
            rtype, client = (
                chance.choice(["A", "AAAA", "TXT", "CNAME", "ANY"]),
                chance.choice(CLIENTS),
            )
            said = explained(world, name, rtype, client)
            check_foretold(
                said, world, [ask(world, name, rtype, client, chance) for _ in range(DRAWS)]
            )


def ask(world: World, name: str, rtype: str, client: str, chance: Random) -> dns.message.Message:
    length = 32 if "." in client else 128
    option = dns.edns.ECSOption(client, length)
    query = dns.message.make_query(owner(name), rtype, options=[option], use_edns=0)
    octets = respond(
        query.to_wire(),
        client_of(client),
        world.publication.snapshot,
        chance.getrandbits(64),
        65_535,
    )
    assert octets is not None
    return dns.message.from_wire(octets)


def check_foretold(
    said: dict[str, Any], world: World, responses: list[dns.message.Message]
) -> None:
    foretold = {(each["name"], each["type"], each["data"]): each for each in said["answers"]}
    alone = not said["follows"]
    seen: dict[tuple[str, str, str], int] = {}
    rcodes = set()
    for response in responses:
        rcodes.add(dns.rcode.to_text(response.rcode()))
        for rrset in response.answer:
            for rdata in rrset:
                key = (
                    rrset.name.to_text(omit_final_dot=True),
                    dns.rdatatype.to_text(rrset.rdtype),
                    str(rdata),
                )
                seen[key] = seen.get(key, 0) + 1
                assert foretold[key]["ttl"] == rrset.ttl
        [scope] = [o.scopelen for o in response.options if isinstance(o, dns.edns.ECSOption)]
        assert scope == said["scope"] if alone else scope <= said["scope"]
        if not foretold and response.authority:
            assert said["ttl"] == response.authority[0].ttl
    assert said["rcode"] in rcodes
    if alone or len(rcodes) == 1:
        assert rcodes == {said["rcode"]}
    for key, each in foretold.items():
        share = each["probability"]
        off = abs(seen.get(key, 0) - len(responses) * share)
        assert off <= 5 * (len(responses) * share * (1 - share)) ** 0.5 + 1e-6, (said["name"], key)


@pytest.mark.parametrize("seed", SEEDS)
def test_endpoints_add_up_and_what_does_not_answer_has_a_reason(seed: int) -> None:
    for world in worlds(seed):
        for name in ("one", "two", "three", "four"):
            said = explained(world, name, "A", CLIENTS[seed % len(CLIENTS)])
            for pool in said["pools"]:
                for endpoint in pool["endpoints"]:
                    answered = endpoint["probability"] > 0
                    assert answered == endpoint["why"].startswith("answered"), endpoint
                    assert endpoint["why"]
            ends = [stage["available"] for stage in said["target"]]
            assert not any(ends[:-1])
            assert ends[-1] == any(a["type"] in ("A", "AAAA") for a in said["answers"])


def test_scopes_hold_for_whole_subnets() -> None:
    """What is told of a subnet is what a query with it gets."""
    world = next(worlds(0))
    chance = Random(1)
    for text in ("203.0.113.0/24", "198.51.100.0/26", "2001:db8:e::/56", "0.0.0.0/0", "10.0.0.0/8"):
        said = explain(
            world.publication.snapshot, world.witness, owner("one"), "A", "192.0.2.9", text
        )
        network = ip_network(text)
        option = dns.edns.ECSOption(str(network.network_address), network.prefixlen)
        query = dns.message.make_query(owner("one"), "A", options=[option], use_edns=0)
        octets = respond(
            query.to_wire(), client_of("192.0.2.9"), world.publication.snapshot,
            chance.getrandbits(64), 65_535,
        )  # fmt: skip
        assert octets is not None
        response = dns.message.from_wire(octets)
        [scope] = [o.scopelen for o in response.options if isinstance(o, dns.edns.ECSOption)]
        assert said["scope"] == scope
        found = {str(rdata) for rrset in response.answer for rdata in rrset}
        assert found <= {each["data"] for each in said["answers"]}
