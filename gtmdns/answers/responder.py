"""The whole query path: one packet in, one packet out. No I/O, no clock, no chance.

`respond` is the reference. It works in two steps: `prepare` finds out everything
that does not depend on the draw or the client, and `Prepared.render` copies octets
together. The answer cache keeps what `prepare` returned, so a cached answer and one
that is not are made by the same code and are the same octets.

Never answered: what `wire.query` keeps silent about. Source port 0 is the
transport's to see, and it drops those packets.
"""

from bisect import bisect_right

from ..wire.constants import (
    ANY,
    AXFR,
    CH,
    COOKIE,
    DS,
    HEADER,
    HINFO,
    IN,
    IXFR,
    NOT_AUTHORITATIVE,
    NOT_SUPPORTED,
    NSID,
    OTHER_ERROR,
    TCP_KEEPALIVE,
)
from ..wire.constants import FORMERR as RCODE_FORMERR
from ..wire.constants import NOERROR as RCODE_NOERROR
from ..wire.constants import NXDOMAIN as RCODE_NXDOMAIN
from ..wire.constants import REFUSED as RCODE_REFUSED
from ..wire.constants import SERVFAIL as RCODE_SERVFAIL
from ..wire.edns import (
    IPV4_MAPPED,
    Subnet,
    extended_error,
    keepalive_option,
    opt_record,
    option,
    parse_subnet,
    subnet_option,
    with_options,
)
from ..wire.message import error_response, head, truncated
from ..wire.name import ROOT, parent
from ..wire.query import BadQuery, Query, parse_query
from . import answer as tags
from .about import about_server
from .answer import Leaf, leaf
from .route import RouteTable
from .short import without_additional
from .snapshot import Settings, Snapshot
from .zone import Entry, Routed, Zone

_ERROR_TAGS = {1: tags.FORMERR, 4: tags.NOTIMP, 5: tags.REFUSED, 16: tags.BADVERS}
MAX_SUBNET_OPTION = 24  # octets: header, family, prefixes, an IPv6 address
_REFUSED = leaf(b"", tags.REFUSED, 0)
# RFC 8482 section 4.2: a HINFO in place of everything that is known at the name
_ANY_RECORD = b"\xc0\x0c" + HINFO.to_bytes(2) + b"\x00\x01\x00\x00\x0e\x10\x00\x09\x07RFC8482\x00"
_ANY = leaf(_ANY_RECORD, tags.ANY, 1)
# Extended errors, RFC 8914. 22, No Reachable Authority, is what a resolver says about servers.
_ALL_DOWN = extended_error(OTHER_ERROR, "no endpoint is up")
_NOT_OURS = extended_error(NOT_AUTHORITATIVE)
_NOT_SUPPORTED = extended_error(NOT_SUPPORTED)


