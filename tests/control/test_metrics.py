"""The metrics as Prometheus reads them: names, types, labels, and values against known counts."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gtmdns import __version__
from gtmdns.answers import answer as tags
from gtmdns.control import metrics
from gtmdns.control.control import Control
from gtmdns.health.overrides import Override
from gtmdns.health.tally import BUCKETS
from tests.control.support import (
    QUICK,
    Endpoints,
    FakeWorker,
    base_of,
    controlled,
    until,
    write,
)

# What docs/http.md tells: name as it is exposed -> type, labels.
DOCUMENTED: dict[str, tuple[str, set[str]]] = {
    "gtmdns_queries_total": ("counter", {"transport", "family"}),
    "gtmdns_responses_total": ("counter", {"zone", "rcode"}),
    "gtmdns_truncated_total": ("counter", set()),
    "gtmdns_answers_total": ("counter", {"name", "pool", "reason"}),
    "gtmdns_dropped_total": ("counter", {"reason"}),
    "gtmdns_udp_receive_errors_total": ("counter", set()),
    "gtmdns_tcp_connections": ("gauge", set()),
    "gtmdns_endpoint_up": ("gauge", {"pool", "address"}),
    "gtmdns_endpoint_usable": ("gauge", {"pool", "address"}),
    "gtmdns_pool_available": ("gauge", {"pool", "family"}),
    "gtmdns_pool_usable_endpoints": ("gauge", {"pool", "family"}),
    "gtmdns_health_checks_total": ("counter", {"check", "result"}),
    "gtmdns_health_check_duration_seconds": ("histogram", {"check"}),
    "gtmdns_verdict_changes_total": ("counter", {"pool", "address", "to"}),
    "gtmdns_overrides_active": ("gauge", set()),
    "gtmdns_failback_held": ("gauge", set()),
    "gtmdns_isolated": ("gauge", set()),
    "gtmdns_endpoint_ejected": ("gauge", {"check", "address"}),
    "gtmdns_health_check_staleness_seconds": ("gauge", {"check"}),
    "gtmdns_certificate_expiry_days": ("gauge", {"check", "address"}),
    "gtmdns_config_last_reload_successful": ("gauge", set()),
    "gtmdns_config_last_reload_success_timestamp_seconds": ("gauge", set()),
    "gtmdns_config_generation": ("gauge", set()),
    "gtmdns_worker_restarts_total": ("counter", set()),
    "gtmdns_workers": ("gauge", set()),
    "gtmdns_worker_generation": ("gauge", {"worker"}),
    "gtmdns_build_info": ("gauge", {"version"}),
}


def rendered(control: Control) -> str:
    return metrics.renderer(control)().decode()


def value(text: str, name: str, /, **labels: str) -> float | None:
    """Return the value of one series, as a scraper reads it."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def run(
    folder: Path, test: Callable[[Control, Endpoints, FakeWorker], Awaitable[None]], **options: Any
) -> None:
    """Run `test` with a control and one worker that serves what is published."""

    async def main() -> None:
        async with controlled(folder, **options) as (control, endpoints):
            worker = await FakeWorker(0, 100).connect(folder)
            await until(lambda: worker.snapshot.generation, "a generation")
            try:
                await test(control, endpoints, worker)
            finally:
                await worker.close()

    asyncio.run(main())


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the metrics of a server to which everything has happened once at least."""
    texts = []

    async def test(control: Control, endpoints: Endpoints, worker: FakeWorker) -> None:
        plan = control.publication.plan  # type: ignore[union-attr]
        endpoints.dead.add("192.0.2.1")
        endpoints.certificate = time.time() + 10 * 86_400
        await until(lambda: not control.usable()["home"][0], "192.0.2.1 is down")
        control.steering.overriding.put(
            Override("home", "192.0.2.2", "up", "me", "why", time.time(), None)
        )
        pool = plan.tags.index((0, "home", "default")) + tags.FIRST_TAG
        worker.count(
            {
                "queries_udp_ipv4": 40,
                "queries_udp_ipv6": 3,
                "queries_tcp_ipv4": 2,
                "udp_receive_errors": 1,
                "dropped_send": 5,
                "dropped_port_zero": 6,
                "dropped_failed": 7,
                "tcp_connections": 8,
            },
            {
                base_of(plan, "www.example.test") + pool: 11,
                base_of(plan, "static.example.test") + tags.STATIC: 12,
                base_of(plan, "example.test") + tags.NXDOMAIN: 13,
                tags.REFUSED: 14,
                tags.TRUNCATED: 15,
                tags.SHORT: 16,
                tags.RESPONSE: 17,
            },
        )
        await until(lambda: control.counters.totals.truncated, "the counts arrived")
        control.worker_restarts = 2
        texts.append(rendered(control))

    text = QUICK.replace("rise: 1}", "rise: 1, eject: {base: 60s}}").replace(
        "[home, away]", "[home, away], failback: {delay: 1m}"
    )
    run(tmp_path_factory.mktemp("busy"), test, text=text)
    return texts[0]


def test_names_types_and_labels_are_the_documented_ones(busy: str) -> None:
    found: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(busy):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)

    assert found == DOCUMENTED


def test_names_are_good_manners(busy: str) -> None:
    """Snake case, our prefix, `_total` for counters alone, a unit at the end, a help text."""
    for family in text_string_to_metric_families(busy):
        assert re.fullmatch(r"gtmdns(_[a-z0-9]+)+", family.name)
        assert family.documentation.endswith(".")
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name == f"{family.name}_total"
            assert not sample.name.endswith("_created")
            assert all(re.fullmatch(r"[a-z]+", label) for label in sample.labels)
    assert "_total" not in " ".join(
        name for name, (kind, _) in DOCUMENTED.items() if kind != "counter"
    )


# fmt: off
VALUES = [
    ("gtmdns_queries_total", {"transport": "udp", "family": "ipv4"}, 40),
    ("gtmdns_queries_total", {"transport": "udp", "family": "ipv6"}, 3),
    ("gtmdns_queries_total", {"transport": "tcp", "family": "ipv4"}, 2),
    ("gtmdns_queries_total", {"transport": "tcp", "family": "ipv6"}, 0),
    ("gtmdns_responses_total", {"zone": "example.test", "rcode": "NOERROR"}, 23),
    ("gtmdns_responses_total", {"zone": "example.test", "rcode": "NXDOMAIN"}, 13),
    ("gtmdns_responses_total", {"zone": "", "rcode": "REFUSED"}, 14),
    ("gtmdns_truncated_total", {}, 15),
    ("gtmdns_answers_total", {"name": "www.example.test", "pool": "home", "reason": "default"}, 11),
    ("gtmdns_answers_total", {"name": "static.example.test", "pool": "", "reason": "static"}, 12),
    ("gtmdns_dropped_total", {"reason": "short"}, 16),
    ("gtmdns_dropped_total", {"reason": "response"}, 17),
    ("gtmdns_dropped_total", {"reason": "send"}, 5),
    ("gtmdns_dropped_total", {"reason": "port_zero"}, 6),
    ("gtmdns_dropped_total", {"reason": "failed"}, 7),
    ("gtmdns_tcp_connections", {}, 8),
    ("gtmdns_endpoint_up", {"pool": "home", "address": "192.0.2.1"}, 0),
    ("gtmdns_endpoint_up", {"pool": "home", "address": "192.0.2.2"}, 1),
    ("gtmdns_endpoint_up", {"pool": "away", "address": "192.0.2.9"}, 1),
    ("gtmdns_endpoint_usable", {"pool": "home", "address": "192.0.2.1"}, 0),
    ("gtmdns_endpoint_usable", {"pool": "home", "address": "2001:db8::1"}, 1),
    ("gtmdns_pool_available", {"pool": "home", "family": "ipv4"}, 1),
    ("gtmdns_pool_available", {"pool": "away", "family": "ipv6"}, None),
    ("gtmdns_pool_usable_endpoints", {"pool": "home", "family": "ipv4"}, 1),
    ("gtmdns_pool_usable_endpoints", {"pool": "home", "family": "ipv6"}, 1),
    ("gtmdns_verdict_changes_total", {"pool": "home", "address": "192.0.2.1", "to": "down"}, 1),
    ("gtmdns_verdict_changes_total", {"pool": "home", "address": "192.0.2.2", "to": "up"}, 1),
    ("gtmdns_overrides_active", {}, 1),
    ("gtmdns_failback_held", {}, 0),
    ("gtmdns_isolated", {}, 0),
    ("gtmdns_endpoint_ejected", {"check": "web", "address": "192.0.2.1"}, 1),
    ("gtmdns_endpoint_ejected", {"check": "web", "address": "192.0.2.2"}, 0),
    ("gtmdns_config_last_reload_successful", {}, 1),
    ("gtmdns_config_generation", {}, 1),
    ("gtmdns_worker_restarts_total", {}, 2),
    ("gtmdns_workers", {}, 1),
    ("gtmdns_worker_generation", {"worker": "0"}, 1),
    ("gtmdns_build_info", {"version": __version__}, 1),
]
# fmt: on


@pytest.mark.parametrize(("name", "labels", "expected"), VALUES)
def test_value(busy: str, name: str, labels: dict[str, str], expected: float | None) -> None:
    assert value(busy, name, **labels) == expected


def test_probes_are_counted_and_timed(busy: str) -> None:
    successes = value(busy, "gtmdns_health_checks_total", check="web", result="success")
    failures = value(busy, "gtmdns_health_checks_total", check="web", result="failure")
    assert successes is not None
    assert failures is not None
    assert successes >= 2
    assert failures >= 1

    name = "gtmdns_health_check_duration_seconds"
    total = value(busy, f"{name}_count", check="web")
    assert total == successes + failures
    rows = [
        value(busy, f"{name}_bucket", check="web", le=le) for le in [*map(str, BUCKETS), "+Inf"]
    ]
    assert rows == [total] * len(rows)  # each probe of these tests takes a millisecond
    seconds = value(busy, f"{name}_sum", check="web")
    assert seconds == pytest.approx(total * 0.001)


def test_what_gets_old_is_told(busy: str) -> None:
    days = value(busy, "gtmdns_certificate_expiry_days", check="web", address="192.0.2.2")
    stale = value(busy, "gtmdns_health_check_staleness_seconds", check="web")
    assert days == pytest.approx(10, abs=0.1)
    assert stale is not None
    assert 0 <= stale < 30


def test_series_of_what_is_not_configured_any_more_go_away(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints, worker: FakeWorker) -> None:
        await until(lambda: control.steering.verdict_changes, "verdicts")
        write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.2,", ""))
        await control.reload("test")

        name = "gtmdns_verdict_changes_total"
        text = rendered(control)
        assert value(text, name, pool="home", address="192.0.2.1", to="up") == 1
        assert value(text, name, pool="home", address="192.0.2.2", to="up") is None

    run(tmp_path, test)


def test_receive_errors_count_what_the_kernel_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of sockets on our ports alone: port 5300 is 14B4 in /proc/net/udp."""
    line = "0: 0100007F:{} 00000000:0000 07 0:0 00:0 0 0 0 1 2 0 {}\n"
    table = "header\n" + line.format("14B4", 30) + line.format("14B4", 12) + line.format("0035", 99)
    real = Path.read_text

    def fake(path: Path, *args: Any, **options: Any) -> str:
        if path == Path("/proc/net/udp"):
            return table
        if path == Path("/proc/net/udp6"):
            raise FileNotFoundError
        return real(path, *args, **options)

    async def test(control: Control, endpoints: Endpoints, worker: FakeWorker) -> None:
        control.listen = ("127.0.0.1:5300", "[::1]:5300")
        worker.count({"udp_receive_errors": 1}, {})
        await until(lambda: control.counters.totals.plain, "the counts arrived")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", fake)
            text = rendered(control)
        assert value(text, "gtmdns_udp_receive_errors_total") == 43

    run(tmp_path, test)


