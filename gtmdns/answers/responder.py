"""The whole query path: one packet in, one packet out. No I/O, no clock, no chance.

`respond` is the reference. It works in two steps: `prepare` finds out everything
that does not depend on the draw or the client, and `Prepared.render` copies octets
together. The answer cache keeps what `prepare` returned, so a cached answer and one
that is not are made by the same code and are the same octets.

Never answered: what `wire.query` keeps silent about. Source port 0 is the
transport's to see, and it drops those packets.
"""

from copy import copy

from ..wire.constants import AA, ANY, AXFR, CH, DS, HEADER, IN, IXFR
from ..wire.constants import FORMERR as RCODE_FORMERR
from ..wire.constants import NOERROR as RCODE_NOERROR
from ..wire.constants import NXDOMAIN as RCODE_NXDOMAIN
from ..wire.constants import REFUSED as RCODE_REFUSED
from ..wire.constants import SERVFAIL as RCODE_SERVFAIL
from ..wire.edns import Subnet, opt_record, parse_subnet, subnet_option, with_options
from ..wire.message import counts, error_response, head, truncated
from ..wire.name import WireName
from ..wire.query import BadQuery, Query, parse_query
from . import answer as tags
from .about import about_server
from .answer import Leaf, leaf
from .chain import ANY_RECORDS, Chain, follow, parent_side
from .options import (
    ALL_DOWN,
    MAX_SUBNET_OPTION,
    NOT_OURS,
    PROHIBITED,
    UNSUPPORTED,
    options_for,
)
from .pack import Records
from .route import RouteTable
from .scope import rule_of
from .short import without_additional
from .snapshot import Settings, Snapshot
from .steps import EVERYONE, Steps, leads_on, parts_of
from .zone import Zone

_ERROR_TAGS = {1: tags.FORMERR, 4: tags.NOTIMP, 5: tags.REFUSED, 16: tags.BADVERS}
_REFUSED = leaf(b"", tags.REFUSED, 0)
_ANY = ANY_RECORDS.leaf(WireName(b"\x01x\x00"))._replace(tag=tags.ANY)  # of any name
MAX_KEPT = 512  # octets that a question in the answer cache may hold for itself
_COOKIE_ONLY = leaf(b"", tags.ABOUT, 0)  # RFC 7873 section 5.4: no question, and no records


