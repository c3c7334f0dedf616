"""Server cookies as several servers can share them: RFC 7873, RFC 9018 (version 1).

A server cookie is 16 octets: version 1, three reserved, a Unix time of four, and
SipHash-2-4 over the client's cookie, these eight octets and the client's address.

Nothing but the cookie of the response hangs on the one that came, and it is a new
one where that is older than half an hour, from the future, or not ours. So there is
no need to tell one that is too old to be refreshed (1 hour) from one that is wrong.
"""

from ..wire.constants import COOKIE
from ..wire.edns import IPV4_MAPPED, option
from ..wire.siphash import siphash24

CLIENT_PART = 8  # octets
WHOLE = 24  # octets of a client's and a server's part
REFRESH = 30 * 60  # seconds after which a good cookie is replaced, RFC 9018 section 4.3
AHEAD = 5 * 60  # seconds that the clock of another server may be ahead of ours
REMEMBERED = 4096  # cookies in one half of the memory: SipHash takes 20 us in Python

_VERSION = b"\x01\x00\x00\x00"


class Cookies:
    """Makes and checks server cookies, and remembers those that were right. Of one worker.

    secrets: of 16 octets each; the first makes cookies, all are accepted; none: no cookies

    The memory has two halves: when the recent one is full it becomes the earlier one,
    whose cookies are forgotten. A flood of clients costs time, and no memory.
    """

    __slots__ = ("_earlier", "_recent", "secrets")

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self.secrets = secrets
        self._recent: dict[tuple[int, bytes], bytes] = {}
        self._earlier: dict[tuple[int, bytes], bytes] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._earlier)

    def option(self, cookie: bytes, client: int, now: int) -> bytes:
        """Return the option of the response to a query with `cookie`.

        cookie: 8 or 16 to 40 octets; client: the transport's address as an integer, IPv4
        mapped; now: Unix time, seconds
        """
        key = (client, cookie[:CLIENT_PART])
        theirs = cookie[CLIENT_PART:]
        known = self._recent.get(key) or self._earlier.get(key)
        if known is not None and not _is_fresh(known, now):
            known = None
        if known is not None and theirs in (known, b""):
            return option(COOKIE, key[1] + known)
        if self._accepts(cookie, client, now):
            known = theirs
        elif known is None:
            known = self._make(key[1], client, now)
        if len(self._recent) >= REMEMBERED:
            self._recent, self._earlier = {}, self._recent
        self._recent[key] = known
        return option(COOKIE, key[1] + known)

    def _accepts(self, cookie: bytes, client: int, now: int) -> bool:
        """Return whether the server's part is one that need not be replaced."""
        if len(cookie) != WHOLE or cookie[CLIENT_PART] != 1:
            return False
        if not _is_fresh(cookie[CLIENT_PART:], now):
            return False
        # The reserved octets count as they came, RFC 9018 section 4.2.
        hashed = cookie[:16] + _address(client)
        return any(siphash24(secret, hashed) == cookie[16:] for secret in self.secrets)

    def _make(self, theirs: bytes, client: int, now: int) -> bytes:
        head = _VERSION + (now & 0xFFFF_FFFF).to_bytes(4)
        return head + siphash24(self.secrets[0], theirs + head + _address(client))


def _is_fresh(server: bytes, now: int) -> bool:
    """Return whether a server's part was made lately, by serial arithmetic (RFC 1982)."""
    age = (now - int.from_bytes(server[4:8]) + (1 << 31)) % (1 << 32) - (1 << 31)
    return -AHEAD <= age <= REFRESH


def _address(client: int) -> bytes:
    return (
        (client & 0xFFFF_FFFF).to_bytes(4)
        if client >> 32 == IPV4_MAPPED >> 32
        else client.to_bytes(16)
    )
