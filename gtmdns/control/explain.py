"""What a client is told, and why: from the same table and the same decision as the answers."""

from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache
from ipaddress import ip_address
from random import Random
from typing import Any

import dns.message
import dns.rdatatype

from ..answers.answer import Several
from ..answers.cache import client_number
from ..answers.responder import prepare, respond, rule_of
from ..compiler.decide import Choice, Drawn, Outcome, PoolTrace, Usable
from ..compiler.octets import reason_of
from ..compiler.plan import AnswerSpec, SteeredName, name_text
from ..wire.constants import MAX_TCP, RCODES
from ..wire.edns import Subnet
from ..wire.name import BadName, from_text
from ..wire.query import Query, parse_query
from .publication import Publication

REASONS = ("override", "all_down", "failover", "region", "default", "static")
EXACT_DRAWS = 8  # endpoints up to which shares of several draws are exact: 4 ms
SUMMED_DRAWS = 14  # up to which they are added up as floats: 50 ms, where fractions take 17 s
ESTIMATES = 50_000  # draws of an estimate for more, which takes 0.6 s


class BadQuestion(ValueError):
    """What was asked cannot be asked: a name, a type or an address is none."""


def explain(
    publication: Publication, usable: Usable, name: str, rtype: str, client: str
) -> dict[str, Any]:
    """Return the explanation as plain data (docs/http.md). Raises BadQuestion.

    client: an address, taken as the source of the query
    """
    query, packet = _question(name, rtype)
    number = _client(client)
    snapshot = publication.snapshot
    prepared = prepare(packet, query, snapshot, MAX_TCP)
    zone = snapshot.zone_of(query.qname)
    told: dict[str, Any] = {
        "name": name_text(query.qname),
        "type": rtype.upper(),
        "client": str(ip_address(client)),
        "zone": None if zone is None else name_text(zone.apex),
        "region": None,
        "pools": [],
        "answers": [],
        "ttl": None,
        "scope": 0,
        "reason": "static",
    }
    rule = 0
    if prepared.route is not None:
        is_ipv4 = number >> 32 == 0xFFFF
        subnet = Subnet(1 if is_ipv4 else 2, 32 if is_ipv4 else 128, number, b"")
        rule, scope = rule_of(prepared.route, number, subnet, snapshot)
        told["scope"] = max(0, scope - 96) if is_ipv4 else scope
    spec = None
    if prepared.leaf is None:
        spec = publication.plan.specs.get(prepared.numbers[rule])
    if spec is None:
        return told | _static(packet, publication)
    steered = publication.plan.steered_name(query.qname)
    assert steered is not None, "an answer with a spec belongs to a steered name"
    told |= _steered(publication, steered, spec, rule, usable)
    if not told["answers"]:  # NODATA is kept as long as the SOA says (RFC 2308), SERVFAIL is not
        assert zone is not None, "a steered name is in a zone"
        told["ttl"] = int.from_bytes(zone.negative[4:8]) if told["rcode"] == "NOERROR" else None
    return told


def _question(name: str, rtype: str) -> tuple[Query, bytes]:
    try:
        qname = from_text(name)
        qtype = dns.rdatatype.from_text(rtype)
    except BadName as error:
        raise BadQuestion(str(error)) from None
    except (dns.rdatatype.UnknownRdatatype, ValueError):
        raise BadQuestion(f"{rtype!r} is no record type, expected A, AAAA, TXT ...") from None
    packet = b"\0\0\0\0\0\1" + bytes(6) + qname + int(qtype).to_bytes(2) + b"\0\1"
    return parse_query(packet), packet


def _client(text: str) -> int:
    try:
        return client_number(str(ip_address(text)))
    except ValueError:
        raise BadQuestion(f"{text!r} is no address, expected IPv4 or IPv6") from None


def _static(packet: bytes, publication: Publication) -> dict[str, Any]:
    """What is said of names without pools: the response itself."""
    octets = respond(packet, 0, publication.snapshot, 0, MAX_TCP)
    assert octets is not None, "a query is never met with silence"
    response = dns.message.from_wire(octets)
    answers = [
        {"data": str(rdata), "probability": 1.0} for rrset in response.answer for rdata in rrset
    ]
    ttls = [rrset.ttl for rrset in response.answer or response.authority]
    told: dict[str, Any] = {
        "rcode": RCODES[response.rcode()],
        "answers": answers,
        "ttl": min(ttls) if ttls else None,
    }
    servers = [rrset for rrset in response.authority if rrset.rdtype == dns.rdatatype.NS]
    if servers:
        told["referral"] = [str(rdata) for rrset in servers for rdata in rrset]
    return told


