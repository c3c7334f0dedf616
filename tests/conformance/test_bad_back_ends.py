"""Health checks of a running server against back ends that misbehave, and many at once."""

import datetime
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conformance.back_ends import HUGE, BackEnds
from tests.conformance.probing import (
    CHECKED,
    CONFIG,
    NAME,
    addresses,
    all_are,
    hang,
    storm,
)
from tests.conformance.server import Late, eventually, free_port, in_time, serving

INTERVAL, TIMEOUT = 0.6, 0.3
MARGIN = 0.2  # seconds after its timeout at which a probe has to have ended
PROBES = 5

OK, REDIRECT, SILENT, DRIBBLE, HUGE_BODY, RESET, EXPIRED, BLACKHOLE, NOBODY = (
    f"127.0.9.{number}" for number in range(31, 40)
)
# address, how it behaves, verdict, words of the last result
# fmt: off
CASES = [
    (OK,        "ok",       "up",   "200"),
    (REDIRECT,  "redirect", "down", "302"),
    (SILENT,    "silent",   "down", "timeout"),
    (DRIBBLE,   "dribble",  "down", "timeout"),
    (HUGE_BODY, "huge",     "up",   "200"),
    (RESET,     "reset",    "down", "reset"),
    (EXPIRED,   "tls",      "down", "certificate has expired"),
    (BLACKHOLE, None,       "down", "timeout"),
    (NOBODY,    None,       "down", "refused"),
]
# fmt: on

MANNERS = """
server: {{startup_wait: 1s}}
health_checks:
  web: {{type: http, port: {port}, interval: {interval}, timeout: {timeout}, fall: 2, expect_status: ["200"]}}
  tls: {{type: https, port: {port}, interval: {interval}, timeout: {timeout}, fall: 2}}
pools:
  many: {{health_check: web, endpoints: [{web}]}}
  sealed: {{health_check: tls, endpoints: [{tls}]}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: [many, sealed]}}
"""


def expired_certificate(folder: Path) -> Path:
    """Write a key and a certificate that was good until yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "expired.example")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=9))
        .not_valid_after(today - datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "expired.pem"
    file.write_bytes(private + certificate.public_bytes(pem))
    return file


@contextmanager
def blackhole(address: str, port: int) -> Iterator[None]:
    """A listener whose queue is full: the kernel drops every further SYN."""
    fillers = [socket.socket() for _ in range(4)]
    with socket.socket() as listener:
        listener.bind((address, port))
        listener.listen(0)
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((address, port))
        yield
        for filler in fillers:
            filler.close()


def probe_all(folder: Path) -> dict[str, Any]:
    """Serve until every endpoint was probed PROBES times; return the API's rows by address."""
    port = free_port("0.0.0.0")
    config = MANNERS.format(
        port=port,
        interval=INTERVAL,
        timeout=TIMEOUT,
        web=", ".join(case[0] for case in CASES if case[0] != EXPIRED),
        tls=EXPIRED,
    )
    listeners = [f"{address}:{port}:{manner}" for address, manner, *_ in CASES if manner]
    with (
        blackhole(BLACKHOLE, port),
        BackEnds(folder, listeners, expired_certificate(folder)) as back_ends,
        serving(folder, config) as server,
    ):

        def probed(address: str) -> int:
            return sum(c.address == address for c in back_ends.connections())

        eventually(lambda: min(map(probed, (OK, SILENT, DRIBBLE))) >= PROBES, "probed often")
        rows = {e["address"]: e for p in server.api("pools")["pools"] for e in p["endpoints"]}
        assert abs(probed(REDIRECT) - probed(OK)) <= 2, "a redirection was followed"
        sent = [c.octets for c in back_ends.connections("closed") if c.address == HUGE_BODY]
        assert sent
        assert max(sent) < HUGE, "a whole body of 10 MB was read"
    return rows


def test_each_kind_of_back_end(tmp_path: Path) -> None:
    rows = probe_all(tmp_path)

    told = {
        address: (row["verdict"], row["checks"][0]["last_result"]) for address, row in rows.items()
    }
    for address, manner, verdict, words in CASES:
        assert told[address][0] == verdict, (manner, told[address])
        assert words in told[address][1]["reason"].lower(), (manner, told[address])


def slow_probes(folder: Path) -> str:
    """Return a line on how long probes took that ran into their timeout."""
    folder.mkdir(exist_ok=True)
    rows = probe_all(folder)
    took = {a: rows[a]["checks"][0]["last_result"]["seconds"] for a in (SILENT, DRIBBLE, BLACKHOLE)}
    if max(took.values()) > TIMEOUT + MARGIN:
        raise Late(f"probes went on after their timeout: {took}")
    assert min(took.values()) >= 0.9 * TIMEOUT
    return f"probes with a timeout of {TIMEOUT} s ended after {took}"


def test_each_probe_ends_at_its_timeout(tmp_path: Path) -> None:
    print(in_time(lambda: slow_probes(tmp_path)))


def test_checks_that_hang_cost_no_query_anything(tmp_path: Path) -> None:
    print(in_time(lambda: hang(tmp_path, checks=300, rate=500, queries=1500)))


def test_first_probes_are_spread(tmp_path: Path) -> None:
    print(in_time(lambda: storm(tmp_path, endpoints=200)))


def test_answers_do_not_wait_for_verdicts_longer_than_startup_wait(tmp_path: Path) -> None:
    """Nobody answers the probes, and their timeout is far away: the server answers all the same."""
    port = free_port("0.0.0.0")
    config = CONFIG.format(
        port=port, interval=40, timeout=20, startup_wait=1, check=CHECKED,
        endpoints=", ".join(addresses(3)),
    )  # fmt: skip
    with BackEnds(tmp_path, [f"0.0.0.0:{port}:silent"]), serving(tmp_path, config) as server:
        assert all_are(server, "unknown", 3)
        assert sorted(server.addresses(NAME)) == addresses(3)
