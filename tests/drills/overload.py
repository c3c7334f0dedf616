"""Three times as many queries as a worker can answer: no collapse, nothing stale, and over at once.

Who asks does not wait. The receive buffer bounds the queue, so that what is answered is answered before
a resolver asks again (Unbound and Knot Resolver do after 0.4 s at the earliest).
"""

import threading
import time
from pathlib import Path

import dns.message

from tests.conformance.server import Server
from tests.conformance.waiting import Late
from tests.drills.pouring import Poured, Source, pouring, serving_apart

NAME = "www.gtm.test"
CONFIG = """
zones:
  gtm.test:
    nameservers: {ns1: [127.0.0.1]}
    contact: hostmaster@example.com
    records:
      www: {A: [192.0.2.1]}
"""
TIMES = 3.0  # the capacity
OFFERED = 2.0  # times the capacity at least, or the source was too slow to prove anything
GOODPUT = 0.8  # of the capacity
STALE = 350  # milliseconds
USUAL = 0.3  # of the capacity
AFTER = 2.0  # seconds until all is as before
QUIET = 5  # milliseconds: a p99 below this is none to compare with
PATIENCE = 5.0  # seconds for an answer over TCP meanwhile


def overload(folder: Path, seconds: float) -> str:
    """T66. One worker on a core of its own."""
    packet = dns.message.make_query(NAME, "A", use_edns=0).to_wire()
    with serving_apart(folder, CONFIG) as server, pouring(server, packet, seed=66) as source:
        workers = [p.pid for p in server.processes() if p.role.startswith("worker")]
        capacity = max(source.closely(1).rate for _ in range(3))
        before = source.openly(3, USUAL * capacity)
        flood, slowest = _flood(server, source, seconds, TIMES * capacity)
        _ = source.openly(AFTER, USUAL * capacity)
        after = source.openly(3, USUAL * capacity)
        assert [p.pid for p in server.processes() if p.role.startswith("worker")] == workers
        assert server.is_ready()
    for poured in (before, flood, after):
        assert set(poured.kinds) == {(0, 1)}, poured.kinds
    told = (
        f"{capacity / 1000:.0f} 000 answers/s at most; for {seconds:g} s offered "
        f"{flood.sent / flood.seconds / capacity:.1f} times that: {flood.rate / capacity:.0%} of it "
        f"answered, at an age of {flood.age(0.5)} ms (p50), {flood.age(0.99)} ms (p99), "
        f"{flood.age(1)} ms (longest); TCP within {slowest * 1000:.0f} ms\n"
        f"p99 at {USUAL:.0%}: {before.age(0.99)} ms before, {after.age(0.99)} ms {AFTER:g} s after, "
        f"{after.sent - after.answered} of {after.sent} lost"
    )
    _hold(before, flood, after, capacity, told)
    return told


def _hold(before: Poured, flood: Poured, after: Poured, capacity: float, told: str) -> None:
    assert flood.age(1) <= STALE, told
    assert after.answered == after.sent, told
    if flood.sent < OFFERED * capacity * flood.seconds:
        raise Late(f"the source was too slow: {told}")
    if flood.rate < GOODPUT * capacity or after.age(0.99) > max(QUIET, 2 * before.age(0.99)):
        raise Late(told)


def _flood(server: Server, source: Source, seconds: float, rate: float) -> tuple[Poured, float]:
    """Pour, and ask over TCP once a second; return the longest of that too."""
    took: list[float] = []
    wrong: list[object] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(1):
            begin = time.monotonic()
            try:
                answer = server.addresses(NAME, tcp=True, patience=PATIENCE)
            except Exception as error:
                wrong.append(error)
                return
            took.append(time.monotonic() - begin)
            if answer != ["192.0.2.1"]:
                wrong.append(answer)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        poured = source.openly(seconds, rate)
    finally:
        over.set()
        asking.join()
    assert not wrong, wrong
    return poured, max(took)
