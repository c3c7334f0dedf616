"""The `grpc` probe: Health/Check of grpc.health.v1 over HTTP/2, in the clear or over TLS.

One request over a connection of its own; what is read is bounded. See "GRPC Health Checking
Protocol" and "gRPC over HTTP2" of the gRPC project for the messages.
"""

from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from .check import Check, Failed, tls_name, url_host
from .reasons import CLOSED
from .stream import Contexts, Stream, connected

PATH = "/grpc.health.v1.Health/Check"
LIMIT = 32_768  # octets that are read; less than the flow control window, which is not widened
PREFIX = 5  # octets before a message: compressed or not, length
SETTINGS = 4  # the type of the first frame of each side
SERVING = 1
NOT_HTTP2 = "not an HTTP/2 answer"
# What goes out is ours, so it is not looked at again.
CLIENT = h2.config.H2Configuration(
    client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
)
STATUS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


@dataclass(slots=True)
class Answer:
    """What came back so far."""

    http: str = ""  # :status
    code: str | None = None  # grpc-status
    body: bytes = b""
    ended: bool = False


async def health(address: str, host: str, check: Check, contexts: Contexts) -> str:
    """Ask for the health of `check.service`. Only SERVING is a success."""
    name = tls_name(host, check)
    async with connected(address, check.port) as stream:
        if check.tls:
            tls = await stream.start_tls(contexts.get(check.verify_tls, "h2"), name)
            if tls.selected_alpn_protocol() != "h2":
                raise Failed("TLS: server does not offer HTTP/2")
        try:
            return judge(await _ask(stream, _headers(name, check), check.service))
        except h2.exceptions.ProtocolError as error:
            raise Failed(NOT_HTTP2) from error


def _headers(name: str, check: Check) -> list[tuple[str, str]]:
    authority = url_host(name) if check.host else f"{url_host(name)}:{check.port}"
    return [
        (":method", "POST"),
        (":scheme", "https" if check.tls else "http"),
        (":path", PATH),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-timeout", f"{max(1, int(check.timeout * 1000))}m"),
        ("user-agent", "gtmdns-health-check"),
    ]


async def _ask(stream: Stream, headers: list[tuple[str, str]], service: str) -> Answer:
    """Send the request and read until it is answered. Raises Failed, ProtocolError, OSError."""
    connection = h2.connection.H2Connection(CLIENT)
    connection.initiate_connection()
    number = connection.get_next_available_stream_id()
    connection.send_headers(number, headers)
    connection.send_data(number, request(service), end_stream=True)
    await stream.write(connection.data_to_send())
    answer, read, start = Answer(), 0, b""
    while not answer.ended:
        data = await stream.read()
        read += len(data)
        if read > LIMIT:
            raise Failed(f"answer is larger than {LIMIT // 1024} KiB")
        if len(start) < 4:
            start += data[:4]
            # RFC 9113 section 3.4. In other protocols' words h2 sees a long frame and waits.
            if len(start) > 3 and start[3] != SETTINGS:
                raise Failed(NOT_HTTP2)
        for event in connection.receive_data(data):
            _take(event, answer)
        await stream.write(connection.data_to_send())
    return answer


def _take(event: h2.events.Event, answer: Answer) -> None:
    if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
        headers = {_text(name): _text(value) for name, value in event.headers or ()}
        answer.http = headers.get(":status", answer.http)
        answer.code = headers.get("grpc-status", answer.code)
    elif isinstance(event, h2.events.DataReceived):
        answer.body += event.data or b""
    elif isinstance(event, h2.events.StreamEnded):
        answer.ended = True
    elif isinstance(event, h2.events.StreamReset):
        raise Failed("HTTP/2 stream reset")
    elif isinstance(event, h2.events.ConnectionTerminated) and not answer.ended:
        raise Failed(CLOSED)


def _text(octets: bytes | str) -> str:
    """Return a field's octets, whatever they are, as text."""
    return octets.decode("latin-1") if isinstance(octets, bytes) else octets


def judge(answer: Answer) -> str:
    """Return "SERVING", or raise Failed."""
    if answer.http != "200":
        number = answer.http if answer.http.isdecimal() and len(answer.http) == 3 else "no status"
        raise Failed(f"HTTP {number}, expected 200")
    if answer.code is None:
        raise Failed("no gRPC answer")
    if answer.code != "0":
        known = {str(number): word for number, word in enumerate(CODES)}
        raise Failed(f"gRPC {known.get(answer.code, 'status out of range')}")
    status = serving_status(answer.body)
    if status != SERVING:
        raise Failed(STATUS.get(status, "status out of range") + ", expected SERVING")
    return STATUS[status]


def request(service: str) -> bytes:
    """Return a HealthCheckRequest, {string service = 1}, behind its prefix."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4) + message


def serving_status(body: bytes) -> int:
    """Return the status of a HealthCheckResponse, {enum status = 1}. Raises Failed."""
    length = int.from_bytes(body[1:PREFIX])
    if len(body) < PREFIX or body[0] != 0 or len(body) != PREFIX + length:
        raise Failed("not a gRPC message")
    try:
        return _first_field(body[PREFIX:])
    except (ValueError, IndexError) as error:
        raise Failed("not a HealthCheckResponse") from error


def _first_field(message: bytes) -> int:
    """Return field 1 of a Protobuf message, 0 where it is left out; other fields are passed over.

    Raises ValueError or IndexError where the message is malformed.
    """
    at, status = 0, 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _read_varint(message, at)
            status = value if key >> 3 == 1 else status
        elif kind == 2:
            length, at = _read_varint(message, at)
            at += length
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("wire type")
    if at != len(message):
        raise ValueError("cut short")
    return status


def _varint(number: int) -> bytes:
    octets = []
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        octet = data[at]
        at += 1
        number |= (octet & 0x7F) << shift
        if octet < 0x80:
            return number, at
    raise ValueError("varint")
