"""Every way that one response can go: the choices of a name, and of the names that CNAMEs lead to.

Walks with the pieces that answer queries (answers/chain.py, answers/steps.py), but takes each
branch in place of a drawn one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import dns.message
import dns.rdatatype
import dns.rrset

from ..answers.answer import STATIC, Leaf, leaf
from ..answers.chain import Chain, follow
from ..answers.prepared import Prepared
from ..answers.responder import prepare, respond
from ..answers.route import RouteTable
from ..answers.scope import choose, rule_of
from ..answers.steps import EVERYONE, leads_on, parts_of
from ..compiler.draws import Choice
from ..compiler.plan import name_text
from ..wire.constants import AXFR, IXFR, MAX_TCP, NOERROR, RCODES, SERVFAIL
from ..wire.name import WireName, from_text
from ..wire.query import Query
from .asker import Asker
from .deciding import NOTHING, steered_told
from .naming import named
from .shares import is_exact, shares_of
from .viewing import View

MOST_BRANCHES = 100  # names that CNAMEs of one answer are followed to
FLAGS = b"\x84\x00"
ONE = Fraction(1)


class Told(NamedTuple):
    """A record of the answer section."""

    name: str
    rtype: str
    ttl: int
    data: str

    def told(self) -> dict[str, Any]:
        return {"name": self.name, "type": self.rtype, "ttl": self.ttl, "data": self.data}


class Path(NamedTuple):
    """One way that a response can go.

    records:  with the probability that the section holds them when this way is gone
    scope:    of 128 bits
    negative: the TTL of the SOA, where there is one
    """

    chance: Fraction
    records: tuple[tuple[Told, Fraction], ...]
    rcode: int
    scope: int = 0
    exact: bool = True
    negative: int | None = None

    def after(self, chance: Fraction, scope: int, exact: bool) -> "Path":
        """Return the path where it is one of several, behind a choice."""
        return self._replace(
            chance=self.chance * chance,
            scope=max(self.scope, scope),
            exact=self.exact and exact,
        )


@dataclass(frozen=True, slots=True)
class Hop:
    """A name whose answer is chosen.

    follows: whether the answer may be a CNAME that is followed
    chain, links: what led here; None, (): nothing
    """

    name: WireName
    route: RouteTable
    numbers: tuple[int, ...]
    hashed: bool
    follows: bool
    chain: Chain | None = None
    links: tuple[Told, ...] = ()


class Follower:
    """Follows one question."""

    def __init__(self, view: View, asker: Asker, query: Query, packet: bytes) -> None:
        self._view = view
        self._asker = asker
        self._query = query
        self._packet = packet
        self._branches = 0

    def first(self) -> tuple[dict[str, Any], list[Path]]:
        """Return what the name that is asked for answers, and every way."""
        prepared = prepare(self._packet, self._query, self._view.snapshot, MAX_TCP)
        if self._query.qtype in (AXFR, IXFR):
            return self._whole_zone()
        if prepared.leaf is not None:
            return self._static()
        hop = self._hop_of(prepared)
        if self._view.spec(hop.numbers[0]) is None:
            return self._static()
        told, paths = self._choose(hop)
        return {"links": [link.told() for link in hop.links]} | told, paths

    def _whole_zone(self) -> tuple[dict[str, Any], list[Path]]:
        """Return what TCP has of a whole zone: its SOA stands for all of it, and is told."""
        told, paths = self._static()
        transfer = self._view.snapshot.transfers.get(self._query.qname)
        if transfer is None or not transfer.allows(self._asker.client):
            return told, paths
        soa = self._records(leaf(transfer.soa, STATIC, 1))
        return told, [Path(ONE, tuple((record, ONE) for record in soa), NOERROR)]

    def _static(self) -> tuple[dict[str, Any], list[Path]]:
        octets = respond(self._packet, self._asker.client, self._view.snapshot, 0, MAX_TCP)
        assert octets is not None, "a query is never met with silence"
        response = dns.message.from_wire(octets)
        records, negative = _told(response)
        ttl_reason = "as configured"
        if not records and negative is not None:
            ttl_reason = "that of negative answers: the SOA's (RFC 2308)"
        told: dict[str, Any] = NOTHING | {
            "links": [],
            "follows": [],
            "ttl_reason": ttl_reason,
            "scope_reason": "the answer does not depend on the client",
        }
        servers = [rrset for rrset in response.authority if rrset.rdtype == dns.rdatatype.NS]
        if servers:
            told["referral"] = [str(rdata) for rrset in servers for rdata in rrset]
            negative = min(rrset.ttl for rrset in servers)
        shares = tuple((record, ONE) for record in records)
        return told, [Path(ONE, shares, int(response.rcode()), negative=negative)]

    def _hop_of(self, prepared: Prepared) -> Hop:
        steps = prepared.steps
        route = prepared.route or EVERYONE
        if steps is None:
            return Hop(self._query.qname, route, prepared.numbers, False, False)
        links: tuple[Told, ...] = ()
        if steps.links is not None:
            links = self._records(leaf(steps.links.octets, STATIC, steps.links.number))
        return Hop(
            steps.last, route, prepared.numbers, steps.hashed, steps.follows, steps.chain, links
        )

    def _choose(self, hop: Hop) -> tuple[dict[str, Any], list[Path]]:
        """Return what the hop answers, and each way from there."""
        view, asker = self._view, self._asker
        asked = asker.client, asker.option, view.snapshot
        rule, _ = rule_of(hop.route, *asked)
        chosen, scope = choose(hop.route, hop.numbers, hop.hashed, *asked, 0)
        number = hop.numbers[rule]
        links = tuple((link, ONE) for link in hop.links)
        if view.spec(number) is None:
            found = tuple((record, ONE) for record in self._records(chosen, hop.name))
            told = named(hop.name, self._query.qtype, asker.client, view.snapshot, view.plan)
            return told, [Path(ONE, links + found, NOERROR, scope)]
        told = steered_told(view, asker, hop.name, hop.route, number, rule, scope)
        follows: list[dict[str, Any]] = []
        told["follows"] = follows
        outcome = view.traced(number).outcome
        if outcome.cname is not None:
            paths = list(self._aliases(hop, {outcome.cname: ONE}, told["own_ttl"], follows))
        elif outcome.choice is None:
            paths = [self._without(hop, outcome.servfail)]
        elif view.plan.specs[number].family == 0:
            shares = dict(shares_of(outcome.choice, asker.counts))
            paths = list(self._aliases(hop, shares, told["own_ttl"], follows))
        else:
            paths = [
                Path(ONE, links + self._addresses(hop, outcome.choice, told["own_ttl"]), NOERROR)
            ]
        exact = outcome.choice is None or is_exact(outcome.choice, asker.counts)
        return told, [path.after(ONE, scope, exact) for path in paths]

    def _addresses(self, hop: Hop, choice: Choice, ttl: int) -> tuple[tuple[Told, Fraction], ...]:
        name = name_text(hop.name)
        return tuple(
            (Told(name, "AAAA" if ":" in address else "A", ttl, address), share)
            for address, share in shares_of(choice, self._asker.counts).items()
        )

    def _without(self, hop: Hop, servfail: bool) -> Path:
        """Return the way that ends without records: SERVFAIL carries no links either."""
        if servfail:
            return Path(ONE, (), SERVFAIL)
        zone = self._view.snapshot.zone_of(hop.name)
        assert zone is not None, "a steered name is in a zone"
        negative = int.from_bytes(zone.negative[4:8])
        return Path(ONE, tuple((link, ONE) for link in hop.links), NOERROR, negative=negative)

    def _aliases(
        self, hop: Hop, shares: dict[str, Fraction], ttl: int, follows: list[dict[str, Any]]
    ) -> Iterator[Path]:
        """Yield the ways behind each CNAME that can be chosen."""
        for target, share in shares.items():
            text = target if target.endswith(".") else target + "."
            record = Told(name_text(hop.name), "CNAME", ttl, text)
            alone = Path(share, tuple((link, ONE) for link in (*hop.links, record)), NOERROR)
            wire = from_text(target)
            if not hop.follows or self._view.snapshot.zone_of(wire) is None:
                yield alone
                continue
            chain = Chain(hop.name) if hop.chain is None else hop.chain.copy()
            if hop.chain is None:
                chain.by_client = hop.route is not EVERYONE or hop.hashed
            if chain.is_full or self._branches >= MOST_BRANCHES:
                follows.append(
                    {"name": name_text(wire), "kind": "cut", "why": "not followed further"}
                )
                yield alone
                continue
            self._branches += 1
            told, paths = self._onward(chain, wire, ttl, (*hop.links, record))
            follows.append({"probability": float(share), "exact": str(share)} | told)
            yield from (path.after(share, 0, True) for path in paths)

    def _onward(
        self, chain: Chain, target: WireName, ttl: int, links: tuple[Told, ...]
    ) -> tuple[dict[str, Any], list[Path]]:
        qtype, view = self._query.qtype, self._view
        is_new = chain.link(ttl, target)
        end = follow(chain, qtype, view.snapshot) if is_new else None
        head = {"name": name_text(target)}
        if end is None or end.leaf is not None:
            found = chain.plain() if end is None or end.leaf is None else end.leaf
            rcode = NOERROR if end is None else end.rcode
            records, negative = _told(self._message(found))
            client = self._asker.client
            told = head | named(chain.name, qtype, client, view.snapshot, view.plan)
            told["end"] = name_text(chain.name)
            if not is_new:
                told |= {"kind": "ring", "why": "it was in this chain before"}
            told |= {"links": [link.told() for link in records[len(links) :]]}
            told |= {"rcode": RCODES[rcode]}
            path = Path(ONE, tuple((r, ONE) for r in records), rcode, negative=negative)
            return told, [path]
        assert end.entry is not None
        assert end.node is not None
        route, numbers, hashed = parts_of(end.entry)
        longer = self._records(chain.plain())
        hop = Hop(chain.name, route, numbers, hashed, leads_on(end.node, qtype), chain, longer)
        told, paths = self._choose(hop)
        head["end"] = name_text(chain.name)
        rcode = max(paths, key=lambda path: path.chance).rcode
        head["rcode"] = RCODES[rcode]
        more = [link.told() for link in longer[len(links) :]]
        return head | {"links": more} | told, paths

    def _records(self, found: Leaf, name: WireName | None = None) -> tuple[Told, ...]:
        return tuple(_told(self._message(found, name))[0])

    def _message(self, found: Leaf, name: WireName | None = None) -> dns.message.Message:
        """Return a leaf as a response to the question, or to one for `name`."""
        qname = self._query.qname if name is None else name
        question = qname + self._query.qtype.to_bytes(2) + b"\0\1"
        return dns.message.from_wire(
            b"\0\0" + FLAGS + b"\0\1" + found[0] + question + (found[2] or b"")
        )


def _told(response: dns.message.Message) -> tuple[list[Told], int | None]:
    """Return the records of the answer section, and the TTL of a SOA beside them."""
    records = [
        Told(
            rrset.name.to_text(omit_final_dot=True),
            dns.rdatatype.to_text(rrset.rdtype),
            rrset.ttl,
            str(rdata),
        )
        for rrset in response.answer
        for rdata in rrset
    ]
    return records, _soa_ttl(response.authority)


def _soa_ttl(authority: Sequence[dns.rrset.RRset]) -> int | None:
    return next((rrset.ttl for rrset in authority if rrset.rdtype == dns.rdatatype.SOA), None)
