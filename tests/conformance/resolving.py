"""Debian's NSD as the parent of a delegated zone, and Debian's unbound as the resolver of clients."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.conformance.server import eventually, free_port

PARENT_HOST, CHILD_HOST, RESOLVER_HOST = "127.0.1.10", "127.0.1.53", "127.0.1.20"
ZONE, CHILD = "example.com", "gtm.example.com"

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

NSD = """
server:
  ip-address: {host}@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  database: ""
  xfrdfile: "{folder}/xfrd"
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zonelist"
remote-control:
  control-enable: no
zone:
  name: {zone}
  zonefile: zone
"""

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
  stub-addr: {parent}@{parent_port}
"""


def reason_to_skip() -> str | None:
    """Say what is missing on this machine for the delegation to be followed; None: nothing."""
    missing = [program for program in ("nsd", "unbound") if not shutil.which(program)]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian packages of these names)"
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
def resolver(folder: Path) -> Iterator[int]:
    """Run NSD and unbound; return unbound's port on RESOLVER_HOST."""
    parent_port, port = free_port(PARENT_HOST), free_port(RESOLVER_HOST)
    nsd, unbound = folder / "nsd", folder / "unbound"
    nsd.mkdir()
    unbound.mkdir()
    (nsd / "zone").write_text(MASTER_FILE)
    (nsd / "conf").write_text(NSD.format(host=PARENT_HOST, port=parent_port, folder=nsd, zone=ZONE))
    (unbound / "conf").write_text(
        UNBOUND.format(
            host=RESOLVER_HOST, port=port, folder=unbound, child=CHILD_HOST, zone=ZONE,
            parent=PARENT_HOST, parent_port=parent_port,
        )
    )  # fmt: skip
    parent = ["nsd", "-d", "-c", str(nsd / "conf")]
    resolving = ["unbound", "-d", "-p", "-c", str(unbound / "conf")]
    with (
        running(parent, nsd / "log", (PARENT_HOST, parent_port)),
        running(resolving, unbound / "log", (RESOLVER_HOST, port)),
    ):
        yield port
