"""Health that changes much and at once: all targets fail together, and all workers hear of it."""

import os
import random
import signal
import socket
import time
from pathlib import Path

from tests.conformance.back_ends import BackEnds
from tests.conformance.load import Load, Outcome, Plan, run_load
from tests.conformance.ports import free_port
from tests.conformance.probing import CHECKED, CONFIG, NAME, STATIC, addresses, all_are
from tests.conformance.server import Server, fresh, serving
from tests.conformance.shares import Flows, flows
from tests.conformance.waiting import Late, eventually

QUICK = 0.005  # seconds: 99 of 100 answers may always take so long, on a machine of two cores
MORE = 1.2  # times: how much slower the p99 may be
AGREE = 1.0  # seconds from the first worker to the last
FOLLOW = 0.2  # seconds in which answers follow a verdict

# Push checks: verdicts come when we say so.
A, B = "10.0.0.1", "10.0.0.2"
PUSHED = """
health_checks:
  told: {{type: push, token_file: {token}, interval: 1h, fall: 3, rise: 2}}
pools:
  first: {{endpoints: [10.0.0.1], health_check: told}}
  second: {{endpoints: [10.0.0.2]}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: [first, second]}}
"""
TOKEN = "a token of tests"


def push_config(folder: Path) -> str:
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    return PUSHED.format(token=token)


