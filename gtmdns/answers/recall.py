"""What EDNS options came to that resolvers send with question after question.

A cookie comes to the same option for the same client within one second, a client subnet to the
same scope and rule of a route within one snapshot. Where an OPT record has one of these and
nothing else that is answered, the octets of its data say it all.
"""

from ..wire.constants import CLIENT_SUBNET, COOKIE
from ..wire.edns import parse_subnet, subnet_option
from ..wire.query import BadQuery, parse_query
from .options import options_for
from .route import RouteTable, client_number
from .scope import rule_of_subnet
from .snapshot import Snapshot

MOST = 8192  # remembered of each kind, about 3 MB; then all of the kind is forgotten, in 1 ms
LONGEST = 64  # octets of data that are remembered

Known = tuple[bytes, int | None]  # what a response's OPT ends with, its length first; and the rule

_COOKIE, _SUBNET = COOKIE.to_bytes(2), CLIENT_SUBNET.to_bytes(2)


class Recall:
    """Of one snapshot and one worker.

    _cookies: by host and data of the OPT, in the second `_now`
    _subnets: by route and data of the OPT
    """

    __slots__ = ("_cookies", "_now", "_snapshot", "_subnets")

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._now = 0
        self._cookies: dict[tuple[str, bytes], Known] = {}
        self._subnets: dict[tuple[RouteTable | None, bytes], Known] = {}

    def __len__(self) -> int:
        return len(self._cookies) + len(self._subnets)

    def known(
        self, packet: bytes, data: bytes, route: RouteTable | None, host: str, now: int | None
    ) -> Known | None:
        """Return what the options of a response are, and the rule; None: ask `responder.answer`.

        The rule is None where the client's address says which one it is.

        data: of the OPT of `packet`, its length first; now: Unix time, or None, in seconds
        """
        if len(data) > LONGEST:
            return None
        code = data[2:4]
        if code == _COOKIE and now is not None:
            if now != self._now:
                self._now = now
                self._cookies.clear()
            return self._cookies.get((host, data)) or self._cookie(packet, data, host, now)
        if code == _SUBNET:
            return self._subnets.get((route, data)) or self._subnet(packet, data, route)
        return None

    def _cookie(self, packet: bytes, data: bytes, host: str, now: int) -> Known | None:
        try:
            query = parse_query(packet)
        except BadQuery:
            return None
        if query.subnet is not None or query.options is None or len(query.options) > 1:
            return None
        options = options_for(query.options, 0, client_number(host), self._snapshot, now, None)
        known = len(options).to_bytes(2) + options, None
        if len(self._cookies) >= MOST:
            self._cookies.clear()
        self._cookies[host, data] = known
        return known

    def _subnet(self, packet: bytes, data: bytes, route: RouteTable | None) -> Known | None:
        snapshot = self._snapshot
        if not snapshot.settings.client_subnet:
            return None
        try:
            query = parse_query(packet)
            if query.options is not None or query.subnet is None:
                return None
            subnet = parse_subnet(query.subnet)
        except BadQuery:
            return None
        rule, scope = (None, 0) if route is None else rule_of_subnet(route, subnet, snapshot)
        option = subnet_option(subnet, scope)
        known = len(option).to_bytes(2) + option, rule
        if len(self._subnets) >= MOST:
            self._subnets.clear()
        self._subnets[route, data] = known
        return known
