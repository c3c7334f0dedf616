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
from typing import Any

import aiohttp
from yarl import URL

from ..config.readers import body_pattern
from . import dns, grpc, icmp, stream
from .certificate import not_after
from .check import Check, Exhausted, Failed, ProbeResult, tls_name, url_host
from .reasons import exhausted, reason, status_ranges
from .stream import Contexts

__all__ = ["Check", "Exhausted", "ProbeResult", "Prober"]

USER_AGENT = "gtmdns-health-check"
DEFAULT_PORT = {"http": 80, "https": 443}
BODY_LIMIT = 65_536  # octets of a body that are searched

# (address, host, check, TLS settings) -> what a success is called; a failure raises
Kind = Callable[[str, str, Check, Contexts], Awaitable[str]]
_sockets: ContextVar[list[socket.socket]] = ContextVar("_sockets")


class Prober:
    """Makes probes. Holds one HTTP client, opened with the first probe that needs it.

    trust: makes a TLS context with the roots for checks that verify.
    """

    def __init__(self, *, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> None:
        self._contexts = Contexts(trust)
        self._session: aiohttp.ClientSession | None = None
        self._kinds: dict[str, Kind] = {
            "http": self._http,
            "https": self._http,
            "tcp": stream.tcp,
            "tls": stream.tls,
            "dns": dns.query,
            "grpc": grpc.health,
            "icmp": icmp.ping,
        }

    async def probe(self, address: str, host: str, check: Check) -> ProbeResult:
        """Ask `address` once. A failure is a result, and `check.timeout` covers all of it.

        address: an IP address. host: what the configuration calls the endpoint, an address or
        a host name; the TLS name and Host header where the check names none. check: of any type
        but push, which has no probe.
        Raises Exhausted; cancellation passes through.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        opened: list[socket.socket] = []
        _sockets.set(opened)
        seen: list[bytes] = []
        stream.certificates.set(seen)
        success = False
        try:
            async with asyncio.timeout(check.timeout) as timer:
                why = await self._kinds[check.type](address, host, check, self._contexts)
                success = True
        except Failed as error:
            why = str(error)
        except (OSError, aiohttp.ClientError) as error:  # TimeoutError is an OSError
            if exhausted(error):
                raise Exhausted(reason(error)) from error
            expired = timer.expired() and isinstance(error, TimeoutError)
            why = f"timeout after {check.timeout:g} s" if expired else reason(error)
        finally:
            for sock in opened:
                _hang_up(sock)
        expires = not_after(seen[-1]) if seen else None
        return ProbeResult(success, why, loop.time() - started, expires)

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

    async def _http(self, address: str, host: str, check: Check, contexts: Contexts) -> str:
        """Compare the status, then the body where wanted. A redirect is an answer."""
        url = URL(f"{check.type}://{url_host(address)}:{check.port}{check.path}", encoded=True)
        secure = check.type == "https"
        async with self.http_session().request(
            check.method,
            url,
            headers={
                "Host": host_header(host, check),
                "User-Agent": USER_AGENT,
                "Connection": "close",
            },
            allow_redirects=False,
            ssl=contexts.get(check.verify_tls, "http/1.1") if secure else True,
            server_hostname=tls_name(host, check) if secure else None,
        ) as response:
            status = response.status
            if not any(low <= status <= high for low, high in check.expect_status):
                raise Failed(f"{status}, expected {status_ranges(check.expect_status)}")
            if check.expect_body is not None:
                body = await _start_of_body(response)
                if not body_pattern(check.expect_body).search(body):
                    raise Failed(f"{status}, body without what is expected")
        return str(status)


async def _start_of_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the first BODY_LIMIT octets of the body, fewer where it ends before."""
    body = bytearray()
    while len(body) < BODY_LIMIT:
        chunk = await response.content.read(BODY_LIMIT - len(body))
        if not chunk:
            break
        body += chunk
    return bytes(body)


def host_header(host: str, check: Check) -> str:
    """Return the Host header (RFC 9110 section 7.2), IPv6 addresses in brackets.

    `check.host` goes out without a port: whoever sets it names a virtual host, whose clients may
    well come by another port, and some servers compare the whole field. The endpoint itself has
    its port beside it unless that is the scheme's own.
    """
    shown = url_host(check.host or host)
    if check.host or check.port == DEFAULT_PORT[check.type]:
        return shown
    return f"{shown}:{check.port}"


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
