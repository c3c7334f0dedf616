"""Why a probe failed, in a few words for operators.

Fixed words only: nothing that the far end sent is repeated, so a hostile endpoint cannot
write into logs, metrics or the status page.
"""

import errno
import os
import ssl
from collections.abc import Sequence

import aiohttp

CLOSED = "closed without an answer"

_ERRNO = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.ECONNABORTED: "connection aborted",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "connection timed out",
    errno.EADDRNOTAVAIL: "address not available here",
    errno.EAFNOSUPPORT: "address family not available here",
    errno.EACCES: "not permitted",
    errno.EPERM: "not permitted",
}

# X509_V_ERR_* of OpenSSL, x509_vfy.h
_CERTIFICATE = {
    9: "certificate not valid yet",
    10: "certificate expired",
    18: "certificate is self-signed",
    19: "certificate chain ends in an unknown issuer",
    20: "certificate from an unknown issuer",
    21: "certificate from an unknown issuer",
    23: "certificate revoked",
    62: "certificate is for another name",
    64: "certificate is for another address",
}

# This machine ran out of something: says nothing about the endpoint.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def status_ranges(ranges: Sequence[tuple[int, int]]) -> str:
    """Return inclusive ranges as text: "200-299 or 404"."""
    return " or ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)


def exhausted(error: BaseException) -> bool:
    """Return whether the probe failed for want of descriptors or memory on this machine."""
    return _errno(error) in _EXHAUSTED


def reason(error: BaseException) -> str:
    """Return the failure of one probe as a few words, in lower case, without a final dot."""
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(cause.verify_code, f"certificate: {cause.verify_message}")
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {(cause.reason or 'handshake failed').replace('_', ' ').lower()}"
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return CLOSED
    if isinstance(cause, aiohttp.ClientPayloadError):
        return "body cut short or malformed"
    if isinstance(cause, aiohttp.ClientResponseError):  # what the parser of HTTP raises
        return "not an HTTP answer"
    number = _errno(cause)
    if number is not None:
        return _ERRNO.get(number) or os.strerror(number).lower()
    if isinstance(cause, ConnectionError):  # asyncio's own, without a number
        return "connection reset"
    return f"probe failed: {type(cause).__name__}"


def _cause(error: BaseException) -> BaseException:
    """Return the error of the socket or of TLS that aiohttp wrapped, or `error` itself."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error
    return error


def _errno(error: BaseException) -> int | None:
    cause = _cause(error)
    return cause.errno if isinstance(cause, OSError) else None
