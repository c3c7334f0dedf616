"""Probes over TCP and TLS, and the certificates that they see."""

import asyncio
import socket
import ssl
import time
from typing import Any

import pytest

from gtmdns.health.probes import ProbeResult
from tests.health import servers
from tests.health.asking import MOMENT, PATIENT, SHORT, ask, probe_once
from tests.health.servers import Authority, Handler, answering, serving, status
from tests.health.support import Definition

DAY = 86_400.0


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with something that is no TLS."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    await asyncio.Event().wait()


async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise a record of TLS and send it octet by octet."""
    writer.write(b"\x16\x03\x03\x3f\xff")
    while True:
        writer.write(b"\x02")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send records of TLS as fast as the other side reads: a handshake message of 16 MB."""
    writer.write(b"\x16\x03\x03\x40\x00\x02\xff\xff\xff" + bytes(16_380))
    while True:
        writer.write(b"\x16\x03\x03\x40\x00" + bytes(16_384))
        await writer.drain()


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the start of the handshake, then close."""
    await reader.read(10_000)
    writer.close()
    await writer.wait_closed()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the start of the handshake, then RST."""
    await reader.read(10_000)
    linger = (1).to_bytes(4, "little") + bytes(4)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


# fmt: off
HOSTILE = [
    # id                      server            timeout   expected
    ("never answers",         servers.silent,   SHORT,    "timeout after 0.3 s"),
    ("one octet at a time",   dribble,          SHORT,    "timeout after 0.3 s"),
    ("another protocol",      garbage,          PATIENT,  "TLS: "),
    ("too much",              flood,            PATIENT,  "TLS: "),
    ("closes",                close,            PATIENT,  "closed without an answer"),
    ("RST",                   reset,            PATIENT,  "connection reset"),
]
# fmt: on


@pytest.mark.parametrize(
    ("handler", "timeout", "expected"),
    [row[1:] for row in HOSTILE],
    ids=[row[0] for row in HOSTILE],
)
@pytest.mark.parametrize("kind", ["tls", "grpc"])
def test_servers_that_shake_no_hands(
    kind: str, handler: Handler, timeout: float, expected: str
) -> None:
    result = ask(handler, type=kind, tls=kind == "grpc", timeout=timeout)

    assert not result.success
    assert result.reason.startswith(expected)
    assert result.certificate_expires is None
    if timeout == SHORT:
        assert SHORT * 0.99 <= result.elapsed < SHORT + MOMENT
    else:
        assert result.elapsed < timeout


# fmt: off
TLS = [
    # id                            names in the certificate    days      endpoint        check                          expected
    ("address in the certificate",  ("127.0.0.1",),             (-1, 7),  "127.0.0.1",    {},                            (True, "TLSv1.3")),
    ("name of the check",           ("www.example.com",),       (-1, 7),  "127.0.0.1",    {"host": "www.example.com"},   (True, "TLSv1.3")),
    ("name of the endpoint",        ("a.example",),             (-1, 7),  "a.example",    {},                            (True, "TLSv1.3")),
    ("wildcard",                    ("*.example.com",),         (-1, 7),  "127.0.0.1",    {"host": "www.example.com"},   (True, "TLSv1.3")),
    ("expired",                     ("127.0.0.1",),             (-9, -1), "127.0.0.1",    {},                            (False, "certificate expired")),
    ("not valid yet",               ("127.0.0.1",),             (1, 9),   "127.0.0.1",    {},                            (False, "certificate not valid yet")),
    ("another name",                ("www.example.net",),       (-1, 7),  "127.0.0.1",    {"host": "www.example.com"},   (False, "certificate is for another name")),
    ("another address",             ("127.0.0.2",),             (-1, 7),  "127.0.0.1",    {},                            (False, "certificate is for another address")),
    ("name, but not the address",   ("www.example.com",),       (-1, 7),  "127.0.0.1",    {},                            (False, "certificate is for another address")),
    ("expired, not verified",       ("127.0.0.1",),             (-9, -1), "127.0.0.1",    {"verify_tls": False},         (True, "TLSv1.3")),
    ("other name, not verified",    ("www.example.net",),       (-1, 7),  "127.0.0.1",    {"verify_tls": False},         (True, "TLSv1.3")),
]
# fmt: on


@pytest.mark.parametrize(
    ("names", "days", "host", "fields", "expected"),
    [row[1:] for row in TLS],
    ids=[row[0] for row in TLS],
)
@pytest.mark.parametrize("kind", ["tls", "https"])
def test_certificate(
    authority: Authority,
    kind: str,
    names: tuple[str, ...],
    days: tuple[int, int],
    host: str,
    fields: dict[str, Any],
    expected: tuple[bool, str],
) -> None:
    """Its end is known after each handshake that was completed, one that verifies nothing too."""
    tls = authority.server(names, *days)
    now = time.time()

    result = ask(answering(status(200)), tls, authority.trust, host, type=kind, **fields)

    success, reason = expected
    assert result.success is success
    assert result.reason == ("200" if kind == "https" and success else reason)
    if success:
        assert result.certificate_expires is not None
        assert abs(result.certificate_expires - now - days[1] * DAY) < 60
    else:
        assert result.certificate_expires is None


@pytest.mark.parametrize("kind", ["tls", "https"])
def test_unknown_issuer_is_refused_by_default(authority: Authority, kind: str) -> None:
    result = ask(answering(status(200)), authority.server(("127.0.0.1",)), type=kind)

    assert (result.success, result.reason) == (False, "certificate from an unknown issuer")


@pytest.mark.parametrize(
    ("fields", "host", "expected"),
    [
        ({"host": "www.example.com"}, "127.0.0.1", "www.example.com"),
        ({}, "a.example", "a.example"),
        ({"verify_tls": False, "host": "b.example"}, "127.0.0.1", "b.example"),
        ({}, "127.0.0.1", None),  # RFC 6066 section 3: no literal addresses
    ],
)
@pytest.mark.parametrize("kind", ["tls", "https"])
def test_server_name_indication(
    authority: Authority, kind: str, fields: dict[str, Any], host: str, expected: str | None
) -> None:
    seen: list[str | None] = []
    tls = authority.server(("127.0.0.1", "www.example.com", "a.example"))
    tls.sni_callback = lambda _socket, name, _context: seen.append(name)

    result = ask(answering(status(200)), tls, authority.trust, host, type=kind, **fields)

    assert result.success
    assert seen == [expected]


def test_each_probe_sees_its_own_certificate(authority: Authority) -> None:
    """Many at once, https and tls mixed, in tasks as the monitor has them."""

    async def run() -> list[tuple[int, ProbeResult]]:
        kinds = {days: "https" if days % 2 else "tls" for days in range(1, 9)}
        results = await asyncio.gather(*(one(days, kind) for days, kind in kinds.items()))
        return list(zip(kinds, results, strict=True))

    async def one(days: int, kind: str) -> ProbeResult:
        tls = authority.server(("127.0.0.1",), last_day=days)
        async with serving(answering(status(200)), tls) as port:
            return await probe_once(Definition(kind, port, timeout=PATIENT), trust=authority.trust)

    for days, result in asyncio.run(run()):
        assert result.success
        assert result.certificate_expires is not None
        assert round((result.certificate_expires - time.time()) / DAY) == days


def test_old_tls_is_told(authority: Authority) -> None:
    tls = authority.server(("127.0.0.1",))
    tls.maximum_version = ssl.TLSVersion.TLSv1_2

    result = ask(servers.silent, tls, authority.trust, type="tls")

    assert (result.success, result.reason) == (True, "TLSv1.2")
