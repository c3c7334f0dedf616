"""Whether all servers answer the same, asked before anything is measured, and how they differ.

What must be the same: RCODE and answers of static names, NODATA, NXDOMAIN, an address of the pool
for names that are steered. What may differ, and is told: cookies, client subnets, the octets.
"""

from dataclasses import dataclass

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
from load import COOKIE
from servers import Running
from zone import FAR, NEAR, WEIGHTS, ZONE, static_address

TIMEOUT = 5.0  # seconds
STRANGER = dns.edns.ECSOption("9.9.9.0", 24)  # in no network that is near

# (name, type): RCODE, and what the answers may be; one of them where a name is steered
EXPECTED = {
    ("n5", "A"): ("NOERROR", {static_address(5)}),
    ("m3", "AAAA"): ("NOERROR", {"2001:db8::4"}),
    ("m3", "MX"): ("NOERROR", {"10 mail.3.test."}),
    ("m3", "TXT"): ("NOERROR", {'"v=spf1 ip4:192.0.2.0/24 -all"'}),
    ("n5", "AAAA"): ("NOERROR", set[str]()),
    ("nobody", "A"): ("NXDOMAIN", set[str]()),
    ("w3", "A"): ("NOERROR", set(WEIGHTS)),
    ("r3", "A"): ("NOERROR", {NEAR}),
}


@dataclass(frozen=True)
class Traits:
    """What a server does with what may differ.

    cookie: what a client with a cookie of its own alone gets: "given", "BADCOOKIE" or "none"
    subnet: whether the client subnet decides
    octets: of the answer with one address and EDNS
    """

    cookie: str
    subnet: bool
    octets: int


class Disagreement(Exception):
    """A server does not answer what the zone says."""


def traits(server: Running) -> Traits:
    """Ask one server everything. Raises Disagreement with the first answer that is wrong."""
    for (name, qtype), (rcode, expected) in EXPECTED.items():
        for edns in (False, True):
            got = _ask(server, name, qtype, edns)
            found = _data(got)
            right = found == expected or (len(found) == 1 and found < expected)
            whole = right and bool(got.flags & dns.flags.AA) and (found or got.authority)
            if dns.rcode.to_text(got.rcode()) != rcode or not whole:
                raise Disagreement(f"{server.name} answers {name} {qtype} otherwise:\n{got}")
    new = _ask(server, "n5", "A", True, dns.edns.GenericOption(10, bytes.fromhex(COOKIE)))
    given = any(option.otype == 10 for option in new.options)
    refused = dns.rcode.to_text(new.rcode())
    return Traits(
        cookie=("given" if refused == "NOERROR" else refused) if given else "none",
        subnet=_data(_ask(server, "r3", "A", True, STRANGER)) == {FAR},
        octets=len(_ask(server, "n5", "A", True).to_wire()),
    )


def _ask(
    server: Running, name: str, qtype: str, edns: bool, option: dns.edns.Option | None = None
) -> dns.message.Message:
    options = [option] if option else []
    query = dns.message.make_query(
        f"{name}.{ZONE}", qtype, use_edns=0 if edns else -1, options=options
    )
    return dns.query.udp(query, "127.0.0.1", timeout=TIMEOUT, port=server.port)


def _data(message: dns.message.Message) -> set[str]:
    return {rdata.to_text() for rrset in message.answer for rdata in rrset}
