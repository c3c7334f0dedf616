"""Probes against real servers on loopback, each of which behaves in one way."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from gtmdns.config.model import HealthCheck
from gtmdns.health.check import tls_name
from gtmdns.health.probes import BODY_LIMIT, Exhausted, Prober, ProbeResult, host_header
from tests.health import servers
from tests.health.asking import MOMENT, PATIENT, SHORT, ask, probe_once
from tests.health.servers import Authority, Handler, answering, serving, status
from tests.health.support import Definition, until

BIG_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n" + b"x" * 100_000
PLAIN = b"HTTP/1.0 200 OK\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
LOOP = status(302, "Location: /\r\n")

# fmt: off
HTTP = [
    # id                               server                              check                          expected
    ("200",                            answering(status(200)),             {},                            (True, "200")),
    ("HEAD",                           answering(status(200)),             {"method": "HEAD"},            (True, "200")),
    ("399 is in the default range",    answering(status(399)),             {},                            (True, "399")),
    ("400 is not",                     answering(status(400)),             {},                            (False, "400, expected 200-399")),
    ("503",                            answering(status(503)),             {},                            (False, "503, expected 200-399")),
    ("exactly what is expected",       answering(status(404)),             {"expect_status": ((404, 404),)},             (True, "404")),
    ("several ranges",                 answering(status(301)),             {"expect_status": ((200, 299), (404, 404))},  (False, "301, expected 200-299 or 404")),
    ("a redirect is an answer",        answering(LOOP),                    {},                            (True, "302")),
    ("a redirect may be wrong",        answering(LOOP),                    {"expect_status": ((200, 299),)},  (False, "302, expected 200-299")),
    ("HTTP/1.0, no length",            answering(b"HTTP/1.0 200 OK\r\n\r\nhello"), {},                    (True, "200")),
    ("interim answer first",           answering(b"HTTP/1.1 103 Early\r\n\r\n" + status(200)), {},        (True, "200")),
    ("10 MB body, most never sent",    answering(BIG_BODY),                {},                            (True, "200")),
    ("chunked body, cut short",        answering(CHUNKS),                  {},                            (True, "200")),
    ("gzip that is none",              answering(status(200, "Content-Encoding: gzip\r\n")), {},          (True, "200")),
    ("body as expected",               answering(PLAIN + b"all is ok\n"),  {"expect_body": r"\bok$|\bok\n"},  (True, "200")),
    ("body of octets that are no text", answering(PLAIN + b"\xff\xfe\0ok"), {"expect_body": "ok$"},         (True, "200")),
    ("body in UTF-8",                  answering(PLAIN + "běží".encode()), {"expect_body": "^b.ží$"},      (True, "200")),
    ("body not as expected",           answering(PLAIN + b"failing"),      {"expect_body": "ok"},          (False, "200, body without what is expected")),
    ("no body",                        answering(status(200)),             {"expect_body": "ok"},          (False, "200, body without what is expected")),
    ("found at the very limit",        answering(PLAIN + b"x" * (BODY_LIMIT - 2) + b"ok"), {"expect_body": "ok"}, (True, "200")),
    ("not looked for behind the limit", answering(PLAIN + b"x" * (BODY_LIMIT - 1) + b"ok"), {"expect_body": "ok"}, (False, "200, body without what is expected")),
    ("a wrong status comes first",     answering(status(503)),             {"expect_body": "ok"},          (False, "503, expected 200-399")),
    ("10 MB body, its start is read",  answering(BIG_BODY),                {"expect_body": "xok"},         (False, "200, body without what is expected")),
    ("body cut short",                 answering(CHUNKS),                  {"expect_body": "hello"},       (False, "body cut short or malformed")),
    ("body octet by octet",            servers.dribble_body,               {"expect_body": "x", "timeout": SHORT}, (False, "timeout after 0.3 s")),
    ("body without an end",            servers.endless_body,               {"expect_body": "ok"},          (False, "200, body without what is expected")),
    ("keeps the connection",           servers.keep_open,                  {},                            (True, "200")),
    ("another protocol",               answering(b"SSH-2.0-OpenSSH_9.2\r\n"), {},                         (False, "not an HTTP answer")),
    ("closes without an answer",       answering(b""),                     {},                            (False, "closed without an answer")),
    ("half of the headers",            answering(b"HTTP/1.1 200 OK\r\nX-A"), {},                          (False, "closed without an answer")),
    ("RST",                            servers.reset,                      {},                            (False, "connection reset")),
    ("never answers",                  servers.silent,                     {"timeout": SHORT},            (False, "timeout after 0.3 s")),
    ("dribbles",                       servers.dribble,                    {"timeout": SHORT},            (False, "timeout after 0.3 s")),
    ("interim answers only",           servers.endless_continue,           {"timeout": SHORT},            (False, "timeout after 0.3 s")),
    ("headers without an end",         servers.endless_headers,            {},                            (False, "not an HTTP answer")),
    ("tcp",                            servers.silent,                     {"type": "tcp"},               (True, "connected")),
    ("https to a server without TLS",  answering(status(200)),             {"type": "https", "timeout": SHORT}, (False, "timeout after 0.3 s")),
]
# fmt: on


@pytest.mark.parametrize(
    ("handler", "fields", "expected"), [row[1:] for row in HTTP], ids=[row[0] for row in HTTP]
)
def test_result(handler: Handler, fields: dict[str, Any], expected: tuple[bool, str]) -> None:
    result = ask(handler, **fields)

    assert (result.success, result.reason) == expected
    timeout = fields.get("timeout", PATIENT)
    if "timeout" in result.reason:
        assert timeout * 0.99 <= result.elapsed < timeout + MOMENT
    else:
        assert 0 < result.elapsed < timeout


@pytest.mark.parametrize("kind", ["http", "https", "tcp", "tls", "grpc"])
def test_nobody_listens(kind: str) -> None:
    result = asyncio.run(probe_once(Definition(kind, servers.unused_port(), timeout=PATIENT)))

    assert (result.success, result.reason) == (False, "connection refused")


@pytest.mark.parametrize("kind", ["http", "https", "tcp", "tls", "grpc"])
def test_blackhole_ends_at_the_timeout(kind: str) -> None:
    async def run() -> ProbeResult:
        async with servers.blackhole() as port:
            return await probe_once(Definition(kind, port, timeout=SHORT))

    result = asyncio.run(run())

    assert (result.success, result.reason) == (False, "timeout after 0.3 s")
    assert SHORT * 0.99 <= result.elapsed < SHORT + MOMENT


def test_tcp_does_not_take_its_own_end_for_a_listener() -> None:
    """Bound to the port it connects to, a socket joins itself: nobody listens all the same."""

    class Bound(socket.socket):
        def setblocking(self, flag: bool) -> None:
            super().setblocking(flag)
            if self.family == socket.AF_INET:  # the loop's own pair is not
                self.bind(("127.0.0.1", port))

    port = servers.unused_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gtmdns.health.probes.socket.socket", Bound)
        check = Definition(type="tcp", port=port, timeout=PATIENT)
        result = asyncio.run(Prober().probe("127.0.0.1", "127.0.0.1", check))

    assert (result.success, result.reason) == (False, "connection refused")


# fmt: off
HOST = [
    # id                       endpoint        check                                              Host header              TLS name
    ("default port",           "192.0.2.1",    {"port": 80},                                      "192.0.2.1",             "192.0.2.1"),
    ("other port",             "192.0.2.1",    {"port": 8080},                                    "192.0.2.1:8080",        "192.0.2.1"),
    ("https, its port",        "192.0.2.1",    {"type": "https", "port": 443},                    "192.0.2.1",             "192.0.2.1"),
    ("https on port 80",       "192.0.2.1",    {"type": "https", "port": 80},                     "192.0.2.1:80",          "192.0.2.1"),
    ("IPv6 in brackets",       "2001:db8::1",  {"port": 80},                                      "[2001:db8::1]",         "2001:db8::1"),
    ("IPv6 and port",          "2001:db8::1",  {"port": 81},                                      "[2001:db8::1]:81",      "2001:db8::1"),
    ("host name",              "a.example",    {"port": 8080},                                    "a.example:8080",        "a.example"),
    ("written: as it is",      "192.0.2.1",    {"port": 8080, "host": "www.example.com"},         "www.example.com",       "www.example.com"),
    ("written IPv6",           "192.0.2.1",    {"port": 81, "host": "2001:db8::2"},               "[2001:db8::2]",         "2001:db8::2"),
]
# fmt: on


@pytest.mark.parametrize(
    ("endpoint", "fields", "header", "name"),
    [row[1:] for row in HOST],
    ids=[row[0] for row in HOST],
)
def test_names_used(endpoint: str, fields: dict[str, Any], header: str, name: str) -> None:
    check = Definition(**fields)

    assert (host_header(endpoint, check), tls_name(endpoint, check)) == (header, name)


def test_the_model_of_the_configuration_is_a_check() -> None:
    """The definition these tests use has the very fields of the model, so both go everywhere."""
    model = HealthCheck.model_validate({"type": "http", "timeout": PATIENT, "interval": PATIENT})

    assert {field.name for field in fields(Definition)} <= set(HealthCheck.model_fields)
    plain = model.model_dump()
    assert asdict(Definition(timeout=PATIENT, interval=PATIENT)) == {
        field.name: plain[field.name] for field in fields(Definition)
    }


def test_request_on_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path goes out as written, the connection is not kept, no proxy stands between."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    heads: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await servers.read_head(reader))
        writer.write(status(200, "Set-Cookie: a=b\r\n"))
        await writer.drain()

    path = "/health%2Fz/..//x?q=%20a+b&c"
    result = ask(handler, path=path)

    assert result.success
    request, *lines = heads[0].decode().split("\r\n")
    assert request == f"GET {path} HTTP/1.1"
    assert sorted(line for line in lines if line and not line.startswith("Host:")) == [
        "Accept: */*",
        "Connection: close",
        "User-Agent: gtmdns-health-check",
    ]


def test_each_probe_has_a_connection_of_its_own_and_brings_no_cookie() -> None:
    heads: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:  # would go on answering on the same connection
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(status(200, "Set-Cookie: a=b\r\nConnection: keep-alive\r\n"))
            await writer.drain()
            connections.add(writer.get_extra_info("peername"))

    connections: set[object] = set()

    async def run() -> None:
        prober = Prober()
        async with serving(handler) as port:
            for _ in range(5):
                check = Definition(port=port, timeout=PATIENT)
                assert (await prober.probe("127.0.0.1", "127.0.0.1", check)).success
            await prober.close()

    asyncio.run(run())

    assert len(connections) == 5
    assert b"cookie" not in b"".join(heads).lower()


def test_ipv6() -> None:
    async def run() -> list[ProbeResult]:
        prober = Prober()
        async with serving(answering(status(200)), host="::1") as port:
            checks = [Definition(type=kind, port=port, timeout=PATIENT) for kind in ("http", "tcp")]
            results = [await prober.probe("::1", "::1", check) for check in checks]
            await prober.close()
            return results

    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    assert [result.reason for result in asyncio.run(run())] == ["200", "connected"]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def no_descriptor_stays_open(within: float) -> Iterator[None]:
    """Inside a running loop the count cannot settle, so the caller settles it first."""
    before = descriptors()
    yield
    deadline = time.monotonic() + within
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert descriptors() <= before


@pytest.mark.parametrize("handler", [servers.silent, servers.keep_open], ids=["silent", "open"])
def test_sockets_close_at_once_whatever_the_server_does(handler: Handler) -> None:
    async def run() -> None:
        async with serving(handler) as port:
            await probe_and_see_all_closed(Prober(), Definition(port=port, timeout=SHORT))

    with no_descriptor_stays_open(within=MOMENT):
        asyncio.run(run())


def test_a_frozen_tls_server_keeps_no_socket_of_ours(authority: Authority) -> None:
    """It never says goodbye, for which TLS would wait 30 s."""
    tls = authority.server(("127.0.0.1",))

    with servers.frozen_after_handshake(tls) as port:
        check = Definition(type="https", port=port, timeout=1.0)
        asyncio.run(probe_and_see_all_closed(Prober(trust=authority.trust), check))


async def probe_and_see_all_closed(prober: Prober, check: Definition) -> None:
    """Probe 30 times at once; no socket of ours may outlive its probe for long."""
    probes = [prober.probe("127.0.0.1", "127.0.0.1", check) for _ in range(30)]
    await asyncio.gather(*probes)
    await until(lambda: ours(check.port) == 0, within=MOMENT)
    await prober.close()


def ours(port: int) -> int:
    """Return how many sockets of this process are connected to `port`."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2].endswith(f":{port:04X}") and fields[9] != "0":
            inodes.add(fields[9])
    return len(inodes)


def test_want_of_descriptors_is_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    async def run(kind: str) -> None:
        prober = Prober()
        check = Definition(type=kind, timeout=PATIENT)
        try:
            with monkeypatch.context() as patch:
                patch.setattr("gtmdns.health.probes.socket.socket", refuse)
                with pytest.raises(Exhausted, match="too many open files"):
                    await prober.probe("127.0.0.1", "127.0.0.1", check)
        finally:
            await prober.close()

    for kind in ("http", "https", "tcp", "tls", "icmp", "dns", "grpc"):
        asyncio.run(run(kind))


def test_cancellation_passes_through() -> None:
    async def run() -> None:
        prober = Prober()
        async with serving(servers.silent) as port:
            check = Definition(port=port, timeout=PATIENT)
            task = asyncio.ensure_future(prober.probe("127.0.0.1", "127.0.0.1", check))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await prober.close()

    asyncio.run(run())