def _steered(
    publication: Publication, steered: SteeredName, spec: AnswerSpec, rule: int, usable: Usable
) -> dict[str, Any]:
    outcome = publication.decide(spec, usable)
    shares = shares_of(outcome.choice) if outcome.choice is not None else {}
    return {
        "rcode": "SERVFAIL" if outcome.servfail else "NOERROR",
        "owner": steered.owner,
        "region": steered.rules[rule][0] if steered.routed else None,
        "pools": [
            {
                "name": seen.name,
                "available": seen.available,
                "usable": seen.usable,
                "total": seen.total,
                "needed": seen.needed,
                "reason": _pool_reason(seen, outcome),
            }
            for seen in outcome.trace
        ],
        "answers": [
            {"data": _data(address, spec), "probability": float(share)}
            for address, share in shares.items()
        ],
        "ttl": spec.ttl,
        "reason": _reason(outcome, spec),
    }


def _data(address: str, spec: AnswerSpec) -> str:
    return address + "." if spec.family == 0 else address


def _pool_reason(seen: PoolTrace, outcome: Outcome) -> str:
    if outcome.choice is not None and any(seen.name in d.pools for d in _draws(outcome.choice)):
        return f"answers: {seen.reason}"
    return f"{'not drawn' if seen.available else 'passed over'}: {seen.reason}"


def _draws(choice: Choice) -> list[Drawn]:
    if isinstance(choice, Drawn):
        return [choice]
    return [drawn for _, part in choice.parts for drawn in _draws(part)]


def _reason(outcome: Outcome, spec: AnswerSpec) -> str:
    if outcome.choice is None:
        return "all_down" if outcome.all_down else spec.by
    found = {reason_of(drawn, spec, outcome.all_down) for drawn in _draws(outcome.choice)}
    return next(reason for reason in REASONS if reason in found)


def shares_of(choice: Choice) -> Mapping[str, Fraction]:
    """Return for each address the probability that an answer holds it, in the order written."""
    shares: dict[str, Fraction] = {}
    if isinstance(choice, Drawn):
        return dict(zip(choice.addresses, _drawn_shares(choice), strict=True))
    total = sum(weight for weight, _ in choice.parts)
    for weight, part in choice.parts:
        for address, share in shares_of(part).items():
            shares[address] = shares.get(address, Fraction(0)) + share * weight / total
    return shares


def _drawn_shares(drawn: Drawn) -> list[Fraction]:
    total = len(drawn.addresses)
    if not drawn.ordered and drawn.take > 1:
        return [Fraction(drawn.take, total)] * total
    if drawn.take == 1:
        return [Fraction(weight, sum(drawn.weights)) for weight in drawn.weights]
    if total > SUMMED_DRAWS:
        return _estimated_shares(drawn.weights, drawn.take)
    one = Fraction(1) if total <= EXACT_DRAWS else 1.0
    return [Fraction(share) for share in _summed_shares(drawn.weights, drawn.take, one)]


@lru_cache(maxsize=256)
def _estimated_shares(weights: tuple[int, ...], take: int) -> list[Fraction]:
    several = Several(weights, (b"",) * len(weights), take, 0)
    chance = Random(0)  # seeded: the same question gets the same answer
    counts = [0] * len(weights)
    for _ in range(ESTIMATES):
        for index in several.indexes(chance.getrandbits(64)):
            counts[index] += 1
    return [Fraction(count, ESTIMATES) for count in counts]


@lru_cache(maxsize=256)
def _summed_shares(
    weights: tuple[int, ...], take: int, one: Fraction | float
) -> list[Fraction | float]:
    """Return how likely each index is among `take` draws by weight without replacement.

    one: 1 as the kind of number to calculate with
    """
    zero = one - one

    @cache
    def reached(drawn: int) -> Fraction | float:
        """Return how likely exactly the indexes of this bit set are the first ones drawn."""
        if not drawn:
            return one
        left = sum(weight for i, weight in enumerate(weights) if not drawn >> i & 1)
        return sum(
            (
                reached(drawn & ~(1 << i)) * weight / (left + weight)
                for i, weight in enumerate(weights)
                if drawn >> i & 1
            ),
            zero,
        )

    sets = [drawn for drawn in range(1 << len(weights)) if drawn.bit_count() == take]
    count = len(weights)
    return [sum((reached(each) for each in sets if each >> i & 1), zero) for i in range(count)]
