"""What one question settles before the draw and the client come in, and how that is rendered."""

from copy import copy

from ..wire.constants import AA, HEADER
from ..wire.constants import NOERROR as RCODE_NOERROR
from ..wire.edns import Subnet, with_options
from ..wire.message import counts, truncated
from ..wire.query import Query
from . import answer as tags
from .answer import Leaf, leaf
from .options import ALL_DOWN, MAX_SUBNET_OPTION
from .route import RouteTable
from .short import without_additional
from .snapshot import Snapshot
from .steps import EVERYONE, Steps
from .zone import Zone

MAX_KEPT = 512  # octets that a question in the answer cache may hold for itself


class Prepared:
    """All that one question settles before the draw and the client come in.

    end:      offset of the first octet behind the question
    flags:    octets 2 to 5 of the response
    leaf:     the outcome, where it is always the same; else None, and
    numbers:  the answers' numbers, by rule; only one where `route` is None
    route:    which rule a client gets; None: the client does not matter
    steps:    what an answer takes beyond a choice; None: nothing. Set only where `route` is
    zone:     whose SOA stands in place of records where an answer has none (NODATA)
    opt:      the OPT record of the response, as far as it is settled, or nothing
    limit:    octets that the response may have
    base:     added to the tags for counting
    keep:     whether the answer cache may remember the question: the name exists, and what is
              held here of the response is small
    """

    __slots__ = (
        "base",
        "counts_at",
        "end",
        "flags",
        "keep",
        "leaf",
        "limit",
        "numbers",
        "opt",
        "route",
        "steps",
        "zone",
    )

    def __init__(self, query: Query, flags: bytes, opt: bytes, limit: int, base: int) -> None:
        self.end = query.end
        self.flags = flags
        self.opt = opt
        self.counts_at = 1 if opt else 0
        self.limit = limit
        self.base = base
        self.leaf: Leaf | None = None
        self.numbers: tuple[int, ...] = ()
        self.route: RouteTable | None = None
        self.steps: Steps | None = None
        self.zone: Zone | None = None
        self.keep = False

    def set_leaf(self, packed: Leaf) -> None:
        """Set an outcome that was put together for this question alone."""
        self.leaf = packed
        self.keep = self.keep and len(packed[2] or b"") <= MAX_KEPT

    def set_steps(self, steps: Steps) -> None:
        self.steps = steps
        self.keep = self.keep and steps.size <= MAX_KEPT
        if self.route is None:
            self.route = EVERYONE

    def settle(
        self, client: int, subnet: Subnet | None, snapshot: Snapshot, draw: int, opt: bytes
    ) -> "tuple[Prepared, Leaf, int, bytes]":
        """Return (what renders, outcome, scope, OPT) where there are steps to take."""
        assert self.route is not None
        assert self.steps is not None
        chosen, scope, rcode, all_down = self.steps.settle(
            self.route, self.numbers, client, subnet, snapshot, draw
        )
        if all_down:  # and a subnet may come yet
            opt = self._tells_all_down(opt, len(chosen[2] or b"") + MAX_SUBNET_OPTION)
        if rcode == RCODE_NOERROR:
            return self, chosen, scope, opt
        other = copy(self)
        other.flags = self.flags[:1] + bytes((self.flags[1] | rcode,)) + self.flags[2:]
        return other, chosen, scope, opt

    def tell_version(self, query: Query, client: int, snapshot: Snapshot) -> None:
        """Answer IXFR with the SOA alone where the client may have the zone.

        For one that has it, or that asks over UDP and comes again over TCP (RFC 1995 section 2).
        """
        transfer = snapshot.transfers.get(query.qname)
        if transfer is None or not transfer.allows(client):
            return
        self.flags = bytes((self.flags[0] | AA, RCODE_NOERROR)) + self.flags[2:]
        self.leaf, self.base = leaf(transfer.soa, tags.STATIC, 1), transfer.base
        self.opt = snapshot.opts[query.dnssec_ok] if query.edns else b""

    def render(self, packet: bytes, chosen: Leaf, snapshot: Snapshot, opt: bytes) -> bytes:
        """Return the response.

        packet: any with this question; its id and case are kept; opt: `self.opt` and what
        answers the options of this packet
        """
        records = chosen[2]
        if records is None:
            return self._without_records(packet, chosen, snapshot, opt)
        snapshot.tally[self.base + chosen[3]] += 1
        response = b"".join(
            (
                packet[:2],
                self.flags,
                chosen[self.counts_at],  # type: ignore[arg-type]  # 0 or 1: both are octets
                packet[HEADER : self.end],
                records,
                opt,
            )
        )
        if len(response) > self.limit:
            return self._shortened(response, snapshot, opt)
        return response

    def _shortened(self, response: bytes, snapshot: Snapshot, opt: bytes) -> bytes:
        short = without_additional(response, self.end, opt)
        if short is not None and len(short) <= self.limit:
            return short
        snapshot.tally[tags.TRUNCATED] += 1
        return truncated(response, self.end, opt)

    def _without_records(
        self, packet: bytes, chosen: Leaf, snapshot: Snapshot, opt: bytes
    ) -> bytes:
        """An answer whose state of health leaves NODATA or SERVFAIL.

        ANCOUNT holds the RCODE, and in its upper octet whether all endpoints are down. SERVFAIL
        tells nothing of the zone, so AA is clear (RFC 1035 section 4.1.1), as others have it.
        """
        all_down, rcode = chosen[0][:2]
        snapshot.tally[self.base + chosen[3]] += 1
        nodata = rcode == RCODE_NOERROR
        records = self.zone.soa(self.end) if nodata and self.zone is not None else b""
        flags = bytes((self.flags[0] if nodata else self.flags[0] & ~AA, self.flags[1] | rcode))
        if all_down or not nodata:
            opt = self._tells_all_down(opt, len(records))
        response = b"".join(
            (
                packet[:2],
                flags,
                self.flags[2:],
                counts(0, 1 if nodata else 0, self.counts_at),
                packet[HEADER : self.end],
                records,
                opt,
            )
        )
        if len(response) > self.limit:
            return self._shortened(response, snapshot, opt)
        return response

    def _tells_all_down(self, opt: bytes, others: int) -> bytes:
        """Return the OPT with an extended error where there is room. others: octets to come."""
        room = self.limit - self.end - others - len(opt)
        return with_options(opt, ALL_DOWN) if opt and len(ALL_DOWN) <= room else opt
