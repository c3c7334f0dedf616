"""The metrics (docs/http.md), collected from plain numbers when somebody asks.

Nothing here is touched by a query: workers count integers, control adds them up, and
this renders the sums. Rendering takes 50 microseconds a series, so it is done in a
thread, over a collector that was filled in the loop.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from .. import __version__
from ..health.tally import BUCKETS
from .control import Control
from .status import pool_status

FAMILIES = {4: "ipv4", 6: "ipv6"}


class _Collected:
    """Families that are ready; the registry asks for them while it renders."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def renderer(control: Control) -> Callable[[], bytes]:
    """Collect now; return what renders it, which may run in a thread."""
    registry = CollectorRegistry()
    registry.register(_Collected(list(families(control))))
    return lambda: generate_latest(registry)


def families(control: Control) -> Iterator[Metric]:
    """Yield every metric as it stands."""
    yield from _queries(control)
    yield from _health(control)
    yield from _checks(control)
    yield from _server(control)


def _counter(name: str, text: str, labels: list[str], rows: Iterable[tuple[Any, float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in rows:
        family.add_metric([str(part) for part in key], value)
    return family


def _gauge(name: str, text: str, labels: list[str], rows: Iterable[tuple[Any, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in rows:
        family.add_metric([str(part) for part in key], value)
    return family


def _queries(control: Control) -> Iterator[Metric]:
    totals = control.counters.totals
    plain = totals.plain
    yield _counter(
        "gtmdns_queries",
        "Queries received.",
        ["transport", "family"],
        [
            ((transport, family), plain[f"queries_{transport}_{family}"])
            for transport in ("udp", "tcp")
            for family in FAMILIES.values()
        ],
    )
    yield _counter(
        "gtmdns_responses",
        "Responses by zone; no zone where the name is not ours.",
        ["zone", "rcode"],
        totals.responses.items(),
    )
    yield _counter("gtmdns_truncated", "Responses that did not fit.", [], [((), totals.truncated)])
    yield _counter(
        "gtmdns_answers",
        "Answers by name of the configuration, pool, and why this pool.",
        ["name", "pool", "reason"],
        totals.answers.items(),
    )
    dropped = {**totals.dropped}
    for name in ("failed", "send", "port_zero"):
        dropped[name] = plain[f"dropped_{name}"]
    yield _counter(
        "gtmdns_dropped",
        "Packets that got no response, or a SERVFAIL for a mistake of ours (failed).",
        ["reason"],
        [((reason,), number) for reason, number in sorted(dropped.items())],
    )
    yield _counter(
        "gtmdns_udp_receive_errors",
        "Errors when reading UDP sockets, and packets that found their buffers full.",
        [],
        [((), plain["udp_receive_errors"] + _buffer_drops(control))],
    )
    links = control.workers.links
    yield _gauge(
        "gtmdns_tcp_connections",
        "TCP connections open now.",
        [],
        [((), sum(link.tcp_connections for link in links))],
    )


def _buffer_drops(control: Control) -> int:
    """Return the packets that the kernel dropped at our sockets, as /proc/net/udp tells."""
    ports = {address.rpartition(":")[2] for address in control.listen}
    wanted = {f"{int(port):04X}" for port in ports}
    drops = 0
    for name in ("udp", "udp6"):
        try:
            lines = Path("/proc/net", name).read_text().splitlines()[1:]
        except OSError:  # not Linux, or no IPv6: nothing to tell
            continue
        for fields in map(str.split, lines):
            if fields[1].rpartition(":")[2] in wanted:
                drops += int(fields[-1])
    return drops


def _health(control: Control) -> Iterator[Metric]:
    pools = pool_status(control) if control.publication is not None else []
    endpoints = [(pool["name"], endpoint) for pool in pools for endpoint in pool["endpoints"]]
    yield _gauge(
        "gtmdns_endpoint_up",
        "1 where every check of the endpoint says up; 0 where one says down or none has spoken.",
        ["pool", "address"],
        [((name, e["address"]), float(e["verdict"] == "up")) for name, e in endpoints],
    )
    yield _gauge(
        "gtmdns_endpoint_usable",
        "1 where the endpoint may be given out.",
        ["pool", "address"],
        [((name, e["address"]), float(e["usable"])) for name, e in endpoints],
    )
    by_family = [
        ((pool["name"], family), counts)
        for pool in pools
        for family, counts in pool["families"].items()
    ]
    yield _gauge(
        "gtmdns_pool_available",
        "1 where enough endpoints of the family are usable.",
        ["pool", "family"],
        [(key, float(counts["available"])) for key, counts in by_family],
    )
    yield _gauge(
        "gtmdns_pool_usable_endpoints",
        "Endpoints of the family that may be given out.",
        ["pool", "family"],
        [(key, counts["usable"]) for key, counts in by_family],
    )
    yield _counter(
        "gtmdns_verdict_changes",
        "Verdicts that changed.",
        ["pool", "address", "to"],
        control.verdict_changes.items(),
    )


def _checks(control: Control) -> Iterator[Metric]:
    tallies = control.monitor.tallies()
    rows = []
    for name, tally in tallies.items():
        rows += [((name, "success"), tally.successes), ((name, "failure"), tally.failures)]
    yield _counter("gtmdns_health_checks", "Probes that ended.", ["check", "result"], rows)
    histogram = HistogramMetricFamily(
        "gtmdns_health_check_duration_seconds", "How long probes took.", labels=["check"]
    )
    for name, tally in tallies.items():
        buckets, seen = [], 0
        for bound, number in zip([*map(str, BUCKETS), "+Inf"], tally.buckets, strict=True):
            seen += number
            buckets.append((bound, seen))
        histogram.add_metric([name], buckets, tally.seconds)
    yield histogram


def _server(control: Control) -> Iterator[Metric]:
    last = control.last_reload
    yield _gauge(
        "gtmdns_config_last_reload_successful",
        "1 where the last reload was taken over.",
        [],
        [((), float(last is not None and last.ok))],
    )
    yield _gauge(
        "gtmdns_config_last_reload_success_timestamp_seconds",
        "When the configuration that is served was loaded.",
        [],
        [((), control.loaded_at)],
    )
    yield _gauge(
        "gtmdns_config_generation", "Generation published.", [], [((), control.generation)]
    )
    yield _counter(
        "gtmdns_worker_restarts",
        "Workers that were replaced.",
        [],
        [((), control.worker_restarts)],
    )
    links = control.workers.links
    yield _gauge("gtmdns_workers", "Workers connected to control.", [], [((), len(links))])
    yield _gauge(
        "gtmdns_worker_generation",
        "Generation that the worker serves.",
        ["worker"],
        [((link.number,), link.generation) for link in links],
    )
    yield _gauge("gtmdns_build_info", "Always 1.", ["version"], [((__version__,), 1)])
