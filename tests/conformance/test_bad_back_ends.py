"""Health checks of a running server against back ends that misbehave; many at once are drills."""

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
from tests.conformance.ports import free_port
from tests.conformance.probing import (
    CHECKED,
    CONFIG,
    NAME,
    addresses,
    all_are,
)
from tests.conformance.server import fresh, serving
from tests.conformance.waiting import Late, eventually, in_time
from tests.health.servers import Authority

INTERVAL, TIMEOUT = 0.6, 0.3
MARGIN = 0.2  # seconds after its timeout at which a probe has to have ended
PROBES = 5

OK, REDIRECT, SILENT, DRIBBLE, HUGE_BODY, RESET, BLACKHOLE, NOBODY = (
    f"127.0.9.{number}" for number in range(31, 39)
)
GOOD, EXPIRED, STRANGE = (f"127.0.9.{number}" for number in range(41, 44))
# address, how it behaves, verdict, words of the last result
# fmt: off
PLAIN = [
    (OK,        "ok",       "up",   "200"),
    (REDIRECT,  "redirect", "down", "302"),
    (SILENT,    "silent",   "down", "timeout"),
    (DRIBBLE,   "dribble",  "down", "timeout"),
    (HUGE_BODY, "huge",     "up",   "200"),
    (RESET,     "reset",    "down", "reset"),
    (BLACKHOLE, None,       "down", "timeout"),
    (NOBODY,    None,       "down", "refused"),
]
SEALED = [
    (GOOD,      "good",     "up",   "200"),
    (EXPIRED,   "expired",  "down", "expired"),
    (STRANGE,   "strange",  "down", "self-signed"),
]
# fmt: on

MANNERS = """
server: {{startup_wait: 1s}}
health_checks:
  web: {{type: http, port: {port}, interval: {interval}, timeout: {timeout}, fall: 2, expect_status: ["200"]}}
  tls: {{type: https, port: {port}, interval: {interval}, timeout: {timeout}, fall: 2}}
pools:
  many: {{health_check: web, endpoints: [{plain}]}}
  sealed: {{health_check: tls, endpoints: [{sealed}]}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: [many, sealed]}}
"""


class Certificates:
    """An authority that the server trusts, and one certificate for each back end of SEALED."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = Authority.make(folder)
        self.trusted = folder / "authority"
        self.trusted.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
        authority.server((GOOD,))
        (self.good,) = made = list(folder.glob("*.pem"))
        authority.server((EXPIRED,), first_day=-9, last_day=-1)
        (self.expired,) = set(folder.glob("*.pem")) - set(made)
        self.strange = folder / "strange"
        self.strange.write_bytes(self_signed(STRANGE))


def self_signed(address: str) -> bytes:
    """Return a key and a certificate that nobody has to trust, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(pem)


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
    certificates = Certificates(folder / "certificates")
    config = MANNERS.format(
        port=port,
        interval=INTERVAL,
        timeout=TIMEOUT,
        plain=", ".join(case[0] for case in PLAIN),
        sealed=", ".join(case[0] for case in SEALED),
    )
    listeners = [f"{address}:{port}:{manner}" for address, manner, *_ in PLAIN if manner]
    for address, name, *_ in SEALED:
        listeners.append(f"{address}:{port}:tls={getattr(certificates, name)}")
    trust = {"SSL_CERT_FILE": str(certificates.trusted)}
    with (
        blackhole(BLACKHOLE, port),
        BackEnds(folder, listeners) as back_ends,
        serving(folder, config, environment=trust) as server,
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


def each_kind(folder: Path) -> str:
    """Check every verdict and its reason; return how long the probes took that hung."""
    folder = fresh(folder)
    rows = probe_all(folder)
    last = {address: row["checks"][0]["last_result"] for address, row in rows.items()}
    for address, manner, verdict, words in PLAIN + SEALED:
        assert rows[address]["verdict"] == verdict, (manner, rows[address])
        assert words in last[address]["reason"].lower(), (manner, rows[address])
    took = {address: last[address]["seconds"] for address in (SILENT, DRIBBLE, BLACKHOLE)}
    assert min(took.values()) >= 0.9 * TIMEOUT
    if max(took.values()) > TIMEOUT + MARGIN:
        raise Late(f"probes went on after their timeout: {took}")
    return f"probes with a timeout of {TIMEOUT} s ended after {took}"


def test_each_kind_of_back_end(tmp_path: Path) -> None:
    print(in_time(lambda: each_kind(tmp_path)))


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
