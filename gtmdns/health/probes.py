"""One health check, once. Thresholds live in `verdict`, the schedule in `monitor`.

A probe opens a connection of its own, straight to the endpoint's address: no resolver, no
proxy from the environment, no cookie, no reuse (a kept connection hides a listener that
stopped accepting). Its socket is closed when it ends, whatever the far end does.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from yarl import URL

from .reasons import exhausted, reason, status_ranges

USER_AGENT = "gtmdns-health-check"
DEFAULT_PORT = {"http": 80, "https": 443}


class Check(Protocol):
    """What is asked of an endpoint; `config.model.HealthCheck` is one. Times in seconds.

    `repr()` tells every field, and equal definitions compare equal.
    """

    @property
    def type(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def host(self) -> str | None: ...
    @property
    def expect_status(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def verify_tls(self) -> bool: ...
    @property
    def interval(self) -> float: ...
    @property
    def timeout(self) -> float: ...
    @property
    def fall(self) -> int: ...
    @property
    def rise(self) -> int: ...
    @property
    def clear(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ProbeResult:
    success: bool
    reason: str  # "200", "503, expected 200-399", "timeout after 2 s": shown to operators as is
    elapsed: float  # seconds


class Exhausted(Exception):
    """No probe was made, as this machine ran out of descriptors or memory: not a result."""


_sockets: ContextVar[list[socket.socket]] = ContextVar("_sockets")


class Prober:
    """Makes probes. Holds one HTTP client, opened with the first probe that needs it.

    trust: roots for `https` checks that verify; None: those of the system.
    """

    def __init__(self, *, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    async def probe(self, address: str, host: str, check: Check) -> ProbeResult:
        """Ask `address` once. A failure is a result, and `check.timeout` covers all of it.

        address: an IP address. host: what the configuration calls the endpoint, an address or
        a host name; the TLS name and Host header where the check names none.
        Raises Exhausted; cancellation passes through.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        opened: list[socket.socket] = []
        _sockets.set(opened)
        success = False
        try:
            async with asyncio.timeout(check.timeout) as timer:
                success, why = await KINDS[check.type](self, address, host, check)
        except (OSError, aiohttp.ClientError) as error:  # TimeoutError is an OSError
            if exhausted(error):
                raise Exhausted(reason(error)) from error
            expired = timer.expired() and isinstance(error, TimeoutError)
            why = f"timeout after {check.timeout:g} s" if expired else reason(error)
        finally:
            for sock in opened:
                _hang_up(sock)
        return ProbeResult(success, why, loop.time() - started)

    async def close(self) -> None:
        """Close the HTTP client. The next probe would open another."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def http_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,  # the monitor bounds probes
                force_close=True,
                use_dns_cache=False,
                happy_eyeballs_delay=None,  # one address, so no second try to prepare
                socket_factory=_open_socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `probe` has one
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("Accept-Encoding",),
            )
        return self._session

    def tls(self, check: Check) -> ssl.SSLContext | bool:
        if not check.verify_tls:
            return False
        return self._trust or True


async def _http(prober: Prober, address: str, host: str, check: Check) -> tuple[bool, str]:
    """Compare the status. A redirect is an answer; the body is not read."""
    literal = f"[{address}]" if ":" in address else address
    url = URL(f"{check.type}://{literal}:{check.port}{check.path}", encoded=True)
    headers = {"Host": host_header(host, check), "User-Agent": USER_AGENT, "Connection": "close"}
    name = tls_name(host, check) if check.type == "https" else None
    async with prober.http_session().request(
        check.method,
        url,
        headers=headers,
        allow_redirects=False,
        ssl=prober.tls(check),
        server_hostname=name,
    ) as response:
        status = response.status
    if any(low <= status <= high for low, high in check.expect_status):
        return True, str(status)
    return False, f"{status}, expected {status_ranges(check.expect_status)}"


async def _tcp(prober: Prober, address: str, host: str, check: Check) -> tuple[bool, str]:
    """Connect and close."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (address, check.port))
        # Without a listener, the kernel may pick the very port it connects to and join both
        # ends of one socket (simultaneous open, RFC 9293 section 3.5).
        if sock.getsockname() == sock.getpeername():
            return False, "connection refused"
    return True, "connected"


Kind = Callable[[Prober, str, str, Check], Awaitable[tuple[bool, str]]]
KINDS: dict[str, Kind] = {"http": _http, "https": _http, "tcp": _tcp}


def host_header(host: str, check: Check) -> str:
    """Return the Host header (RFC 9110 section 7.2), IPv6 addresses in brackets.

    `check.host` goes out without a port: whoever sets it names a virtual host, whose clients may
    well come by another port, and some servers compare the whole field. The endpoint itself has
    its port beside it unless that is the scheme's own.
    """
    named = check.host or host
    shown = f"[{named}]" if ":" in named else named
    if check.host or check.port == DEFAULT_PORT[check.type]:
        return shown
    return f"{shown}:{check.port}"


def tls_name(host: str, check: Check) -> str:
    """Return the name for SNI and for the certificate; an address is compared, never sent."""
    return check.host or host


def _open_socket(info: tuple[Any, ...]) -> socket.socket:
    """Open a socket for aiohttp and remember it for the probe that runs in this context."""
    family, kind, protocol = info[:3]
    sock = socket.socket(family, kind, protocol)
    _sockets.get().append(sock)
    return sock


def _hang_up(sock: socket.socket) -> None:
    """End the connection now.

    Closing politely means waiting up to 30 s for the other side's TLS close_notify, which a
    hung server never sends: a thousand of them would hold six thousand descriptors. The
    transport owns the descriptor, so it is shut down here and closed there.
    """
    with suppress(OSError):  # never connected, or closed already
        sock.shutdown(socket.SHUT_RDWR)
