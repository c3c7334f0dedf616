"""A small DNS server over UDP on loopback, whose answers a test writes; dnspython does the octets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

# A query as it came -> the datagrams to send back
Reply = Callable[[dns.message.QueryMessage, bytes], list[bytes]]


class _Answering(asyncio.DatagramProtocol):
    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # in 3.11 it is no instance

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        assert isinstance(query, dns.message.QueryMessage)
        for datagram in self.reply(query, data):
            self.transport.sendto(datagram, addr)


@asynccontextmanager
async def resolving(reply: Reply, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Yield the port of a server that answers each query with what `reply` returns."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Answering(reply), local_addr=(host, 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def answer_to(
    query: dns.message.QueryMessage,
    *rrsets: str,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    authority: str = "",
    truncated: bool = False,
) -> bytes:
    """Return an answer; RRsets as "OWNER TTL CLASS TYPE RDATA"."""
    response = dns.message.make_response(query)
    response.set_rcode(rcode)
    response.answer = [rrset(text) for text in rrsets]
    response.authority = [rrset(authority)] if authority else []
    if truncated:
        response.flags |= dns.flags.TC
    return response.to_wire()


def rrset(text: str) -> dns.rrset.RRset:
    owner, ttl, rdclass, rdtype, rdata = text.split(" ", 4)
    return dns.rrset.from_text_list(owner, int(ttl), rdclass, rdtype, rdata.split("; "))
