"""NSID, cookies, TCP keepalive and questions about the server, asked of the whole server by dig."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import pytest

from tests.conformance.server import Server, serving
from tests.conformance.waiting import eventually

CONFIG = """
geoip: {databases: []}
server:
  nsid: edge-1
  version: a name server
  tcp: {idle_timeout: 7s}
zones:
  example.test:
    nameservers: {ns1: [192.0.2.53]}
    contact: hostmaster@example.test
    records: {www: {A: 192.0.2.1}}
"""
CLIENT_PART = bytes.fromhex("2464c4abcf10c957")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("options"), CONFIG, workers=2) as running:
        yield running


def dig(server: Server, *words: str) -> str:
    program = shutil.which("dig")
    if program is None:
        pytest.skip("dig is not installed (bind9-dnsutils)")
    command = [program, "@127.0.0.1", "-p", str(server.port), "+tries=1", "+time=5", *words]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert "Warning" not in run.stdout + run.stderr
    return run.stdout


def cookie_of(server: Server, cookie: bytes, tcp: bool = False) -> bytes:
    option = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, cookie)
    query = dns.message.make_query("www.example.test", "A", use_edns=0, options=[option])
    send = dns.query.tcp if tcp else dns.query.udp
    (answered,) = send(query, server.host, port=server.port, timeout=10).options
    return answered.to_wire() or b""


def test_dig_gets_the_name_of_the_server_and_a_cookie(server: Server) -> None:
    said = dig(server, "www.example.test", "+nsid", "+cookie=" + CLIENT_PART.hex())

    assert '("edge-1")' in said
    found = re.search(r"^; COOKIE: ([0-9a-f]{48}) \(good\)$", said, re.M)
    assert found
    assert "\t192.0.2.1\n" in said
    again = dig(server, "www.example.test", "+cookie=" + found[1])
    assert f"; COOKIE: {found[1]} (good)" in again


def test_dig_without_options_gets_none(server: Server) -> None:
    said = dig(server, "www.example.test", "+nocookie", "+nonsid")

    assert "NSID" not in said
    assert "COOKIE" not in said


def test_dig_asks_about_the_server(server: Server) -> None:
    for name, text in [("version.bind", "a name server"), ("id.server", "edge-1")]:
        assert dig(server, "+short", "CH", "TXT", name) == f'"{text}"\n'
    assert "status: REFUSED" in dig(server, "CH", "TXT", "authors.bind")


def test_dig_reads_the_extended_error_and_the_time_of_a_connection(server: Server) -> None:
    assert "; EDE: 20 (Not Authoritative)" in dig(server, "www.example.com")
    said = dig(server, "www.example.test", "+tcp", "+keepalive")
    assert re.search(r"^; TCP.KEEPALIVE: 7\.0 secs$", said, re.M)
    assert "KEEPALIVE" not in dig(server, "www.example.test", "+keepalive")


def test_a_cookie_is_good_for_every_worker_and_over_tcp(server: Server) -> None:
    """Each query comes from a port of its own, so the kernel gives it to either worker."""
    first = cookie_of(server, CLIENT_PART)
    found = {cookie_of(server, first, tcp=tcp) for tcp in [False] * 30 + [True] * 5}

    assert found == {first}


def test_a_cookie_outlives_control(tmp_path: Path) -> None:
    with serving(tmp_path, CONFIG, workers=1) as server:
        first = cookie_of(server, CLIENT_PART)
        generation = server.api("status")["configuration"]["generation"]
        os.kill(server.process("control").pid, signal.SIGKILL)
        eventually(lambda: server.all_serve(generation + 1), "another control has published")

        assert cookie_of(server, first) == first


def test_a_secret_is_rolled_over_without_a_loss(tmp_path: Path) -> None:
    """A change of the file alone is noticed; cookies of a secret that is gone are renewed."""
    file = tmp_path / "secrets"
    old, new = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
    file.write_text(old)
    config = CONFIG.replace("  nsid:", f"  cookies: {{secret_file: {file.name}}}\n  nsid:")
    with serving(tmp_path, config, workers=1) as server:
        generation = server.api("status")["configuration"]["generation"]
        first = cookie_of(server, CLIENT_PART)
        for secrets, kept in ((f"{new}\n{old}\n", True), (f"{new}\n", False)):
            file.write_text(secrets)
            generation += 1
            eventually(lambda g=generation: server.all_serve(g), "the new secrets are served")

            assert (cookie_of(server, first) == first) == kept
