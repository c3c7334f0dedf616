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
BADVERS: Final = 16  # needs the extended bits of the OPT record

RCODES: Final = MappingProxyType(
    {
        NOERROR: "NOERROR",
        FORMERR: "FORMERR",
        SERVFAIL: "SERVFAIL",
        NXDOMAIN: "NXDOMAIN",
        NOTIMP: "NOTIMP",
        REFUSED: "REFUSED",
        BADVERS: "BADVERS",
    }
)

# Classes and types
IN: Final = 1

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
OPT: Final = 41
DS: Final = 43
IXFR: Final = 251
AXFR: Final = 252
ANY: Final = 255
CAA: Final = 257

TYPES: Final = MappingProxyType(
    {
        "A": A,
        "NS": NS,
        "CNAME": CNAME,
        "SOA": SOA,
        "PTR": PTR,
        "HINFO": HINFO,
        "MX": MX,
        "TXT": TXT,
        "AAAA": AAAA,
        "SRV": SRV,
        "DS": DS,
        "ANY": ANY,
        "CAA": CAA,
    }
)

# Sizes
MIN_UDP: Final = 512  # what every client takes, RFC 1035 section 4.2.1
MAX_TCP: Final = 65_535  # two octets of length, RFC 1035 section 4.2.2
