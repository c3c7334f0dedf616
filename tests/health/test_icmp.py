"""The `icmp` probe: its octets by themselves, and real ones on loopback where that is permitted."""

import asyncio
import errno
import socket
from collections.abc import Callable

import pytest

from gtmdns.health import icmp
from gtmdns.health.icmp import Echo, checksum
from gtmdns.health.probes import Exhausted
from tests.health.asking import MOMENT, PATIENT, SHORT, probe_once
from tests.health.support import Definition

FOUR, SIX = socket.AF_INET, socket.AF_INET6
TOKEN = bytes(range(16))
IP_HEADER = bytes([0x46]) + bytes(23)  # six words long: with an option


def permitted(family: socket.AddressFamily) -> bool:
    try:
        icmp.opened(family).close()
    except (OSError, Exhausted):
        return False
    return True


def test_request_of_ipv4() -> None:
    request = Echo(FOUR, 0x1234, 0x0102, TOKEN).request()

    assert request[:2] == b"\x08\x00"
    assert request[4:] == b"\x12\x34\x01\x02" + TOKEN
    assert checksum(request) == 0  # RFC 1071: over data with its sum


def test_request_of_ipv6_leaves_the_checksum_to_the_kernel() -> None:
    assert Echo(SIX, 0x1234, 0x0102, TOKEN).request() == b"\x80\0\0\0\x12\x34\x01\x02" + TOKEN


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0xFFFF),
        (bytes.fromhex("0001f203f4f5f6f7"), 0x220D),  # RFC 1071 section 3: sum DDF2
        (b"\xff\xff\xff\xff", 0),
        (b"\x01", 0xFEFF),
    ],
)
def test_checksum(data: bytes, expected: int) -> None:
    assert checksum(data) == expected


GOOD = b"\0\0\xab\xcd\x12\x34\x01\x02" + TOKEN
# fmt: off
REPLIES = [
    # id                       packet                                        over a raw socket, over a datagram socket
    ("reply",                  GOOD,                                         True,  True),
    ("the kernel's own id",    b"\0\0\xab\xcd\x99\x99\x01\x02" + TOKEN,      False, True),
    ("another sequence",       b"\0\0\xab\xcd\x12\x34\x01\x03" + TOKEN,      False, False),
    ("another token",          GOOD[:-1] + b"\xff",                          False, False),
    ("longer",                 GOOD + b"\0",                                 False, False),
    ("cut short",              GOOD[:6],                                     False, False),
    ("request",                b"\x08" + GOOD[1:],                           False, False),
    ("unreachable",            b"\x03" + GOOD[1:],                           False, False),
    ("another code",           b"\0\x01" + GOOD[2:],                         False, False),
]
# fmt: on


@pytest.mark.parametrize(
    ("packet", "raw", "datagram"), [row[1:] for row in REPLIES], ids=[row[0] for row in REPLIES]
)
def test_what_counts_as_the_reply(packet: bytes, raw: bool, datagram: bool) -> None:
    echo = Echo(FOUR, 0x1234, 0x0102, TOKEN)

    assert echo.is_answered_by(IP_HEADER + packet, raw=True) is raw
    assert echo.is_answered_by(packet, raw=False) is datagram


def test_reply_of_ipv6_has_no_ip_header() -> None:
    echo = Echo(SIX, 0x1234, 0x0102, TOKEN)

    assert echo.is_answered_by(b"\x81" + GOOD[1:], raw=True)
    assert echo.is_answered_by(b"\x81" + GOOD[1:], raw=False)
    assert not echo.is_answered_by(GOOD, raw=True)


@pytest.mark.parametrize("raw", [True, False])
def test_an_empty_packet_is_no_reply(raw: bool) -> None:
    assert not Echo(FOUR, 1, 1, TOKEN).is_answered_by(b"", raw)


Open = Callable[[int, int, int], socket.socket]


def refusing(*kinds: int, error: int = errno.EACCES) -> Open:
    """Return a way to open sockets for which these kinds are not permitted."""

    def open_socket(family: int, kind: int, protocol: int) -> socket.socket:
        if kind in kinds:
            raise OSError(error, "refused")
        return socket.socket(family, socket.SOCK_DGRAM)

    return open_socket


def test_a_raw_socket_is_tried_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icmp, "open_socket", refusing(socket.SOCK_DGRAM))

    icmp.opened(FOUR).close()


@pytest.mark.parametrize("error", [errno.EACCES, errno.EPERM])
def test_without_permission_there_is_no_result(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """The endpoint may be well, so it does not fail."""
    both = refusing(socket.SOCK_DGRAM, socket.SOCK_RAW, error=error)
    monkeypatch.setattr(icmp, "open_socket", both)

    with pytest.raises(Exhausted, match="ping_group_range"):
        asyncio.run(probe_once(Definition("icmp", 0, timeout=PATIENT)))


def test_other_errors_are_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icmp, "open_socket", refusing(socket.SOCK_DGRAM, error=errno.EAFNOSUPPORT))

    result = asyncio.run(probe_once(Definition("icmp", 0, timeout=PATIENT)))

    assert (result.success, result.reason) == (False, "address family not available here")


@pytest.mark.parametrize(("address", "family"), [("127.0.0.1", FOUR), ("::1", SIX)])
def test_loopback_replies(address: str, family: socket.AddressFamily) -> None:
    if not permitted(family):
        pytest.skip("this machine permits no ICMP sockets")

    result = asyncio.run(probe_once(Definition("icmp", 0, timeout=PATIENT), address))

    assert (result.success, result.reason) == (True, "echo reply")


def test_many_at_once_take_their_own_replies() -> None:
    if not permitted(FOUR):
        pytest.skip("this machine permits no ICMP sockets")

    async def run() -> list[bool]:
        check = Definition("icmp", 0, timeout=PATIENT)
        probes = [probe_once(check, f"127.0.0.{number}") for number in range(1, 101)]
        return [result.success for result in await asyncio.gather(*probes)]

    assert asyncio.run(run()) == [True] * 100


def test_no_reply_ends_at_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply to somebody else is none: here the token of each request is changed."""
    if not permitted(FOUR):
        pytest.skip("this machine permits no ICMP sockets")
    other = Echo(FOUR, 1, 1, bytes(16)).request()
    monkeypatch.setattr(Echo, "request", lambda self: other)

    result = asyncio.run(probe_once(Definition("icmp", 0, timeout=SHORT)))

    assert (result.success, result.reason) == (False, "timeout after 0.3 s")
    assert SHORT * 0.99 <= result.elapsed < SHORT + MOMENT