class Prepared:
    """All that one question settles before the draw and the client come in.

    end:      offset of the first octet behind the question
    flags:    octets 2 to 5 of the response
    leaf:     the outcome, where it is always the same; else None, and
    numbers:  the answers' numbers, by rule; only one where `route` is None
    route:    which rule a client gets; None: the client does not matter
    steps:    what an answer takes beyond a choice; None: nothing. Set only where `route` is
    zone:     whose SOA stands in place of records where an answer has none (NODATA)
    opt:      the OPT record of the response, or nothing
    limit:    octets that the response may have
    base:     added to the tags for counting
    keep:     whether the answer cache may remember the question: the name exists, and what is
              held here of the response is small
    """

    __slots__ = (
        "base",
        "counts_at",
        "end",
        "flags",
        "keep",
        "leaf",
        "limit",
        "numbers",
        "opt",
        "route",
        "steps",
        "zone",
    )

    def __init__(self, query: Query, flags: bytes, opt: bytes, limit: int, base: int) -> None:
        self.end = query.end
        self.flags = flags
        self.opt = opt
        self.counts_at = 1 if opt else 0
        self.limit = limit
        self.base = base
        self.leaf: Leaf | None = None
        self.numbers: tuple[int, ...] = ()
        self.route: RouteTable | None = None
        self.steps: Steps | None = None
        self.zone: Zone | None = None
        self.keep = False

    def set_leaf(self, packed: Leaf) -> None:
        """Set an outcome that was put together for this question alone."""
        self.leaf = packed
        self.keep = self.keep and len(packed[2] or b"") <= MAX_KEPT

    def set_steps(self, steps: Steps) -> None:
        self.steps = steps
        self.keep = self.keep and steps.size <= MAX_KEPT
        if self.route is None:
            self.route = EVERYONE

    def settle(
        self, client: int, subnet: Subnet | None, snapshot: Snapshot, draw: int
    ) -> "tuple[Prepared, Leaf, int]":
        """Return (what renders, outcome, scope) where there are steps to take."""
        assert self.route is not None
        assert self.steps is not None
        chosen, scope, rcode, all_down = self.steps.settle(
            self.route, self.numbers, client, subnet, snapshot, draw
        )
        if rcode == RCODE_NOERROR and not all_down:
            return self, chosen, scope
        other = copy(self)
        if all_down:  # and a subnet may come yet
            other.opt = self._tells_all_down(len(chosen[2] or b"") + MAX_SUBNET_OPTION)
        other.flags = self.flags[:1] + bytes((self.flags[1] | rcode,)) + self.flags[2:]
        return other, chosen, scope

    def tell_version(self, query: Query, client: int, snapshot: Snapshot) -> None:
        """Answer IXFR with the SOA alone where the client may have the zone.

        For one that has it, or that asks over UDP and comes again over TCP (RFC 1995 section 2).
        """
        transfer = snapshot.transfers.get(query.qname)
        if transfer is None or not transfer.allows(client):
            return
        self.flags = bytes((self.flags[0] | AA, RCODE_NOERROR)) + self.flags[2:]
        self.leaf, self.base = leaf(transfer.soa, tags.STATIC, 1), transfer.base
        self.opt = snapshot.opts[query.dnssec_ok] if query.edns else b""

    def render(self, packet: bytes, chosen: Leaf, snapshot: Snapshot) -> bytes:
        """Return the response. `packet`: any with this question; its id and case are kept."""
        records = chosen[2]
        if records is None:
            return self._without_records(packet, chosen, snapshot)
        snapshot.tally[self.base + chosen[3]] += 1
        response = b"".join(
            (
                packet[:2],
                self.flags,
                chosen[self.counts_at],  # type: ignore[arg-type]  # 0 or 1: both are octets
                packet[HEADER : self.end],
                records,
                self.opt,
            )
        )
        if len(response) > self.limit:
            return self._shortened(response, snapshot)
        return response

    def _shortened(self, response: bytes, snapshot: Snapshot) -> bytes:
        short = without_additional(response, self.end, self.opt)
        if short is not None and len(short) <= self.limit:
            return short
        snapshot.tally[tags.TRUNCATED] += 1
        return truncated(response, self.end, self.opt)

    def _without_records(self, packet: bytes, chosen: Leaf, snapshot: Snapshot) -> bytes:
        """An answer whose state of health leaves NODATA or SERVFAIL.

        ANCOUNT holds the RCODE, and in its upper octet whether all endpoints are down. SERVFAIL
        tells nothing of the zone, so AA is clear (RFC 1035 section 4.1.1), as others have it.
        """
        all_down, rcode = chosen[0][:2]
        snapshot.tally[self.base + chosen[3]] += 1
        nodata = rcode == RCODE_NOERROR
        records = self.zone.soa(self.end) if nodata and self.zone is not None else b""
        flags = bytes((self.flags[0] if nodata else self.flags[0] & ~AA, self.flags[1] | rcode))
        opt = self._tells_all_down(len(records)) if all_down or not nodata else self.opt
        response = b"".join(
            (
                packet[:2],
                flags,
                self.flags[2:],
                counts(0, 1 if nodata else 0, self.counts_at),
                packet[HEADER : self.end],
                records,
                opt,
            )
        )
        return response if len(response) <= self.limit else self._shortened(response, snapshot)

    def _tells_all_down(self, others: int) -> bytes:
        """Return the OPT with an extended error where there is room. others: octets to come."""
        room = self.limit - self.end - others - len(self.opt)
        fits = self.opt and len(ALL_DOWN) <= room
        return with_options(self.opt, ALL_DOWN) if fits else self.opt


