"""Pauses while much is loaded and thrown away: reloads under load, garbage collection."""

import os
import time
from pathlib import Path

from tests.conformance.load import Load, Plan
from tests.conformance.server import Server, serving
from tests.conformance.waiting import Late, eventually

PAUSE = 0.02  # seconds that no answer may take longer
NAMES = [f"n{number}.gtm.test" for number in range(0, 10_000, 97)]
POOLS = 1_000


def steered(names: int, change: int) -> str:
    """Return names over POOLS pools: one, two by weight, two by network. `change`: 0 or 1."""
    lines = ["regions: {here: {networks: [127.0.0.0/9]}}", "pools:"]
    lines += [
        f"  p{n}: {{endpoints: [10.{change}.{n >> 8}.{n & 255}, 10.9.{n >> 8}.{n & 255}]}}"
        for n in range(POOLS)
    ]
    lines += ["zones:", "  gtm.test:", "    nameservers: {ns1: [127.0.0.1]}"]
    lines += ["    contact: hostmaster@example.com", "    records:"]
    for n in range(names):
        first, second = f"p{(n + change) % POOLS}", f"p{(n + change + 1) % POOLS}"
        ways = (
            f"pools: {first}",
            f"pools: {{{first}: 1, {second}: 3}}",
            f"route: {{here: {first}, default: {second}}}",
        )
        lines.append(f"      n{n}: {{{ways[n % 3]}}}")
    return "\n".join(lines) + "\n"


def static(names: int, change: int) -> str:
    """Return a master file with an address for each name. `change`: 0 to 15."""
    lines = ["$TTL 60", "@ SOA ns1 hostmaster 1 3600 900 604800 30", "@ NS ns1", "ns1 A 127.0.0.1"]
    lines += [f"n{n} A 10.{16 * change + (n >> 16)}.{n >> 8 & 255}.{n & 255}" for n in range(names)]
    return "\n".join(lines) + "\n"


def reload_at_rate(folder: Path) -> str:
    """T27: 10 000 records over 1 000 pools, changed while 5 000 queries come each second."""
    with serving(folder, steered(10_000, 0)) as server:
        with Load(Plan("127.0.0.1", server.port, NAMES, rate=5000, seconds=50)) as load:
            time.sleep(1)
            seconds = _changed(server, server.file, steered(10_000, 1), 2)
            time.sleep(1)
        return f"{seconds:.2f} s from the file to the last worker; {_judged(load)}"


def collect(folder: Path) -> str:
    """T65: 100 000 records; collections come all the time, and with two reloads."""
    zone = folder / "zone"
    zone.write_text(static(100_000, 0))
    with serving(folder, "zones: {gtm.test: {zone_file: zone}}\n") as server:
        with Load(Plan("127.0.0.1", server.port, NAMES, rate=2000, seconds=50)) as load:
            time.sleep(5)
            took = [_changed(server, zone, static(100_000, n), n + 1) for n in (1, 2)]
            time.sleep(2)
        return f"reloads in {took[0]:.1f} and {took[1]:.1f} s; {_judged(load)}"


def _changed(server: Server, file: Path, text: str, generation: int) -> float:
    """Replace a file; return the seconds until every worker serves what it says."""
    new = file.with_name(".new")
    new.write_text(text)
    started = time.monotonic()
    os.replace(new, file)
    eventually(lambda: server.all_serve(generation), "every worker serves the new file", 20)
    return time.monotonic() - started


def _judged(load: Load) -> str:
    outcome = load.outcome
    outcome.assert_none_lost()
    if outcome.latency(1) > PAUSE:
        raise Late(f"an answer took longer than {1000 * PAUSE:g} ms: {outcome}")
    return str(outcome)
