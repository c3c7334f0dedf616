"""The whole query path: one packet in, one packet out. No I/O, no clock, no chance.

`respond` is the reference. It works in two steps: `prepare` finds out everything
that does not depend on the draw, the client or EDNS options, and `answer` copies octets
together. The answer cache keeps what `prepare` returned, so a cached answer and one
that is not are made by the same code and are the same octets.

Never answered: what `wire.query` keeps silent about. Source port 0 is the
transport's to see, and it drops those packets.
"""

from ..wire.constants import ANY, AXFR, CH, DS, HEADER, IN, IXFR, MIN_UDP
from ..wire.constants import FORMERR as RCODE_FORMERR
from ..wire.constants import NOERROR as RCODE_NOERROR
from ..wire.constants import NXDOMAIN as RCODE_NXDOMAIN
from ..wire.constants import REFUSED as RCODE_REFUSED
from ..wire.constants import SERVFAIL as RCODE_SERVFAIL
from ..wire.edns import opt_record, parse_subnet, subnet_option, with_options
from ..wire.message import error_response, head
from ..wire.query import BadQuery, Query, parse_query
from . import answer as tags
from .about import about_server
from .answer import Leaf, leaf
from .chain import ANY_LEAF, Chain, follow, parent_side
from .options import (
    NOT_OURS,
    PROHIBITED,
    UNSUPPORTED,
    options_for,
)
from .pack import Records
from .prepared import Prepared
from .scope import rule_of
from .snapshot import Settings, Snapshot
from .steps import Steps, leads_on, parts_of
from .zone import Zone

_ERROR_TAGS = {1: tags.FORMERR, 4: tags.NOTIMP, 5: tags.REFUSED, 16: tags.BADVERS}
_REFUSED = leaf(b"", tags.REFUSED, 0)
_ONE_SOA = leaf(b"", tags.NXDOMAIN, 0, 1)
_COOKIE_ONLY = leaf(b"", tags.ABOUT, 0)  # RFC 7873 section 5.4: no question, and no records


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
    opt = prepared.opt
    try:
        if query.subnet is not None and snapshot.settings.client_subnet:
            subnet = parse_subnet(query.subnet)
        if query.options is not None:
            room = prepared.limit - prepared.end - len(opt)
            options = options_for(query.options, room, client, snapshot, now, keepalive)
            opt = with_options(opt, options)
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
        prepared, chosen, scope, opt = prepared.settle(client, subnet, snapshot, draw, opt)
    if subnet is not None:
        opt = with_options(opt, subnet_option(subnet, scope))
    return prepared.render(packet, chosen, snapshot, opt)


def prepare(packet: bytes, query: Query, snapshot: Snapshot, limit: int | None) -> Prepared:
    """Return what is settled for this question by the snapshot alone."""
    opt = snapshot.opts[query.dnssec_ok] if query.edns else b""
    if limit is None:
        limit = min(query.size, max(MIN_UDP, snapshot.settings.udp_payload)) if opt else MIN_UDP
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
        prepared.leaf = _negative(zone, query, tags.NXDOMAIN)
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
            prepared.leaf = ANY_LEAF
        else:
            prepared.leaf = _negative(zone, query, tags.NODATA)
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


def _negative(zone: Zone, query: Query, tag: int) -> Leaf:
    """Return NXDOMAIN or NODATA: nothing but the SOA, in the authority section."""
    return _ONE_SOA[0], _ONE_SOA[1], zone.soa(query.end), tag  # type: ignore[return-value]  # a plain tuple costs a third of a Leaf


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