class Prepared:
    """All that one question settles before the draw and the client come in.

    end:      offset of the first octet behind the question
    flags:    octets 2 to 5 of the response
    leaf:     the outcome, where it is always the same; else None, and
    numbers:  the answers' numbers, by rule; only one where `route` is None
    route:    which rule a client gets; None: the client does not matter
    negative: what stands in place of records where an answer has none (NODATA)
    opt:      the OPT record of the response, or nothing
    limit:    octets that the response may have
    base:     added to the tags for counting
    keep:     whether the name exists, so that the answer cache may remember the question
    """

    __slots__ = (
        "base",
        "counts_at",
        "end",
        "flags",
        "keep",
        "leaf",
        "limit",
        "negative",
        "numbers",
        "opt",
        "route",
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
        self.negative = b""
        self.keep = False

    def set_entry(self, entry: Entry) -> None:
        if isinstance(entry, Routed):
            self.route, self.numbers = entry.route, entry.numbers
        else:
            self.numbers = (entry,)

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
        """An answer whose state of health leaves NODATA or SERVFAIL; ANCOUNT holds the RCODE."""
        rcode = chosen[0][1]
        if rcode == RCODE_NOERROR:
            stand_in = leaf(self.negative, chosen[3], 0, 1)
            return self.render(packet, stand_in, snapshot)
        snapshot.tally[self.base + chosen[3]] += 1
        flags = self.flags[:1] + bytes((self.flags[1] | rcode,)) + self.flags[2:]
        stand_in = leaf(b"", chosen[3], 0)
        opt = self.opt
        if opt and self.end + len(opt) + len(_ALL_DOWN) <= self.limit:
            opt = with_options(opt, _ALL_DOWN)
        return b"".join(
            (
                packet[:2],
                flags,
                stand_in[self.counts_at],  # type: ignore[arg-type]
                packet[HEADER : self.end],
                opt,
            )
        )


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
    try:
        if query.subnet is not None and snapshot.settings.client_subnet:
            subnet = parse_subnet(query.subnet)
        if query.options is not None:
            add_options(query.options, prepared, client, snapshot, now, keepalive)
    except BadQuery:
        return _error(packet, RCODE_FORMERR, query, snapshot)
    if prepared.leaf is not None:
        chosen, scope = prepared.leaf, 0
    elif prepared.route is None:
        chosen, scope = snapshot.answers[prepared.numbers[0]].choose(draw), 0
    else:
        rule, scope = rule_of(prepared.route, client, subnet, snapshot)
        chosen = snapshot.answers[prepared.numbers[rule]].choose(draw)
    if subnet is not None:
        prepared.opt = with_options(prepared.opt, subnet_option(subnet, scope))
    return prepared.render(packet, chosen, snapshot)


def add_options(
    asked: dict[int, bytes],
    prepared: Prepared,
    client: int,
    snapshot: Snapshot,
    now: int | None,
    keepalive: int | None,
) -> None:
    """Put what answers the options of a query into `prepared.opt`. Raises BadQuery(FORMERR).

    The name of the server comes last, and only where even a truncated response has room.
    """
    options = b""
    if keepalive is not None and TCP_KEEPALIVE in asked:
        if asked[TCP_KEEPALIVE]:  # RFC 7828 section 3.2.1: a client tells no time
            raise BadQuery(RCODE_FORMERR)
        options = keepalive_option(keepalive)
    if now is not None and COOKIE in asked and snapshot.cookies.secrets:
        options += snapshot.cookies.option(asked[COOKIE], client, now)
    nsid = snapshot.settings.nsid
    if nsid is not None and NSID in asked:
        name = option(NSID, nsid)
        used = prepared.end + len(prepared.opt) + len(options) + MAX_SUBNET_OPTION
        if used + len(name) <= prepared.limit:
            options += name
    prepared.opt = with_options(prepared.opt, options)


def prepare(packet: bytes, query: Query, snapshot: Snapshot, limit: int | None) -> Prepared:
    """Return what is settled for this question by the snapshot alone."""
    settings = snapshot.settings
    opt = snapshot.opts[query.dnssec_ok] if query.edns else b""
    if limit is None:
        limit = min(query.size, max(512, settings.udp_payload)) if query.edns else 512
    if query.qclass != IN or query.qtype in (AXFR, IXFR):
        return _prepare_outside(packet[2], query, settings, opt, limit)
    zone = snapshot.zone_of(query.qname)
    if zone is None:
        return _refused(packet[2], query, opt, limit, _NOT_OURS)
    if query.qtype == DS and zone.apex == query.qname:
        zone = _parent_side(zone, snapshot)
    return _prepare_in_zone(packet[2], query, zone, opt, limit)


def _prepare_outside(
    packet_flags: int, query: Query, settings: Settings, opt: bytes, limit: int
) -> Prepared:
    """As `prepare`, for what is no question about a name: classes but IN, and transfers."""
    known = about_server(query, settings) if query.qclass == CH else None
    if known is None:
        return _refused(packet_flags, query, opt, limit, _NOT_SUPPORTED)
    flags = head(packet_flags, RCODE_NOERROR, authoritative=True)
    prepared = Prepared(query, flags, opt, limit, 0)
    prepared.leaf = known
    return prepared


def _refused(packet_flags: int, query: Query, opt: bytes, limit: int, why: bytes) -> Prepared:
    flags = head(packet_flags, RCODE_REFUSED, authoritative=False)
    prepared = Prepared(query, flags, with_options(opt, why) if opt else b"", limit, 0)
    prepared.leaf = _REFUSED
    return prepared


def _parent_side(zone: Zone, snapshot: Snapshot) -> Zone:
    """Return the zone that `zone` is delegated from where it is here too, as DS stands there.

    RFC 4035 section 3.1.4.1.
    """
    if zone.apex == ROOT:
        return zone
    above = snapshot.zone_of(parent(zone.apex))
    node = None if above is None else above.get(zone.apex)
    return zone if above is None or node is None or node.referral is None else above


def _prepare_in_zone(
    packet_flags: int, query: Query, zone: Zone, opt: bytes, limit: int
) -> Prepared:
    node, exists = zone.lookup(query.qname)
    if node is None:
        flags = head(packet_flags, RCODE_NXDOMAIN, authoritative=True)
        prepared = Prepared(query, flags, opt, limit, zone.base)
        prepared.leaf = leaf(_negative(query, zone), tags.NXDOMAIN, 0, 1)
        return prepared
    qtype = query.qtype
    at_cut = node.referral is not None and not (exists and qtype == DS)  # RFC 4035 section 3.1.4.1
    flags = head(packet_flags, RCODE_NOERROR, authoritative=not at_cut)
    prepared = Prepared(query, flags, opt, limit, node.base)
    prepared.keep = exists
    if at_cut:
        assert node.referral is not None
        prepared.numbers = (node.referral,)
        return prepared
    entry = node.entry(qtype)
    if entry is not None:
        prepared.set_entry(entry)
        prepared.negative = _negative(query, zone)
    elif qtype == ANY and node.types:
        prepared.leaf = _ANY
    else:
        prepared.leaf = leaf(_negative(query, zone), tags.NODATA, 0, 1)
    return prepared


def _negative(query: Query, zone: Zone) -> bytes:
    """Return the SOA of a negative response (RFC 2308 section 3), owned by a pointer to the apex.

    A pointer has 14 bits, and the apex stands within the first 267 octets.
    """
    apex = HEADER + len(query.qname) - len(zone.apex)
    return (0xC000 | apex).to_bytes(2) + zone.negative


def rule_of(
    route: RouteTable, client: int, subnet: Subnet | None, snapshot: Snapshot
) -> tuple[int, int]:
    """Return (rule, scope) for the client that counts: the subnet option's or the transport's.

    Private addresses that no region knows are not placed: there the transport's client counts.
    No scope reaches from placed to unplaced addresses: scopes must not overlap (RFC 7871 section
    7.2.1).
    """
    if subnet is None or subnet.source == 0:
        return route.find(client), 0
    shown = subnet.client
    rule, scope = route.find_with_scope(shown)
    if scope in (0, 96) and _is_constant(route):
        return rule, 0
    bounds = snapshot.unplaced
    position = bisect_right(bounds, shown)
    if position & 1:
        rule, scope = route.find(client), 0
    if position:
        scope = max(scope, 129 - (shown ^ bounds[position - 1] - 1).bit_length())
    if position < len(bounds):
        scope = max(scope, 129 - (shown ^ bounds[position]).bit_length())
    return rule, scope


def _is_constant(route: RouteTable) -> bool:
    """Return whether every client gets the same rule."""
    rule4, scope4 = route.find_with_scope(IPV4_MAPPED)
    rule6, scope6 = route.find_with_scope(1 << 127)
    return scope4 == 96 and scope6 == 0 and rule4 == rule6


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
    return error_response(packet, RCODE_SERVFAIL, None, b"")
