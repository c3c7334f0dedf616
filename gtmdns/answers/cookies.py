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

    The memory saves time and nothing else: what a query gets hangs on its cookie, its client, the
    time and the secrets alone. It has two halves: when the recent one is full it becomes the
    earlier one, whose cookies are forgotten. A flood of clients costs time, and no memory.
    """

    __slots__ = ("_earlier", "_recent", "secrets")

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self.secrets = secrets
        # From a client and a cookie of 24 octets, which is right, to the server's part of it; from
        # one of 8 octets to what was made for it last.
        self._recent: dict[tuple[int, bytes], bytes] = {}
        self._earlier: dict[tuple[int, bytes], bytes] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._earlier)

    def option(self, cookie: bytes, client: int, now: int) -> bytes:
        """Return the option of the response to a query with `cookie`.

        cookie: 8 or 16 to 40 octets; client: the transport's address as an integer, IPv4
        mapped; now: Unix time, seconds
        """
        mine, theirs = cookie[:CLIENT_PART], cookie[CLIENT_PART:]
        if not self._accepts(cookie, client, now):
            theirs = self._make(mine, client, now)
        return option(COOKIE, mine + theirs)

    def _accepts(self, cookie: bytes, client: int, now: int) -> bool:
        """Return whether the server's part is one that need not be replaced."""
        theirs = cookie[CLIENT_PART:]
        if len(cookie) != WHOLE or theirs[0] != 1 or not _is_fresh(theirs, now):
            return False
        key = (client, cookie)
        if self._remembered(key) is not None:
            return True
        # The reserved octets count as they came, RFC 9018 section 4.2.
        hashed = cookie[:16] + _address(client)
        if not any(siphash24(secret, hashed) == cookie[16:] for secret in self.secrets):
            return False
        self._remember(key, theirs)
        return True

    def _make(self, mine: bytes, client: int, now: int) -> bytes:
        """Return the server's part that goes with the client's, made now."""
        head = _VERSION + (now & 0xFFFF_FFFF).to_bytes(4)
        key = (client, mine)
        known = self._remembered(key)
        if known is not None and known[:8] == head:
            return known
        made = head + siphash24(self.secrets[0], mine + head + _address(client))
        self._remember(key, made)
        self._remember((client, mine + made), made)
        return made

    def _remembered(self, key: tuple[int, bytes]) -> bytes | None:
        return self._recent.get(key) or self._earlier.get(key)

    def _remember(self, key: tuple[int, bytes], theirs: bytes) -> None:
        if len(self._recent) >= REMEMBERED:
            self._recent, self._earlier = {}, self._recent
        self._recent[key] = theirs


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
