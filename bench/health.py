"""What health checks cost: CPU time of a monitor that probes 2 000 endpoints every 5 s.

    .venv/bin/python bench/health.py [--seconds 30] [--endpoints 2000] [http tls dns ...]

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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection

from gtmdns.config.model import HealthCheck
from gtmdns.health.monitor import Monitor
from gtmdns.health.probes import Prober
from gtmdns.health.verdict import State

Trust = Callable[[], ssl.SSLContext]

INTERVAL = 5.0  # seconds
TIMEOUT = 2.0  # seconds
SPREAD = 3.0  # seconds; startup_wait less the timeout
LIMIT = 0.60  # of one core
SO_BINDTODEVICE = 25  # Linux
SCENARIOS = ("http", "https", "tcp", "tls", "dns", "grpc", "icmp", "hang")
NAME = "bench.example"
IP_PKTINFO = 8  # Linux
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


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
    """Answers whatever comes and closes, unless it is to hang."""

    def __init__(self, answer: bytes, hanging: bool) -> None:
        self.answer = answer
        self.hanging = hanging

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        address = transport.get_extra_info("sockname")[0]
        self.hanging = self.hanging and int(IPv4Address(address)) % 2 == 0

    def data_received(self, data: bytes) -> None:
        if not self.hanging:
            self.transport.write(self.answer)
            self.transport.close()


def grpc_answer() -> bytes:
    """Return what a server of HTTP/2 says to the one request of a probe, the same each time."""
    server = H2Connection(H2Configuration(client_side=False))
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(
        1, [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", NAME)]
    )
    client.send_data(1, b"", end_stream=True)
    server.initiate_connection()
    server.receive_data(client.data_to_send())
    server.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
    server.send_data(1, b"\0\0\0\0\x02\x08\x01")  # SERVING
    server.send_headers(1, [("grpc-status", "0")], end_stream=True)
    return server.data_to_send()


def answer_dns(sock: socket.socket) -> None:
    """Turn each query into an answer, from the address that was asked. Never returns."""
    while True:
        query, ancillary, _, client = sock.recvmsg(512, 64)
        answer = query[:2] + b"\x84\0" + query[4:]
        sock.sendmsg([answer], ancillary, 0, client)


def listener(kind: int) -> socket.socket:
    """Listen on every address of the loopback interface, and on no other interface."""
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo")
    sock.bind(("0.0.0.0", 0))
    if kind == socket.SOCK_DGRAM:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    else:
        sock.listen(4096)
    return sock


def start_server(sock: socket.socket, tls: ssl.SSLContext | None, scenario: str) -> int:
    """Serve in a process of its own; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(300)  # never outlives a run that was killed

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        answer = grpc_answer() if scenario == "grpc" else ANSWER
        backend = partial(Backend, answer, scenario == "hang")
        server = await loop.create_server(backend, sock=sock, ssl=tls)
        await server.serve_forever()

    try:
        if sock.type == socket.SOCK_DGRAM:
            answer_dns(sock)
        asyncio.run(serve())
    finally:
        os._exit(0)


def certificate(folder: Path) -> tuple[ssl.SSLContext, Trust]:
    """Return a server's context, and what makes contexts of clients that trust it."""
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
    return server, partial(ssl.create_default_context, cadata=pem.decode())


def definition(scenario: str, port: int) -> HealthCheck:
    """Return the health check of a scenario; icmp asks the kernel, not the server."""
    fields: dict[str, object] = {"type": "http" if scenario == "hang" else scenario, "port": port}
    if scenario == "icmp":
        del fields["port"]
    if scenario in ("https", "tls"):
        fields["host"] = NAME
    times = {"interval": INTERVAL, "timeout": TIMEOUT}
    return HealthCheck.model_validate(fields | times)


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
    scenario: str, check: HealthCheck, endpoints: int, seconds: float, trust: Trust
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
    transport = socket.SOCK_DGRAM if scenario == "dns" else socket.SOCK_STREAM
    with tempfile.TemporaryDirectory() as folder, listener(transport) as sock:
        tls, trust = certificate(Path(folder))
        server = start_server(sock, tls if scenario in ("https", "tls") else None, scenario)
        check = definition(scenario, sock.getsockname()[1])
        sock.close()
        try:
            return asyncio.run(measure(scenario, check, endpoints, seconds, trust))
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
