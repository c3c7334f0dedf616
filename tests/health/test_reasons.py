"""Errors as a few words. Errors that real servers provoke are in test_probes."""

import errno
import ssl
from collections.abc import Sequence

import aiohttp
import pytest

from gtmdns.health.reasons import exhausted, reason, status_ranges


def certificate_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def tls_error(name: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL] something long")
    error.reason = name  # type: ignore[assignment]
    return error


# fmt: off
CASES = [
    (ConnectionRefusedError(errno.ECONNREFUSED, "x"),     "connection refused"),
    (OSError(errno.EHOSTUNREACH, "x"),                    "no route to host"),
    (OSError(errno.ENETUNREACH, "x"),                     "network unreachable"),
    (TimeoutError(errno.ETIMEDOUT, "x"),                  "connection timed out"),
    (BrokenPipeError(errno.EPIPE, "x"),                   "connection reset"),
    (OSError(errno.ENOPROTOOPT, "x"),                     "protocol not available"),
    (ConnectionResetError("no number"),                   "connection reset"),
    (aiohttp.ClientOSError(errno.ECONNRESET, "x"),        "connection reset"),
    (aiohttp.ServerDisconnectedError(),                   "closed without an answer"),
    (certificate_error(10, "certificate has expired"),    "certificate expired"),
    (certificate_error(18, "self-signed certificate"),    "certificate is self-signed"),
    (certificate_error(66, "EE certificate key too weak"), "certificate: EE certificate key too weak"),
    (tls_error("WRONG_VERSION_NUMBER"),                   "TLS: wrong version number"),
    (tls_error(None),                                     "TLS: handshake failed"),
    (aiohttp.ClientPayloadError("<b>from outside</b>"),   "body cut short or malformed"),
    (OSError("no number"),                                "probe failed: OSError"),
]
# fmt: on


@pytest.mark.parametrize(("error", "expected"), CASES, ids=[row[1] for row in CASES])
def test_reason(error: Exception, expected: str) -> None:
    assert reason(error) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.EMFILE, True), (errno.ENFILE, True), (errno.ENOMEM, True), (errno.ECONNREFUSED, False)],
)
def test_want_of_resources_is_told_apart(number: int, expected: bool) -> None:
    assert exhausted(OSError(number, "x")) is expected


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([(200, 399)], "200-399"),
        ([(204, 204)], "204"),
        ([(200, 299), (404, 404)], "200-299 or 404"),
    ],
)
def test_ranges_of_status(ranges: Sequence[tuple[int, int]], expected: str) -> None:
    assert status_ranges(ranges) == expected
