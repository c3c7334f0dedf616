"""CNAME chains inside one zone, followed in one answer (RFC 1034 section 4.3.2, step 3a).

Only what never depends on health or client is followed. A chain that leads elsewhere (to a
steered name, below a zone cut, to a wildcard, out of the zone, to nothing, round in a ring) is
answered as far as it goes, without more: the resolver asks for the rest.
"""

from collections.abc import Container
from typing import NamedTuple

from ..answers.answer import NODATA, SHUFFLE_OCTETS, STATIC, Answer, Fixed, leaf, weighted
from ..wire.constants import AAAA, ANY, CNAME, DS, A
from ..wire.name import WireName, ancestors, is_below
from .records import TO_QUESTION, rr
from .zones import Owner, ZoneDraft

MAX_LINKS = 16


class Followed(NamedTuple):
    """What an alias answers: by type, and all other types."""

    types: list[tuple[int, Answer]]
    other: Answer


def follow(
    name: WireName, draft: ZoneDraft, existing: Container[WireName], apexes: Container[WireName]
) -> Followed:
    """Return the answers of the alias `name`.

    existing: the nodes of the zone; apexes: of all zones, as a deeper one answers for its names
    """
    links: list[bytes] = []
    seen = {name}
    owner, spelled, target = draft.owners[name], TO_QUESTION, name
    while True:
        ttl, values = owner.rrsets[CNAME]
        links.append(rr(spelled, CNAME, ttl, values[0]))
        spelled, target = values[0], WireName(values[0].lower())
        if not _is_ours(target, draft, existing, apexes) or target in seen:
            break
        found = draft.owners.get(target)
        if found is None or (found.record is None and CNAME not in found.rrsets):
            return _ended(links, spelled, found, draft)
        if found.record is not None or len(links) == MAX_LINKS:
            break
        seen.add(target)
        owner = found
    return Followed(_asked_for(links), Fixed(leaf(b"".join(links), STATIC, len(links))))


def _is_ours(
    target: WireName,
    draft: ZoneDraft,
    existing: Container[WireName],
    apexes: Container[WireName],
) -> bool:
    """Return whether the zone itself answers for `target`, by a node of that name."""
    if target not in existing or target in draft.cuts:
        return False
    above = (name for name in (target, *ancestors(target)) if is_below(name, draft.apex))
    return not any(name in apexes for name in above)


def _asked_for(links: list[bytes]) -> list[tuple[int, Answer]]:
    """Return what answers a question for the CNAME itself, which is not followed."""
    alone = Fixed(leaf(links[0], STATIC, 1))
    return [(CNAME, alone), (ANY, alone)]


def _ended(links: list[bytes], spelled: bytes, owner: Owner | None, draft: ZoneDraft) -> Followed:
    """Return the answers of a chain whose end is static. owner: None, an empty non-terminal."""
    types = _asked_for(links)
    chain = b"".join(links)
    for rtype, (ttl, values) in owner.rrsets.items() if owner else ():
        records = [rr(spelled, rtype, ttl, rdata) for rdata in values]
        types.append((rtype, _answer(chain, len(links), rtype, records)))
    if owner is draft.owners[draft.apex]:  # DS of the zone itself are its parent's to tell
        types.append((DS, Fixed(leaf(chain, STATIC, len(links)))))
    soa = draft.apex + draft.negative
    return Followed(types, Fixed(leaf(chain + soa, NODATA, len(links), 1)))


def _answer(chain: bytes, links: int, rtype: int, records: list[bytes]) -> Answer:
    """Return the chain with what it ends at; each address stands equally often at each place."""
    count = len(records)
    turns = count if rtype in (A, AAAA) else 1
    if turns * sum(map(len, records)) > SHUFFLE_OCTETS:
        return Fixed(leaf(chain, STATIC, links))
    orders = [records[turn:] + records[:turn] for turn in range(turns)]
    return weighted(
        [(1, Fixed(leaf(chain + b"".join(order), STATIC, links + count))) for order in orders]
    )
