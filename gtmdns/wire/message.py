"""Put responses together from pieces that are octets already."""

from functools import lru_cache
from struct import pack

from .constants import AA, HEADER, OPCODE, QR, RD, TC
from .query import Query


@lru_cache(maxsize=1024)  # they are few, and made for every miss of the answer cache
def head(packet_flags: int, rcode: int, *, authoritative: bool, questions: int = 1) -> bytes:
    """Return octets 2 to 5 of a response: flags and QDCOUNT, 0 or 1.

    packet_flags: octet 2 of the query, whose opcode and RD bit are copied. RA, AD and CD
    stay clear: an authoritative server neither recurses nor validates (RFC 4035 section 3.1.6).
    """
    flags = QR | packet_flags & (OPCODE | RD) | (AA if authoritative else 0)
    return bytes((flags, rcode & 0x0F, 0, questions))


def counts(answer: int, authority: int = 0, additional: int = 0) -> bytes:
    """Return octets 6 to 11 of a header: ANCOUNT, NSCOUNT, ARCOUNT."""
    return pack("!HHH", answer, authority, additional)


def error_response(packet: bytes, rcode: int, query: Query | None, opt: bytes) -> bytes:
    """Return a response without records. `query` None: the question could not be read."""
    if query is None:
        flags = QR | packet[2] & (OPCODE | RD)
        return packet[:2] + bytes((flags, rcode & 0x0F)) + bytes(HEADER - 4)
    return b"".join(
        (
            packet[:2],
            head(packet[2], rcode, authoritative=False, questions=int(query.end > HEADER)),
            counts(0, 0, 1 if opt else 0),
            packet[HEADER : query.end],
            opt,
        )
    )


def truncated(response: bytes, question_end: int, opt: bytes) -> bytes:
    """Return `response` without its records and with TC set.

    Empty, not cut in the middle: a client must not use a part of an RRset anyway
    (RFC 2181 section 9), and asks again over TCP.
    """
    return b"".join(
        (
            response[:2],
            bytes((response[2] | TC,)),
            response[3:6],
            counts(0, 0, 1 if opt else 0),
            response[HEADER:question_end],
            opt,
        )
    )
