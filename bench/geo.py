#!/usr/bin/env python3
"""What a GeoIP database costs: CPU time and memory of a load, size of the tables, lookup time.

    python bench/geo.py               the two files that come with gtmdns
    python bench/geo.py FILE ...      MMDB files; .gz is unpacked first (city.py makes one up)

Each case is a process of its own, so that its peak of memory is its own. The routes are those of
geoip/presets: continents, the seven regions of China, its ISPs, and all of them as one route; then
`nearest` of 4 and of 16 places all over the world.
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from gtmdns.compiler.geodata import builtin_databases
from gtmdns.compiler.regions import Route, compile_routes
from gtmdns.config.model import Region

CASES = {
    "networks only": [],
    "continents": ["continents"],
    "China": ["china"],
    "China, ISPs": ["isps"],
    "all in one route": ["isps", "china", "continents"],
}
SITES = (
    (38.9, -77.4), (50.1, 8.7), (1.35, 103.8), (-23.5, -46.6), (45.8, -119.7), (35.7, 139.7),
    (-33.9, 151.2), (19.1, 72.9), (53.3, -6.3), (37.4, -122.0), (40.0, -83.0), (30.3, 120.2),
    (37.6, 127.0), (59.3, 18.1), (-33.9, 18.4), (45.5, -73.6),
)  # fmt: skip
NEAREST = {"nearest of 4": SITES[:4], "nearest of 16": SITES}
LOOKUPS = 200_000


COLUMNS = {
    "load": "CPU s", "peak": "peak, MiB", "intervals4": "IPv4", "intervals6": "IPv6",
    "table": "table, kB", "numbers": "orders", "find4": "find, IPv4, µs", "find6": "IPv6, µs",
    "scope4": "scope, IPv4, µs",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="what a GeoIP database costs")
    parser.add_argument("files", nargs="*", type=Path, help="MMDB files; none: those built in")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--case", help=argparse.SUPPRESS)  # of `main`
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(options.case, options.files)))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = [unpacked(path, Path(folder)) for path in options.files]
        sizes = [f"{file.name} {file.stat().st_size / 2**20:.1f} MiB" for file in files]
        print("files:", ", ".join(sizes) or "builtin", end="\n\n")
        show([case_row(case, files) for case in (*CASES, *NEAREST)], options.markdown)


def case_row(case: str, files: list[Path]) -> list[str]:
    command = [sys.executable, __file__, "--case", case, *map(str, files)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(run.stdout)
    return [case, *(f"{found[key]:,.{0 if found[key] > 99 else 2}f}" for key in COLUMNS)]


def show(rows: list[list[str]], markdown: bool) -> None:
    titles = ["routes", *COLUMNS.values()]
    if markdown:
        rows = [titles, ["---"] * len(titles), *rows]
        print("\n".join("| " + " | ".join(row) + " |" for row in rows))
        return
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for first, *rest in (titles, *rows):
        cells = (f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        print(f"{first:{widths[0]}}", *cells, sep="  ")


def unpacked(path: Path, folder: Path) -> Path:
    if path.suffix != ".gz":
        return path
    plain = folder / path.stem
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    return plain


def measure(case: str, files: list[Path]) -> dict[str, float]:
    """Load once; return seconds, peak MiB above what the process had, sizes, and lookups in us."""
    regions = {"office": Region(networks=("203.0.113.0/24", "2001:db8::/32"))}
    for name in CASES.get(case, []):
        preset = yaml.safe_load(
            (builtin_databases()[0].parent / f"presets/{name}.yaml").read_text()
        )
        regions |= {region: Region(**facts) for region, facts in preset["regions"].items()}
    route = Route(tuple(regions))
    if case in NEAREST:
        route = Route((), ((NEAREST[case],),))
    before = peak_kib()
    started = time.process_time()
    compiled = compile_routes([route], regions, files or ["builtin"])
    load = time.process_time() - started
    peak = peak_kib() - before
    [table] = compiled.tables
    starts4, _, _, highs, *_ = encoded = table.encode()
    draw = random.Random(1)
    four = [0xFFFF << 32 | draw.getrandbits(32) for _ in range(LOOKUPS)]
    six = [0x20 << 120 | draw.getrandbits(120) for _ in range(LOOKUPS)]
    return {
        "load": load,
        "peak": peak / 1024,
        "intervals4": len(starts4) // 4 + 1,
        "intervals6": len(highs) // 8 + 1,
        "numbers": len(compiled.lines[0]),
        "table": sum(map(len, encoded)) / 1000,
        "find4": per_call(table.find, four),
        "find6": per_call(table.find, six),
        "scope4": per_call(table.find_with_scope, four),
    }


def peak_kib() -> int:
    """Return the most memory this process ever had; ru_maxrss would begin with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def per_call(find, clients: list[int]) -> float:
    """Return microseconds of one call, the best of five rounds, the loop around it taken off."""
    best = empty = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for client in clients:
            find(client)
        best = min(best, time.perf_counter() - started)
        started = time.perf_counter()
        for _client in clients:
            pass
        empty = min(empty, time.perf_counter() - started)
    return (best - empty) / len(clients) * 1e6


if __name__ == "__main__":
    main()