def test_a_refused_reload_shows(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints, worker: FakeWorker) -> None:
        name = "gtmdns_config_last_reload_success_timestamp_seconds"
        loaded_at = value(rendered(control), name)
        write(tmp_path / "gtmdns.yaml", "zones: {}")

        await control.reload("test")

        text = rendered(control)
        assert value(text, "gtmdns_config_last_reload_successful") == 0
        assert value(text, name) == loaded_at == control.loaded_at
        assert value(text, "gtmdns_config_generation") == 1

        write(tmp_path / "gtmdns.yaml", QUICK)
        await control.reload("test")

        text = rendered(control)
        assert value(text, "gtmdns_config_last_reload_successful") == 1
        assert value(text, name) == control.loaded_at > loaded_at
        assert value(text, "gtmdns_config_generation") == 2

    run(tmp_path, test)


def test_series_outlive_workers_and_never_fall(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints, worker: FakeWorker) -> None:
        worker.count({"queries_udp_ipv4": 10}, {tags.REFUSED: 10})
        await until(lambda: control.counters.totals.plain, "the counts arrived")
        other = await FakeWorker(0, 200).connect(tmp_path)
        await until(lambda: other.snapshot.generation, "a generation")
        other.count({"queries_udp_ipv4": 1}, {tags.REFUSED: 1})
        await until(lambda: control.counters.totals.plain["queries_udp_ipv4"] > 10, "both counted")

        text = rendered(control)

        assert value(text, "gtmdns_queries_total", transport="udp", family="ipv4") == 11
        assert value(text, "gtmdns_responses_total", zone="", rcode="REFUSED") == 11
        await other.close()

    run(tmp_path, test)


def test_what_is_rendered_in_a_thread_is_of_one_moment(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints, worker: FakeWorker) -> None:
        render = metrics.renderer(control)
        before = rendered(control)
        write(tmp_path / "gtmdns.yaml", QUICK.replace("home", "other").replace("example", "else"))
        await control.reload("test")

        late = (await asyncio.to_thread(render)).decode()

        assert "other" not in late
        assert value(late, "gtmdns_config_generation") == 1
        assert value(before, "gtmdns_pool_available", pool="home", family="ipv4") == value(
            late, "gtmdns_pool_available", pool="home", family="ipv4"
        )

    run(tmp_path, test)
