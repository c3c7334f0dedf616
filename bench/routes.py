"""What many large routes cost: 64 routes by country, and `nearest`, over a large file of cities.

The file is made up (city.py): 3 million networks of IPv4 and 1 million of IPv6 in 180 000 places.
Each case is compiled in a process of its own, as the loader does it, and then served: a change of
the file while somebody asks shows how long the change takes and how long answers wait meanwhile.

    python bench/routes.py [--cases routes nearest] [--workers 2] [--markdown]
"""

import argparse
import json
import random
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

import servers
from city import NETWORKS4, NETWORKS6, write_city
from geo import peak_kib, per_call
from servers import descendants, running, wire_name
from zone import ZONE

from gtmdns.compiler.locations import COUNTRY_PLACES

Numbers = dict[str, float]
CASES = {"routes": "64 routes of 10 regions", "nearest": "4 times `nearest` of 7 to 10 pools"}
ROUTES, REGIONS, NEARESTS = 64, 10, 4
LOOKUPS = 100_000
RATE = 1000  # queries per second
SOCKETS = 12  # so that each worker gets some
CHANGE_WAIT = 120.0  # seconds
SWAP = 1.0  # seconds before the last worker serves, and after it, in which all change over
LET_GO = 4.0  # seconds until control has let go of what it published before
COLUMNS = {
    "load": "load, CPU s", "loader": "loader, MiB", "tables": "tables", "intervals4": "IPv4",
    "intervals6": "IPv6", "octets": "tables, MB", "find4": "find, µs", "scope4": "scope, µs",
    "answer": "compiled, µs", "change": "change, s", "longest": "longest, ms",
    "swap": "in the swap, ms", "p999": "p99.9, ms", "lost": "lost",
    "worker": "worker, MiB", "shared": "shared, MiB", "control": "control, MiB",
}  # fmt: skip


def configuration(case: str, database: Path, port: int, workers: int, changed: bool = False) -> str:
    """Return a configuration in which every country is in some region of each route.

    changed: other addresses behind the same name n0, and one pool more
    """
    draw, countries = random.Random(1), sorted(COUNTRY_PLACES)
    regions, records = [], [f"n0: {{pools: p{int(changed)}}}"]
    for route in range(ROUTES if case == "routes" else 0):
        draw.shuffle(countries)
        for number in range(REGIONS):
            codes = ", ".join(f'"{code}"' for code in countries[number :: REGIONS + 1])
            regions.append(f"  r{route}x{number}: {{countries: [{codes}]}}")
        rules = ", ".join(f"r{route}x{number}: p{number}" for number in range(REGIONS))
        records.append(f"g{route}: {{route: {{{rules}, default: p{REGIONS}}}}}")
    for number in range(NEARESTS if case == "nearest" else 0):
        pools = ", ".join(f"p{pool}" for pool in range(number, REGIONS))
        records.append(f"g{number}: {{pools: {{nearest: [{pools}]}}}}")
    lines = [
        f'server: {{listen: ["127.0.0.1:{port}"], workers: {workers}}}',
        f"admin: {{listen: null}}\ngeoip: {{databases: [{database}]}}",
        *(["regions:", *regions] if regions else []),
        "pools:",
        *(
            f"  p{n}: {{endpoints: [192.0.2.{n + 1}], location: [{-60 + 11 * n}, {-170 + 31 * n}]}}"
            for n in range(REGIONS + 1 + changed)
        ),
        f"zones:\n  {ZONE}:\n    nameservers: {{ns1: [192.0.2.53]}}",
        f"    contact: hostmaster@{ZONE}\n    records:",
        *(f"      {record}" for record in records),
    ]
    return "\n".join(lines) + "\n"


