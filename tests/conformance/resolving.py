"""Debian's NSD as root and parent of a delegated zone; unbound, BIND and Knot Resolver for clients."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.conformance.ports import free_port
from tests.conformance.settings import NSD_SERVER
from tests.conformance.waiting import eventually

PARENT_HOST, CHILD_HOST = "127.0.1.10", "127.0.1.53"
ZONE, CHILD = "example.com", "gtm.example.com"

ROOT_FILE = f"""\
$TTL 300
.              SOA ns. hostmaster.{ZONE}. 1 3600 900 604800 30
.              NS  ns.
ns.            A   {PARENT_HOST}
{ZONE}.        NS  ns.{ZONE}.
ns.{ZONE}.     A   {PARENT_HOST}
"""

HINTS = f". 300 NS ns.\nns. 300 A {PARENT_HOST}\n"

MASTER_FILE = f"""\
$ORIGIN {ZONE}.
$TTL 300
@    SOA  ns hostmaster.{ZONE}. 1 3600 900 604800 30
@    NS   ns
ns   A    {PARENT_HOST}
www  CNAME www.{CHILD}.
{CHILD}.      NS  ns1.{CHILD}.
ns1.{CHILD}.  A   {CHILD_HOST}
"""

NSD = (
    NSD_SERVER
    + """zone:
  name: {zone}
  zonefile: zone
zone:
  name: .
  zonefile: root
"""
)

UNBOUND = """
server:
  interface: {host}@{port}
  access-control: 127.0.0.0/8 allow
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  logfile: ""
  num-threads: 1
  do-ip6: no
  do-not-query-localhost: no
  module-config: "subnetcache iterator"
  send-client-subnet: {child}
  client-subnet-always-forward: yes
  max-client-subnet-ipv4: 24
  qname-minimisation: yes
  use-caps-for-id: yes
remote-control:
  control-enable: no
stub-zone:
  name: {zone}
  stub-addr: {parent}
"""

BIND = """
options {{
  directory "{folder}";
  pid-file "{folder}/named.pid";
  session-keyfile "{folder}/session.key";
  listen-on port {port} {{ {host}; }};
  listen-on-v6 {{ none; }};
  query-source address {host};
  allow-query {{ 127.0.0.0/8; }};
  recursion yes;
  dnssec-validation no;
  empty-zones-enable no;
  qname-minimization strict;
}};
controls {{ }};
zone "." {{ type hint; file "{folder}/hints"; }};
"""

KRESD = """
net.listen('{host}', {port}, {{ kind = 'dns' }})
net.outgoing_v4('{host}')
net.ipv6 = false
option('ALLOW_LOCAL', true)
trust_anchors.remove('.')
modules.unload('priming')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('detect_time_skew')
modules.load('hints')
hints.root({{ ['ns.'] = '{parent}' }})
cache.size = 10 * MB
"""


@dataclass(frozen=True)
class Kind:
    """A resolver: its program, Debian's package of it, its configuration, its command line.

    host: BIND listens only on addresses that an interface has by name.
    """

    program: str
    package: str
    conf: str
    words: tuple[str, ...]
    host: str = "127.0.1.20"


KINDS = {
    "unbound": Kind("unbound", "unbound", UNBOUND, ("-d", "-p", "-c", "{conf}")),
    "bind": Kind("named", "bind9", BIND, ("-g", "-n", "1", "-c", "{conf}"), "127.0.0.1"),
    "knot-resolver": Kind("kresd", "knot-resolver", KRESD, ("-n", "-c", "{conf}", "{folder}")),
}


def reason_to_skip() -> str | None:
    """Say what is missing on this machine for the delegation to be followed; None: nothing."""
    if not shutil.which("nsd"):
        return "nsd is not installed (Debian package of this name)"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((CHILD_HOST, 53))
    except OSError as error:
        return (
            f"a resolver asks delegated servers on port 53, which cannot be bound: {error.strerror}"
        )
    return None


@contextmanager
def running(command: Sequence[str], log: Path, address: tuple[str, int]) -> Iterator[None]:
    """Run a DNS server in the foreground until the block ends; it answers when the block begins."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            dns.query.udp(dns.message.make_query(ZONE, "SOA"), address[0], 0.5, address[1])
        except (dns.exception.Timeout, OSError):
            return False
        return True

    try:
        eventually(answers, f"{command[0]} answers")
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def resolver(folder: Path, kind: Kind) -> Iterator[int]:
    """Run NSD and a resolver; return the resolver's port on `kind.host`."""
    port = free_port(kind.host)
    nsd, home = folder / "nsd", folder / kind.program
    nsd.mkdir()
    home.mkdir()
    (nsd / "zone").write_text(MASTER_FILE)
    (nsd / "root").write_text(ROOT_FILE)
    (nsd / "conf").write_text(NSD.format(host=PARENT_HOST, port=53, folder=nsd, zone=ZONE))
    (home / "hints").write_text(HINTS)
    (home / "conf").write_text(
        kind.conf.format(
            host=kind.host, port=port, folder=home, child=CHILD_HOST, zone=ZONE,
            parent=PARENT_HOST,
        )
    )  # fmt: skip
    parent = ["nsd", "-d", "-c", str(nsd / "conf")]
    words = [word.format(conf=home / "conf", folder=home) for word in kind.words]
    with (
        running(parent, nsd / "log", (PARENT_HOST, 53)),
        running([kind.program, *words], home / "log", (kind.host, port)),
    ):
        yield port
