"""How soon answers follow verdicts, and what a storm of verdicts costs those who ask.

A real server: 10 000 names over 1 000 pools of 5 endpoints each, whose verdicts are pushed over the
HTTP API. The worker has one core for itself; control, who pushes and who asks share another.

    one verdict    from the moment before it is pushed to the first answer that follows it
    rest, storm    the same questions without verdicts and with 1 000 verdicts in each second: how
                   many are answered in a second of the worker's CPU time, and p99 of 200 questions
                   in each second beside them

    .venv/bin/python bench/verdicts.py [--names 10000] [--pools 1000] [--seconds 5] [--json]

Exit code 1: a verdict at rest took longer than 200 ms.
"""

import argparse
import json
import multiprocessing
import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import servers
from load import SENDERS, Load, Result, Workload, wire_name
from servers import ZONE, Running, descendants, free_port, running

ENDPOINTS = 5  # of each pool
LIMIT = 0.2  # seconds from a verdict to the answers
BATCH = 50  # verdicts that are pushed at once
TOKEN = "bench-verdicts"
PROBER_RATE = 200.0  # questions per second
TIMEOUT = 2.0  # seconds until a question counts as lost
SO_TIMESTAMPNS = 35  # Linux: the kernel says when an answer came, however late we look
STAMP = struct.Struct("qq")


@dataclass(frozen=True)
class Phase:
    """What answering was like. p50, p99: milliseconds."""

    answered: int
    per_cpu_second: float
    p50: float
    p99: float
    lost: int
    verdicts: float  # per second
    control_share: float  # of one core


@dataclass(frozen=True)
class Scale:
    names: int
    pools: int

    def address(self, number: int) -> str:
        return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"

    @property
    def endpoints(self) -> int:
        return self.pools * ENDPOINTS

    def config(self, port: int, admin: int, token_file: Path) -> str:
        """Half of the names are chains, half are drawn by weight; no two have the same target."""
        pools = []
        for n in range(self.pools):
            addresses = ", ".join(self.address(n * ENDPOINTS + m) for m in range(ENDPOINTS))
            pools.append(f"  p{n}: {{health_check: told, endpoints: [{addresses}]}}")
        records = []
        for n in range(self.names):
            first, turn = n % self.pools, n // self.pools
            second = (first + 1 + turn) % self.pools
            target = f"[p{first}, p{second}]" if turn % 2 == 0 else f"{{p{first}: 3, p{second}: 1}}"
            records.append(f"      n{n}: {{pools: {target}}}")
        return "\n".join(
            [
                f'server: {{listen: ["127.0.0.1:{port}"], workers: 1, log: {{level: error}}}}',
                f'admin: {{listen: "127.0.0.1:{admin}"}}',
                "health_checks:",
                f"  told: {{type: push, token_file: {token_file}, interval: 1h, fall: 1, rise: 1}}",
                "pools:",
                *pools,
                f"zones:\n  {ZONE}:\n    nameservers: {{ns1: [192.0.2.53]}}",
                f"    contact: hostmaster@{ZONE}\n    records:",
                *records,
                "",
            ]
        )


@dataclass(frozen=True)
class Names(Workload):
    """All names in turn, each for the same number of times."""

    number: int = 0

    def qnames(self, chance: random.Random) -> list[str]:
        names = [f"n{n}.{ZONE}" for n in range(self.number)]
        chance.shuffle(names)
        return names