def compiled(path: Path) -> Numbers:
    """Do what the loader does. Seconds are CPU time; the peak is above what the process had."""
    from gtmdns.answers.snapshot import Settings, SnapshotBuilder
    from gtmdns.compiler.build import compile_config
    from gtmdns.config.load import load

    before, started = peak_kib(), time.process_time()
    pieces = compile_config(load(path), {}, 1).pieces
    took, peak = time.process_time() - started, peak_kib() - before
    columns = memoryview(b"".join(piece[1] for piece in pieces if piece[0] == "columns"))
    builder = SnapshotBuilder(1, Settings(), columns)
    for piece in pieces:
        if piece[0] != "columns":
            builder.add(piece)
    snapshot = builder.finish()
    draw = random.Random(1)
    four = [0xFFFF << 32 | draw.randrange(1 << 24, 224 << 24) for _ in range(LOOKUPS)]
    table = snapshot.routes[0]
    sizes = [len(octets) for octets in table.encode()]
    return {
        "load": took,
        "loader": peak / 1024,
        "tables": len(snapshot.routes),
        "intervals4": sizes[1] / 2,
        "intervals6": sizes[5] / 2,
        "octets": sum(len(o) for each in snapshot.routes for o in each.encode()) / 1e6,
        "find4": per_call(table.find, four),
        "scope4": per_call(table.find_with_scope, four),
        "answer": answering(snapshot, len(snapshot.routes), four),
    }


def answering(snapshot, routes: int, clients: list[int]) -> float:
    """Return microseconds of a compiled answer to a random client subnet; 0: no such path."""
    with suppress(ImportError):
        from gtmdns.answers.fast import FastCache

        cache = FastCache(snapshot)
        packets = [query(at, f"g{at % routes}", client) for at, client in enumerate(clients)]
        batches = [packets[at : at + 64] for at in range(0, len(packets), 64)]
        draws = [list(range(len(batch))) for batch in batches]
        best = float("inf")
        for _ in range(5):
            started = time.process_time()
            for batch, numbers in zip(batches, draws, strict=True):
                cache.respond_batch(batch, "127.0.0.1", numbers)
            best = min(best, time.process_time() - started)
        return best * 1e6 / len(packets)
    return 0.0


def query(number: int, name: str, client: int | None = None) -> bytes:
    """Return a query for type A; with a client, over EDNS with its /24 as the client subnet."""
    question = wire_name(f"{name}.{ZONE}") + b"\0\1\0\1"
    head = (number & 0xFFFF).to_bytes(2) + b"\1\0\0\1\0\0\0\0"
    if client is None:
        return head + b"\0\0" + question
    option = b"\0\x08\0\x07\0\1\x18\0" + (client >> 8 & 0xFFFFFF).to_bytes(3)
    opt = b"\0\0\x29\x04\xd0\0\0\0\0" + len(option).to_bytes(2) + option
    return head + b"\0\1" + question + opt


class Asker:
    """Asks at a fixed rate over several sockets, and notes how long each answer took."""

    def __init__(self, port: int, names: int) -> None:
        self.names = names
        self.draw = random.Random(2)
        self.sent = 0
        self.took: list[tuple[float, float]] = []  # seconds, and when the query was due
        self.left: dict[int, float] = {}
        self.renewed: set[int] = set()  # sockets whose worker gives the new address
        self.socks = {}
        self.poll = select.poll()
        for _ in range(SOCKETS):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.connect(("127.0.0.1", port))
            self.socks[sock.fileno()] = sock
            self.poll.register(sock, select.POLLIN)

    def ask(self, done: Callable[[], bool]) -> None:
        """Ask until done; half of the queries are for n0, half for clients of routed names."""
        started, before = time.perf_counter(), self.sent
        socks = list(self.socks.values())
        while not done():
            while self.sent - before < (time.perf_counter() - started) * RATE:
                at = self.sent
                packet = query(at, "n0")
                if at // SOCKETS % 2:
                    client = 0xFFFF << 32 | self.draw.randrange(1 << 24, 224 << 24)
                    packet = query(at, f"g{at // 2 // SOCKETS % self.names}", client)
                socks[at % SOCKETS].send(packet)
                self.left[at & 0xFFFF] = started + (at - before) / RATE
                self.sent += 1
            due = started + (self.sent - before) / RATE
            for number, _ in self.poll.poll(max(0.0, due - time.perf_counter()) * 1e3):
                self.receive(number)

    def wait(self, late: Callable[[], bool]) -> None:
        """Wait for the last answers."""
        while self.left and not late():
            for number, _ in self.poll.poll(10):
                self.receive(number)

    def receive(self, number: int) -> None:
        new = IPv4Address("192.0.2.2").packed
        with suppress(BlockingIOError):
            while True:
                response = self.socks[number].recv(4096)
                due = self.left.pop(int.from_bytes(response[:2]), None)
                if due is not None:
                    self.took.append((time.perf_counter() - due, due))
                if response[12:15] == b"\2n0" and response[-4:] == new:
                    self.renewed.add(number)


