"""What the tests of the compiled path share: options, and both paths asked the same."""

from typing import Any

import pytest

from gtmdns.answers.responder import respond
from gtmdns.answers.route import client_number
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from tests.example_zone import EU, pieces
from tests.fuzz.zone import more_pieces

fast = pytest.importorskip(
    "gtmdns.answers.fast", reason="the compiled path was not built: no compiler, or no Cython"
)

IN_OPT = (1232, 0)
NOW = 1_800_000_000
SECRETS = (bytes(range(16)), bytes(range(16, 32)))  # the second is the one before the first


def option(code: int, data: bytes = b"") -> bytes:
    return code.to_bytes(2) + len(data).to_bytes(2) + data


def subnet(text: str, length: int) -> bytes:
    """Return a Client Subnet option; the address is cut to `length` bits."""
    number = client_number(text)
    family, width = (2, 128) if ":" in text else (1, 32)
    number &= (1 << width) - (1 << (width - length))
    octets = number.to_bytes(width // 8)[: (length + 7) // 8]
    return option(8, bytes((0, family, length, 0)) + octets)


def both(
    cache: Any, query: bytes, host: str = EU, draw: int = 0, now: int | None = None
) -> tuple[Any, Any]:
    """Return what the compiled path and the reference say."""
    expected = respond(query, client_number(host), cache.snapshot, draw, None, now)
    return cache.respond(query, host, draw, now), expected


def everything(**settings: Any) -> Snapshot:
    """Return a snapshot with the example's zones and the fuzzer's."""
    builder = SnapshotBuilder(1, Settings(**settings))
    for piece in (*pieces(), *more_pieces()):
        builder.add(piece)
    return builder.finish()
