"""A zone as secondaries get it: AXFR (RFC 5936), and IXFR (RFC 1995) without differences kept."""

from collections.abc import Iterator

from ..wire.constants import HEADER
from ..wire.message import counts

HALF = 1 << 31  # of the numbers that a serial goes round in, RFC 1982


class Transfer:
    """One zone with `transfer_to`. The compiler made the octets, `add` takes them in parts.

    networks: (first, last) clients that may have it, as the responder counts clients
    serial:   of the zone's SOA
    soa:      that record; its owner points to the question, as those of all records may do
    base:     added to tags for counting

    Every message repeats the question, so that names point to the same place in each.
    """

    __slots__ = ("_messages", "_networks", "base", "serial", "soa")

    def __init__(
        self, networks: tuple[tuple[int, int], ...], serial: int, soa: bytes, base: int
    ) -> None:
        self.base = base
        self.serial = serial
        self.soa = soa
        self._networks = networks
        self._messages: list[tuple[int, bytes]] = []

    def add(self, messages: tuple[tuple[int, bytes], ...]) -> None:
        """Take more messages. `messages`: (ANCOUNT, records)."""
        self._messages += messages

    def allows(self, client: int) -> bool:
        """Return whether the client may have the zone. `client`: the transport's address."""
        return any(first <= client <= last for first, last in self._networks)

    def is_known(self, serial: int | None) -> bool:
        """Return whether who has `serial` lacks nothing (RFC 1995 section 2, RFC 1982)."""
        return serial is not None and (serial - self.serial) % (2 * HALF) < HALF

    def messages(self, packet: bytes, end: int, flags: bytes, opt: bytes) -> Iterator[bytes]:
        """Yield the responses to `packet`, whose question ends at `end`.

        flags: octets 2 to 5; opt: of the first message (RFC 5936 section 2.2.5)
        """
        for number, (count, records) in enumerate(self._messages):
            last = b"" if number else opt
            yield b"".join(
                (
                    packet[:2],
                    flags,
                    counts(count, 0, 1 if last else 0),
                    packet[HEADER:end],
                    records,
                    last,
                )
            )
