"""Questions about the server itself, of class CHAOS: RFC 4892, and what BIND made usual."""

from types import MappingProxyType

from ..wire.constants import ANY, CH, TXT
from ..wire.query import Query
from . import answer as tags
from .answer import Leaf, leaf
from .snapshot import Settings

_KEYS = MappingProxyType(
    {
        b"\x07version\x04bind\x00": "version",
        b"\x07version\x06server\x00": "version",
        b"\x02id\x06server\x00": "nsid",
        b"\x08hostname\x04bind\x00": "nsid",
    }
)


def about_server(query: Query, settings: Settings) -> Leaf | None:
    """Return the answer to a question of class CHAOS; None: there is none, it is refused."""
    key = _KEYS.get(query.qname)
    if key is None or query.qtype not in (TXT, ANY):
        return None
    text: bytes | None = getattr(settings, key)
    if text is None:
        return None
    rdata = bytes((len(text),)) + text
    record = TXT.to_bytes(2) + CH.to_bytes(2) + bytes(4) + len(rdata).to_bytes(2) + rdata
    return leaf(b"\xc0\x0c" + record, tags.ABOUT, 1)