class Pusher:
    """Says over the API what is up, many requests at once on one connection, as they cost us least.

    Of each pool in turn another endpoint; number 0 is left to who times one verdict.
    """

    def __init__(self, admin: int, scale: Scale) -> None:
        self._sock = socket.create_connection(("127.0.0.1", admin))
        self._sock.settimeout(10)
        self._scale = scale
        self._up = [True] * scale.endpoints
        self._turn = 0
        self._got = b""

    def close(self) -> None:
        self._sock.close()

    def push(self, verdicts: Sequence[tuple[int, bool]]) -> None:
        """Push so many and wait for what is said to them."""
        self._sock.sendall(b"".join(self._request(*verdict) for verdict in verdicts))
        for _ in verdicts:
            self._response()

    def flip(self, number: int) -> None:
        """Turn so many verdicts over, in as many pools."""
        for _ in range(0, number, BATCH):
            verdicts = []
            for _ in range(BATCH):
                endpoint = self._next()
                self._up[endpoint] = not self._up[endpoint]
                verdicts.append((endpoint, self._up[endpoint]))
            self.push(verdicts)

    def _next(self) -> int:
        pool = self._turn % self._scale.pools
        place = 1 + self._turn // self._scale.pools % (ENDPOINTS - 1)
        self._turn += 1
        return pool * ENDPOINTS + place

    def _request(self, endpoint: int, up: bool) -> bytes:
        body = b'{"up": true}' if up else b'{"up": false}'
        head = (
            f"PUT /api/v1/push/told/{self._scale.address(endpoint)} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _response(self) -> None:
        while (end := self._got.find(b"\r\n\r\n")) < 0:
            self._more()
        head, self._got = self._got[:end].lower(), self._got[end + 4 :]
        length = 0
        if b"\r\ncontent-length:" in head:
            length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        while len(self._got) < length:
            self._more()
        body, self._got = self._got[:length], self._got[length:]
        if not head.startswith(b"http/1.1 2"):
            raise RuntimeError(f"a push was refused: {head.decode()} {body.decode()}")

    def _more(self) -> None:
        octets = self._sock.recv(65536)
        if not octets:
            raise RuntimeError("the API closed the connection")
        self._got += octets


def packet(name: str) -> bytes:
    return b"\0\0\1\0\0\1\0\0\0\0\0\0" + wire_name(name) + b"\0\1\0\1"


def one_verdict(pusher: Pusher, scale: Scale, pool: int, port: int) -> float:
    """Return the seconds until pool's first name leaves out its endpoint 0; it is up again then."""
    rdata = socket.inet_aton(scale.address(pool * ENDPOINTS))
    asked = packet(f"n{pool}.{ZONE}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(TIMEOUT)
        started = time.monotonic()
        pusher.push([(pool * ENDPOINTS, False)])
        while True:
            sock.send(asked)
            if rdata not in sock.recv(4096):
                took = time.monotonic() - started
                break
            if time.monotonic() > started + 10:
                raise RuntimeError("10 s after a verdict the answers are as before")
            time.sleep(0.001)
    pusher.push([(pool * ENDPOINTS, True)])
    return took


def prober(port: int, names: int, pipe: Connection) -> None:
    """Ask at a steady rate until told to stop; send back the seconds that each answer took."""
    chance, took, lost = random.Random(4), [], 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        due = time.monotonic()
        while not pipe.poll(max(0.0, due - time.monotonic())):
            number = len(took) & 0xFFFF
            asked = number.to_bytes(2) + packet(f"n{chance.randrange(names)}.{ZONE}")[2:]
            started, answer = time.time(), b""
            sock.send(asked)
            try:
                while answer[:2] != asked[:2]:
                    answer, ancillary, _, _ = sock.recvmsg(4096, 64)
                seconds, nanoseconds = STAMP.unpack(ancillary[0][2])
                took.append(seconds + nanoseconds / 1e9 - started)
            except TimeoutError:
                lost += 1
                took.append(TIMEOUT)
            due += 1 / PROBER_RATE
    pipe.send((took, lost))


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Bench:
    """One server that runs, with its processes told apart."""

    def __init__(self, server: Running, scale: Scale, load: Load, cores: list[int]) -> None:
        self.server, self.scale, self.load, self.core = server, scale, load, cores[1]
        roles = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(server.pid)}
        (self.worker,) = [pid for pid, words in roles.items() if "gtmdns.serve.worker" in words]
        (self.control,) = [pid for pid, words in roles.items() if "gtmdns.control" in words]
        for task in Path(f"/proc/{self.control}/task").iterdir():
            os.sched_setaffinity(int(task.name), {self.core})

    def phase(self, pusher: Pusher, seconds: float, storm: bool) -> Phase:
        """Ask for so long, with 1 000 verdicts in each second or with none."""
        ours, theirs = multiprocessing.Pipe()
        asking = multiprocessing.Process(
            target=prober, args=(self.server.port, self.scale.names, theirs)
        )
        asking.start()
        before = cpu(self.worker), cpu(self.control), time.monotonic()
        results: list[Result] = []

        def ask() -> None:
            os.setpriority(os.PRIO_PROCESS, 0, 10)  # of this thread: control goes first on its core
            results.append(self.load.send(self.server.port, seconds, self.core))

        loading = threading.Thread(target=ask)
        loading.start()
        flips = storm_for(pusher, seconds) if storm else 0
        loading.join()
        after = cpu(self.worker), cpu(self.control), time.monotonic()
        used, control, wall = (now - then for now, then in zip(after, before, strict=True))
        ours.send("stop")
        took, lost = ours.recv()
        asking.join()
        (result,) = results
        return Phase(
            result.answered,
            result.answered / used,
            1000 * percentile(took, 0.5),
            1000 * percentile(took, 0.99),
            lost,
            flips / wall,
            control / wall,
        )


def storm_for(pusher: Pusher, seconds: float) -> int:
    """1 000 verdicts as fast as they are taken, then nothing for the rest of the second."""
    end, flips = time.monotonic() + seconds, 0
    while (began := time.monotonic()) < end:
        pusher.flip(1000)
        flips += 1000
        time.sleep(max(0.0, began + 1 - time.monotonic()))
    return flips


def cpu(pid: int) -> float:
    """Return the user and system time of one process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(scale: Scale, folder: Path, admin: int, cores: int | set[int]) -> Iterator[Running]:
    """Run a server whose verdicts are pushed to 127.0.0.1, port `admin`."""
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)

    def command(own: Path, port: int) -> list[str]:
        (own / "gtmdns.yaml").write_text(scale.config(port, admin, token))
        return [sys.executable, "-m", "gtmdns", "serve", str(own / "gtmdns.yaml")]

    servers.SERVERS["verdicts"] = command
    with running("verdicts", folder / "verdicts", cores) as server:
        yield server


def measure(options: argparse.Namespace, cores: list[int]) -> dict[str, Any]:
    scale = Scale(options.names, options.pools)
    admin = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load = Load(Names("names", "all names", number=scale.names), folder, options.sender)
        with serving(scale, folder, admin, cores[0]) as server:
            bench = Bench(server, scale, load, cores)
            with closing(Pusher(admin, scale)) as pusher:
                pools = random.Random(5).sample(range(scale.pools), options.verdicts)
                alone = [one_verdict(pusher, scale, pool, server.port) for pool in pools]
                load.send(server.port, 0.5, bench.core)  # every name once, so that caches are full
                rest = bench.phase(pusher, options.seconds, storm=False)
                storm = bench.phase(pusher, options.seconds, storm=True)
                again = bench.phase(pusher, options.seconds, storm=False)
    calm = (rest.per_cpu_second + again.per_cpu_second) / 2
    return {
        "verdict_ms": [1000 * percentile(alone, share) for share in (0.5, 0.99, 1.0)],
        "rest": asdict(rest),
        "storm": asdict(storm),
        "rest_again": asdict(again),
        "ratio": storm.per_cpu_second / calm,
    }


def show(measured: dict[str, Any], options: argparse.Namespace) -> None:
    p50, p99, most = measured["verdict_ms"]
    print(
        f"{options.names} names, {options.pools} pools, {options.pools * ENDPOINTS} endpoints\n"
        f"from a verdict to the answers: p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {most:.0f} ms"
    )
    row = "{:<12}{:>12}{:>14}{:>10}{:>10}{:>7}{:>12}{:>14}"
    print(
        row.format(
            "", "answered", "per CPU s", "p50 ms", "p99 ms", "lost", "verdicts/s", "of control"
        )
    )
    for name in ("rest", "storm", "rest_again"):
        phase = Phase(**measured[name])
        cells = (
            f"{phase.answered}", f"{phase.per_cpu_second:.0f}", f"{phase.p50:.2f}",
            f"{phase.p99:.2f}",
            f"{phase.lost}", f"{phase.verdicts:.0f}", f"{phase.control_share:.0%}",
        )  # fmt: skip
        print(row.format(name.replace("_", " "), *cells))
    print(f"answers per CPU second, storm / rest: {measured['ratio']:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--pools", type=int, default=1000)
    parser.add_argument("--verdicts", type=int, default=50, help="timed one by one")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each phase")
    parser.add_argument("--sender", choices=SENDERS, default=SENDERS[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("two cores are needed: one for the worker, one for the rest", file=sys.stderr)
        return 1
    os.sched_setaffinity(0, {cores[1]})
    measured = measure(options, cores)
    print(json.dumps(measured, indent=2)) if options.json else show(measured, options)
    return 1 if measured["verdict_ms"][1] > 1000 * LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
