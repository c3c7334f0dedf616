"""Records as octets: RDATA from presentation format, and whole RRs that point to the question."""

from socket import AF_INET, AF_INET6, inet_pton
from struct import pack

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from ..config.rrtypes import plainly
from ..wire.constants import AAAA, IN, A
from ..wire.name import WireName

MAX_RDATA = 65_535 - 12 - 255 - 4 - 12  # octets beside a header, a question, a pointer with TTL
MAX_RECORDS = (65_535 - 12 - 5) // 12  # of an RRset: of more no message could hold even the owners
TO_QUESTION = b"\xc0\x0c"  # a pointer to the name in the question (RFC 1035 section 4.1.4)

_EXAMPLES = {  # what was expected, where a text is no such record
    "A": "an IPv4 address such as 192.0.2.1",
    "AAAA": "an IPv6 address such as 2001:db8::1",
    "CNAME": "a name such as www.example.com.",
    "DNAME": "a name such as example.net.",
    "NS": "a name such as ns1.example.com.",
    "PTR": "a name such as www.example.com.",
    "MX": "a preference and a name such as 10 mail",
    "TXT": "a text such as v=spf1 -all, or several in double quotes",
    "SRV": "priority, weight, port and a name such as 10 5 443 www",
    "CAA": 'flags, tag and value such as 0 issue "ca.example"',
    "HTTPS": "priority, name and parameters such as 1 . alpn=h2,h3",
    "SVCB": "priority, name and parameters such as 1 . alpn=h2,h3",
    "DS": "key tag, algorithm, digest type and digest in hexadecimal digits",
    "TLSA": "usage, selector, matching type and data such as 3 1 1 and 64 hexadecimal digits",
    "SSHFP": "algorithm, type and fingerprint in hexadecimal digits",
    "NAPTR": 'order, preference, flags, service, expression and name such as 1 1 "u" "sip" "" .',
}
_OTHER = "its presentation format, or \\# with octets in hexadecimal digits (RFC 3597)"


class BadRecord(ValueError):
    """A text is not a record of its type; the message says what was expected."""


def rr(owner: bytes, rtype: int, ttl: int, rdata: bytes) -> bytes:
    """Return one resource record of class IN. `owner`: a name or a pointer, as octets."""
    return owner + pack("!HHIH", rtype, IN, ttl, len(rdata)) + rdata


def address_rdata(address: str) -> tuple[int, bytes]:
    """Return (type, RDATA) of an IP address in text."""
    if ":" in address:
        return AAAA, inet_pton(AF_INET6, address)
    return A, inet_pton(AF_INET, address)


def rdata_from_text(rtype: str, text: str, origin: WireName) -> bytes:
    """Return the RDATA of a value in presentation format; names are relative to `origin`.

    Raises BadRecord.
    """
    text = text.strip()
    if "\n" in text or "\r" in text:  # of several lines the parser would drop all but the first
        raise BadRecord(f"{text!r} has several lines, expected one {rtype} record; use a list")
    wire = _wire(rtype, text, origin)
    if len(wire) > MAX_RDATA:
        raise BadRecord(f"a {rtype} record of {len(wire)} octets, allowed are {MAX_RDATA}")
    return wire


def _wire(rtype: str, text: str, origin: WireName) -> bytes:
    try:
        if rtype == "TXT" and not text.startswith('"'):
            return _plain_text(text.encode())
        rdata = dns.rdata.from_text(
            dns.rdataclass.IN,
            dns.rdatatype.from_text(rtype),
            text,
            origin=dns.name.from_wire(origin, 0)[0],
            relativize=False,
        )
        wire = rdata.to_wire()
    except (dns.exception.DNSException, ValueError, OverflowError) as error:
        example = _EXAMPLES.get(rtype, _OTHER)
        raise BadRecord(
            f"{text!r} is no {rtype} record ({plainly(error)}), expected {example}"
        ) from None
    assert wire is not None
    return wire


def _plain_text(octets: bytes) -> bytes:
    """Return the RDATA of TXT as a person writes it: one text, in strings of 255 octets."""
    strings = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
    return b"".join(bytes((len(string),)) + string for string in strings)


def soa_rdata(mname: bytes, rname: bytes, serial: int, minimum: int) -> bytes:
    """Return the RDATA of SOA (RFC 1035 section 3.3.13). `minimum`: the negative TTL, seconds.

    Refresh, retry and expire are RIPE's recommendation (RIPE-203); only secondaries read them.
    """
    return mname + rname + pack("!IIIII", serial, 86_400, 7_200, 3_600_000, minimum)
