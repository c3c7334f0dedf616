"""Read one query: header, question, OPT record. Nothing here trusts the packet.

The checks come in wire order, each costs a bounded number of steps, and every
packet ends in exactly one of: a Query, BadQuery with an RCODE to answer, or
BadQuery with None, which means silence:

- a packet shorter than a header cannot be answered;
- a response is never answered: two servers that answer each other's answers never
  stop (CVE-2024-2169).
"""

from .constants import (
    BADVERS,
    CLIENT_SUBNET,
    COOKIE,
    FORMERR,
    HEADER,
    IXFR,
    MIN_UDP,
    NOTIMP,
    NSID,
    OPCODE,
    OPT,
    QR,
    RD,
    REFUSED,
    TCP_KEEPALIVE,
)
from .name import MAX_LABEL, MAX_NAME, WireName

# Nobody needs more, and without bounds a query of 4 KB costs as much as fifty small ones.
MAX_ADDITIONAL = 4  # records: OPT, TSIG or SIG(0), and some to spare
MAX_OPTIONS = 256  # EDNS options

_KNOWN_OPTIONS = frozenset((NSID, CLIENT_SUBNET, COOKIE, TCP_KEEPALIVE))

_QUESTION_END = HEADER + MAX_NAME + 4  # where the longest question ends


class BadQuery(Exception):
    """The packet cannot be answered from the zone data. `rcode`: what to answer; None: nothing.

    `query`: what was understood before the mistake, for the question and the OPT of the
    error response; None where the question itself could not be read.
    """

    def __init__(self, rcode: int | None, query: "Query | None" = None) -> None:
        super().__init__(rcode)
        self.rcode = rcode
        self.query = query


class Query:
    """What a query asks, as far as answering needs it.

    qname:  lower case, uncompressed
    end:    offset of the first octet behind the question
    edns:   whether there is an OPT record
    size:   octets that the client takes over UDP, at least 512 (RFC 6891 section 6.2.3)
    subnet: data of the Client Subnet option, not yet checked; None where there is none
    options: data of the first NSID, COOKIE and TCP keepalive option, by code; None: none of them
    plain:  whether the packet is only a header, a question and at most an OPT without options
    """

    __slots__ = (
        "dnssec_ok",
        "edns",
        "end",
        "options",
        "plain",
        "qclass",
        "qname",
        "qtype",
        "recursion_desired",
        "size",
        "subnet",
    )

    def __init__(
        self, qname: WireName, qtype: int, qclass: int, end: int, recursion_desired: bool
    ) -> None:
        self.qname = qname
        self.qtype = qtype
        self.qclass = qclass
        self.end = end
        self.recursion_desired = recursion_desired
        self.edns = False
        self.dnssec_ok = False
        self.size = MIN_UDP
        self.subnet: bytes | None = None
        self.options: dict[int, bytes] | None = None
        self.plain = True


def parse_query(packet: bytes) -> Query:
    """Return what `packet` asks. Raises BadQuery and nothing else."""
    if len(packet) < HEADER or packet[2] & QR:
        raise BadQuery(None)
    if packet[2] & OPCODE:
        raise BadQuery(NOTIMP)
    if packet[4:6] != b"\x00\x01":  # RFC 9619: one question
        raise BadQuery(FORMERR)
    query = _question(packet)
    if packet[6:10] != b"\x00\x00\x00\x00":
        # A query has no answers, and authority only in IXFR, which is refused anyway.
        raise BadQuery(REFUSED if query.qtype == IXFR else FORMERR, query)
    if packet[10:12] != b"\x00\x00":
        _additional(packet, query)
    elif len(packet) != query.end:
        raise BadQuery(FORMERR, query)
    return query


def _question(packet: bytes) -> Query:
    packet = packet[:_QUESTION_END]  # a longer name ends in IndexError, like one that is cut
    at = HEADER
    try:
        length = packet[at]
        while length:
            if length > MAX_LABEL:  # a pointer, or a label type that was never used
                raise BadQuery(FORMERR)
            at += length + 1
            length = packet[at]
        name_end = at + 1
        qtype = packet[name_end] << 8 | packet[name_end + 1]
        qclass = packet[name_end + 2] << 8 | packet[name_end + 3]
    except IndexError:
        raise BadQuery(FORMERR) from None
    qname = WireName(packet[HEADER:name_end].lower())
    return Query(qname, qtype, qclass, name_end + 4, bool(packet[2] & RD))


def _additional(packet: bytes, query: Query) -> None:
    """Walk the additional section; the only record that matters is OPT."""
    count = packet[10] << 8 | packet[11]
    if count > MAX_ADDITIONAL:
        raise BadQuery(FORMERR, query)
    at = query.end
    version = 0
    for _ in range(count):
        start = _skip_name(packet, at, query)
        data = start + 10
        if data > len(packet):
            raise BadQuery(FORMERR, query)
        length = packet[data - 2] << 8 | packet[data - 1]
        if data + length > len(packet):
            raise BadQuery(FORMERR, query)
        if packet[start] << 8 | packet[start + 1] == OPT:
            if query.edns or start != at + 1:  # RFC 6891 section 6.1.1: one, owned by the root
                raise BadQuery(FORMERR, query)
            query.edns = True
            query.size = max(MIN_UDP, packet[start + 2] << 8 | packet[start + 3])
            query.dnssec_ok = bool(packet[start + 6] & 0x80)
            version = packet[start + 5]
            if length and not version:
                _options(packet, data, data + length, query)
        else:
            query.plain = False
        at = data + length
    if at != len(packet):
        raise BadQuery(FORMERR, query)
    if version:
        raise BadQuery(BADVERS, query)


def _skip_name(packet: bytes, at: int, query: Query) -> int:
    """Return the offset behind an owner name, which may end in a pointer that is not followed."""
    end = min(len(packet), at + MAX_NAME)
    while at < end:
        length = packet[at]
        if length == 0:
            return at + 1
        if length >= 0xC0:
            return at + 2
        if length > MAX_LABEL:
            break
        at += length + 1
    raise BadQuery(FORMERR, query)


def _options(packet: bytes, at: int, end: int, query: Query) -> None:
    """Read the options of OPT; those that we do not know are ignored (RFC 6891 section 6.1.2)."""
    query.plain = False
    left = MAX_OPTIONS
    while at < end:
        data = at + 4
        left -= 1
        if data > end or left < 0:
            raise BadQuery(FORMERR, query)
        length = packet[at + 2] << 8 | packet[at + 3]
        if data + length > end:
            raise BadQuery(FORMERR, query)
        code = packet[at] << 8 | packet[at + 1]
        if code in _KNOWN_OPTIONS:
            _keep_option(code, packet[data : data + length], query)
        at = data + length


def _keep_option(code: int, data: bytes, query: Query) -> None:
    """Note an option that the response may answer. One Client Subnet; else the first counts.

    RFC 7873 section 5.2: a cookie has 8 octets of the client, and none or 8 to 32 of a server.
    """
    if code == CLIENT_SUBNET:
        if query.subnet is not None:
            raise BadQuery(FORMERR, query)
        query.subnet = data
        return
    if query.options is None:
        query.options = {}
    elif code in query.options:
        return
    if code == COOKIE and len(data) != 8 and not 16 <= len(data) <= 40:
        raise BadQuery(FORMERR, query)
    query.options[code] = data