def served(case: str, database: Path, folder: Path, workers: int) -> Numbers:
    """Serve, change the file, and ask until the last worker has it and a second more."""

    def command(inside: Path, port: int) -> list[str]:
        (inside / "gtmdns.yaml").write_text(configuration(case, database, port, workers))
        return [sys.executable, "-m", "gtmdns", "serve", str(inside / "gtmdns.yaml")]

    servers.SERVERS["routes"] = command
    with running("routes", folder / case, {0, 1}) as server:
        asker = Asker(server.port, ROUTES if case == "routes" else NEARESTS)
        asker.ask(after(1.0))
        started = time.perf_counter()
        text = configuration(case, database, server.port, workers, changed=True)
        (folder / case / "gtmdns.yaml").write_text(text)
        late = after(CHANGE_WAIT)
        asker.ask(lambda: len(asker.renewed) == SOCKETS or late())
        change = time.perf_counter() - started
        if len(asker.renewed) < SOCKETS:
            raise RuntimeError(f"no change within {CHANGE_WAIT} s")
        asker.ask(after(LET_GO))
        asker.wait(after(1.0))
        sizes = dict(memory(server.pid))
    took = sorted(seconds for seconds, _ in asker.took)
    swap = max(seconds for seconds, due in asker.took if abs(due - started - change) < SWAP)
    return {
        "change": change,
        "longest": took[-1] * 1e3,
        "swap": swap * 1e3,
        "p999": took[int(len(took) * 0.999)] * 1e3,
        "lost": asker.sent - len(took),
        **sizes,
    }


def after(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def memory(root: int) -> Iterator[tuple[str, float]]:
    """Yield MiB: of one worker and of control what is theirs alone, and what they share."""
    for pid in descendants(root):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        for kind in ("worker", "control"):
            if b"gtmdns.serve.worker" in words if kind == "worker" else b"gtmdns.control" in words:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                parts = {line.split()[0]: line.split()[1] for line in rollup.splitlines()[1:]}
                yield kind, int(parts["Anonymous:"]) / 1024
                if kind == "control":
                    yield "shared", sum(shared_octets(pid)) / 2**20


def shared_octets(pid: int) -> Iterator[int]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if "memfd:gtmdns" in line:
            first, _, end = line.split()[0].partition("-")
            yield int(end, 16) - int(first, 16)


def measure(case: str, database: Path, folder: Path, workers: int) -> Numbers:
    path = folder / f"{case}.yaml"
    path.write_text(configuration(case, database, 5300, workers))
    words = [sys.executable, __file__, "--compile", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) | served(case, database, folder, workers)


def show(rows: dict[str, Numbers]) -> None:
    print("| | " + " | ".join(CASES[case] for case in rows) + " |")
    print("| --- |" + " --- |" * len(rows))
    for key, title in COLUMNS.items():
        values = (row[key] for row in rows.values())
        print(f"| {title} | " + " | ".join(f"{v:,.{0 if v > 99 else 2}f}" for v in values) + " |")


def main() -> int:
    parser = argparse.ArgumentParser(description="what many large routes cost")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--networks4", type=int, default=NETWORKS4)
    parser.add_argument("--networks6", type=int, default=NETWORKS6)
    parser.add_argument("--database", type=Path, help="one that city.py wrote before")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--compile", type=Path, help=argparse.SUPPRESS)  # of `measure`
    options = parser.parse_args()
    if options.compile:
        print(json.dumps(compiled(options.compile)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = options.database or write_city(
            folder / "city.mmdb", options.networks4, options.networks6
        )
        rows = {
            case: measure(case, database.resolve(), folder, options.workers)
            for case in options.cases
        }
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
