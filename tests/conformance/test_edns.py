"""The questions of EDNS compliance reports (as ISC's genreport asks them), and how much comes back.

Every row has the answer of the RFCs; a running server is asked, over UDP and TCP.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

from tests.conformance.server import Server, serving

TEXTS = [f"{number:02}" + "x" * 200 for number in range(20)]  # together far beyond 1232 octets
CONFIG = """
server: {nsid: edge-1, version: of this test}
pools:
  many: {endpoints: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, "2001:db8::1"]}
zones:
  gtm.test:
    nameservers: {ns1: [127.0.0.1], ns2: [127.0.0.2]}
    contact: hostmaster@example.com
    records:
      "@": {MX: ["10 www", "20 ns2"], TXT: ["v=spf1 -all"]}
      www: {A: [192.0.2.1]}
      many: {pools: many}
      long: {TXT: TEXTS}
      full: {TXT: FULL}
      sub: {NS: [ns.sub, ns3.elsewhere.example.]}
      ns.sub: {A: [192.0.2.7], AAAA: ["2001:db8::7"]}
      "*.wild": {A: [192.0.2.8]}
""".replace("TEXTS", str(TEXTS)).replace("FULL", str(TEXTS[:5]))

Z_FLAG = 0x0040  # the header's last reserved bit
EDNS_FLAG = 0x0040  # one of the reserved bits of the OPT record
UNKNOWN_OPTION = dns.edns.GenericOption(100, b"genreport")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("edns"), CONFIG) as running:
        yield running


@dataclass(frozen=True)
class Probe:
    """What is asked. edns: version; None: no OPT record."""

    edns: int | None = 0
    name: str = "gtm.test"
    rdtype: str = "SOA"
    payload: int = 4096
    flags: int = 0
    edns_flags: int = 0
    options: tuple[dns.edns.Option, ...] = ()
    opcode: int = 0
    tcp: bool = False

    def query(self) -> dns.message.Message:
        query = dns.message.make_query(
            self.name, self.rdtype, flags=self.flags,
            use_edns=False if self.edns is None else self.edns, payload=self.payload,
            ednsflags=self.edns_flags, options=list(self.options),
        )  # fmt: skip
        query.set_opcode(self.opcode)  # type: ignore[arg-type]
        return query


SUBNET = dns.edns.ECSOption("192.0.2.0", 24)
DO = dns.flags.DO

# fmt: off
PROBES = [
    # id             the probe                                                        rcode       SOA
    ("dns",          Probe(edns=None),                                                "NOERROR",  True),
    ("aaflag",       Probe(edns=None, flags=dns.flags.AA),                            "NOERROR",  True),
    ("tcflag",       Probe(edns=None, flags=dns.flags.TC),                            "NOERROR",  True),
    ("rdflag",       Probe(edns=None, flags=dns.flags.RD),                            "NOERROR",  True),
    ("raflag",       Probe(edns=None, flags=dns.flags.RA),                            "NOERROR",  True),
    ("adflag",       Probe(edns=None, flags=dns.flags.AD),                            "NOERROR",  True),
    ("cdflag",       Probe(edns=None, flags=dns.flags.CD),                            "NOERROR",  True),
    ("zflag",        Probe(edns=None, flags=Z_FLAG),                                  "NOERROR",  True),
    ("edns",         Probe(),                                                         "NOERROR",  True),
    ("edns1",        Probe(edns=1),                                                   "BADVERS",  False),
    ("edns255",      Probe(edns=255),                                                 "BADVERS",  False),
    ("ednsopt",      Probe(options=(UNKNOWN_OPTION,)),                                "NOERROR",  True),
    ("edns1opt",     Probe(edns=1, options=(UNKNOWN_OPTION,)),                        "BADVERS",  False),
    ("ednsflags",    Probe(edns_flags=EDNS_FLAG),                                     "NOERROR",  True),
    ("edns1flags",   Probe(edns=1, edns_flags=EDNS_FLAG),                             "BADVERS",  False),
    ("do",           Probe(edns_flags=DO),                                            "NOERROR",  True),
    ("edns1do",      Probe(edns=1, edns_flags=DO),                                    "BADVERS",  False),
    ("dnsnsid",      Probe(options=(dns.edns.GenericOption(3, b""),)),                "NOERROR",  True),
    ("ednssubnet",   Probe(options=(SUBNET,)),                                        "NOERROR",  True),
    ("ednsexpire",   Probe(options=(dns.edns.GenericOption(9, b""),)),                "NOERROR",  True),
    ("ednscookie",   Probe(options=(dns.edns.GenericOption(10, bytes(range(8))),)),   "NOERROR",  True),
    ("ednspadding",  Probe(options=(dns.edns.GenericOption(12, bytes(400)),)),        "NOERROR",  True),
    ("optlist",      Probe(edns_flags=DO, options=(dns.edns.GenericOption(3, b""), SUBNET, UNKNOWN_OPTION,
                           dns.edns.GenericOption(10, bytes(range(8))))),             "NOERROR",  True),
    ("all together", Probe(edns=1, edns_flags=EDNS_FLAG | DO, options=(UNKNOWN_OPTION, SUBNET)), "BADVERS", False),
    ("payload 0",    Probe(payload=0),                                                "NOERROR",  True),
    ("unknown type", Probe(rdtype="TYPE1000"),                                        "NOERROR",  False),
    ("tcp",          Probe(edns=None, tcp=True),                                      "NOERROR",  True),
    ("ednstcp",      Probe(tcp=True),                                                 "NOERROR",  True),
    ("edns1tcp",     Probe(edns=1, tcp=True),                                         "BADVERS",  False),
    ("ednsopttcp",   Probe(options=(UNKNOWN_OPTION,), tcp=True),                      "NOERROR",  True),
]
# fmt: on
IDS = [row[0] for row in PROBES]
KNOWN_OPTIONS = {3, 8, 10, 11, 15}  # NSID, subnet, cookie, keepalive, extended error


def ask(server: Server, probe: Probe) -> dns.message.Message:
    """Ask as it is written; dnspython refuses a response that is none to this query."""
    send = dns.query.tcp if probe.tcp else dns.query.udp
    return send(probe.query(), server.host, port=server.port, timeout=10)


@pytest.mark.parametrize(("probe", "rcode", "soa"), [row[1:] for row in PROBES], ids=IDS)
def test_edns_compliance(server: Server, probe: Probe, rcode: str, soa: bool) -> None:
    response = ask(server, probe)

    assert dns.rcode.to_text(response.rcode()) == rcode
    assert [str(rrset.name) for rrset in response.answer] == ["gtm.test."] * soa
    assert response.edns == (-1 if probe.edns is None else 0), "RFC 6891 section 6.1.3: our version"
    assert response.ednsflags & 0xFFFF == probe.edns_flags & DO, "unknown flags are not repeated"
    asked = {option.otype for option in probe.options}
    assert {option.otype for option in response.options} <= asked & KNOWN_OPTIONS | {15}
    aa = dns.flags.AA if rcode == "NOERROR" else 0
    assert response.flags == dns.flags.QR | aa | probe.flags & dns.flags.RD


@pytest.mark.parametrize("opcode", [1, 2, 3, 4, 5, 6, 15])
@pytest.mark.parametrize("flags", [0, 0x07B0], ids=["no flags", "all flags"])
def test_unknown_opcodes_are_not_implemented(server: Server, opcode: int, flags: int) -> None:
    """RFC 8906 section 3.1.4: told, not passed over in silence. QR stays clear, or it is no query."""
    packet = bytearray(dns.message.make_query("gtm.test", "SOA", id=99).to_wire())
    packet[2:4] = (opcode << 11 | flags).to_bytes(2)

    response = exchange(server, bytes(packet))

    assert response[:2] == packet[:2]
    assert response[2] == 0x80 | opcode << 3 | flags >> 8 & 1
    assert response[3] == 4, "NOTIMP, no other flag"


# fmt: off
TOLD = [
    # id                 the probe                                                 option  its data
    ("NSID",             Probe(options=(dns.edns.GenericOption(3, b""),)),         3,      b"edge-1"),
    ("NSID over TCP",    Probe(options=(dns.edns.GenericOption(3, b""),), tcp=True), 3,    b"edge-1"),
    ("keepalive: 10 s",  Probe(options=(dns.edns.GenericOption(11, b""),), tcp=True), 11,  b"\x00\x64"),
    ("no keepalive",     Probe(options=(dns.edns.GenericOption(11, b""),)),        11,     None),
    ("expire",           Probe(options=(dns.edns.GenericOption(9, b""),)),         9,      None),
    ("client subnet",    Probe(options=(SUBNET,)),                                 8,      b"\x00\x01\x18\x00\xc0\x00\x02"),
    ("not ours",         Probe(name="elsewhere.example"),                          15,     b"\x00\x14"),
]
# fmt: on


@pytest.mark.parametrize(
    ("probe", "code", "data"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD]
)
def test_options_of_responses(server: Server, probe: Probe, code: int, data: bytes | None) -> None:
    assert option_of(ask(server, probe), code) == data


def option_of(response: dns.message.Message, code: int) -> bytes | None:
    found = [option.to_wire() for option in response.options if option.otype == code]
    assert len(found) <= 1
    return found[0] if found else None


# fmt: off
SIZES = [
    # id              EDNS payload   octets at most  truncated over UDP
    ("no EDNS",       None,          512,            True),
    ("512",           512,           512,            True),
    ("100 is 512",    100,           512,            True),
    ("1232",          1232,          1232,           True),
    ("4096",          4096,          1232,           True),
]
# fmt: on


@pytest.mark.parametrize(
    ("payload", "most", "truncated"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES]
)
def test_truncation(server: Server, payload: int | None, most: int, truncated: bool) -> None:
    """RFC 9715: 1232 whatever larger size is asked for; all of it over TCP."""
    edns = None if payload is None else 0
    probe = Probe(edns=edns, name="long.gtm.test", rdtype="TXT", payload=payload or 0)
    octets = exchange(server, probe.query().to_wire())
    response = dns.message.from_wire(octets)

    assert bool(response.flags & dns.flags.TC) == truncated
    assert len(octets) <= most
    assert response.edns == (-1 if payload is None else 0)
    whole = ask(server, Probe(edns=edns, name="long.gtm.test", rdtype="TXT", tcp=True))
    assert not whole.flags & dns.flags.TC
    assert sum(len(rrset) for rrset in whole.answer) == 20


def test_amplification(server: Server) -> None:
    """What a forged source address can be sent: sizes by the rules, ANY small, the largest printed."""
    names = [
        "gtm.test", "www.gtm.test", "many.gtm.test", "long.gtm.test", "full.gtm.test", "a.sub.gtm.test",
        "x.wild.gtm.test", "no.gtm.test", "elsewhere.example",
    ]  # fmt: skip
    ratios: list[tuple[float, str]] = []
    for name in names:
        for rdtype in ("A", "AAAA", "NS", "SOA", "MX", "TXT", "ANY", "DNSKEY"):
            for payload in (None, 512, 4096):
                edns = None if payload is None else 0
                query = Probe(edns=edns, name=name, rdtype=rdtype, payload=payload or 0).query()
                packet = query.to_wire()
                octets = exchange(server, packet)
                assert len(octets) <= (512 if payload in (None, 512) else 1232)
                ratio = len(octets) / len(packet)
                ratios.append(
                    (ratio, f"{name} {rdtype}, EDNS {payload}: {len(packet)} to {len(octets)}")
                )
                if rdtype == "ANY" and not dns.message.from_wire(octets).authority:
                    assert len(octets) <= len(packet) + 51, "at most 92 octets for 41 (RFC 8482)"
    largest = max(ratios)
    print(f"largest of {len(ratios)}: {largest[0]:.1f} times, {largest[1]}")
    assert largest[0] < 30, "1232 octets for a query of 41"


def exchange(server: Server, packet: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect((server.host, server.port))
        sock.send(packet)
        return sock.recv(65_535)
