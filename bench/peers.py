"""CPU time per answered query, gtmdns beside other servers, in one run on one machine.

Every server is pinned to one core and the load to another. Turn by turn each server gets each
workload, so that what else the machine does meets all of them; the table shows medians and their
ratio to gdnsd. CPU time is what the kernel booked for all processes of a server, parent included.
Before that each has to answer what the zone says (agreement.py).

    python bench/peers.py --turns 5 --seconds 2 --servers gdnsd gtmdns --workloads static mixed
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median

from agreement import Traits, traits
from load import SENDERS, WORKLOADS, Load, Result
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from servers import SERVERS, Running, available, running
from zone import Setup

REFERENCE = "gdnsd"
WARM_UP = 0.3  # seconds, once per server and workload
MOST_POWERDNS = 100_000  # names: it keeps the zone as text, and takes minutes for more
Sample = tuple[float, float]  # microseconds of CPU time per answered query, answers per second
Samples = dict[str, dict[str, list[Sample]]]  # workload -> server -> one of each turn


def main() -> int:
    options = arguments()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("two cores are needed: one for the server, one for the load", file=sys.stderr)
        return 1
    names = [name for name in options.servers if available(name)]
    for name in set(options.servers) - set(names):
        print(f"{name} is not on this machine and is left out", file=sys.stderr)
    measured: Samples = {}
    known: dict[str, Traits] = {}
    workloads = [w for w in WORKLOADS if w.name in options.workloads]
    if options.sender == "own":
        workloads = [workload for workload in workloads if not workload.tcp]
    for setup in dict.fromkeys(workload.setup for workload in workloads):
        with tempfile.TemporaryDirectory() as folder:
            loads = [Load(w, Path(folder), options.sender) for w in workloads if w.setup == setup]
            measured |= of_setup(setup, names, loads, options, Path(folder), cores, known)
    if options.json:
        told = {name: asdict(known[name]) for name in names if name in known}
        print(json.dumps({"traits": told, "samples": measured}))
    else:
        show(measured, names, options)
    return 0


def of_setup(
    setup: Setup,
    names: list[str],
    loads: list[Load],
    options: argparse.Namespace,
    folder: Path,
    cores: list[int],
    known: dict[str, Traits],
) -> Samples:
    """Start the servers that are to be compared, hold them to the zone, measure, and stop them."""
    with ExitStack() as stack:
        servers = []
        for name in names:
            if name == "powerdns" and setup.names > MOST_POWERDNS:
                continue
            pinned = set(cores[: setup.workers])
            servers.append(stack.enter_context(running(name, folder / name, pinned, setup)))
            if name != "floor":
                known[name] = traits(servers[-1])
        refusing = {name for name, found in known.items() if found.cookie == "BADCOOKIE"}
        return measure(servers, loads, options.turns, options.seconds, cores[1], refusing)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU time per answered query, side by side")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--servers", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    every = [workload.name for workload in WORKLOADS]
    parser.add_argument("--workloads", nargs="+", choices=every, default=every)
    parser.add_argument("--sender", choices=SENDERS, default=SENDERS[0])
    parser.add_argument("--json", action="store_true", help="what each turn gave")
    return parser.parse_args()


def measure(
    servers: list[Running],
    loads: list[Load],
    turns: int,
    seconds: float,
    core: int,
    refusing: Collection[str] = (),
) -> Samples:
    """Return what each turn gave. What a server cannot do is left out.

    refusing: names of servers that answer BADCOOKIE to a client they have not seen before
    """
    samples: Samples = {load.workload.name: {} for load in loads}
    for turn in range(turns):
        for load in loads:
            for server in servers:
                if server.name == "floor" and load.workload.tcp:
                    continue  # it has no TCP
                if server.name in refusing and load.workload.name == "cookie":
                    continue
                if turn == 0:
                    load.send(server.port, WARM_UP, core)
                got = one(server, load, seconds, core)
                samples[load.workload.name].setdefault(server.name, []).append(got)
    return samples


def median_of(got: list[Sample]) -> Sample:
    return median(cost for cost, _ in got), median(rate for _, rate in got)


def one(server: Running, load: Load, seconds: float, core: int) -> Sample:
    before = server.cpu_seconds()
    result: Result = load.send(server.port, seconds, core)
    used = server.cpu_seconds() - before
    if not result.answered:
        raise RuntimeError(f"{server.name} answered nothing of {load.workload.name}")
    return used * 1e6 / result.answered, result.answered / result.seconds


def show(measured: Samples, names: list[str], options: argparse.Namespace) -> None:
    words = {workload.name: workload.words for workload in WORKLOADS}
    print(
        f"CPU time per answered query, microseconds (and times {REFERENCE}), lowest to highest;\n"
        "thousands of answers per second from one core that asks; "
        f"medians of {options.turns} turns of {options.seconds:g} s"
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_lines=True)
    table.add_column("queries")
    for name in names:
        table.add_column("floor (C echo)" if name == "floor" else name, justify="right")
    for workload, by in measured.items():
        table.add_row(words[workload], *(cell(by, name) for name in names))
    Console(width=max(180, Console().width)).print(table)


def cell(by: dict[str, list[Sample]], name: str) -> str:
    if name not in by:
        return ""
    (cost, rate), costs = median_of(by[name]), [cost for cost, _ in by[name]]
    text = f"{cost:.2f}"
    if REFERENCE in by and name not in (REFERENCE, "floor"):
        text += f" (x {cost / median_of(by[REFERENCE])[0]:.2f})"
    spread = f"{min(costs):.2f}-{max(costs):.2f} " if len(costs) > 1 else ""
    return f"{text}\n{spread}{rate / 1e3:.0f} k/s"


if __name__ == "__main__":
    sys.exit(main())
