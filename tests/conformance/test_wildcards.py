"""Wildcards as RFC 4592 tells them, by its own example zone; NSD and Knot are asked the same.

Every expectation is written out, so that a mistake that all three make would be seen too.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import dns.message
import dns.rcode
import pytest

from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Snapshot
from gtmdns.compiler.build import compile_config
from gtmdns.config.load import load
from tests.compiler.support import NOW, snapshot_of
from tests.conformance.differing import CLIENT, HOST, PEERS, Asked
from tests.conformance.ports import free_port
from tests.conformance.resolving import running

# RFC 4592 section 2.2.1; its wildcard's NS at subdel are elsewhere. Behind it what section 4 tells.
ZONE = """\
$ORIGIN example.com.
$TTL 3600
@                   SOA  ns.example.com. hostmaster 1 86400 7200 3600000 30
@                   NS   ns.elsewhere.example.
*                   TXT  "this is a wildcard"
*                   MX   10 host1
sub.*               TXT  "this is not a wildcard"
host1               A    192.0.2.1
_ssh._tcp.host1     SRV  0 0 22 host1
_ssh._tcp.host2     SRV  0 0 22 host2
subdel              NS   ns.elsewhere.example.
*.alias             CNAME host1
*.lost              CNAME nothing.ent
deep.ent            A    192.0.2.2
*.ent               A    192.0.2.3
"""
CONFIG = "zones: {example.com: {zone_file: zone}}\ngeoip: {databases: []}\n"
TXT, SOA = ['TXT "this is a wildcard"'], "example.com. SOA"

# fmt: off
CASES = [
    # id                                question                              rcode       answer                       authority
    # section 2.2.1, synthesized
    ("MX of the wildcard",              "host3", "MX",                        "NOERROR",  ["MX 10 host1"],              ""),
    ("its other types are NODATA",      "host3", "A",                         "NOERROR",  [],                           SOA),
    ("below what does not exist",       "foo.bar", "TXT",                     "NOERROR",  TXT,                          ""),
    # section 2.2.1, not synthesized
    ("host1 exists",                    "host1", "MX",                        "NOERROR",  [],                           SOA),
    ("sub.* exists",                    "sub.*", "MX",                        "NOERROR",  [],                           SOA),
    ("below host1",                     "_telnet._tcp.host1", "SRV",          "NXDOMAIN", [],                           SOA),
    ("below the cut: a referral",       "host.subdel", "A",                   "NOERROR",  [],                           "subdel.example.com. NS"),
    ("below an asterisk",               "ghost.*", "MX",                      "NXDOMAIN", [],                           SOA),
    # the rest of section 2, and section 4
    ("the wildcard itself",             "*", "TXT",                           "NOERROR",  TXT,                          ""),
    ("an empty non-terminal",           "host2", "TXT",                       "NOERROR",  [],                           SOA),
    ("another empty non-terminal",      "_tcp.host1", "TXT",                  "NOERROR",  [],                           SOA),
    ("a CNAME of a wildcard",           "x.alias", "A",                       "NOERROR",  ["CNAME host1", "A 192.0.2.1"], ""),
    ("it leads to another wildcard",    "x.lost", "A",                        "NOERROR",  ["CNAME nothing.ent", "A 192.0.2.3"], ""),
    ("a name beside a wildcard",        "deep.ent", "A",                      "NOERROR",  ["A 192.0.2.2"],              ""),
    ("nothing below such a name",       "x.deep.ent", "A",                    "NXDOMAIN", [],                           SOA),
    ("upper case",                      "FOO.Bar", "TXT",                     "NOERROR",  TXT,                          ""),
]
# fmt: on


def read(response: dns.message.Message) -> tuple[str, list[str], str]:
    """Return rcode, answer and authority in the words of CASES."""
    answer = [
        f"{dns.rdatatype.to_text(rrset.rdtype)} {data}".removesuffix(".example.com.")
        for rrset in response.answer
        for data in rrset
    ]
    authority = [f"{r.name} {dns.rdatatype.to_text(r.rdtype)}" for r in response.authority]
    return dns.rcode.to_text(response.rcode()), answer, " ".join(authority)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("wildcards")
    (folder / "zone").write_text(ZONE)
    (folder / "gtmdns.yaml").write_text(CONFIG)
    return snapshot_of(compile_config(load(folder / "gtmdns.yaml"), {}, NOW))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Asked]]:
    with ExitStack() as stack:
        asked = []
        for peer in PEERS:
            if shutil.which(peer.program) is None:
                continue
            home = tmp_path_factory.mktemp(peer.program)
            port = free_port(HOST)
            (home / "zone").write_text(ZONE)
            conf = peer.conf.format(folder=home, host=HOST, port=port)
            (home / "conf").write_text(
                conf + peer.zone_conf.format(apex="example.com", file="zone")
            )
            command = [peer.program, *peer.words, str(home / "conf")]
            stack.enter_context(running(command, home / "log", (HOST, port)))
            asked.append(Asked(peer, port))
            stack.callback(asked[-1].sock.close)
        yield asked


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode", "answer", "authority"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_wildcards(
    snapshot: Snapshot, others: list[Asked], name: str, rdtype: str, rcode: str,
    answer: list[str], authority: str,
) -> None:  # fmt: skip
    packet = dns.message.make_query(f"{name}.example.com", rdtype, id=46).to_wire()
    ours = respond(packet, CLIENT, snapshot, 0)

    assert read(dns.message.from_wire(ours or b"")) == (rcode, answer, authority)
    for other in others:
        theirs = read(dns.message.from_wire(other.ask(packet)))
        assert theirs == (rcode, answer, authority), other.name
