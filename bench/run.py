"""All measurements of the page bench/results.md, one after the other, and the page itself.

Each part is a process of its own and what it found goes into bench/results.json at once, so that a
run can be ended and continued, or spread over several hours: the page and its chart are made from
that file, whenever a part has been measured. The prose of the page is written by hand and kept.

    python bench/run.py                              everything, about 20 minutes
    python bench/run.py --parts static edns latency  these alone
    python bench/run.py --turns 1 --seconds 0.3      quick and rough
    python bench/run.py --resume                     what was not measured at this commit
    python bench/run.py --parts                      the page again, without measuring
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import WORKLOADS
from machine import made
from page import write_page
from servers import SERVERS, available

HERE = Path(__file__).parent
LIMIT = 1500.0  # seconds for all parts; none is begun after that
PART_LIMIT = 420.0  # for one
RATES = {"latency": 2_000, "latency-loaded": 40_000}  # queries per second
OWN = ["respond", *RATES, "scale"]
PARTS = [*(workload.name for workload in WORKLOADS), *OWN]
Results = dict[str, dict[str, Any]]  # part: what was measured, when and where


@dataclass(frozen=True)
class Plan:
    """What is measured, and how long."""

    parts: list[str]
    turns: int
    seconds: float
    servers: list[str]
    limit: float

    def command(self, part: str) -> list[str]:
        """Return the words after the interpreter's name that measure one part."""
        if part in RATES:
            seconds, rate = str(4 * self.seconds), str(RATES[part])
            return ["latency.py", "--json", "--seconds", seconds, "--rate", rate]
        if part == "respond":
            return ["respond.py", "--json", "--rounds", str(2 * self.turns)]
        if part == "scale":
            return ["scale.py", "--json"]
        return [
            "peers.py", "--json", "--turns", str(self.turns), "--seconds", str(self.seconds),
            "--workloads", part, "--servers", *self.servers,
        ]  # fmt: skip


def measure(plan: Plan, file: Path) -> bool:
    """Measure the parts; return whether all were. What each found is kept in `file` at once."""
    started, done = time.monotonic(), True
    for number, part in enumerate(plan.parts):
        began = time.monotonic()
        if began - started > plan.limit:
            left = " ".join(plan.parts[number:])
            print(f"{plan.limit:.0f} s are over; --parts {left} is left", file=sys.stderr)
            return False
        found = run(plan.command(part))
        took = time.monotonic() - began
        if found is None:
            done = False
            continue
        results = read(file)
        results[part] = {"made": made(), "turns": plan.turns, "seconds": plan.seconds} | found
        write(file, results)
        print(f"{number + 1} of {len(plan.parts)}: {part}, {took:.0f} s", file=sys.stderr)
    return done


def run(words: list[str]) -> dict[str, Any] | None:
    """Return what one measurement prints, or None and tell why it has failed."""
    command = [sys.executable, str(HERE / words[0]), *words[1:]]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=PART_LIMIT, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"left out: {error}", file=sys.stderr)
        return None
    found = json.loads(done.stdout)
    return found if isinstance(found, dict) else {"rows": found}


def read(file: Path) -> Results:
    found: Results = json.loads(file.read_text()) if file.exists() else {}
    return found


def write(file: Path, results: Results) -> None:
    ordered = {part: results[part] for part in PARTS if part in results}
    new = file.with_suffix(".new")
    new.write_text(json.dumps(ordered, indent=1) + "\n")
    new.replace(file)


def plan(options: argparse.Namespace, results: Results) -> Plan:
    """Leave out, and tell, what cannot be measured here or need not be."""
    servers = [name for name in options.servers if available(name)]
    for name in options.servers:
        if name not in servers:
            print(f"{name} is not on this machine and is left out", file=sys.stderr)
    parts = options.parts
    if options.resume:
        commit = made()["commit"]
        parts = [p for p in parts if results.get(p, {}).get("made", {}).get("commit") != commit]
    return Plan(parts, options.turns, options.seconds, servers, options.limit)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--servers", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each measurement")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for all")
    parser.add_argument("--resume", action="store_true", help="what this commit has not measured")
    parser.add_argument("--into", type=Path, default=HERE, help="folder of the results")
    options = parser.parse_args()
    file = options.into / "results.json"
    done = measure(plan(options, read(file)), file)
    for path in write_page(read(file), options.into):
        print(path)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
