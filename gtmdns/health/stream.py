"""Probes over TCP: `tcp`, `tls`, and the connection that `grpc` speaks over.

Sockets are plain and close at once: a transport of asyncio would wait up to 30 s for the other
side's TLS close_notify, which a hung server never sends.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar

from .check import Check, Failed, tls_name
from .reasons import CLOSED

CHUNK = 16_384  # octets of one read; a TLS record holds no more (RFC 8446 section 5.1)

# The peer's certificates (DER) that handshakes of the probe in this context have seen.
certificates: ContextVar[list[bytes]] = ContextVar("certificates")


class _Noting(ssl.SSLObject):
    """Notes the certificate at the end of its handshake, for the probe that runs it.

    So it is known for every user of a context, HTTP clients included.
    """

    def do_handshake(self) -> None:
        super().do_handshake()
        der = self.getpeercert(binary_form=True)
        if der is not None:
            certificates.get().append(der)


class Contexts:
    """TLS settings of probes, each made when first needed: reading the system's roots takes 20 ms.

    trust: makes a context with the roots for checks that verify.
    """

    def __init__(self, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> None:
        self._trust = trust
        self._made: dict[tuple[bool, str], ssl.SSLContext] = {}

    def get(self, verify: bool, protocol: str = "") -> ssl.SSLContext:
        """Return settings that offer `protocol` by ALPN (RFC 7301), nothing where it is ""."""
        context = self._made.get((verify, protocol))
        if context is None:
            context = self._made[verify, protocol] = self._make(verify, protocol)
        return context

    def _make(self, verify: bool, protocol: str) -> ssl.SSLContext:
        if verify:
            context = self._trust()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.sslobject_class = _Noting
        if protocol:
            context.set_alpn_protocols([protocol])
        return context


class Stream:
    """One connection of a probe. It ends with its socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None

    async def start_tls(self, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
        """Shake hands, for the host or address `name`. Raises Failed or OSError."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError:
                with suppress(OSError):  # the alert, if it can go out without waiting
                    self._sock.send(self._outgoing.read())
                raise
            else:
                await self._flush()
                self._tls = tls
                return tls

    async def read(self) -> bytes:
        """Return some octets, at most CHUNK. Raises Failed where the connection ended."""
        while self._tls is not None:
            try:
                data = self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                await self._fill()
            except ssl.SSLZeroReturnError:  # close_notify
                raise Failed(CLOSED) from None
            else:
                return _not_empty(data)
        return _not_empty(await self._loop.sock_recv(self._sock, CHUNK))

    async def write(self, data: bytes) -> None:
        """Send all of `data`; with TLS at most as much as goes into memory twice."""
        if self._tls is None:
            await self._loop.sock_sendall(self._sock, data)
        elif data:
            self._tls.write(data)
            await self._flush()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._loop.sock_sendall(self._sock, self._outgoing.read())

    async def _fill(self) -> None:
        self._incoming.write(_not_empty(await self._loop.sock_recv(self._sock, CHUNK)))


def _not_empty(data: bytes) -> bytes:
    if not data:
        raise Failed(CLOSED)
    return data


@asynccontextmanager
async def connected(address: str, port: int) -> AsyncIterator[Stream]:
    """Yield a connection to an IP address. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
        # Without a listener, the kernel may pick the very port it connects to and join both
        # ends of one socket (simultaneous open, RFC 9293 section 3.5).
        if sock.getsockname() == sock.getpeername():
            raise ConnectionRefusedError(errno.ECONNREFUSED, "joined to itself")
        yield Stream(sock)


async def tcp(address: str, host: str, check: Check, contexts: Contexts) -> str:
    """Connect and close."""
    async with connected(address, check.port):
        return "connected"


async def tls(address: str, host: str, check: Check, contexts: Contexts) -> str:
    """Connect, shake hands and close. Returns the version of TLS."""
    async with connected(address, check.port) as stream:
        done = await stream.start_tls(contexts.get(check.verify_tls), tls_name(host, check))
        return done.version() or "connected"
