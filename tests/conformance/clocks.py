"""The time of day jumps while a server runs (libfaketime), and its processes are suspended.

Only the time of day is faked: the monotonic clock goes on, as it does on a real machine.
"""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.rcode

from tests.conformance.back_ends import BackEnds
from tests.conformance.ports import free_port
from tests.conformance.server import Server, fresh, serving
from tests.conformance.waiting import eventually

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
DAY = 86_400
INTERVAL = 0.5  # seconds
ENDPOINTS = 5
NAME, OVERRIDDEN = "www.gtm.test", "127.9.0.5"
# What is told to libfaketime, by how far the time of day is away from the true one.
JUMPS = {
    "a day ahead": f"+{DAY}s",
    "a day back": f"-{DAY}s",
    "a leap second": "-1s",
    "1970": "@1970-01-02 00:00:00",
    "2040": "@2040-01-01 00:00:00",
    "true again": "+0s",
}

CONFIG = """
server: {{startup_wait: 1s, cookies: {{}}}}
health_checks:
  web: {{type: http, port: {port}, interval: 500ms, timeout: 500ms, fall: 2}}
pools:
  www: {{endpoints: [{endpoints}], health_check: web}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: www, ttl: {{min: 1, max: 30}}}}
"""


class Clock:
    """The time of day of a server, read anew at each look at it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set("+0s")

    def set(self, text: str) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(text)
        new.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@contextmanager
def scene(folder: Path) -> Iterator[tuple[Server, BackEnds, Clock]]:
    """Five endpoints that are up, one of them overridden down for an hour."""
    port, clock = free_port("0.0.0.0"), Clock(folder)
    endpoints = ", ".join(f"127.9.0.{n}" for n in range(1, ENDPOINTS + 1))
    config = CONFIG.format(port=port, endpoints=endpoints)
    with (
        BackEnds(folder, [f"0.0.0.0:{port}:ok"]) as ends,
        serving(folder, config, environment=clock.environment) as server,
    ):
        eventually(lambda: set(server.verdicts().values()) == {"up"}, "all are up")
        override(server)
        eventually(lambda: OVERRIDDEN not in server.addresses(NAME), "the override holds")
        yield server, ends, clock


def override(server: Server) -> None:
    status, said = server.request(
        f"/api/v1/overrides/www/{OVERRIDDEN}", "PUT",
        {"state": "down", "expires_in": "1h", "reason": "a test", "owner": "tests"},
    )  # fmt: skip
    assert status in (200, 201), said


def keep_time(folder: Path, *, jumps: Sequence[str], suspended: float) -> str:
    """T60: the time of day jumps, then all is suspended for so many seconds; return figures."""
    with scene(fresh(folder)) as (server, ends, clock):
        changes = verdict_changes(server)
        lines = [jump(server, ends, clock, words) for words in jumps]
        lines.append(suspend(server, ends, suspended))
        assert verdict_changes(server) == changes
    return "\n".join(lines)


def jump(server: Server, ends: BackEnds, clock: Clock, words: str) -> str:
    """Probes, verdicts, the override, TTLs and cookies stay as they are."""
    clock.set(JUMPS[words])
    began, before = time.monotonic(), len(ends.connections())
    assert_answers(server)
    assert_cookies_are_good(server)
    time.sleep(max(0.0, 2 * INTERVAL - (time.monotonic() - began)))
    assert_answers(server)
    rate = probes(ends, before, began)
    assert 0.4 < rate < 1.9, f"{words}: {rate:.2f} probes in each interval"
    return f"{words}: {rate:.2f} probes in each interval, a new cookie is good at once"


def suspend(server: Server, ends: BackEnds, seconds: float) -> str:
    """All processes are stopped and go on. No storm of probes, nobody is held to be down."""
    processes = server.lasting()
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    for process in reversed(processes):
        os.kill(process.pid, signal.SIGCONT)
    before, began = len(ends.connections()), time.monotonic()
    assert_answers(server)
    first = time.monotonic() - began
    time.sleep(2 * INTERVAL)
    rate = probes(ends, before, began)
    assert rate < 2.5, f"{rate:.2f} probes in each interval after {seconds:g} s"
    assert_answers(server)
    assert [p.pid for p in server.lasting()] == [p.pid for p in processes], "all live on"
    return (
        f"suspended for {seconds:g} s: answered {1000 * first:.0f} ms later, "
        f"{rate:.2f} probes in each interval"
    )


def probes(ends: BackEnds, before: int, began: float) -> float:
    """Return how often each endpoint was probed in an interval since then."""
    number = len(ends.connections()) - before
    return number / ENDPOINTS * INTERVAL / (time.monotonic() - began)


def assert_answers(server: Server) -> None:
    answer = server.ask(NAME).answer[0]
    addresses = {str(data) for data in answer}
    assert len(addresses) == ENDPOINTS - 1
    assert OVERRIDDEN not in addresses
    assert 1 <= answer.ttl <= 2, "two failures are needed, one in each half of a second"


def verdict_changes(server: Server) -> float:
    return sum(server.metrics()["gtmdns_verdict_changes_total"].values())


def assert_cookies_are_good(server: Server) -> None:
    """A client gets an answer and a cookie whatever the day is, and with that cookie another."""
    first = ask_with_cookie(server, bytes(range(8)))
    again = ask_with_cookie(server, first)
    assert len(first) == len(again) == 24
    assert first[:8] == again[:8] == bytes(range(8))


def ask_with_cookie(server: Server, cookie: bytes) -> bytes:
    """Return the cookie of the response; an answer has to come with it."""
    query = dns.message.make_query(
        NAME, "A", use_edns=0, options=[dns.edns.GenericOption(10, cookie)]
    )
    response = dns.query.udp(query, server.host, port=server.port, timeout=5)
    assert response.rcode() == dns.rcode.NOERROR
    assert response.answer
    (found,) = [option for option in response.options if option.otype == 10]
    return found.to_wire()  # type: ignore[no-any-return]
