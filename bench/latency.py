"""How long answers take at a fixed rate: at rest, during a reload, a flood over TCP, a storm.

Queries leave by the clock, whatever comes back, and each is measured from when it should have left,
so that a pause is seen by all queries that fall into it. The server has a core for itself, what
asks has another; the loader and control share the server's. The storm is 1 000 verdicts in each
second to 10 000 other names over 1 000 pools (verdicts.py).

    python bench/latency.py --names 100000 --rate 2000 --seconds 10
"""

import argparse
import json
import multiprocessing
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import servers
import verdicts
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from servers import Running, free_port, running, wire_name
from zone import ZONE

HEAD = bytes.fromhex("01000001000000000000")
POOLS = 100
RELOAD_WAIT = 240.0  # seconds
GRACE = 1.0  # seconds for the last answers
FLOOD = "50"  # connections
STORM = verdicts.Scale(names=10_000, pools=1000)


@dataclass(frozen=True)
class Measured:
    """Milliseconds, of `sent` queries."""

    sent: int
    lost: int
    p50: float
    p99: float
    p999: float
    most: float


def configuration(names: int, port: int, changed: bool = False) -> str:
    lines = [
        f'server: {{listen: ["127.0.0.1:{port}"], workers: 1}}',
        "admin: {listen: null}",
        "regions: {here: {networks: [127.0.0.0/9]}}",
        "pools:",
        *(f"  p{n}: {{endpoints: [192.0.2.{n + 1}, 198.51.100.{n + 1}]}}" for n in range(POOLS)),
        f"zones:\n  {ZONE}:\n    nameservers: {{ns1: [192.0.2.53]}}",
        f"    contact: hostmaster@{ZONE}\n    records:",
    ]
    for n in range(names):
        first, second = f"p{(n + changed) % POOLS}", f"p{(n + 1 + changed) % POOLS}"
        ways = (
            f"pools: {first}",
            f"pools: {{{first}: 1, {second}: 3}}",
            f"route: {{here: {first}, default: {second}}}",
        )
        lines.append(f"      n{n}: {{{ways[n % 3]}}}")
    return "\n".join(lines) + "\n"


def ask(port: int, rate: float, names: int, done: Callable[[float], bool]) -> Measured:
    """Ask until `done` (it gets the seconds since the start) and return what was seen."""
    took: list[float] = []
    left: dict[int, float] = {}
    tails = [wire_name(f"n{n * 7919 % names}.{ZONE}") + b"\0\1\0\1" for n in range(1000)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.connect(("127.0.0.1", port))
        started, sent, end = time.perf_counter(), 0, 0.0
        while not end or (left and time.perf_counter() < end + GRACE):
            now = time.perf_counter()
            if not end and done(now - started):
                end = now
            while not end and sent < (now - started) * rate:
                number = sent & 0xFFFF
                sock.send(number.to_bytes(2) + HEAD + tails[sent % 1000])
                left[number] = started + sent / rate
                sent += 1
            select.select([sock], [], [], max(0.0, started + sent / rate - time.perf_counter()))
            _receive(sock, left, took)
    took.sort()
    p50, p99, p999, most = (
        took[min(len(took) - 1, int(len(took) * part))] * 1e3 for part in (0.5, 0.99, 0.999, 1)
    )
    return Measured(sent, sent - len(took), p50, p99, p999, most)


def _receive(sock: socket.socket, left: dict[int, float], took: list[float]) -> None:
    try:
        while True:
            response = sock.recv(4096)
            due = left.pop(int.from_bytes(response[:2]), None)
            if due is not None:
                took.append(time.perf_counter() - due)
    except BlockingIOError:
        return


def during_reload(
    server: Running, folder: Path, options: argparse.Namespace
) -> tuple[Measured, float]:
    """Change every name of the file, and ask until the new answers serve, and a second more.

    Returns the seconds from the file to the answers too.
    """
    output = folder / "server" / "output"
    text = configuration(options.names, server.port, changed=True)
    writer = threading.Timer(0.5, (folder / "server" / "gtmdns.yaml").write_text, (text,))
    writer.start()
    seen = [0.0]

    def done(seconds: float) -> bool:
        if seconds > RELOAD_WAIT:
            raise RuntimeError(f"no reload within {RELOAD_WAIT} s:\n{output.read_text()[-2000:]}")
        if not seen[0] and "now serving generation 2" in output.read_text():
            seen[0] = seconds
        return bool(seen[0]) and seconds > seen[0] + 1

    measured = ask(server.port, options.rate, options.names, done)
    return measured, seen[0] - 0.5


def during_flood(server: Running, folder: Path, options: argparse.Namespace) -> Measured:
    """Ask while a flood over TCP takes what the server gives it."""
    queries = folder / "queries"
    queries.write_text("".join(f"n{n}.{ZONE} A\n" for n in range(1000)))
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d", str(queries),
               "-m", "tcp", "-c", FLOOD, "-q", "500", "-l", str(options.seconds + 1)]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.nice(10),  # who asks goes first on their core
    ) as flood:  # fmt: skip
        measured = at_rest(server, options)
        flood.terminate()
    return measured


