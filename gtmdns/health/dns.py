"""The `dns` probe: one query over UDP (RFC 1035), without EDNS, which old servers refuse.

The socket is connected, so the kernel drops what comes from elsewhere and tells of an ICMP
"port unreachable". An answer whose id or question is another is taken for a forgery and passed
over; the true one may still come until the timeout.
"""

import asyncio
import random
import socket
from functools import lru_cache

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from ..config.rrtypes import type_number
from .check import Check, Failed
from .stream import Contexts

HEADER = 12  # octets
LARGEST = 65_535  # octets of a UDP datagram
_ANSWER, _TRUNCATED = 0x80, 0x02  # bits of the third octet
_OPCODE = 0x78
# What these mean is that the server did not get to the question, so some leave it out.
_WITHOUT_QUESTION = frozenset(
    {dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED}
)
_chance = random.SystemRandom()


async def query(address: str, host: str, check: Check, contexts: Contexts) -> str:
    """Ask `check.query`, and compare the response code and, where wanted, the answer."""
    asked = question(check.query, check.query_type, _chance.getrandbits(16))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((address, check.port))
        sock.send(asked)
        while True:
            response = await loop.sock_recv(sock, LARGEST)
            if answers(response, asked):
                return judge(response, check)


def question(name: str, rdtype: str, number: int) -> bytes:
    """Return a query, recursion desired, with the id `number`."""
    return number.to_bytes(2) + _after_id(name, rdtype)


@lru_cache(maxsize=1024)
def _after_id(name: str, rdtype: str) -> bytes:
    qname = dns.name.from_text(name)
    return dns.message.make_query(qname, type_of(rdtype), use_edns=False).to_wire()[2:]


def answers(response: bytes, asked: bytes) -> bool:
    """Return whether `response` is one to the query `asked`: id, kind and question."""
    if len(response) < HEADER or response[:2] != asked[:2]:
        return False
    if not response[2] & _ANSWER or response[2] & _OPCODE:
        return False
    if response[4:6] == b"\0\0":
        return response[3] & 0xF in _WITHOUT_QUESTION
    same_type = response[len(asked) - 4 : len(asked)] == asked[-4:]
    name = slice(HEADER, len(asked) - 4)
    # Case may differ (RFC 4343). A length octet is below 64, so lower() leaves it alone.
    return same_type and response[name].lower() == asked[name].lower()


def judge(response: bytes, check: Check) -> str:
    """Return the response code where it and the answer are as wanted. Raises Failed."""
    rcode = dns.rcode.to_text(dns.rcode.Rcode(response[3] & 0xF))
    if rcode not in check.expect_rcode:
        raise Failed(f"{rcode}, expected {' or '.join(check.expect_rcode)}")
    if not check.expect_answer:
        return rcode
    try:
        message = dns.message.from_wire(response, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError) as error:
        raise Failed(f"{rcode}, malformed answer") from error
    rdtype = type_of(check.query_type)
    try:
        wanted = {wanted_rdata(text, rdtype) for text in check.expect_answer}
    except dns.exception.DNSException as error:
        raise Failed(f"expect_answer is no text of {check.query_type} records") from error
    for rrset in message.answer:  # behind a CNAME the owner is another
        if rrset.rdtype == rdtype and not wanted.isdisjoint(rrset):
            return rcode
    cut = " (truncated)" if response[2] & _TRUNCATED else ""
    raise Failed(f"{rcode}, but another answer than expected{cut}")


def type_of(text: str) -> dns.rdatatype.RdataType:
    """Return an RR type that the configuration knows; dnspython knows fewer by name."""
    number = type_number(text)
    assert number is not None, text
    return dns.rdatatype.RdataType.make(number)


@lru_cache(maxsize=1024)
def wanted_rdata(text: str, rdtype: dns.rdatatype.RdataType) -> dns.rdata.Rdata:
    """Read RDATA in presentation format, names relative to the root. Raises DNSException."""
    rdclass, root = dns.rdataclass.IN, dns.name.root
    return dns.rdata.from_text(rdclass, rdtype, text, origin=root, relativize=False)
