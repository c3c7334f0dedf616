"""When a certificate ends, read from its octets (RFC 5280 section 4.1, DER).

The octets come from an endpoint that may not even be verified, so nothing here trusts them:
every length is held to what is there, and whatever does not fit is None.
"""

from datetime import UTC, datetime

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


def not_after(der: bytes) -> float | None:
    """Return the end of a certificate's validity, seconds since the epoch; None: unreadable."""
    try:
        certificate = _inside(der, 0, _SEQUENCE)
        fields = _inside(certificate, 0, _SEQUENCE)  # tbsCertificate
        at = _end(fields, 0) if fields[0] == _VERSION else 0
        for _ in range(3):  # serialNumber, signature, issuer
            at = _end(fields, at)
        validity = _inside(fields, at, _SEQUENCE)
        return _time(validity, _end(validity, 0))
    except (ValueError, IndexError):
        return None


def _measure(data: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at `at` begins and ends. Raises when it is cut."""
    length, start = data[at + 1], at + 2
    if length & 0x80:
        width = length & 0x7F
        if not 1 <= width <= 4:  # 0 is the indefinite form, which DER has not
            raise ValueError("length")
        length, start = int.from_bytes(data[start : start + width]), start + width
    if start + length > len(data):
        raise ValueError("cut short")
    return start, start + length


def _end(data: bytes, at: int) -> int:
    return _measure(data, at)[1]


def _inside(data: bytes, at: int, tag: int) -> bytes:
    if data[at] != tag:
        raise ValueError("tag")
    start, end = _measure(data, at)
    return data[start:end]


def _time(data: bytes, at: int) -> float:
    """Read a Time (RFC 5280 section 4.1.2.5): always UTC, always with seconds."""
    start, end = _measure(data, at)
    text = data[start:end].decode("ascii")
    if data[at] == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif data[at] != _GENERALIZED_TIME:
        raise ValueError("tag")
    if len(text) != 15 or not text[:14].isdigit():
        raise ValueError("time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
