"""What health checks cost: CPU time of a monitor that probes 2 000 endpoints every 5 s.

    .venv/bin/python bench/health.py [--seconds 30] [--endpoints 2000] [http https tcp hang]

One process serves all endpoints: the addresses from 127.1.0.1 on, on the loopback interface
alone. CPU time is that of the monitor's process (its probes, TLS included), not the server's.
`hang`: half of the endpoints accept and never answer, so each of their probes runs into its
timeout. "largest pause": how long the loop, which the HTTP API shares, kept a timer waiting.
Exit code 1: `http` needs more than 60 % of a core.
"""

import argparse
import asyncio
import logging
import os
import resource
import signal
import socket
import ssl
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gtmdns.health.monitor import Monitor
from gtmdns.health.probes import Prober
from gtmdns.health.verdict import State

INTERVAL = 5.0  # seconds
TIMEOUT = 2.0  # seconds
SPREAD = 3.0  # seconds; startup_wait less the timeout
LIMIT = 0.60  # of one core
SO_BINDTODEVICE = 25  # Linux
SCENARIOS = ("http", "https", "tcp", "hang")
NAME = "bench.example"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@dataclass(frozen=True)
class Check:
    """A health check as the configuration would give it."""

    type: str
    port: int
    path: str = "/healthz"
    method: str = "GET"
    host: str | None = NAME
    expect_status: tuple[tuple[int, int], ...] = ((200, 399),)
    verify_tls: bool = True
    interval: float = INTERVAL
    timeout: float = TIMEOUT
    fall: int = 3
    rise: int = 2
    clear: int = 1


@dataclass(frozen=True)
class Measured:
    scenario: str
    probes: float  # per second
    share: float  # of one core
    largest_pause: float  # seconds
    descriptors: int  # most at once
    late: int
    up: int
    down: int
    failed: int  # probes, from the very first on

    def row(self) -> str:
        per_probe = self.share / self.probes * 1e6 if self.probes else 0.0
        return (
            f"{self.scenario:<9}{self.probes:>9.0f}{self.share:>11.1%}{per_probe:>11.0f}"
            f"{self.largest_pause * 1000:>13.1f}{self.descriptors:>13}{self.late:>6}"
            f"{self.up:>7}{self.down:>7}{self.failed:>8}"
        )


HEADER = (
    f"{'checks':<9}{'probes/s':>9}{'of a core':>11}{'µs/probe':>11}{'largest ms':>13}"
    f"{'descriptors':>13}{'late':>6}{'up':>7}{'down':>7}{'failed':>8}"
)


class Backend(asyncio.Protocol):
    """Answers whatever comes, unless it is to hang."""

    def __init__(self, hanging: bool) -> None:
        self.hanging = hanging

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        address = transport.get_extra_info("sockname")[0]
        self.hanging = self.hanging and int(IPv4Address(address)) % 2 == 0

    def data_received(self, data: bytes) -> None:
        if not self.hanging:
            self.transport.write(ANSWER)
            self.transport.close()


def listener() -> socket.socket:
    """Listen on every address of the loopback interface, and on no other interface."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo")
    sock.bind(("0.0.0.0", 0))
    sock.listen(4096)
    return sock


def start_server(sock: socket.socket, tls: ssl.SSLContext | None, hanging: bool) -> int:
    """Serve in a process of its own; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(300)  # never outlives a run that was killed

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Backend(hanging), sock=sock, ssl=tls)
        await server.serve_forever()

    try:
        asyncio.run(serve())
    finally:
        os._exit(0)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return contexts of a server and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "server.pem"
    file.write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())


async def watch_pauses(seconds: float) -> tuple[float, int]:
    """Return by how much a timer was late at most, and the most descriptors seen open."""
    loop = asyncio.get_running_loop()
    end, largest, most, turn = loop.time() + seconds, 0.0, 0, 0
    while (due := loop.time() + 0.01) < end:
        await asyncio.sleep(0.01)
        largest = max(largest, loop.time() - due)
        turn += 1
        if turn % 20 == 0:  # listing a folder costs CPU time that is not the monitor's
            most = max(most, len(os.listdir("/proc/self/fd")))
    return largest, most


async def measure(
    scenario: str, check: Check, endpoints: int, seconds: float, trust: ssl.SSLContext | None
) -> Measured:
    """Let a monitor run, and count after the first probes are done."""
    prober = Prober(trust=trust)
    monitor = Monitor(on_change=lambda *_: None, probe=prober.probe)
    first = int(IPv4Address("127.1.0.1"))
    monitor.apply({(str(IPv4Address(first + n)), "web"): check for n in range(endpoints)}, SPREAD)
    await asyncio.sleep(SPREAD + TIMEOUT + 0.5)
    tally = monitor.tallies()["web"]
    before, late = tally.successes + tally.failures, monitor.late
    cpu, began = time.process_time(), time.monotonic()
    largest, most = await watch_pauses(seconds)
    cpu, wall = time.process_time() - cpu, time.monotonic() - began
    probes = tally.successes + tally.failures - before
    states = [standing.state for standing in monitor.standings().values()]
    measured = Measured(
        scenario,
        probes / wall,
        cpu / wall,
        largest,
        most,
        monitor.late - late,
        states.count(State.UP),
        states.count(State.DOWN),
        tally.failures,
    )
    await monitor.close()
    await prober.close()
    return measured


def run(scenario: str, endpoints: int, seconds: float) -> Measured:
    with tempfile.TemporaryDirectory() as folder, listener() as sock:
        tls, trust = certificate(Path(folder)) if scenario == "https" else (None, None)
        server = start_server(sock, tls, scenario == "hang")
        port = sock.getsockname()[1]
        sock.close()
        kind = "http" if scenario == "hang" else scenario
        try:
            return asyncio.run(measure(scenario, Check(kind, port), endpoints, seconds, trust))
        finally:
            with suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scenarios", nargs="*", default=[], metavar="|".join(SCENARIOS))
    parser.add_argument("--endpoints", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(SCENARIOS)
    if unknown or not (1 <= options.endpoints <= 60_000 and 1 <= options.seconds <= 120):
        parser.error("scenarios as named, 1 to 60000 endpoints, 1 to 120 seconds")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(
        f"{options.endpoints} endpoints, interval {INTERVAL:g} s, timeout {TIMEOUT:g} s, "
        f"{options.seconds:g} s each\n{HEADER}",
        flush=True,
    )
    logging.disable(logging.WARNING)  # one line per verdict is right elsewhere
    over = False
    for scenario in options.scenarios or SCENARIOS:
        measured = run(scenario, options.endpoints, options.seconds)
        print(measured.row(), flush=True)
        over |= scenario == "http" and measured.share > LIMIT
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
