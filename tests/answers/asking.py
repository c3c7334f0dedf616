"""Ask as a resolver would: dnspython writes the query and judges the response."""

from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype

from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Snapshot
from tests.example_zone import EXAMPLE, IN_EU

NEVER = dns.flags.RA | dns.flags.AD | dns.flags.CD  # RFC 4035 section 3.1.6; we do not recurse


def ask(
    qname: str,
    qtype: str = "A",
    client: int = IN_EU,
    snapshot: Snapshot = EXAMPLE,
    draw: int = 0,
    limit: int | None = None,
    **options: Any,
) -> dns.message.Message:
    """Return the response to a query; options are those of `dns.message.make_query`."""
    query = dns.message.make_query(qname, qtype, **options)
    return answered(query, client, snapshot, draw, limit)


def answered(
    query: dns.message.Message,
    client: int = IN_EU,
    snapshot: Snapshot = EXAMPLE,
    draw: int = 0,
    limit: int | None = None,
) -> dns.message.Message:
    """Return the response, after a look at what holds for every response."""
    packet = query.to_wire()
    octets = respond(packet, client, snapshot, draw, limit)
    assert octets is not None
    response = dns.message.from_wire(octets)
    assert query.is_response(response)
    assert not response.flags & NEVER
    assert response.flags & dns.flags.RD == query.flags & dns.flags.RD
    assert response.edns == (-1 if query.edns < 0 else 0)
    assert response.ednsflags & dns.flags.DO == query.ednsflags & dns.flags.DO
    if response.question:
        end = 12 + len(query.question[0].name.to_wire() or b"") + 4
        assert octets[12:end] == packet[12:end], "the question as it came, upper case included"
    return response


def told(response: dns.message.Message) -> list[str]:
    """Return the RDATA of the answer section as text."""
    return [str(rdata) for rrset in response.answer for rdata in rrset]


def rcode(response: dns.message.Message) -> str:
    return dns.rcode.to_text(response.rcode())


def section(rrsets: list[Any]) -> list[tuple[str, str, str]]:
    """Return (owner, type, RDATA) of every record of a section."""
    return [
        (str(rrset.name), dns.rdatatype.to_text(rrset.rdtype), str(rdata))
        for rrset in rrsets
        for rdata in rrset
    ]
