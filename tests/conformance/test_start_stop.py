"""Starting with what cannot be served, a second server on one address, and SIGTERM under load."""

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.conformance.load import Load, Plan
from tests.conformance.reloading import NAMES, config, number_of
from tests.conformance.server import STOPS_IN, Server, fresh, serving
from tests.conformance.waiting import PATIENCE, Late, eventually, in_time

REFUSED_IN = 2.0  # seconds until a broken configuration has ended the start
BROKEN = config(0).replace("contact:", "kontact:")


def ports_in_use() -> set[int]:
    """Return every bound UDP port and listening TCP port of IPv4, as the kernel tells."""
    ports = set()
    for table, states in (("udp", ("07", "01")), ("tcp", ("0A",))):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] in states:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def refused_start(folder: Path) -> str:
    """Start with a broken file, looking at its ports all the time; return a line of figures."""
    server = Server(fresh(folder), BROKEN)
    try:
        started = time.monotonic()
        server.start()
        while server.process_status() is None:
            assert not ports_in_use() & {server.port, server.admin_port}
            assert time.monotonic() < started + PATIENCE, "it does not end"
            time.sleep(0.01)
        taken = time.monotonic() - started
        assert server.process_status() == 1
        server.assert_gone()
        for where, what in (
            (":6:3: zones.gtm.test.contact", "missing"),
            (":8:5: zones.gtm.test.kontact", 'did you mean "contact"?'),
        ):
            assert any(
                line.startswith(f"{server.file}{where}") and what in line
                for line in server.log.splitlines()
            ), server.log
        assert "Traceback" not in server.log
    finally:
        server.discard()
    if taken > REFUSED_IN:
        raise Late(f"the start was refused after {taken:.2f} s")
    return f"a broken configuration ended the start after {taken:.2f} s"


def test_a_broken_configuration_ends_the_start(tmp_path: Path) -> None:
    print(in_time(lambda: refused_start(tmp_path)))


@pytest.mark.parametrize("taken", ["UDP and TCP", "UDP", "TCP", "API"])
def test_an_address_in_use_is_refused(tmp_path: Path, taken: str) -> None:
    """By another server, or by anything that has one of its two transports or the API's port."""
    other = Server(tmp_path, config(0))
    kinds = {"UDP": socket.SOCK_DGRAM, "TCP": socket.SOCK_STREAM, "API": socket.SOCK_STREAM}
    try:
        if taken == "UDP and TCP":
            first = tmp_path / "first"
            first.mkdir()
            with serving(first, config(1), port=other.port) as running:
                assert_refused(other, other.port)
                assert running.addresses("one.gtm.test") == ["10.1.0.1"]
        else:
            port = other.admin_port if taken == "API" else other.port
            with socket.socket(socket.AF_INET, kinds[taken]) as sock:
                sock.bind(("127.0.0.1", port))
                if kinds[taken] == socket.SOCK_STREAM:
                    sock.listen()
                assert_refused(other, port)
    finally:
        other.discard()


def assert_refused(server: Server, port: int) -> None:
    server.start()
    assert server.wait(PATIENCE) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in server.log
    assert "Address already in use" in server.log
    assert server.processes() == []


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    server = Server(tmp_path, config(0))
    server.file.unlink()
    try:
        server.start()
        assert server.wait(PATIENCE) == 1
        assert str(server.file) in server.log
        assert "Traceback" not in server.log
    finally:
        server.discard()


def terminate(folder: Path, rate: float) -> str:
    """SIGTERM under load; return a line of figures. Every query sent before it is answered."""
    folder = fresh(folder)
    with serving(folder, config(0)) as server:
        with Load(Plan("127.0.0.1", server.port, NAMES, rate=rate, seconds=60)) as load:
            time.sleep(0.5)
            moment = time.time()
            server.signal(signal.SIGTERM)
            assert server.wait(PATIENCE) == 0, server.log
            taken = time.time() - moment
            outcome = load.finish()
        server.assert_gone()
        assert "does not end; killing it" not in server.log
    before = [asked for asked in outcome if asked.sent < moment]
    assert len(before) > rate / 4
    assert [asked for asked in before if asked.received is None] == []
    assert {number_of(asked) for asked in before} == {0}
    if taken > STOPS_IN:
        raise Late(f"SIGTERM: the server ended after {taken:.2f} s")
    return f"SIGTERM: ended after {taken:.2f} s, {len(before)} before it all answered"


def test_the_end_answers_what_was_received(tmp_path: Path) -> None:
    print(in_time(lambda: terminate(tmp_path, 2000)))


def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    server = Server(tmp_path, config(0))
    try:
        server.start()
        server.wait_until_ready()

        server.signal(signal.SIGKILL)
        server.wait(PATIENCE)

        eventually(lambda: server.processes() == [], "every process has ended")
        server.assert_gone()
    finally:
        server.discard()
