"""Many checks at once: those that hang, and those of a start. What they cost and how they spread."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.back_ends import BackEnds, Connection
from tests.conformance.load import Outcome, Plan, run_load
from tests.conformance.ports import free_port
from tests.conformance.server import Server, fresh, serving
from tests.conformance.waiting import Late, eventually

NAME, STATIC = "www.gtm.test", "static.gtm.test"
PROBES_AT_ONCE = 1000  # and so many descriptors, at most
OWN_DESCRIPTORS = 40  # what control has open beside those of probes, generously
MARGIN = 0.0001  # seconds by which half of the answers may be later, beside twice the time
QUICK = 0.005  # seconds: 99 of 100 answers may always take so long, as under reloads

CONFIG = """
server: {{startup_wait: {startup_wait}}}
health_checks:
  web: {{type: http, port: {port}, interval: {interval}, timeout: {timeout}, fall: 2}}
pools:
  many:
    {check}
    endpoints: [{endpoints}]
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: many}}
      static: {{A: [10.0.0.1]}}
"""
CHECKED, UNCHECKED = "health_check: web", ""


def addresses(number: int) -> list[str]:
    """Return so many loopback addresses; 0.0.0.0 listens on all of them."""
    return [f"127.8.{n // 250}.{1 + n % 250}" for n in range(number)]


def hang(
    folder: Path, *, checks: int, interval: float, timeout: float, rate: float, queries: int
) -> str:
    """All endpoints accept and stay silent; return a line of figures.

    Queries are timed without the checks and with them. Raises Late where they are slower then.
    """
    port = free_port("0.0.0.0")
    folder = fresh(folder)
    fields = {
        "port": port,
        "interval": interval,
        "timeout": timeout,
        "startup_wait": 1,
        "endpoints": ", ".join(addresses(checks)),
    }
    with (
        BackEnds(folder, [f"0.0.0.0:{port}:silent"]),
        serving(folder, CONFIG.format(**fields, check=UNCHECKED)) as server,
    ):
        plan = Plan(server.host, server.port, [NAME, STATIC], rate=rate, most=queries)
        calm = run_load(plan)
        server.write(CONFIG.format(**fields, check=CHECKED))
        server.reload()
        eventually(lambda: all_are(server, "down", checks), "all are down")
        most_descriptors = 0
        busy = run_load(plan)
        until = time.monotonic() + interval
        while time.monotonic() < until:
            most_descriptors = max(most_descriptors, server.process("control").descriptors)
        assert_fails_open(server, busy)
    calm.assert_none_lost()
    busy.assert_none_lost()
    assert most_descriptors <= min(checks, PROBES_AT_ONCE) + OWN_DESCRIPTORS
    told = f"{checks} checks that hang, {most_descriptors} descriptors in control\n  without: {calm}\n  with:    {busy}"
    half, most = 2 * calm.latency(0.5) + MARGIN, max(QUICK, 2 * calm.latency(0.99))
    if busy.latency(0.5) > half or busy.latency(0.99) > most:
        raise Late(told)
    return told


def all_are(server: Server, state: str, number: int) -> bool:
    return Counter(server.verdicts().values()) == {state: number}


def assert_fails_open(server: Server, outcome: Outcome) -> None:
    """Where nothing is usable everything is answered, and the metrics tell."""
    of_pool = [asked.answer for asked in outcome if asked.name == NAME]
    assert {len(answer.split()) for answer in of_pool} == {8}
    assert all(address.startswith("127.8.") for answer in of_pool for address in answer.split())
    metrics = server.metrics()
    assert metrics["gtmdns_pool_available"] == {("ipv4", "many"): 0}
    assert metrics["gtmdns_pool_usable_endpoints"] == {("ipv4", "many"): 0}
    assert set(metrics["gtmdns_endpoint_usable"].values()) == {0}
    told = server.api(f"explain?name={NAME}&type=A&client=127.0.0.1")
    assert told["reason"] == "all_down"

    def counted() -> bool:
        answers = server.metrics()["gtmdns_answers_total"]
        return sum(n for labels, n in answers.items() if "all_down" in labels) >= len(of_pool)

    eventually(counted, "the answers are counted as all_down")


def storm(folder: Path, *, endpoints: int, startup_wait: float = 3.0) -> str:
    """Start with so many endpoints; return a line of figures on how the first probes were spread."""
    port = free_port("0.0.0.0")
    timeout, interval = startup_wait / 3, startup_wait
    config = CONFIG.format(
        port=port,
        interval=interval,
        timeout=timeout,
        startup_wait=startup_wait,
        check=CHECKED,
        endpoints=", ".join(addresses(endpoints)),
    )
    folder = fresh(folder)
    with BackEnds(folder, [f"0.0.0.0:{port}:ok"]) as back_ends:
        with serving(folder, config) as server:
            assert all_are(server, "up", endpoints), "it answered before the first verdicts"
            time.sleep(1.5 * interval)
        probes = back_ends.connections()
    spread = startup_wait - timeout
    first = {probe.address: probe.at for probe in reversed(probes)}
    begun = min(first.values())
    assert len(first) == endpoints
    assert max(first.values()) - begun <= startup_wait, "a first probe came too late"
    window = spread / 4
    most = busiest(list(first.values()), window)
    fair, later = endpoints / 4, endpoints * window / interval
    steady = busiest([p.at for p in probes if p.at > begun + startup_wait], window)
    told = (
        f"{endpoints} first probes: at most {most} in {window:g} s (evenly: {fair:.0f}); "
        f"later at most {steady} in {window:g} s (evenly: {later:.0f})"
    )
    assert_bounded_per_endpoint(probes, endpoints, interval)
    if most > 1.5 * fair + 5 or steady > 2 * later + 5:
        raise Late(told)
    return told


def busiest(moments: Sequence[float], window: float) -> int:
    """Return the most moments in any window of so many seconds."""
    ordered, most, begin = sorted(moments), 0, 0
    for end, moment in enumerate(ordered):
        while ordered[begin] < moment - window:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def assert_bounded_per_endpoint(
    probes: Sequence[Connection], endpoints: int, interval: float
) -> None:
    """Each endpoint is probed once an interval, which is shortened by a tenth at most."""
    span = max(p.at for p in probes) - min(p.at for p in probes)
    counts = Counter(probe.address for probe in probes)
    assert max(counts.values()) <= span / (0.9 * interval) + 1
    assert len(counts) == endpoints
