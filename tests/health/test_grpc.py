"""The `grpc` probe against grpclib's server, and against servers that answer wrongly."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpclib.server
import h2.config
import h2.connection
import h2.events
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.health.v1.health_grpc import HealthBase
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.health.check import Failed
from gtmdns.health.grpc import STATUS, request, serving_status
from gtmdns.health.probes import ProbeResult
from tests.health import servers
from tests.health.asking import MOMENT, PATIENT, SHORT, ask, probe_once
from tests.health.servers import Authority, Handler, answering, status
from tests.health.support import Definition


class Health(HealthBase):
    """Each service is named for what its check answers."""

    async def Check(self, stream: Any) -> None:  # noqa: N802 - the protocol's name
        service = (await stream.recv_message()).service or "SERVING"
        if service in HealthCheckResponse.ServingStatus.keys():  # noqa: SIM118 - no mapping
            value = HealthCheckResponse.ServingStatus.Value(service)
            await stream.send_message(HealthCheckResponse(status=value))
        elif service == "hang":
            await asyncio.Event().wait()
        else:
            raise GRPCError(Status[service], "words that are never shown")

    async def Watch(self, stream: Any) -> None:  # noqa: N802
        raise GRPCError(Status.UNIMPLEMENTED)


def check_health(
    implementations: list[Any],
    server_tls: ssl.SSLContext | None = None,
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    endpoint: str = "127.0.0.1",
    **fields: Any,
) -> ProbeResult:
    """Probe a server of grpclib once on 127.0.0.1."""

    async def run() -> ProbeResult:
        server = grpclib.server.Server(implementations)
        await server.start("127.0.0.1", 0, ssl=server_tls)
        assert server._server is not None
        port = server._server.sockets[0].getsockname()[1]
        check = Definition(**{"type": "grpc", "port": port, "timeout": PATIENT, **fields})
        try:
            return await probe_once(check, "127.0.0.1", endpoint, trust)
        finally:
            server.close()
            await server.wait_closed()

    return asyncio.run(run())


# fmt: off
SERVICES = [
    ("",                  True,  "SERVING"),
    ("SERVING",           True,  "SERVING"),
    ("NOT_SERVING",       False, "NOT_SERVING, expected SERVING"),
    ("UNKNOWN",           False, "UNKNOWN, expected SERVING"),
    ("SERVICE_UNKNOWN",   False, "SERVICE_UNKNOWN, expected SERVING"),
    ("NOT_FOUND",         False, "gRPC NOT_FOUND"),
    ("UNAVAILABLE",       False, "gRPC UNAVAILABLE"),
    ("PERMISSION_DENIED", False, "gRPC PERMISSION_DENIED"),
]
# fmt: on


@pytest.mark.parametrize(("service", "success", "reason"), SERVICES)
def test_what_a_service_says(service: str, success: bool, reason: str) -> None:
    result = check_health([Health()], service=service)

    assert (result.success, result.reason) == (success, reason)


def test_a_server_without_the_health_service() -> None:
    result = check_health([])

    assert (result.success, result.reason) == (False, "gRPC UNIMPLEMENTED")


def test_a_service_that_hangs_ends_at_the_timeout() -> None:
    result = check_health([Health()], service="hang", timeout=SHORT)

    assert (result.success, result.reason) == (False, "timeout after 0.3 s")
    assert SHORT * 0.99 <= result.elapsed < SHORT + MOMENT


def secure(authority: Authority, *names: str) -> ssl.SSLContext:
    context = authority.server(names)
    context.set_alpn_protocols(["h2"])
    return context


# fmt: off
TLS = [
    # endpoint      check                                          expected
    ("127.0.0.1",   {},                                            (True, "SERVING")),
    ("a.example",   {},                                            (True, "SERVING")),
    ("127.0.0.1",   {"host": "a.example"},                         (True, "SERVING")),
    ("127.0.0.1",   {"host": "b.example"},                         (False, "certificate is for another name")),
    ("127.0.0.1",   {"host": "b.example", "verify_tls": False},    (True, "SERVING")),
    ("127.0.0.1",   {"service": "NOT_SERVING"},                    (False, "NOT_SERVING, expected SERVING")),
]
# fmt: on


@pytest.mark.parametrize(("endpoint", "fields", "expected"), TLS)
def test_over_tls(
    authority: Authority, endpoint: str, fields: dict[str, Any], expected: tuple[bool, str]
) -> None:
    tls = secure(authority, "127.0.0.1", "a.example")

    result = check_health([Health()], tls, authority.trust, endpoint, tls=True, **fields)

    assert (result.success, result.reason) == expected
    assert (result.certificate_expires is None) is (expected[1].startswith("certificate"))


def test_a_server_of_tls_that_speaks_no_http2(authority: Authority) -> None:
    tls = authority.server(("127.0.0.1",))

    result = ask(servers.silent, tls, authority.trust, type="grpc", tls=True)

    assert (result.success, result.reason) == (False, "TLS: server does not offer HTTP/2")
    assert result.certificate_expires is not None


Reply = Callable[[h2.connection.H2Connection, int], None]


def replying(reply: Reply) -> Handler:
    """Let `reply` answer the first request."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        while data := await reader.read(10_000):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    reply(connection, event.stream_id)
            writer.write(connection.data_to_send())
            await writer.drain()

    return handler


