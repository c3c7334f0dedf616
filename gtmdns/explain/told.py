"""What is known of endpoints as plain data, as the status and explanations tell it."""

from datetime import UTC, datetime
from typing import Any

from ..health.overrides import Override
from ..health.standing import LastResult


def moment(seconds: float) -> str:
    """Return a time of day in UTC (RFC 3339). `seconds`: since the epoch."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def override_status(override: Override) -> dict[str, Any]:
    """Return what was said, by whom, why and until when."""
    return {
        "state": override.state,
        "owner": override.owner,
        "reason": override.reason,
        "since": moment(override.since),
        "expires": None if override.expires is None else moment(override.expires),
    }


def result_status(last: LastResult | None) -> dict[str, Any] | None:
    """Return how the last probe went, None where there was none."""
    if last is None:
        return None
    expires = last.certificate_expires
    return {
        "success": last.success,
        "reason": last.reason,
        "seconds": round(last.elapsed, 4),
        "at": moment(last.at),
        "address": last.address,
        "certificate_expires": None if expires is None else moment(expires),
    }
