"""The questions that are answered with a whole zone, which TCP alone carries."""

from collections.abc import Iterator

from ..wire.constants import AXFR, IN, IXFR, NOERROR
from ..wire.edns import parse_subnet, subnet_option, with_options
from ..wire.message import head
from ..wire.query import BadQuery, Query, parse_query
from . import answer as tags
from .options import options_for
from .snapshot import Snapshot
from .transfer import Transfer

ROOM = 1024  # octets for the options of the first message, which is far from full
# How a question for a transfer ends: the name, its type, IN. To look for it is cheap.
_AXFR_END, _IXFR_END = (b"\x00" + qtype.to_bytes(2) + IN.to_bytes(2) for qtype in (AXFR, IXFR))


def whole_zone(
    packet: bytes, client: int, snapshot: Snapshot, now: int, keepalive: int
) -> Iterator[bytes] | None:
    """Return the messages that answer a question for a zone; None: `respond` answers it.

    That has the refusals, and the SOA alone for who has the zone already. Arguments are those
    of `respond`; what is sent is the zone of this snapshot, whatever is served meanwhile.
    """
    if _AXFR_END not in packet and _IXFR_END not in packet:
        return None
    try:
        query = parse_query(packet)
        transfer = _asked_for(query, client, snapshot)
        if transfer is None:
            return None
        opt = b""
        if query.edns:
            opt = snapshot.opts[query.dnssec_ok]
            opt = with_options(
                opt, options_for(query.options or {}, ROOM, client, snapshot, now, keepalive)
            )
            if query.subnet is not None and snapshot.settings.client_subnet:
                opt = with_options(opt, subnet_option(parse_subnet(query.subnet), 0))
    except BadQuery:
        return None
    flags = head(packet[2], NOERROR, authoritative=True)
    return _counted(transfer.messages(packet, query.end, flags, opt), transfer, snapshot)


def _counted(messages: Iterator[bytes], transfer: Transfer, snapshot: Snapshot) -> Iterator[bytes]:
    """Yield the messages, and count them as one answer once they begin."""
    snapshot.tally[transfer.base + tags.STATIC] += 1
    yield from messages


def _asked_for(query: Query, client: int, snapshot: Snapshot) -> Transfer | None:
    """Return the zone to send: one that this client may have, and does not have yet."""
    if query.qclass != IN or query.qtype not in (AXFR, IXFR):
        return None
    transfer = snapshot.transfers.get(query.qname)
    if transfer is None or not transfer.allows(client):
        return None
    return None if query.qtype == IXFR and transfer.is_known(query.serial) else transfer
