"""Static RRsets and zone cuts as workers hold them."""

from collections.abc import Callable, Sequence

from ..answers.answer import STATIC, Answer, Fixed, leaf, shuffled
from ..answers.pack import NAMES, Extra
from ..wire.constants import AAAA, DS, NS, A
from ..wire.name import WireName
from .hosts import TARGET_AT, Hosts
from .records import TO_QUESTION, rr
from .zones import ZoneDraft

Encoded = tuple[int, int, tuple[bytes, ...], tuple[Extra, ...]]  # type, TTL, RDATA, additional
# The number of an answer, or of `Statics.records`, or a record itself
Entry = int | tuple[int] | bytes
MAX_INLINE = 255  # octets of a record that a node holds itself: a number costs 32, an answer 200


class Statics:
    """Gives numbers to RRsets whose names are compressed, each different one once.

    number: gives an answer its number
    """

    def __init__(self, drafts: Sequence[ZoneDraft], number: Callable[[Answer], int]) -> None:
        self._hosts = Hosts(drafts)
        self._number = number
        self._numbers: dict[Encoded, int] = {}

    @property
    def records(self) -> list[Encoded]:
        """In the order of their numbers."""
        return list(self._numbers)

    def entry(self, draft: ZoneDraft, name: WireName, rtype: int) -> Entry:
        """Return the entry of an RRset. Addresses are shuffled, the rest keeps its order.

        One record alone is its own entry: most are different from all others.
        """
        ttl, values = draft.owners[name].rrsets[rtype]
        extra = self._hosts.additional(draft, name, rtype) if rtype in TARGET_AT else ()
        if extra or rtype in NAMES:
            return (self._record((rtype, ttl, tuple(values), extra)),)
        octets = [rr(TO_QUESTION, rtype, ttl, rdata) for rdata in values]
        if len(octets) == 1 and len(octets[0]) <= MAX_INLINE:
            return octets[0]
        if rtype in (A, AAAA):
            return self._number(shuffled(octets, len(octets), STATIC))
        return self._number(Fixed(leaf(b"".join(octets), STATIC, len(octets))))

    def cut(self, draft: ZoneDraft, name: WireName) -> tuple[tuple[tuple[int, Entry], ...], int]:
        """Return the types of a zone cut that are answered there, and the number of its NS."""
        rrsets = draft.owners[name].rrsets
        signer = ((DS, self.entry(draft, name, DS)),) if DS in rrsets else ()
        ttl, values = rrsets[NS]
        return signer, self._record((NS, ttl, tuple(values), draft.glue(name)))

    def _record(self, records: Encoded) -> int:
        return self._numbers.setdefault(records, len(self._numbers))