def push(server: Server, up: bool) -> float:
    """Say what is true of A; return the moment before it, in seconds since the epoch."""
    moment, body = time.time(), b'{"up": true}' if up else b'{"up": false}'
    with socket.create_connection(("127.0.0.1", server.admin_port), timeout=5) as sock:
        sock.sendall(
            f"PUT /api/v1/push/told/{A} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        said = sock.recv(4096)
    assert said.startswith(b"HTTP/1.1 2"), said
    return moment


def collapse(folder: Path, *, targets: int, interval: float, rate: float) -> str:
    """T51: all targets fail at once and recover at once; return lines of figures.

    Raises Late where queries were slower meanwhile than while all was well.
    """
    folder, port = fresh(folder), free_port("0.0.0.0")
    config = CONFIG.format(
        port=port, interval=interval, timeout=interval / 2, startup_wait=interval, check=CHECKED,
        endpoints=", ".join(addresses(targets)),
    )  # fmt: skip
    listeners = [f"0.0.0.0:{port}:ok"]
    with BackEnds(folder, listeners) as ends, serving(folder, config) as server:
        eventually(lambda: all_are(server, "up", targets), "all are up")
        plan = Plan(server.host, server.port, [NAME, STATIC], rate=rate, seconds=120)
        calm = run_load(
            Plan(server.host, server.port, [NAME, STATIC], rate=rate, most=int(1.5 * rate))
        )
        logged = len(server.log.splitlines())
        with Load(plan) as load:
            ends.kill()
            eventually(lambda: all_are(server, "down", targets), "all are down", 60)
            failed_open = time.time() + FOLLOW
            time.sleep(2 * FOLLOW)
            ends.start()
            eventually(lambda: all_are(server, "up", targets), "all are up again", 60)
            outcome = load.finish()
        lines = len(server.log.splitlines()) - logged
        changes = sum(server.metrics()["gtmdns_verdict_changes_total"].values())
    calm.assert_none_lost()
    outcome.assert_none_lost()
    assert changes == 3 * targets, "up, down, up"
    assert lines < targets, f"{lines} lines for {targets} targets"
    assert_never_empty(outcome, failed_open)
    told = (
        f"{targets} of {targets} targets down and up: {lines} log lines\n"
        f"  before:  {calm}\n  meanwhile: {outcome}"
    )
    if outcome.latency(0.99) > max(QUICK, MORE * calm.latency(0.99)):
        raise Late(told)
    return told


def assert_never_empty(outcome: Outcome, failed_open: float) -> None:
    """T50: an answer holds addresses at every moment, and with none usable, as if all were."""
    of_pool = [asked for asked in outcome if asked.name == NAME]
    assert {asked.answer.partition(".")[0] for asked in of_pool} == {"127"}
    assert any(asked.sent > failed_open for asked in of_pool)


def agree(folder: Path, *, changes: int, kill: bool) -> str:
    """T57: all workers answer alike within AGREE of a change; return the spreads.

    kill: a worker is killed at each change; its successor must say the same as its siblings.
    """
    folder = fresh(folder)
    spreads, followed = [], []
    with serving(folder, push_config(folder)) as server:
        push(server, True)
        with flows(server, "www.gtm.test", number=32) as asked:
            of_first = asked.of_worker(server, "worker 0")
            assert any(of_first)
            assert not all(of_first)
            up = True
            for number in range(changes):
                up = not up
                for _ in range(1 if up else 2):  # rise 2, fall 3: the last one decides
                    push(server, up)
                victim = server.process(f"worker {number % 2}").pid
                moment = push(server, up)
                if kill:
                    os.kill(victim, signal.SIGKILL)
                first, last = spread(asked, A if up else B, A if not up else B)
                spreads.append(last - first)
                followed.append(first - moment)
    told = (
        f"{changes} changes: workers agree within {1000 * max(spreads):.0f} ms, "
        f"the first of them {1000 * max(followed):.0f} ms after the verdict"
    )
    late = max(followed) > FOLLOW and not kill  # a killed worker's flows keep the others waiting
    if max(spreads) > AGREE or late:
        raise Late(told)
    return told


def spread(asked: Flows, new: str, old: str) -> tuple[float, float]:
    """Ask over all flows until all say `new`; return when the first did, and the last `old` came."""
    first, last = 0.0, 0.0
    deadline = time.time() + 10
    while True:
        answers = asked.answers(0.1)
        assert set(answers) <= {new, old, None}, answers
        now = time.time()
        if new in answers and not first:
            first = last = now
        if first and set(answers) != {new}:
            last = now
        if set(answers) == {new}:
            return first, last
        assert now < deadline, f"after 10 s still {answers}"


def thresholds(folder: Path, *, results: int) -> str:
    """T52: a target that fails half of the time; answers change at a threshold and never between.

    fall 3, clear 1, rise 2, by a model that counts for itself.
    """
    folder, chance = fresh(folder), random.Random(52)
    model, changes, told = Model(), 0, []
    with serving(folder, push_config(folder), workers=1) as server:
        for _ in range(results):
            up = chance.random() < 0.5
            before = model.up
            model.result(up)
            told.append(up)
            moment = push(server, up)
            if model.up != before:
                changes += 1
                expected = [A if model.up else B]
                eventually(lambda e=expected: server.addresses("www.gtm.test") == e, "it follows")
                if time.time() - moment > 5 * FOLLOW:
                    raise Late(f"{time.time() - moment:.2f} s after a verdict")
            else:
                assert_stays(server, A if model.up else B)
        counted = sum(server.metrics()["gtmdns_verdict_changes_total"].values())
    assert counted == changes + told[0], "a first verdict of up changes no answer"
    return f"{results} results, half of them failures: {changes} changes, each at its threshold"


def assert_stays(server: Server, address: str) -> None:
    """Control has the result already: had it changed a verdict, the API would say so."""
    (shown,) = [p for p in server.api("pools")["pools"] if p["name"] == "first"]
    assert shown["endpoints"][0]["verdict"] == ("up" if address == A else "down")
    assert server.addresses("www.gtm.test") == [address]


class Model:
    """An endpoint by the words of docs/decisions.md, with `fall: 3, rise: 2, clear: 1`."""

    def __init__(self) -> None:
        self.up = True
        self._in_a_row: list[bool] = []

    def result(self, up: bool) -> None:
        if not self._in_a_row:  # the first result of all decides
            self.up = up
        self._in_a_row = [*self._in_a_row, up][-3:]
        if self.up and self._in_a_row == [False] * 3:
            self.up = False
        elif not self.up and self._in_a_row[-2:] == [True] * 2:
            self.up = True