def during_storm(folder: Path, options: argparse.Namespace, cores: list[int]) -> Measured:
    """Ask a server of its own while 1 000 verdicts arrive in each second."""
    admin = free_port()
    with verdicts.serving(STORM, folder, admin, set(cores)) as server:
        ask(server.port, options.rate, STORM.names, lambda past: past > 1)  # caches are full
        pushing = multiprocessing.Process(target=_push, args=(admin, options.seconds + 1))
        pushing.start()
        measured = ask(server.port, options.rate, STORM.names, lambda past: past > options.seconds)
        pushing.join()
    if pushing.exitcode:
        raise RuntimeError("the storm was refused")
    return measured


def _push(admin: int, seconds: float) -> None:
    os.nice(10)  # who asks goes first on their core
    with closing(verdicts.Pusher(admin, STORM)) as pusher:
        verdicts.storm_for(pusher, seconds)


def at_rest(server: Running, options: argparse.Namespace) -> Measured:
    return ask(server.port, options.rate, options.names, lambda past: past > options.seconds)


def measure(options: argparse.Namespace) -> tuple[dict[str, Measured], dict[str, str]]:
    """Return the rows, and what else was seen."""
    cores = sorted(os.sched_getaffinity(0))

    def command(folder: Path, port: int) -> list[str]:
        path = folder / "gtmdns.yaml"
        path.write_text(configuration(options.names, port))
        return [sys.executable, "-m", "gtmdns", "serve", str(path)]

    servers.SERVERS["latency"] = command
    found: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The server may use all cores: control and the loader are not to take the worker's.
        with running("latency", folder / "server", set(cores)) as server:
            os.sched_setaffinity(0, {cores[-1]})
            found["at rest"] = at_rest(server, options)
            reloaded, took = during_reload(server, folder, options)
            names = f"{options.names:,}".replace(",", " ")
            found[f"during a reload of {names} names"] = reloaded
            if shutil.which("dnsperf"):
                found[f"during a flood over {FLOOD} TCP connections"] = during_flood(
                    server, folder, options
                )
        found["during a storm of verdicts"] = during_storm(folder, options, cores)
    return found, {"Reload, from the file to the answers": f"{took:.1f} s"}


def main() -> int:
    parser = argparse.ArgumentParser(description="latency at a fixed rate")
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=2000.0, help="queries per second")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each but the reload")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found, also = measure(options)
    if options.json:
        rows = {words: asdict(measured) for words, measured in found.items()}
        print(json.dumps({"rate": options.rate, "also": also, "rows": rows}, indent=2))
        return 0
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, title in enumerate(("", "queries", "lost", "p50", "p99", "p99.9", "longest")):
        table.add_column(title, justify="right" if number else "left")
    for words, got in found.items():
        times = (f"{value:.2f}" for value in (got.p50, got.p99, got.p999, got.most))
        table.add_row(words, str(got.sent), str(got.lost), *times)
    print(f"milliseconds at {options.rate:g} queries per second, one worker")
    print("\n".join(f"{words}: {value}" for words, value in also.items()))
    Console(width=max(100, Console().width)).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
