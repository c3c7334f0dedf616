"""Processes of a server that are killed under load: what is lost, and how long until they are back."""

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.conformance.back_ends import BackEnds
from tests.conformance.load import Asked, Load, Plan
from tests.conformance.ports import free_port
from tests.conformance.server import Server, fresh, serving
from tests.conformance.waiting import Late, eventually

BATCH = 64  # queries that a worker reads in one go; a killed one takes at most these with it
BACK_IN = 1.0  # seconds from a worker's death until its successor answers
CHECKS_GO_ON_IN = 2.0  # seconds from control's death until the next probe
NEAR = 1.0  # seconds around a death in which what was lost belongs to it

ALIVE, KILLED = "127.0.9.11", "127.0.9.12"
INTERVAL = 0.5  # seconds between probes
NAME = "www.gtm.test"

CONFIG = """
server: {{startup_wait: 1s}}
health_checks:
  web: {{type: http, port: {port}, interval: 500ms, timeout: 250ms, fall: 2}}
pools:
  alive: {{endpoints: [127.0.9.11], health_check: web}}
  killed: {{endpoints: [127.0.9.12], health_check: web}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: {{alive: 1, killed: 1}}}}
"""
BROKEN = CONFIG.replace("hostmaster@example.com", "not a mailbox")


def kill_workers(server: Server, *, names: list[str], times: int, rate: float) -> str:
    """Kill one worker after the other under load; return a line of figures.

    Raises Late where a successor took too long.
    """
    deaths: list[float] = []
    back: list[float] = []
    with Load(Plan(server.host, server.port, names, rate=rate, seconds=300)) as load:
        time.sleep(0.3)
        for number in range(times):
            died, took = kill_worker(server, number % server.workers)
            deaths.append(died)
            back.append(took)
            time.sleep(0.3)
        outcome = load.finish()
    lost = lost_by_death(outcome.lost, deaths)
    assert max(lost) <= BATCH, f"lost by death: {lost}"
    assert outcome.stray == 0
    if max(back) > BACK_IN:
        raise Late(f"seconds until a killed worker was back: {back}")
    return (
        f"{times} workers killed: lost by death {lost}, back after {min(back):.2f} to "
        f"{max(back):.2f} s; {outcome}"
    )


def kill_worker(server: Server, number: int) -> tuple[float, float]:
    """Kill a worker; return the moment, and the seconds until its successor serves."""
    old = server.process(f"worker {number}").pid
    died = time.time()
    os.kill(old, signal.SIGKILL)

    def replaced() -> bool:
        shown = [w for w in server.api("status")["workers"] if w["number"] == number]
        return any(w["pid"] != old and w["generation"] > 0 for w in shown)

    eventually(replaced, f"worker {number} is back")
    return died, time.time() - died


def lost_by_death(lost: list[Asked], deaths: list[float]) -> list[int]:
    """Return how many queries were lost around each death. All of them were."""
    counts = []
    for died in deaths:
        around = [asked for asked in lost if died - NEAR < asked.sent < died + NEAR]
        counts.append(len(around))
        lost = [asked for asked in lost if asked not in around]
    assert lost == [], f"lost while nobody died: {lost}"
    return counts


def kill_control(folder: Path, *, rate: float, broken: bool) -> str:
    """Kill control under load; return a line of figures. Raises Late where checks paused too long.

    broken: the file cannot be used at that moment, and is repaired later
    """
    port = free_port("0.0.0.0")
    listeners = [f"{address}:{port}:ok" for address in (ALIVE, KILLED)]
    folder = fresh(folder)
    good, bad = CONFIG.format(port=port), BROKEN.format(port=port)
    with (
        BackEnds(folder, listeners[:1]) as alive,
        BackEnds(folder, listeners[1:]) as other,
        serving(folder, good) as server,
    ):
        both_up = {ALIVE: "up", KILLED: "up"}
        eventually(lambda: server.verdicts() == both_up, "both are up")
        with Load(Plan(server.host, server.port, [NAME], rate=rate, seconds=120)) as load:
            if broken:
                server.write(bad)
            control = server.process("control").pid
            died = time.time()
            os.kill(control, signal.SIGKILL)
            resumed = [
                eventually(partial(next_probe, end, died), "probed again") - died
                for end in (alive, other)
            ]
            eventually(server.is_ready, "control is back")
            assert server.process("control").pid != control
            eventually(lambda: server.all_serve(1), "the workers found it")
            other.kill()
            eventually(lambda: server.verdicts()[KILLED] == "down", "a death is seen")
            only_alive = time.time() + 0.3
            if broken:
                eventually(lambda: last_error(server), "the broken file is told of")
                server.write(good)
                eventually(lambda: not last_error(server), "the repaired file is taken")
            time.sleep(0.5)
            outcome = load.finish()
    outcome.assert_none_lost()
    assert {asked.answer for asked in outcome if asked.sent > only_alive} == {ALIVE}
    told = f"control killed: a probe after {min(resumed):.2f} s, all of them after {max(resumed):.2f} s"
    if min(resumed) > CHECKS_GO_ON_IN or max(resumed) > CHECKS_GO_ON_IN + INTERVAL:
        raise Late(told)
    return f"{told}; {outcome}"


def last_error(server: Server) -> Any:
    return server.api("status")["configuration"]["last_error"]


def next_probe(end: BackEnds, moment: float) -> float | None:
    """Return when a back end was probed for the first time after a moment, by who came then."""
    return next((c.at for c in end.connections() if c.at > moment + 0.02), None)