def answer(body: bytes, trailers: list[tuple[str, str]] | None, http: str = "200") -> Reply:
    def reply(connection: h2.connection.H2Connection, number: int) -> None:
        connection.send_headers(number, [(":status", http), ("content-type", "application/grpc")])
        connection.send_data(number, body, end_stream=trailers is None)
        if trailers is not None:
            connection.send_headers(number, trailers, end_stream=True)

    return reply


def close_connection(connection: h2.connection.H2Connection, number: int) -> None:
    connection.close_connection()


def reset_stream(connection: h2.connection.H2Connection, number: int) -> None:
    connection.reset_stream(number)


def nothing(connection: h2.connection.H2Connection, number: int) -> None:
    connection.ping(b"12345678")


def large(connection: h2.connection.H2Connection, number: int) -> None:
    connection.send_headers(number, [(":status", "200")])
    for _ in range(4):
        connection.send_data(number, bytes(16_000))


async def endless_settings(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send empty SETTINGS frames as fast as the other side reads (each wants a reply)."""
    while True:
        writer.write(b"\0\0\0\x04\0\0\0\0\0" * 100)
        await writer.drain()


async def endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send HEADERS without an end, and CONTINUATION after CONTINUATION."""
    await reader.read(10_000)
    writer.write(b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\x01\x01\0\0\0\0\x01\x88")
    while True:
        writer.write(b"\0\x03\xe8\x09\0\0\0\0\x01" + b"\x82" * 1000)
        await writer.drain()


async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send SETTINGS, then the start of a frame octet by octet."""
    writer.write(b"\0\0\0\x04\0\0\0\0\0" + b"\0\x3f\xff\0\0\0\0\0\x01")
    while True:
        writer.write(b"\0")
        await writer.drain()
        await asyncio.sleep(0.02)


OK = [("grpc-status", "0")]
GOOD = b"\0\0\0\0\x02\x08\x01"
# fmt: off
WRONG = [
    # id                       server                                            expected
    ("as it should be",        replying(answer(GOOD, OK)),                       "SERVING"),
    ("HTTP/1.1",               answering(status(200)),                           "not an HTTP/2 answer"),
    ("SSH",                    answering(b"SSH-2.0-OpenSSH_9.2\r\n"),            "not an HTTP/2 answer"),
    ("closes",                 answering(b""),                                   "closed without an answer"),
    ("RST",                    servers.reset,                                    "connection reset"),
    ("GOAWAY",                 replying(close_connection),                       "closed without an answer"),
    ("RST_STREAM",             replying(reset_stream),                           "HTTP/2 stream reset"),
    ("HTTP 404",               replying(answer(b"no", None, "404")),             "HTTP 404, expected 200"),
    ("no gRPC",                replying(answer(b"<html>", None)),                "no gRPC answer"),
    ("an unknown code",        replying(answer(GOOD, [("grpc-status", "<b>")])), "gRPC status out of range"),
    ("status 0 is left out",   replying(answer(bytes(5), OK)),                   "UNKNOWN, expected SERVING"),
    ("a status yet to come",   replying(answer(b"\0\0\0\0\x02\x08\x09", OK)),    "status out of range, expected SERVING"),
    ("no message",             replying(answer(b"", OK)),                        "not a gRPC message"),
    ("compressed",             replying(answer(b"\1" + GOOD[1:], OK)),           "not a gRPC message"),
    ("malformed",              replying(answer(b"\0\0\0\0\x01\x08", OK)),        "not a HealthCheckResponse"),
    ("32 KiB and more",        replying(large),                                  "answer is larger than 32 KiB"),
    ("SETTINGS without end",   endless_settings,                                 "answer is larger than 32 KiB"),
    ("headers without end",    endless_headers,                                  "answer is larger than 32 KiB"),
]
LATE = [
    ("says nothing",           servers.silent),
    ("pings only",             replying(nothing)),
    ("octet by octet",         dribble),
]
# fmt: on


@pytest.mark.parametrize(
    ("handler", "reason"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_answers(handler: Handler, reason: str) -> None:
    result = ask(handler, type="grpc")

    assert (result.success, result.reason) == (reason == "SERVING", reason)
    assert result.elapsed < PATIENT


@pytest.mark.parametrize("handler", [row[1] for row in LATE], ids=[row[0] for row in LATE])
def test_what_never_answers_ends_at_the_timeout(handler: Handler) -> None:
    result = ask(handler, type="grpc", timeout=SHORT)

    assert (result.success, result.reason) == (False, "timeout after 0.3 s")
    assert SHORT * 0.99 <= result.elapsed < SHORT + MOMENT


@pytest.mark.parametrize(
    ("endpoint", "host", "authority"),
    [
        ("127.0.0.1", None, "127.0.0.1:{port}"),
        ("a.example", None, "a.example:{port}"),
        ("127.0.0.1", "www.example.com", "www.example.com"),
    ],
)
def test_request_on_the_wire(endpoint: str, host: str | None, authority: str) -> None:
    seen: list[dict[bytes, bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        events = connection.receive_data(await reader.read(10_000))
        seen.extend(dict(e.headers) for e in events if isinstance(e, h2.events.RequestReceived))
        ports.append(writer.get_extra_info("sockname")[1])

    ports: list[int] = []
    ask(handler, endpoint=endpoint, type="grpc", host=host, timeout=2.5)

    assert seen == [
        {
            b":method": b"POST",
            b":scheme": b"http",
            b":path": b"/grpc.health.v1.Health/Check",
            b":authority": authority.format(port=ports[0]).encode(),
            b"te": b"trailers",
            b"content-type": b"application/grpc",
            b"grpc-timeout": b"2500m",
            b"user-agent": b"gtmdns-health-check",
        }
    ]


@given(st.text(max_size=300))
def test_request_as_protobuf_reads_it(service: str) -> None:
    octets = request(service)

    assert octets[0] == 0
    assert int.from_bytes(octets[1:5]) == len(octets) - 5
    assert HealthCheckRequest.FromString(octets[5:]).service == service


@pytest.mark.parametrize("number", STATUS)
def test_response_as_protobuf_writes_it(number: int) -> None:
    message = HealthCheckResponse(status=number).SerializeToString()  # type: ignore[arg-type]
    later = b"\x12\x03abc" + b"\x19" + bytes(8) + b"\x25" + bytes(4)  # fields of later versions

    for body in (message, message + later, later + message):
        assert serving_status(b"\0" + len(body).to_bytes(4) + body) == number


@given(st.binary(max_size=40))
def test_any_octets_raise_nothing_else(octets: bytes) -> None:
    for body in (octets, b"\0" + len(octets).to_bytes(4) + octets):
        with suppress(Failed):
            assert serving_status(body) >= 0
