"""CPU time per answered query, gtmdns beside other servers, in one run on one machine.

Every server is pinned to one core and the load to another. Turn by turn each server gets each
workload, so that what else the machine does meets all of them; the table shows medians and their
ratio to gdnsd. CPU time is what the kernel booked for all processes of a server, parent included.

    python bench/peers.py --turns 5 --seconds 2 --servers gdnsd gtmdns --workloads static mixed
"""

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from load import SENDERS, WORKLOADS, Load, Result
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from servers import SERVERS, Running, available, running

REFERENCE = "gdnsd"
WARM_UP = 0.3  # seconds, once per server and workload
Costs = dict[str, dict[str, float]]  # workload -> server -> microseconds per answered query


def main() -> int:
    options = arguments()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("two cores are needed: one for the server, one for the load", file=sys.stderr)
        return 1
    names = [name for name in options.servers if available(name)]
    for name in set(options.servers) - set(names):
        print(f"{name} is not on this machine and is left out", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = [
            stack.enter_context(running(name, Path(folder) / name, cores[0])) for name in names
        ]
        loads = [
            Load(w, Path(folder), options.sender) for w in WORKLOADS if w.name in options.workloads
        ]
        costs = measure(servers, loads, options.turns, options.seconds, cores[1])
    if options.json:
        print(json.dumps(costs, indent=2))
    else:
        show(costs, names, options)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU time per answered query, side by side")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--servers", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    every = [workload.name for workload in WORKLOADS]
    parser.add_argument("--workloads", nargs="+", choices=every, default=every)
    parser.add_argument("--sender", choices=SENDERS, default=SENDERS[0])
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(
    servers: list[Running], loads: list[Load], turns: int, seconds: float, core: int
) -> Costs:
    """Return the medians, in microseconds."""
    samples: dict[tuple[str, str], list[float]] = {}
    for turn in range(turns):
        for load in loads:
            for server in servers:
                if turn == 0:
                    load.send(server.port, WARM_UP, core)
                cost = one(server, load, seconds, core)
                samples.setdefault((load.workload.name, server.name), []).append(cost)
    return {
        load.workload.name: {
            server.name: median(samples[load.workload.name, server.name]) for server in servers
        }
        for load in loads
    }


def one(server: Running, load: Load, seconds: float, core: int) -> float:
    """Return microseconds of CPU time per answered query."""
    before = server.cpu_seconds()
    result: Result = load.send(server.port, seconds, core)
    used = server.cpu_seconds() - before
    if not result.answered:
        raise RuntimeError(f"{server.name} answered nothing of {load.workload.name}")
    return used * 1e6 / result.answered


def show(costs: Costs, names: list[str], options: argparse.Namespace) -> None:
    print(
        "CPU time per answered query over UDP, microseconds"
        + (f" (and times {REFERENCE})" if REFERENCE in names else "")
        + f"; medians of {options.turns} turns of {options.seconds:g} s"
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("queries")
    for name in names:
        table.add_column("floor (C echo)" if name == "floor" else name, justify="right")
    words = {workload.name: workload.words for workload in WORKLOADS}
    for workload, by_server in costs.items():
        base = by_server.get(REFERENCE)
        cells = [
            f"{by_server[n]:.2f}" + (f" ({by_server[n] / base:.2f})" if base else "") for n in names
        ]
        table.add_row(words[workload], *cells)
    Console(width=max(100, Console().width)).print(table)


if __name__ == "__main__":
    sys.exit(main())
