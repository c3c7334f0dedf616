"""Read one query: header, question, OPT record. Nothing here trusts the packet.

The checks come in wire order, each costs a bounded number of steps, and every
packet ends in exactly one of: a Query, BadQuery with an RCODE to answer, or
BadQuery with None, which means silence:

- a packet shorter than a header cannot be answered;
- a response is never answered: two servers that answer each other's answers never
  stop (CVE-2024-2169).
"""

from struct import unpack_from

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
    SOA,
    TCP_KEEPALIVE,
)
from .name import MAX_LABEL, MAX_NAME, WireName

# Nobody needs more, and without bounds a query of 4 KB costs as much as fifty small ones.
MAX_ADDITIONAL = 4  # records: OPT, TSIG or SIG(0), and some to spare
MAX_OPTIONS = 256  # EDNS options
MAX_PASSED = 6  # questions and records passed over to find the OPT of what is refused as a whole

_KNOWN_OPTIONS = frozenset((NSID, CLIENT_SUBNET, COOKIE, TCP_KEEPALIVE))

_SOA_DATA = 2 + 20  # octets at least: two names, five numbers
_QUESTION_END = HEADER + MAX_NAME + 4  # where the longest question ends


class BadQuery(Exception):
    """The packet cannot be answered from the zone data. `rcode`: what to answer; None: nothing.

    `query`: what was understood in spite of the mistake, for the question and the OPT of the
    error response; its `end` is HEADER where there is no question to repeat. None where the
    question could not be read, and so nothing behind it.
    """

    def __init__(self, rcode: int | None, query: "Query | None" = None) -> None:
        super().__init__(rcode)
        self.rcode = rcode
        self.query = query


class Query:
    """What a query asks, as far as answering needs it.

    qname:  lower case, uncompressed; nothing where there is no question
    end:    offset of the first octet behind the question; HEADER: there is none
    edns:   whether there is an OPT record
    size:   octets that the client takes over UDP, at least 512 (RFC 6891 section 6.2.3)
    subnet: data of the Client Subnet option, not yet checked; None where there is none
    options: data of the first NSID, COOKIE and TCP keepalive option, by code; None: none of them
    serial: of the SOA that an IXFR query carries, what the client has; None: none
    plain:  whether the packet is only a header, a question and at most an OPT
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
        "serial",
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
        self.serial: int | None = None
        self.plain = True


def parse_query(packet: bytes) -> Query:
    """Return what `packet` asks. Raises BadQuery and nothing else."""
    if len(packet) < HEADER or packet[2] & QR:
        raise BadQuery(None)
    if packet[2] & OPCODE:
        raise BadQuery(NOTIMP, _glimpse(packet, _nothing_asked(packet)))
    if packet[4:6] != b"\x00\x01":  # RFC 9619: one question
        return _without_question(packet)
    query = _question(packet)
    at = query.end
    if packet[6:10] != b"\x00\x00\x00\x00":
        at = _client_version(packet, query)
    if packet[10:12] != b"\x00\x00":
        _additional(packet, query, at)
    elif len(packet) != at:
        raise BadQuery(FORMERR, query)
    return query


def _nothing_asked(packet: bytes) -> Query:
    return Query(WireName(b""), 0, 0, HEADER, bool(packet[2] & RD))


def _without_question(packet: bytes) -> Query:
    """Read a packet of no question, which only a cookie makes a query (RFC 7873 section 5.4)."""
    query = _nothing_asked(packet)
    if packet[4:10] == bytes(6) and packet[10:12] != b"\x00\x00":
        _additional(packet, query, HEADER)
        if query.options is not None and COOKIE in query.options:
            return query
    raise BadQuery(FORMERR, _glimpse(packet, query))


def _glimpse(packet: bytes, query: Query) -> Query:
    """Note the OPT of a packet that is refused whatever else it says, where it can be read.

    RFC 6891 section 6.1.1: who sends one gets one. query: what was read so far
    """
    questions, *records = unpack_from("!4H", packet, 4)
    if query.end > HEADER:
        questions -= 1
    if questions + sum(records) > MAX_PASSED:
        return query
    at = query.end
    try:
        for _ in range(questions):
            at = _skip_name(packet, at, query) + 4
        for _ in range(records[0] + records[1]):
            at = _record(packet, at, query)[2]
        for _ in range(records[2]):
            start, _, end = _record(packet, at, query)
            if _note_opt(packet, at, start, query):
                break
            at = end
    except BadQuery:
        return query  # and what was read up to here, which is the whole question at most
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


def _client_version(packet: bytes, query: Query) -> int:
    """Read the SOA in the authority section of IXFR (RFC 1995 section 3); return where it ends.

    No other query has records in its answer or authority section.
    """
    if query.qtype != IXFR or packet[6:10] != b"\x00\x00\x00\x01":
        raise BadQuery(FORMERR, _glimpse(packet, query))
    query.plain = False
    start, data, end = _record(packet, query.end, query)
    if packet[start] << 8 | packet[start + 1] != SOA or end - data < _SOA_DATA:
        raise BadQuery(FORMERR, _glimpse(packet, query))
    query.serial = int.from_bytes(packet[end - 20 : end - 16])
    return end


def _additional(packet: bytes, query: Query, at: int) -> None:
    """Walk the additional section, which begins at `at`; the only record that matters is OPT."""
    count = packet[10] << 8 | packet[11]
    version = 0
    for _ in range(min(count, MAX_ADDITIONAL)):
        start, data, end = _record(packet, at, query)
        if packet[start] << 8 | packet[start + 1] == OPT:
            if query.edns or not _note_opt(packet, at, start, query):
                raise BadQuery(FORMERR, query)  # RFC 6891 section 6.1.1: one, owned by the root
            version = packet[start + 5]
            if data < end and not version:
                _options(packet, data, end, query)
        else:
            query.plain = False
        at = end
    if at != len(packet) or count > MAX_ADDITIONAL:
        raise BadQuery(FORMERR, query)
    if version:
        raise BadQuery(BADVERS, query)


def _note_opt(packet: bytes, at: int, start: int, query: Query) -> bool:
    """Note a whole OPT record at `at`, its type at `start`. False: it is none."""
    if packet[start] << 8 | packet[start + 1] != OPT or start != at + 1:
        return False
    query.edns = True
    size = packet[start + 2] << 8 | packet[start + 3]
    if size > MIN_UDP:
        query.size = size
    query.dnssec_ok = bool(packet[start + 6] & 0x80)
    return True


def _record(packet: bytes, at: int, query: Query) -> tuple[int, int, int]:
    """Return the offsets of a record's type and data, and of what comes behind it."""
    is_root = at < len(packet) and not packet[at]  # as of every OPT
    start = at + 1 if is_root else _skip_name(packet, at, query)
    data = start + 10
    if data > len(packet):
        raise BadQuery(FORMERR, query)
    end = data + (packet[data - 2] << 8 | packet[data - 1])
    if end > len(packet):
        raise BadQuery(FORMERR, query)
    return start, data, end


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
