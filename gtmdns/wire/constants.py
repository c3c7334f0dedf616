"""Numbers of the protocol that gtmdns itself speaks of (IANA DNS parameters)."""

from types import MappingProxyType
from typing import Final

# Header, RFC 1035 section 4.1.1
HEADER: Final = 12  # octets
QR: Final = 0x80  # in octet 2
OPCODE: Final = 0x78
AA: Final = 0x04
TC: Final = 0x02
RD: Final = 0x01

# RCODEs, RFC 6895 section 2.3
NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
YXDOMAIN: Final = 6
BADVERS: Final = 16  # needs the extended bits of the OPT record

RCODES: Final = MappingProxyType(
    {
        NOERROR: "NOERROR",
        FORMERR: "FORMERR",
        SERVFAIL: "SERVFAIL",
        NXDOMAIN: "NXDOMAIN",
        NOTIMP: "NOTIMP",
        REFUSED: "REFUSED",
        YXDOMAIN: "YXDOMAIN",
        BADVERS: "BADVERS",
    }
)

# Classes and types
IN: Final = 1
CH: Final = 3  # CHAOS: questions about the server itself

A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
HINFO: Final = 13
MX: Final = 15
TXT: Final = 16
AAAA: Final = 28
SRV: Final = 33
DNAME: Final = 39
OPT: Final = 41
DS: Final = 43
SVCB: Final = 64
HTTPS: Final = 65
IXFR: Final = 251
AXFR: Final = 252
ANY: Final = 255

# EDNS options
NSID: Final = 3  # RFC 5001
CLIENT_SUBNET: Final = 8  # RFC 7871
COOKIE: Final = 10  # RFC 7873
TCP_KEEPALIVE: Final = 11  # RFC 7828
EXTENDED_ERROR: Final = 15  # RFC 8914

# INFO-CODEs of extended errors, RFC 8914 section 4
OTHER_ERROR: Final = 0
NOT_ALLOWED: Final = 18  # "Prohibited"
NOT_AUTHORITATIVE: Final = 20
NOT_SUPPORTED: Final = 21

# Sizes
MIN_UDP: Final = 512  # what every client takes, RFC 1035 section 4.2.1
MAX_TCP: Final = 65_535  # two octets of length, RFC 1035 section 4.2.2
