"""EDNS: the OPT record (RFC 6891) and its options, Client Subnet above all (RFC 7871)."""

from struct import pack
from typing import NamedTuple

from .constants import CLIENT_SUBNET, EXTENDED_ERROR, FORMERR, OPT, TCP_KEEPALIVE
from .query import BadQuery

IPV4_MAPPED = 0xFFFF << 32  # an IPv4 address as one of IPv6: ::ffff:0:0/96
_WIDTH = {1: 32, 2: 128}  # address bits by family (IANA address family numbers)


class Subnet(NamedTuple):
    """A Client Subnet option as a query carries it.

    family: 1 IPv4, 2 IPv6, 0 where there is none (RFC 7871 section 7.1.2: no address)
    source: prefix length, 0 to 32 or 128
    client: the address as one 128-bit integer, IPv4 mapped into ::ffff:0:0/96
    octets: the address as it came, truncated to the prefix; echoed as it is
    """

    family: int
    source: int
    client: int
    octets: bytes


def parse_subnet(option: bytes) -> Subnet:
    """Read the data of a Client Subnet option.

    Raises BadQuery(FORMERR) as RFC 7871 sections 6 and 7.1.2 ask: unknown family,
    prefix too long, a scope that is not 0, too many or too few octets of address,
    bits set behind the prefix.
    """
    if len(option) < 4:
        raise BadQuery(FORMERR)
    family, source, scope = option[1], option[2], option[3]
    octets = option[4:]
    if option[0] or scope:
        raise BadQuery(FORMERR)
    if family == 0 and source == 0 and not octets:  # some clients say so for "no subnet"
        return Subnet(0, 0, 0, b"")
    width = _WIDTH.get(family)
    if width is None or source > width or len(octets) != (source + 7) // 8:
        raise BadQuery(FORMERR)
    number = int.from_bytes(octets) << (width - 8 * len(octets))
    if number & ((1 << (width - source)) - 1):
        raise BadQuery(FORMERR)
    return Subnet(family, source, number | IPV4_MAPPED if family == 1 else number, octets)


def subnet_option(subnet: Subnet, scope: int) -> bytes:
    """Return the option of a response. `scope`: a prefix length of the 128-bit client number."""
    if subnet.family == 1:
        scope = max(0, scope - 96)
    return pack(
        "!HHHBB", CLIENT_SUBNET, 4 + len(subnet.octets), subnet.family, subnet.source, scope
    ) + bytes(subnet.octets)


def opt_record(payload: int, *, dnssec_ok: bool, extended: int = 0, options: bytes = b"") -> bytes:
    """Return the OPT record of a response.

    payload:   octets that we take, 512 to 65535
    dnssec_ok: the DO bit of the query, copied (RFC 3225 section 3)
    extended:  upper eight bits of the RCODE
    options:   options in wire format
    """
    flags = 0x8000 if dnssec_ok else 0
    return pack("!BHHBBHH", 0, OPT, payload, extended, 0, flags, len(options)) + options


def option(code: int, data: bytes) -> bytes:
    return pack("!HH", code, len(data)) + data


def keepalive_option(timeout: int) -> bytes:
    """Return how long a connection may be idle. `timeout`: in 100 milliseconds, 0 to 65535."""
    return pack("!HHH", TCP_KEEPALIVE, 2, timeout)


def extended_error(code: int, text: str = "") -> bytes:
    """Return an extended error (RFC 8914 section 2). `text`: for people, ASCII."""
    return option(EXTENDED_ERROR, code.to_bytes(2) + text.encode())


def with_options(opt: bytes, options: bytes) -> bytes:
    """Return an OPT record with these options behind those that it has."""
    return opt[:9] + (len(opt) - 11 + len(options)).to_bytes(2) + opt[11:] + options
