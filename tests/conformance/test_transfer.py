"""Secondaries of other makes get a zone from a running server, and answer the same."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.xfr
import dns.zone
import pytest

from tests.conformance.differing import Peer, shown
from tests.conformance.ports import free_port
from tests.conformance.resolving import running
from tests.conformance.server import Server, serving
from tests.conformance.settings import KNOT_SERVER, NSD_SERVER
from tests.conformance.waiting import eventually

APEX = "moving.test"
NAMES = 3000
CONFIG = """
geoip: {databases: []}
pools: {web: {endpoints: [192.0.2.9]}}
zones:
  moving.test:
    nameservers: {ns1: [127.0.0.1], ns.elsewhere.test.: []}
    contact: hostmaster@example.com
    zone_file: moving.zone
    transfer_to: [127.0.0.1]
    records:
      www: {A: [192.0.2.1, 192.0.2.2], AAAA: ["2001:db8::1"]}
      Mixed.Case: {TXT: ['"Text; one" "two"'], MX: ["10 mail", "20 mail.elsewhere.test."]}
      alias: {CNAME: www}
      "*.wild": {A: [192.0.2.3]}
      sub: {NS: [ns.sub], DS: ["1 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]}
      ns.sub: {A: [192.0.2.7]}
      below.sub: {A: [192.0.2.8]}
      a.b.c: {SRV: ["1 2 443 www"], HTTPS: ["1 . alpn=h2"]}
      odd: {TYPE65400: ['\\# 3 0a0b0c'], CAA: ['0 issue "ca.example"']}
  kept.test:
    nameservers: {ns1: [127.0.0.1]}
    contact: hostmaster@example.com
    records: {www: {pools: web}}
"""
ASKED = [
    ("moving.test", "SOA"), ("moving.test", "NS"), ("www.moving.test", "A"), ("www.moving.test", "AAAA"),
    ("mixed.case.moving.test", "TXT"), ("mixed.case.moving.test", "MX"), ("alias.moving.test", "CNAME"),
    ("x.wild.moving.test", "A"), ("sub.moving.test", "DS"), ("a.b.c.moving.test", "SRV"),
    ("a.b.c.moving.test", "HTTPS"), ("odd.moving.test", "TYPE65400"), ("odd.moving.test", "CAA"),
    ("b.c.moving.test", "A"), ("no.moving.test", "A"), ("n2999.bulk.moving.test", "TXT"),
    ("below.sub.moving.test", "A"),
]  # fmt: skip

NSD = Peer(
    "NSD", "nsd",
    NSD_SERVER
    + """zone:
  name: moving.test
  request-xfr: {request} 127.0.0.1@{primary} NOKEY
  max-refresh-time: 1
  min-retry-time: 1
  max-retry-time: 1
""",
    "", ("-d", "-c"),
)  # fmt: skip
KNOT = Peer(
    "Knot", "knotd",
    KNOT_SERVER
    + """remote:
  - id: primary
    address: 127.0.0.1@{primary}
zone:
  - domain: moving.test
    storage: "{folder}"
    master: primary
    refresh-max-interval: 2
    retry-max-interval: 1
""",
    "", ("-c",),
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("transfer")
    lines = [f'n{number}.bulk IN TXT "{number:030}"\n' for number in range(NAMES)]
    (folder / "moving.zone").write_text(f"$ORIGIN {APEX}.\n$TTL 60\n" + "".join(lines))
    with serving(folder, CONFIG) as running_server:
        yield running_server


def received(server: Server, **how: object) -> dns.zone.Zone:
    """Return the zone as dnspython gets it."""
    zone = dns.zone.Zone(dns.name.from_text(APEX))
    query, _ = dns.xfr.make_query(zone, **how)  # type: ignore[arg-type]
    dns.query.inbound_xfr(server.host, zone, query, server.port, timeout=20, udp_mode=dns.query.UDPMode.NEVER)  # fmt: skip
    return zone


def test_dnspython_gets_all_of_it(server: Server) -> None:
    zone = received(server)

    counts = {str(name): len(node.rdatasets) for name, node in zone.items()}
    assert len(counts) == NAMES + 11
    assert counts["@"] == 2
    assert counts["sub"] == 2
    assert {"ns.sub", "below.sub", "*.wild", "ns1"} <= counts.keys()


def test_ixfr_over_udp_and_tcp(server: Server) -> None:
    """Of an older serial: told over UDP to come by TCP, where all of the zone comes."""
    serial = received(server).get_soa().serial
    for known, answers in ((serial, 1), (serial - 1, NAMES)):
        zone = dns.zone.Zone(dns.name.from_text(APEX))
        query, _ = dns.xfr.make_query(zone, serial=known)
        over_udp = dns.query.udp(query, server.host, port=server.port, timeout=10)
        assert [(len(rrset), rrset.rdtype) for rrset in over_udp.answer] == [(1, dns.rdatatype.SOA)]
        records = [
            record
            for message in dns.query.xfr(server.host, APEX, "IXFR", serial=known, port=server.port, relativize=False, timeout=20)
            for rrset in message.answer for record in rrset
        ] if known != serial else over_udp.answer  # fmt: skip
        assert len(records) >= answers


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not here (Debian: bind9-dnsutils)")
def test_dig_gets_it_and_a_steered_zone_not(server: Server) -> None:
    def dig(name: str, *words: str) -> str:
        return subprocess.run(
            ["dig", f"@{server.host}", "-p", str(server.port), name, *words],
            capture_output=True, text=True, timeout=30, check=False,
        ).stdout  # fmt: skip

    whole = dig(APEX, "AXFR")
    assert f"XFR size: {NAMES + 21} records (messages " in whole
    assert whole.count("SOA") == 2
    assert dig("MOVING.Test", "AXFR").lower().count("in\ttxt") == NAMES + 1  # RFC 4343
    assert f"XFR size: {NAMES + 21} records" in dig("MOVING.Test", "AXFR")
    assert "Transfer failed" in dig("kept.test", "AXFR")
    assert "Transfer failed" in dig(APEX, "AXFR", "-b", "127.0.0.2")


@pytest.mark.parametrize("peer", [NSD, KNOT], ids=["NSD", "Knot"])
def test_a_secondary_of_another_make_answers_the_same(
    server: Server, peer: Peer, tmp_path: Path
) -> None:
    if shutil.which(peer.program) is None:
        pytest.skip(f"{peer.program} is not here")
    port = free_port()
    conf = tmp_path / "conf"
    conf.write_text(
        peer.conf.format(
            folder=tmp_path, host="127.0.0.1", port=port, primary=server.port, request="AXFR"
        )
    )

    with running([peer.program, *peer.words, str(conf)], tmp_path / "log", ("127.0.0.1", port)):

        def ask(name: str, rdtype: str, at: int) -> dns.message.Message:
            query = dns.message.make_query(name, rdtype, use_edns=0, payload=1232)
            return dns.query.udp(query, "127.0.0.1", port=at, timeout=5)

        def is_there() -> bool:
            try:
                return ask(APEX, "SOA", port).rcode() == dns.rcode.NOERROR
            except dns.exception.Timeout:
                return False

        eventually(is_there, f"{peer.name} has the zone; it says:\n{tmp_path / 'log'}")
        for name, rdtype in ASKED:
            ours, theirs = shown(ask(name, rdtype, server.port)), shown(ask(name, rdtype, port))
            assert ours == theirs, f"{name} {rdtype}"
