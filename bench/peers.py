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
    workloads = [w for w in WORKLOADS if w.name in options.workloads]
    if options.sender == "own":
        workloads = [workload for workload in workloads if not workload.tcp]
    for setup in dict.fromkeys(workload.setup for workload in workloads):
        with tempfile.TemporaryDirectory() as folder:
            loads = [Load(w, Path(folder), options.sender) for w in workloads if w.setup == setup]
            measured |= of_setup(setup, names, loads, options, Path(folder), cores)
    if options.json:
        costs = {
            workload: {name: median_of(got)[0] for name, got in by.items()}
            for workload, by in measured.items()
        }
        print(json.dumps(costs, indent=2))
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
) -> Samples:
    """Start the servers that are to be compared, measure, and stop them."""
    with ExitStack() as stack:
        servers = []
        for name in names:
            if name == "powerdns" and setup.names > MOST_POWERDNS:
                continue
            pinned = set(cores[: setup.workers])
            servers.append(stack.enter_context(running(name, folder / name, pinned, setup)))
        return measure(servers, loads, options.turns, options.seconds, cores[1])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU time per answered query, side by side")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--servers", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    every = [workload.name for workload in WORKLOADS]
    parser.add_argument("--workloads", nargs="+", choices=every, default=every)
    parser.add_argument("--sender", choices=SENDERS, default=SENDERS[0])
    parser.add_argument("--json", action="store_true", help="medians of microseconds alone")
    parser.add_argument("--markdown", action="store_true")
    return parser.parse_args()


def measure(
    servers: list[Running], loads: list[Load], turns: int, seconds: float, core: int
) -> Samples:
    """Return what each turn gave. What a server cannot do is left out, and told."""
    samples: Samples = {load.workload.name: {} for load in loads}
    for turn in range(turns):
        for load in loads:
            for server in servers:
                if server.name == "floor" and load.workload.tcp:
                    continue  # it has no TCP
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
    titles = ["queries", *("floor (C echo)" if name == "floor" else name for name in names)]
    how = f"medians of {options.turns} turns of {options.seconds:g} s, lowest and highest"
    told = f"CPU time per answered query, microseconds (and times {REFERENCE}); {how}"
    table(told, titles, {words[w]: [cost_of(by, n) for n in names] for w, by in measured.items()},
          markdown=options.markdown)  # fmt: skip
    told = "Answers per second, in thousands, from one core that asks; medians"
    rates = {
        words[w]: [f"{median_of(by[n])[1] / 1e3:.0f}" if n in by else "" for n in names]
        for w, by in measured.items()
    }
    table(told, titles, rates, markdown=options.markdown)


def cost_of(by: dict[str, list[Sample]], name: str) -> str:
    if name not in by:
        return ""
    cost, costs = median_of(by[name])[0], [cost for cost, _ in by[name]]
    text = f"{cost:.2f}"
    if REFERENCE in by and name not in (REFERENCE, "floor"):
        text += f" (x {cost / median_of(by[REFERENCE])[0]:.2f})"
    return f"{text} {min(costs):.1f} to {max(costs):.1f}" if len(costs) > 1 else text


def table(told: str, titles: list[str], rows: dict[str, list[str]], *, markdown: bool) -> None:
    if markdown:
        lines = [titles, ["---"] * len(titles), *([word, *cells] for word, cells in rows.items())]
        print(told + ":\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
        return
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, title in enumerate(titles):
        shown.add_column(title, justify="right" if number else "left")
    for word, cells in rows.items():
        shown.add_row(word, *cells)
    print(told)
    Console(width=max(150, Console().width)).print(shown)


if __name__ == "__main__":
    sys.exit(main())
