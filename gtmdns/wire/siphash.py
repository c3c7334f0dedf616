"""SipHash-2-4 (Aumasson and Bernstein, 2012), the hash of DNS cookies (RFC 9018 section 4.4).

Octets are little-endian throughout, as in the reference code.
"""

from struct import unpack

KEY_OCTETS = 16

_MASK = (1 << 64) - 1


def siphash24(key: bytes, data: bytes) -> bytes:
    """Return the 8 octets of the hash, the lowest first. `key`: 16 octets."""
    k0, k1 = unpack("<QQ", key)
    state = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )
    whole = len(data) & ~7
    last = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    for word in (*unpack(f"<{whole >> 3}Q", data[:whole]), last):
        v0, v1, v2, v3 = state
        v0, v1, v2, v3 = _rounds(v0, v1, v2, v3 ^ word, 2)
        state = v0 ^ word, v1, v2, v3
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _rounds(v0, v1, v2 ^ 0xFF, v3, 4)
    return (v0 ^ v1 ^ v2 ^ v3).to_bytes(8, "little")


def _rounds(v0: int, v1: int, v2: int, v3: int, number: int) -> tuple[int, int, int, int]:
    mask = _MASK
    for _ in range(number):
        v0 = v0 + v1 & mask
        v2 = v2 + v3 & mask
        v1 = (v1 << 13 & mask | v1 >> 51) ^ v0
        v3 = (v3 << 16 & mask | v3 >> 48) ^ v2
        v0 = v0 << 32 & mask | v0 >> 32
        v0 = v0 + v3 & mask
        v2 = v2 + v1 & mask
        v3 = (v3 << 21 & mask | v3 >> 43) ^ v0
        v1 = (v1 << 17 & mask | v1 >> 47) ^ v2
        v2 = v2 << 32 & mask | v2 >> 32
    return v0, v1, v2, v3