def respond(
    packet: bytes,
    client: int,
    snapshot: Snapshot,
    draw: int,
    limit: int | None = None,
    now: int | None = None,
    keepalive: int | None = None,
) -> bytes | None:
    """Return the response to `packet`, or None where silence is the answer.

    client: source address as an integer, IPv4 mapped into ::ffff:0:0/96
    draw:   uniform in [0, 2**64), from the transport; settles every choice
    limit:  octets that the transport carries; None: what EDNS and our own size allow
    now:    Unix time in seconds, for cookies; None: no cookies
    keepalive: how long a connection may be idle, in 100 milliseconds; None: there is none
    """
    try:
        query = parse_query(packet)
    except BadQuery as bad:
        return refuse(packet, bad, snapshot)
    prepared = prepare(packet, query, snapshot, limit)
    return answer(packet, query, prepared, client, snapshot, draw, now, keepalive)


def answer(
    packet: bytes,
    query: Query,
    prepared: Prepared,
    client: int,
    snapshot: Snapshot,
    draw: int,
    now: int | None = None,
    keepalive: int | None = None,
) -> bytes:
    """Return the response to a packet that was understood as `query`, and prepared for."""
    subnet = None
    if query.qtype == IXFR and query.qclass == IN:
        prepared.tell_version(query, client, snapshot)
    try:
        if query.subnet is not None and snapshot.settings.client_subnet:
            subnet = parse_subnet(query.subnet)
        if query.options is not None:
            room = prepared.limit - prepared.end - len(prepared.opt)
            options = options_for(query.options, room, client, snapshot, now, keepalive)
            prepared.opt = with_options(prepared.opt, options)
    except BadQuery:
        return _error(packet, RCODE_FORMERR, query, snapshot)
    if prepared.leaf is not None:
        chosen, scope = prepared.leaf, 0
    elif prepared.route is None:
        chosen, scope = snapshot.answers[prepared.numbers[0]].choose(draw), 0
    elif prepared.steps is None:
        rule, scope = rule_of(prepared.route, client, subnet, snapshot)
        chosen = snapshot.answers[prepared.numbers[rule]].choose(draw)
    else:
        prepared, chosen, scope = prepared.settle(client, subnet, snapshot, draw)
    if subnet is not None:
        prepared.opt = with_options(prepared.opt, subnet_option(subnet, scope))
    return prepared.render(packet, chosen, snapshot)


def prepare(packet: bytes, query: Query, snapshot: Snapshot, limit: int | None) -> Prepared:
    """Return what is settled for this question by the snapshot alone."""
    settings = snapshot.settings
    opt = snapshot.opts[query.dnssec_ok] if query.edns else b""
    if limit is None:
        limit = min(query.size, max(512, settings.udp_payload)) if query.edns else 512
    if query.qclass != IN or query.qtype in (AXFR, IXFR):
        return _prepare_outside(packet[2], query, snapshot, opt, limit)
    zone = snapshot.zone_of(query.qname)
    if zone is None:
        return _refused(packet[2], query, opt, limit, NOT_OURS)
    if query.qtype == DS and zone.apex == query.qname:
        zone = parent_side(zone, snapshot)
    return _prepare_in_zone(packet[2], query, zone, snapshot, opt, limit)


def _prepare_outside(
    packet_flags: int, query: Query, snapshot: Snapshot, opt: bytes, limit: int
) -> Prepared:
    """As `prepare`, for what is no question about a name: classes but IN, transfers, cookies."""
    known = None
    if query.end == HEADER:
        known = _COOKIE_ONLY
    elif query.qclass == CH:
        known = about_server(query, snapshot.settings)
    if known is None:
        why = UNSUPPORTED
        if query.qclass == IN:
            why = PROHIBITED if query.qname in snapshot.zones else NOT_OURS
        return _refused(packet_flags, query, opt, limit, why)
    flags = head(
        packet_flags, RCODE_NOERROR, authoritative=query.end > HEADER, questions=query.end > HEADER
    )
    prepared = Prepared(query, flags, opt, limit, 0)
    prepared.leaf = known
    return prepared


def _refused(packet_flags: int, query: Query, opt: bytes, limit: int, why: bytes) -> Prepared:
    flags = head(packet_flags, RCODE_REFUSED, authoritative=False)
    prepared = Prepared(query, flags, with_options(opt, why) if opt else b"", limit, 0)
    prepared.leaf = _REFUSED
    return prepared


