"""What a probe is told, and what it tells: shared by every kind of probe."""

from dataclasses import dataclass
from typing import Protocol

from .verdict import Rules


class Check(Rules, Protocol):
    """What is asked of an endpoint; `config.model.HealthCheck` is one. Times in seconds.

    `repr()` tells every field, and equal definitions compare equal. A kind of probe looks only
    at the fields that are its own.
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
    def expect_body(self) -> str | None: ...
    @property
    def verify_tls(self) -> bool: ...
    @property
    def query(self) -> str: ...
    @property
    def query_type(self) -> str: ...
    @property
    def expect_rcode(self) -> tuple[str, ...]: ...
    @property
    def expect_answer(self) -> tuple[str, ...]: ...
    @property
    def service(self) -> str: ...
    @property
    def tls(self) -> bool: ...
    @property
    def interval(self) -> float: ...
    @property
    def timeout(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ProbeResult:
    success: bool
    reason: str  # "200", "503, expected 200-399", "timeout after 2 s": shown to operators as is
    elapsed: float  # seconds
    certificate_expires: float | None = None  # seconds since the epoch; None: no certificate seen


class Failed(Exception):
    """The endpoint failed the probe; the text says why, in the words of `reasons`."""


class Exhausted(Exception):
    """No probe was made, for want of something on this machine: not a result."""


def url_host(name: str) -> str:
    """Return a host name or an address as it stands in a URL (RFC 3986 section 3.2.2)."""
    return f"[{name}]" if ":" in name else name


def tls_name(host: str, check: Check) -> str:
    """Return the name for SNI and for the certificate; an address is compared, never sent."""
    return check.host or host
