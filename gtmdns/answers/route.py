"""Which rule of a route a client gets: two sorted tables of intervals, made by the compiler.

A client is one integer of 128 bits: IPv6 as it is, IPv4 as ::ffff:a.b.c.d (0xFFFF << 32 | v4). A
table holds the first address of every interval but the very first one, which begins at zero; so the
number of starts at or below a client is the index of its rule; there is one rule more than starts.
Neighbouring intervals never have the same rule: the compiler merges them.

IPv4 inside IPv6 is looked up as IPv4 (mapped, 64:ff9b::/96 of RFC 6052, 6to4 of RFC 3056, Teredo
of RFC 4380). Where IPv4 clients do not all get one rule, such a prefix is one interval of the IPv6
table whose rule is a marker. Where they do, it is a plain interval like any other.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from socket import AF_INET6, inet_aton, inet_pton
from typing import TypeAlias

from ..wire.edns import IPV4_MAPPED

MAPPED, NAT64, SIX_TO_FOUR, TEREDO = 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF  # markers, not rules
MAX_RULE = MAPPED - 1  # largest rule number that a table can hold

# Where IPv4 addresses stand inside IPv6: marker -> first address, prefix length, bits right of the
# IPv4 address. Teredo keeps its address inverted (RFC 4380 section 4).
EMBEDDINGS = {
    MAPPED: (0xFFFF << 32, 96, 0),
    NAT64: (0x0064_FF9B << 96, 96, 0),
    SIX_TO_FOUR: (0x2002 << 112, 16, 80),
    TEREDO: (0x2001_0000 << 96, 32, 0),
}

_V4 = 0xFFFF_FFFF
_LOW = 0xFFFF_FFFF_FFFF_FFFF
_INDEX_FROM = 1024  # starts; from here on an index by the first 16 bits saves time for its 256 KiB

_FORMATS = "IHIQQH"  # of the columns in the order of `encode`

Encoded = tuple[bytes | memoryview, ...]
Column: TypeAlias = "array[int] | memoryview[int]"


class RouteTable:
    """From a client to the number of the rule of a route that it gets."""

    __slots__ = ("_highs", "_index4", "_lows", "_rules4", "_rules6", "_starts4")

    def __init__(
        self,
        starts4: Sequence[int],
        rules4: Sequence[int],
        starts6: Sequence[int],
        rules6: Sequence[int],
    ) -> None:
        """Take sorted starts without the zero, and rules: one more than starts.

        `starts4` are of 32 bits, `starts6` of 128. Rules are 0 to MAX_RULE; `rules6` may hold
        markers.
        """
        self._starts4: Column = array("I", starts4)
        self._rules4: Column = array("H", rules4)
        self._highs: Column = array("Q", [start >> 64 for start in starts6])
        self._lows: Column = array("Q", [start & _LOW for start in starts6])
        self._rules6: Column = array("H", rules6)
        self._index4: Column = _first_16_bits(self._starts4)

    def find(self, client: int) -> int:
        """Return the number of the rule of this client; 0 is the first rule."""
        if client >> 32 == 0xFFFF:
            return self.find4(client & _V4)
        rule = self._rules6[self._position6(client)]
        return rule if rule < MAPPED else self.find4(embedded_ipv4(client, rule))

    def find4(self, client: int) -> int:
        """As `find`, for the 32 bits of an IPv4 client."""
        if index := self._index4:
            at = client >> 16
            return self._rules4[bisect_right(self._starts4, client, index[at], index[at + 1])]
        return self._rules4[bisect_right(self._starts4, client)]

    def rules(self) -> set[int]:
        """Return the numbers of the rules that any client gets."""
        return {rule for rule in {*self._rules4, *self._rules6} if rule < MAPPED}

    def find_with_scope(self, client: int) -> tuple[int, int]:
        """Return the rule and its scope: the shortest prefix in which all addresses get this rule.

        The scope is a prefix length of the 128-bit number, so 96 + its own for IPv4 (RFC 7871
        section 7.2.1; 96 or 0 where one rule covers the whole family). Inside IPv6, an IPv4 address
        has the scope of IPv4 moved to where its bits stand.
        """
        if client >> 32 == 0xFFFF:
            return self._find4(client & _V4)
        position = self._position6(client)
        rule = self._rules6[position]
        if rule >= MAPPED:
            rule4, scope = self._find4(embedded_ipv4(client, rule))
            return rule4, scope - EMBEDDINGS[rule][2]
        near = 0  # the longest prefix shared with an address of another interval, plus one
        if position:
            near = 129 - (client ^ self._start6(position - 1) - 1).bit_length()
        if position < len(self._highs):
            near = max(near, 129 - (client ^ self._start6(position)).bit_length())
        return rule, near

    def _find4(self, client: int) -> tuple[int, int]:
        """Return rule and scope of 32 bits of client; the scope counts from 96."""
        if index := self._index4:
            at = client >> 16
            position = bisect_right(self._starts4, client, index[at], index[at + 1])
        else:
            position = bisect_right(self._starts4, client)
        near = 0
        if position:
            near = 33 - (client ^ self._starts4[position - 1] - 1).bit_length()
        if position < len(self._starts4):
            near = max(near, 33 - (client ^ self._starts4[position]).bit_length())
        return self._rules4[position], 96 + near

    def _position6(self, client: int) -> int:
        """Return the index of the interval of an IPv6 client: how many starts are not above it."""
        highs = self._highs
        high = client >> 64
        position = bisect_right(highs, high)
        if position and highs[position - 1] == high:
            first = bisect_left(highs, high, 0, position)
            return bisect_right(self._lows, client & _LOW, first, position)
        return position

    def _start6(self, position: int) -> int:
        return self._highs[position] << 64 | self._lows[position]

    def encode(self) -> Encoded:
        """Return the columns as octets, in the byte order of this machine; nothing is copied."""
        return tuple(memoryview(column).cast("B") for column in self._columns())

    @classmethod
    def decode(cls, encoded: Encoded) -> "RouteTable":
        """Return the table that `encode` was called on. It reads these octets where they are."""
        table = cls.__new__(cls)
        columns = (
            memoryview(octets).cast("B").cast(numbers)  # type: ignore[call-overload]  # a letter
            for octets, numbers in zip(encoded, _FORMATS, strict=True)
        )
        (
            table._starts4,
            table._rules4,
            table._index4,
            table._highs,
            table._lows,
            table._rules6,
        ) = columns
        return table

    def _columns(self) -> tuple[Column, ...]:
        return (
            self._starts4,
            self._rules4,
            self._index4,
            self._highs,
            self._lows,
            self._rules6,
        )


def client_number(host: str) -> int:
    """Return an address as the number that routes are looked up by; a zone index is dropped."""
    if ":" in host:
        return int.from_bytes(inet_pton(AF_INET6, host.partition("%")[0]))
    return IPV4_MAPPED | int.from_bytes(inet_aton(host))


def embedded_ipv4(client: int, marker: int) -> int:
    """Return the 32 bits of the IPv4 address that an IPv6 client of this embedding stands for."""
    if marker == TEREDO:
        return ~client & _V4
    return client >> EMBEDDINGS[marker][2] & _V4


def _first_16_bits(starts: Column) -> Column:
    """Return, for each value of the first 16 bits, how many starts lie below it, and their count.

    Empty for a small table, where one bisect is as fast.
    """
    if len(starts) < _INDEX_FROM:
        return array("I")
    index = array("I")
    position = 0
    for at in range(0x1_0000):
        position = bisect_left(starts, at << 16, position)
        index.append(position)
    index.append(len(starts))
    return index