def _prepare_in_zone(
    packet_flags: int, query: Query, zone: Zone, snapshot: Snapshot, opt: bytes, limit: int
) -> Prepared:
    qname, qtype = query.qname, query.qtype
    node, exists = zone.lookup(qname)
    if node is None:
        flags = head(packet_flags, RCODE_NXDOMAIN, authoritative=True)
        prepared = Prepared(query, flags, opt, limit, zone.base)
        prepared.leaf = leaf(zone.soa(query.end), tags.NXDOMAIN, 0, 1)
        return prepared
    referral = node.referral
    if referral is not None and not (exists and qtype == DS):  # RFC 4035 section 3.1.4.1
        flags = head(packet_flags, RCODE_NOERROR, authoritative=False)
        prepared = Prepared(query, flags, opt, limit, node.base)
        prepared.keep = exists
        prepared.leaf = referral.leaf(qname)
        return prepared
    flags = head(packet_flags, RCODE_NOERROR, authoritative=True)
    prepared = Prepared(query, flags, opt, limit, node.base)
    prepared.keep = exists
    if not exists and node.dname is not None:
        _prepare_chain(packet_flags, query, prepared, snapshot)
        return prepared
    entry = node.entry(qtype)
    if entry is None:
        if node.alias is not None:
            _prepare_chain(packet_flags, query, prepared, snapshot)
        elif qtype == ANY and node.types:
            prepared.leaf = _ANY
        else:
            prepared.leaf = leaf(zone.soa(query.end), tags.NODATA, 0, 1)
    elif isinstance(entry, bytes):
        prepared.leaf = leaf(entry, tags.STATIC, 1)
    elif isinstance(entry, Records):
        prepared.set_leaf(entry.leaf(qname, limit))
    else:
        prepared.zone = zone
        if isinstance(entry, int):
            prepared.numbers = (entry,)
            has_steps = False
        else:
            prepared.route, prepared.numbers = entry.route, entry.numbers
            has_steps = entry.hashed
        if has_steps or (node.cname is not None and leads_on(node, qtype)):
            prepared.set_steps(Steps(qname, qtype, node, entry, most=limit))
    return prepared


def _prepare_chain(packet_flags: int, query: Query, prepared: Prepared, snapshot: Snapshot) -> None:
    """Prepare for a name that leads elsewhere, as far as that depends on nothing else."""
    chain = Chain(query.qname, prepared.limit)
    end = follow(chain, query.qtype, snapshot)
    if end.leaf is not None:
        prepared.flags = head(packet_flags, end.rcode, authoritative=True)
        prepared.set_leaf(end.leaf)
        return
    assert end.node is not None
    assert end.zone is not None
    assert end.entry is not None
    prepared.route, prepared.numbers, _ = parts_of(end.entry)
    steps = Steps(query.qname, query.qtype, end.node, end.entry, chain, end.zone)
    prepared.set_steps(steps)


def refuse(packet: bytes, bad: BadQuery, snapshot: Snapshot) -> bytes | None:
    """Return the response to a packet that cannot be answered, or None for silence."""
    if bad.rcode is None:
        snapshot.tally[tags.SHORT if len(packet) < HEADER else tags.RESPONSE] += 1
        return None
    return _error(packet, bad.rcode, bad.query, snapshot)


def _error(packet: bytes, rcode: int, query: Query | None, snapshot: Snapshot) -> bytes:
    snapshot.tally[_ERROR_TAGS[rcode]] += 1
    opt = b""
    if query is not None and query.edns:
        opt = opt_record(
            snapshot.settings.udp_payload, dnssec_ok=query.dnssec_ok, extended=rcode >> 4
        )
    return error_response(packet, rcode, query, opt)


def servfail(packet: bytes) -> bytes | None:
    """Return the response to a packet that a mistake of ours kept from being answered."""
    if len(packet) < HEADER or packet[2] & 0x80:
        return None
    try:
        query: Query | None = parse_query(packet)
    except BadQuery as bad:
        query = bad.query
    except Exception:  # the mistake is in the reading itself, and was told by who caught it first
        query = None
    opt = b""
    if query is not None and query.edns:
        opt = opt_record(Settings().udp_payload, dnssec_ok=query.dnssec_ok)
    return error_response(packet, RCODE_SERVFAIL, query, opt)
