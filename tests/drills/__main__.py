"""The long forms of what tests/conformance shows in short: `python -m tests.drills [NAME ...]`.

Each drill runs a server of its own on loopback, fails loudly, and ends within its limit.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.answers.interleaving import interleave
from tests.conformance import test_bad_back_ends, test_start_stop
from tests.conformance.clocks import JUMPS, LIBRARY, keep_time
from tests.conformance.deaths import kill_control, kill_workers
from tests.conformance.differing import differences
from tests.conformance.following import follow
from tests.conformance.large import large
from tests.conformance.probing import hang, storm
from tests.conformance.reloading import (
    NAMES,
    assert_same_size,
    config,
    hang_up_often,
    reload_often,
    settled,
)
from tests.conformance.reporting import reports
from tests.conformance.server import fresh, serving
from tests.conformance.shares import assert_shares
from tests.conformance.storming import agree, collapse, thresholds
from tests.conformance.waiting import Machine, in_time
from tests.conformance.weighing import CONFIG, PAIRS, assert_chi_squares, dig
from tests.drills.connections import (
    descriptors,
    fragments,
    idle,
    idle_close,
    one_byte,
    per_client,
    pipelining,
    slow_readers,
)
from tests.drills.flood import flood
from tests.drills.large_reloads import collect, reload_at_rate
from tests.drills.overload import overload
from tests.drills.overriding import overrides
from tests.drills.silence import silence
from tests.drills.stories import stories
from tests.example_zone import example
from tests.fuzz.mutation import fuzz

RATE = 5000.0  # queries per second


@dataclass(frozen=True)
class Drill:
    """`run` gets an empty folder and returns what was measured. limit: seconds at most."""

    about: str
    limit: int
    run: Callable[[Path], str]


def dig_loops(folder: Path) -> str:
    if not shutil.which("dig"):
        return "SKIPPED: dig is not installed (Debian: bind9-dnsutils)"
    with serving(folder, CONFIG) as server:
        lines = []
        for name, weights in PAIRS:
            counts = dig(server, name, 1000)
            assert counts.total() == 1000
            assert_shares(counts, weights)
            lines.append(f"1000 times dig +short {name} {weights}: {dict(counts)}")
    return "\n".join(lines)


def weights(folder: Path) -> str:
    with serving(folder, CONFIG) as server:
        for name in ("among.gtm.test", "inside.gtm.test"):
            assert_chi_squares(server, name, 400_000)
    return "chi-square over 400 000 answers of each name, per worker and over all: p above 0.001"


def reloads(folder: Path) -> str:
    with serving(folder, config(0)) as server:
        return in_time(lambda: reload_often(server, reloads=50, rate=RATE))


def leaks(folder: Path, number: int) -> str:
    """Memory is compared after a quarter of the reloads: allocators find their size first."""
    with serving(folder, config(0)) as server:
        reload_often(server, reloads=number // 4, rate=200)
        before = settled(server)
        told = reload_often(server, reloads=number, rate=200)
        return f"{told}\n{assert_same_size(before, settled(server), 0.02)}"


def hang_ups(folder: Path) -> str:
    with serving(folder, config(0)) as server:
        hang_up_often(server, times=100, every=0.05, rate=600, p99=1.0)
        before = settled(server)
        told = in_time(lambda: hang_up_often(server, times=100, every=0.05, rate=600, p99=0.005))
        return f"{told}\n{assert_same_size(before, settled(server), 0.05)}"


def workers(folder: Path, times: int) -> str:
    with serving(folder, config(0)) as server:
        return in_time(lambda: kill_workers(server, names=NAMES, times=times, rate=RATE))


def control(folder: Path) -> str:
    return "\n".join(
        in_time(lambda broken=broken: kill_control(folder, rate=RATE, broken=broken))
        for broken in (False, True)
    )


def differential(folder: Path) -> str:
    if not (shutil.which("nsd") or shutil.which("knotd")):
        return "SKIPPED: neither nsd nor knotd is installed (Debian: nsd, knot)"
    comparison = differences(folder, zones=200, asked=500, first=1000)
    assert not comparison.unexplained, "\n".join([str(comparison), *comparison.unexplained[:10]])
    return str(comparison)


def clocks(folder: Path) -> str:
    if LIBRARY is None:
        return "SKIPPED: libfaketime is not installed (Debian: faketime)"
    return keep_time(folder, jumps=list(JUMPS), suspended=60)


DRILLS = {
    "dig": Drill("three weights, 1 000 times dig each", 180, dig_loops),
    "weights": Drill("chi-square over 400 000 answers, per worker", 180, weights),
    "health": Drill(
        "back ends killed, frozen and back under load, at default counts and 2 s intervals",
        240,
        lambda folder: "\n".join(in_time(lambda: follow(folder, rate=2000, interval=2, timeout=1))),
    ),
    "manners": Drill(
        "back ends that misbehave", 60, lambda f: in_time(lambda: test_bad_back_ends.each_kind(f))
    ),
    "hang": Drill(
        "1 500 checks that hang",
        180,
        lambda folder: in_time(
            lambda: hang(folder, checks=1500, interval=4, timeout=3, rate=1000, queries=10_000)
        ),
    ),
    "overrides": Drill("an override over a death of control and a restart", 60, overrides),
    "storm": Drill(
        "a start with 1 500 checks", 120, lambda f: in_time(lambda: storm(f, endpoints=1500))
    ),
    "collapse": Drill(
        "1 000 of 1 000 targets fail at once, and recover",
        120,
        lambda f: in_time(lambda: collapse(f, targets=1000, interval=3, rate=1000)),
    ),
    "agree": Drill(
        "20 verdicts under way to two workers, one of which is killed each time",
        120,
        lambda f: "\n".join(
            in_time(lambda kill=kill: agree(f, changes=20, kill=kill)) for kill in (False, True)
        ),
    ),
    "flapping": Drill(
        "400 results, half of them failures",
        120,
        lambda f: in_time(lambda: thresholds(f, results=400)),
    ),
    "clocks": Drill("the time of day jumps; all are suspended for a minute", 180, clocks),
    "stories": Drill("config/examples/story-*.sh, unhurried", 900, stories),
    "reloads": Drill("50 reloads under 5 000 queries/s", 240, reloads),
    "reload-large": Drill(
        "10 000 records and 1 000 pools change under 5 000 queries/s",
        120,
        lambda f: in_time(lambda: reload_at_rate(fresh(f))),
    ),
    "collections": Drill(
        "100 000 records under 2 000 queries/s, and two reloads of them",
        120,
        lambda f: in_time(lambda: collect(fresh(f))),
    ),
    "hang-ups": Drill("100 times SIGHUP at 20/s", 120, hang_ups),
    "leaks": Drill("100 reloads, then sizes", 300, lambda folder: leaks(folder, 100)),
    "leaks-long": Drill("1 000 reloads, then sizes", 1800, lambda folder: leaks(folder, 1000)),
    "workers": Drill("ten workers killed under 5 000 queries/s", 120, lambda f: workers(f, 10)),
    "workers-long": Drill("100 workers killed", 400, lambda folder: workers(folder, 100)),
    "control": Drill("control killed under 5 000 queries/s", 120, control),
    "stop": Drill(
        "SIGTERM under 5 000 queries/s",
        60,
        lambda f: in_time(lambda: test_start_stop.terminate(f, RATE)),
    ),
    "differential": Drill(
        "100 000 questions beside NSD and Knot, 200 000 responses", 400, differential
    ),
    "interleaved": Drill(
        "100 000 interleaved queries to one cache",
        60,
        lambda _: interleave(example(), 100_000, seed=41),
    ),
    "flood": Drill(
        "names that nobody has asked for", 400, lambda f: in_time(lambda: flood(fresh(f)))
    ),
    "overload": Drill(
        "10 s of three times as many queries as can be answered",
        90,
        lambda f: in_time(lambda: overload(fresh(f), seconds=10)),
    ),
    "overload-long": Drill(
        "a minute of three times as many queries as can be answered",
        200,
        lambda f: in_time(lambda: overload(fresh(f), seconds=60)),
    ),
    "large": Drill("a thousand addresses, five thousand endpoints", 120, large),
    "fuzz": Drill(
        "1 000 000 mutated packets", 300, lambda _: fuzz(runs=1_000_000, seconds=240, seed=2)
    ),
    "reports": Drill("what zonemaster and dnsviz say of a zone", 240, reports),
    "silence": Drill("100 000 responses, scraps, port 0, ourselves", 180, silence),
    "tcp-idle": Drill("10 000 idle TCP connections", 240, lambda f: in_time(lambda: idle(f))),
    "tcp-one-byte": Drill(
        "2 000 connections that send one octet", 180, lambda f: in_time(lambda: one_byte(f))
    ),
    "tcp-slow-readers": Drill(
        "5 000 000 queries by 50 that read no answer",
        180,
        lambda f: in_time(lambda: slow_readers(f)),
    ),
    "tcp-pipelining": Drill(
        "100 queries at once, 400 times", 120, lambda f: in_time(lambda: pipelining(f))
    ),
    "tcp-fragments": Drill(
        "octet by octet, lengths that lie", 60, lambda f: in_time(lambda: fragments(f))
    ),
    "tcp-idle-close": Drill("closed when keepalive says", 60, idle_close),
    "tcp-per-client": Drill(
        "300 connections from one address", 120, lambda f: in_time(lambda: per_client(f))
    ),
    "descriptors": Drill(
        "400 connections with 128 descriptors", 120, lambda f: in_time(lambda: descriptors(f))
    ),
    "refuse": Drill(
        "a start with a broken file",
        60,
        lambda f: in_time(lambda: test_start_stop.refused_start(f)),
    ),
}
LONG = [name for name in DRILLS if name.endswith("-long")]  # only when asked for by name


def run(name: str) -> bool:
    """Run one drill; return whether it held."""
    drill, machine, started = DRILLS[name], Machine(), time.monotonic()
    print(f"--- {name}: {drill.about}", flush=True)
    signal.alarm(drill.limit)
    try:
        with tempfile.TemporaryDirectory(prefix="gtmdns-drill-") as folder:
            print(drill.run(Path(folder)))
        held = True
    except Exception:
        traceback.print_exc(file=sys.stdout)
        held = False
    finally:
        signal.alarm(0)
    verdict = "held" if held else "FAILED"
    print(f"{verdict} in {time.monotonic() - started:.0f} s ({machine})\n", flush=True)
    return held


def too_long(number: int, frame: object) -> None:
    raise TimeoutError("the drill did not end within its limit")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.drills",
        description=__doc__,
        epilog="\n".join(f"{name:16} {drill.about}" for name, drill in DRILLS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", choices=[*DRILLS, []], metavar="NAME")
    names = parser.parse_args().names or [name for name in DRILLS if name not in LONG]
    signal.signal(signal.SIGALRM, too_long)
    failed = [name for name in names if not run(name)]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
