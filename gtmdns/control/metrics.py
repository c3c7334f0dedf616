"""The metrics (docs/http.md), collected from plain numbers when somebody asks.

Nothing here is touched by a query: workers count integers, control adds them up, and
this renders the sums. Rendering takes 50 microseconds a series, so it is done in a
thread, over a collector that was filled in the loop.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric

from .. import __version__
from ..health.tally import BUCKETS
from .control import Control
from .metrics_health import counter, gauge, health_of
from .status import held_status


class _Collected:
    """Families that are ready, and what makes the others while they are rendered."""

    def __init__(self, ready: list[Metric], later: Callable[[], Iterable[Metric]]) -> None:
        self._ready = ready
        self._later = later

    def collect(self) -> Iterable[Metric]:
        return chain(self._ready, self._later())


def renderer(control: Control) -> Callable[[], bytes]:
    """Collect now; return what renders it, which may run in a thread.

    What there is of each endpoint is only copied here: it takes 0.3 s to make the metrics of
    5 000 endpoints.
    """
    ready = [*_queries(control), *_told(control), *_checks(control), *_server(control)]
    registry = CollectorRegistry()
    registry.register(_Collected(ready, health_of(control).families))
    return lambda: generate_latest(registry)


def _queries(control: Control) -> Iterator[Metric]:
    totals = control.counters.totals
    plain = totals.plain
    yield counter(
        "gtmdns_queries",
        "Queries received.",
        ["transport", "family"],
        [
            ((transport, family), plain[f"queries_{transport}_{family}"])
            for transport in ("udp", "tcp")
            for family in ("ipv4", "ipv6")
        ],
    )
    yield counter(
        "gtmdns_responses",
        "Responses by zone; no zone where the name is not ours.",
        ["zone", "rcode"],
        totals.responses.items(),
    )
    yield counter("gtmdns_truncated", "Responses that did not fit.", [], [((), totals.truncated)])
    yield counter(
        "gtmdns_answers",
        "Answers by name of the configuration, pool, and why this pool.",
        ["name", "pool", "reason"],
        totals.answers.items(),
    )
    dropped = {**totals.dropped}
    for name in ("failed", "send", "port_zero"):
        dropped[name] = plain[f"dropped_{name}"]
    yield counter(
        "gtmdns_dropped",
        "Packets that got no response, or a SERVFAIL for a mistake of ours (failed).",
        ["reason"],
        [((reason,), number) for reason, number in sorted(dropped.items())],
    )
    yield counter(
        "gtmdns_udp_receive_errors",
        "Errors when reading UDP sockets, and packets that found their buffers full.",
        [],
        [((), plain["udp_receive_errors"] + _buffer_drops(control))],
    )
    links = control.workers.links
    yield gauge(
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


def _told(control: Control) -> Iterator[Metric]:
    yield gauge(
        "gtmdns_overrides_active",
        "Overrides that hold, those of what is not configured included.",
        [],
        [((), len(control.steering.overriding.overrides))],
    )
    yield gauge(
        "gtmdns_failback_held",
        "Pools that records must not return to yet, counted once for each record.",
        [],
        [((), len(held_status(control)))],
    )
    yield gauge(
        "gtmdns_isolated",
        "1 while verdicts are frozen, as this machine seems to be cut off.",
        [],
        [((), float(control.monitor.frozen))],
    )


def _checks(control: Control) -> Iterator[Metric]:
    tallies = control.monitor.tallies()
    rows = []
    for name, tally in tallies.items():
        rows += [((name, "success"), tally.successes), ((name, "failure"), tally.failures)]
    yield counter("gtmdns_health_checks", "Probes that ended.", ["check", "result"], rows)
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
    yield gauge(
        "gtmdns_config_last_reload_successful",
        "1 where the last reload was taken over.",
        [],
        [((), float(last is not None and last.ok))],
    )
    yield gauge(
        "gtmdns_config_last_reload_success_timestamp_seconds",
        "When the configuration that is served was loaded.",
        [],
        [((), control.loaded_at)],
    )
    yield gauge("gtmdns_config_generation", "Generation published.", [], [((), control.generation)])
    yield counter(
        "gtmdns_worker_restarts",
        "Workers that were replaced.",
        [],
        [((), control.worker_restarts)],
    )
    links = control.workers.links
    yield gauge("gtmdns_workers", "Workers connected to control.", [], [((), len(links))])
    yield gauge(
        "gtmdns_worker_generation",
        "Generation that the worker serves.",
        ["worker"],
        [((link.number,), link.generation) for link in links],
    )
    yield gauge("gtmdns_build_info", "Always 1.", ["version"], [((__version__,), 1)])
