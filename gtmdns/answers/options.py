"""What makes the EDNS options of a response: keepalive, cookies, NSID, extended errors."""

from ..wire.constants import (
    COOKIE,
    FORMERR,
    NOT_ALLOWED,
    NOT_AUTHORITATIVE,
    NOT_SUPPORTED,
    NSID,
    OTHER_ERROR,
    TCP_KEEPALIVE,
)
from ..wire.edns import extended_error, keepalive_option, option
from ..wire.query import BadQuery
from .snapshot import Snapshot

MAX_SUBNET_OPTION = 24  # octets: header, family, prefixes, an IPv6 address
# Extended errors, RFC 8914. 22, No Reachable Authority, is what a resolver says about servers.
ALL_DOWN = extended_error(OTHER_ERROR, "no endpoint is up")
NOT_OURS = extended_error(NOT_AUTHORITATIVE)
PROHIBITED = extended_error(NOT_ALLOWED)
UNSUPPORTED = extended_error(NOT_SUPPORTED)


def options_for(
    asked: dict[int, bytes],
    room: int,
    client: int,
    snapshot: Snapshot,
    now: int | None,
    keepalive: int | None,
) -> bytes:
    """Return what answers the options of a query. Raises BadQuery(FORMERR).

    asked: the options that came; room: octets that even a truncated response has for
    options; the others as `responder.respond`. The name of the server comes last, and
    only where there is room for it and for a subnet.
    """
    options = b""
    if keepalive is not None and TCP_KEEPALIVE in asked:
        if asked[TCP_KEEPALIVE]:  # RFC 7828 section 3.2.1: a client tells no time
            raise BadQuery(FORMERR)
        options = keepalive_option(keepalive)
    if now is not None and COOKIE in asked and snapshot.cookies.secrets:
        options += snapshot.cookies.option(asked[COOKIE], client, now)
    nsid = snapshot.settings.nsid
    if nsid is not None and NSID in asked:
        name = option(NSID, nsid)
        if len(options) + MAX_SUBNET_OPTION + len(name) <= room:
            options += name
    return options
