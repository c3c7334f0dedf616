"""Additional records: the addresses of hosts that an RRset names, where they are static and ours.

A courtesy (RFC 1035 section 3.3.9, RFC 2782, RFC 9460 section 4.1): of few names, whole RRsets
that UDP carries.
"""

from collections.abc import Iterator, Sequence

from ..answers.pack import Extra
from ..wire.constants import HTTPS, MX, NS, SRV, SVCB
from ..wire.name import ROOT, WireName, ancestors
from .zones import ZoneDraft

TARGET_AT = {NS: 0, MX: 2, SRV: 6, HTTPS: 2, SVCB: 2}  # octets of RDATA before the name of a host
MAX_TARGETS = 16  # of which one answer adds the addresses
MAX_ADDITIONAL = 1_000  # octets of them, names written out


class Hosts:
    """Finds addresses in all zones."""

    def __init__(self, drafts: Sequence[ZoneDraft]) -> None:
        self._drafts = {draft.apex: draft for draft in drafts}

    def additional(self, draft: ZoneDraft, name: WireName, rtype: int) -> tuple[Extra, ...]:
        """Return the additional records of an RRset of `draft`; its type is of TARGET_AT."""
        found: list[Extra] = []
        left = MAX_ADDITIONAL
        targets = dict(_targets(rtype, draft.owners[name].rrsets[rtype][1]))
        for target, spelled in list(targets.items())[:MAX_TARGETS]:
            if not spelled:
                records = draft.addresses(name, b"")
            elif rtype == NS and draft.addresses(target, spelled):  # its glue, if need be
                records = draft.addresses(target, spelled)
            else:
                records = self._authoritative(target, spelled)
            size = sum(10 + len(spelled) + len(rdata) for _, _, _, rdata in records)
            if size <= left:
                found += records
                left -= size
        return tuple(found)

    def _authoritative(self, target: WireName, spelled: bytes) -> list[Extra]:
        """Return the addresses in the zone that answers for `target`, if that is here."""
        for apex in (target, *ancestors(target)):
            draft = self._drafts.get(apex)
            if draft is not None:
                hidden = target in draft.cuts or draft.is_occluded(target)
                return [] if hidden else draft.addresses(target, spelled)
        return []


def _targets(rtype: int, values: list[bytes]) -> Iterator[tuple[WireName, bytes]]:
    """Yield each host, in lower case and as it is written; of no octets: the owner itself."""
    begin = TARGET_AT[rtype]
    for rdata in values:
        end = begin
        while rdata[end]:
            end += 1 + rdata[end]
        spelled = rdata[begin : end + 1]
        is_service = rtype in (HTTPS, SVCB)
        if spelled != ROOT:
            yield WireName(spelled.lower()), spelled
        elif is_service and rdata[:2] != b"\0\0":  # RFC 9460 section 2.5: priority 0 is an alias
            yield ROOT, b""
