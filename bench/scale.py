"""What many names cost: time to load, memory of a worker for each name, time of one answer.

Of the compiled path too, where that was built: the memory is then with its index of names, and its
answers are to names at random among all, in batches of a busy server.

Static names come from a master file, each with an address of its own; steered names from YAML, over
100 pools. Each size is loaded and compiled in one process and received by another, as a loader and
a worker do it. Nothing is served.

    python bench/scale.py --static 100 1000000 --steered 100 100000
"""

import argparse
import gc
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

from latency import configuration
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from zone import ZONE, Setup, master_file

from gtmdns.answers.cache import AnswerCache
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.serve.compiled import new_cache
from gtmdns.serve.frames import Decoder, encode
from gtmdns.serve.served import Cache
from gtmdns.wire.name import from_text

Numbers = dict[str, float]
TITLES = {  # of what is shown, here and on the page of results
    "read": "read, s", "compile": "compile, s", "loader_mib": "loader, MiB",
    "frames_mib": "sent, MiB", "longest_ms": "longest piece, ms", "each": "octets per name",
    "index": "index, s", "slice_ms": "longest slice, ms",
    "respond": "respond, µs", "cached": "cached, µs", "compiled": "compiled, µs",
    "missing": "NXDOMAIN, µs",
}  # fmt: skip
CALLS = 20_000  # in one round
BATCH = 25  # packets that a busy server reads at once
BATCHES = 8_000  # different ones: all names in them do not fit the caches of a processor
ROUNDS = 5
HOST, CLIENT = "127.0.0.1", 0xFFFF << 32 | 127 << 24 | 1
EDNS_HEAD = bytes.fromhex("0001" + "01000001000000000001")
TAIL = bytes.fromhex("00010001" + "00002904d0000000000000")


def load(folder: Path, kind: str, names: int) -> Numbers:
    """Do what the loader does, and leave the frames in the folder. Seconds are CPU time."""
    from gtmdns.compiler.build import compile_config  # a worker does not have these
    from gtmdns.config.load import load as load_config

    config = folder / "gtmdns.yaml"
    if kind == "static":
        config.write_text(f"zones: {{{ZONE}: {{zone_file: zone}}}}\n")
        (folder / "zone").write_text(master_file(Setup(names=names), []))
    else:
        config.write_text(configuration(names, 5300))
    started = process_time()
    loaded = load_config(config)
    read = process_time()
    pieces = compile_config(loaded, {}, 1).pieces
    compiled = process_time()
    with (folder / "frames").open("wb") as file:
        for piece in pieces:
            file.write(encode(piece))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "read": read - started,
        "compile": compiled - read,
        "loader_mib": peak,
        "frames_mib": (folder / "frames").stat().st_size / 2**20,
    }


def receive(folder: Path, names: int) -> Numbers:
    """Do what a worker does with the frames, and answer from what they make."""
    octets = (folder / "frames").read_bytes()
    decoder, builder = Decoder(), SnapshotBuilder(1, Settings())
    gc.collect()
    gc.disable()
    before = resident()
    longest = 0.0
    for at in range(0, len(octets), 1 << 18):
        frames = decoder.feed(octets[at : at + (1 << 18)])
        while True:
            started = process_time()
            frame = next(frames, None)
            if frame is None:
                break
            builder.add(frame)
            longest = max(longest, process_time() - started)
    snapshot = builder.finish()
    del octets, frame, decoder
    gc.freeze()
    cache = new_cache(snapshot)
    built = build(cache)
    each = (resident() - before) / names
    found = {"each": each, "longest_ms": longest * 1e3} | costs(snapshot, names)
    return found if isinstance(cache, AnswerCache) else found | built | batches(cache, names)


def build(cache: Cache) -> Numbers:
    """Index the names, as a worker does between packets."""
    turns, slices = [process_time()], cache.build()
    while next(slices, slices) is None:
        turns.append(process_time())
    turns.append(process_time())
    longest = max(after - before for before, after in itertools.pairwise(turns))
    return {"index": turns[-1] - turns[0], "slice_ms": longest * 1e3}


def batches(cache: Any, names: int) -> Numbers:
    """Return microseconds of one answer of the compiled path: to names that exist, and others."""
    chance = random.Random(2)
    found: Numbers = {}
    for key, prefix in (("compiled", "n"), ("missing", "m")):
        asked = [
            [
                EDNS_HEAD + from_text(f"{prefix}{chance.randrange(names)}.{ZONE}") + TAIL
                for _ in range(BATCH)
            ]
            for _ in range(BATCHES)
        ]
        draws = [chance.getrandbits(64) for _ in range(BATCH)]
        for _ in range(ROUNDS):
            started = process_time()
            for packets in asked:
                assert None not in cache.respond_batch(packets, HOST, draws)
            taken = (process_time() - started) * 1e6 / BATCH / BATCHES
            found[key] = min(taken, found.get(key, taken))
    return found


def costs(snapshot: Snapshot, names: int) -> Numbers:
    """Return microseconds of one answer: not cached, and cached."""
    chance = random.Random(1)
    asked = [
        EDNS_HEAD + from_text(f"n{chance.randrange(names)}.{ZONE}") + TAIL for _ in range(CALLS)
    ]
    cache = AnswerCache(snapshot)
    assert all(cache.respond(packet, HOST, 1)[3] & 15 == 0 for packet in asked)  # type: ignore[index]
    return {
        "respond": microseconds(asked, lambda packet: respond(packet, CLIENT, snapshot, 1 << 60)),
        "cached": microseconds(asked, lambda packet: cache.respond(packet, HOST, 1 << 60)),
    }


def microseconds(asked: list[bytes], answer: Callable[[bytes], bytes | None]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = process_time()
        for packet in asked:
            answer(packet)
        best = min(best, process_time() - started)
    return best * 1e6 / len(asked)


def resident() -> int:
    """Return the octets of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(kind: str, names: int) -> Numbers:
    """Measure one size, each end in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        found: Numbers = {"names": names}
        for step in ("load", "receive"):
            words = [sys.executable, __file__, "--step", step, folder, kind, str(names)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            found |= json.loads(done.stdout)
        return found


def show(rows: list[tuple[str, Numbers]]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("names", *TITLES.values()):
        table.add_column(title, justify="right")
    for kind, found in rows:
        cells = (_cell(found[key]) if key in found else "" for key in TITLES)
        table.add_row(f"{found['names']:,} {kind}", *cells)
    print("CPU time of a load, and a worker's memory and time for one answer over EDNS")
    Console(width=max(150, Console().width)).print(table)


def _cell(value: float) -> str:
    return f"{value:.0f}" if value > 99 else f"{value:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description="what many names cost")
    parser.add_argument("--static", type=int, nargs="*", default=[100, 1_000_000])
    parser.add_argument("--steered", type=int, nargs="*", default=[100, 10_000, 100_000])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)  # of `measure`
    options = parser.parse_args()
    if options.step:
        step, folder, kind, names = options.step
        path, number = Path(folder), int(names)
        print(json.dumps(load(path, kind, number) if step == "load" else receive(path, number)))
        return 0
    rows = [("static", measure("static", names)) for names in options.static]
    rows += [("steered", measure("steered", names)) for names in options.steered]
    if options.json:
        print(json.dumps([{"kind": kind} | found for kind, found in rows], indent=2))
    else:
        show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
