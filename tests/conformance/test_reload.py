"""Reloads of a running server: none loses a query, mixes answers, or takes a broken file."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.load import Load, Plan
from tests.conformance.reloading import (
    NAMES,
    assert_same_size,
    config,
    hang_up_often,
    number_of,
    reload_often,
    serves,
    settled,
)
from tests.conformance.server import Server, serving
from tests.conformance.waiting import eventually, in_time

NOTICED_IN = 10.0  # seconds: a look each second, half a second to settle, a load on a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("reload"), config(0)) as running:
        yield running


@pytest.fixture
def at_zero(server: Server) -> Server:
    server.write(config(0))
    server.reload()
    return server


def test_no_query_is_lost_and_no_answer_is_mixed(at_zero: Server) -> None:
    print(in_time(lambda: reload_often(at_zero, reloads=10, rate=2000)))


def test_twenty_hang_ups_a_second_and_nothing_grows(at_zero: Server) -> None:
    print(hang_up_often(at_zero, times=10, every=0.05, rate=500, p99=1.0))  # memory finds its size
    before = settled(at_zero)

    print(in_time(lambda: hang_up_often(at_zero, times=30, every=0.05, rate=600, p99=0.005)))

    print(assert_same_size(before, settled(at_zero), 0.05))


def test_fresh_ports_get_the_new_answer_alone(at_zero: Server) -> None:
    """Each query from a source port of its own, right after the reload is said to be done."""
    at_zero.write(config(7))
    at_zero.reload()

    plan = Plan("127.0.0.1", at_zero.port, ["one.gtm.test"], rate=2000, most=1000, lifetime=1)
    with Load(plan) as load:
        counts = load.wait().counts

    assert counts == {"10.1.0.7": 1000}


BROKEN = """\
pools:
  first: {endpoints: [10.1.0.1], selekt: all}
  second: {endpoints: [10.2.0.300]}
zones:
  gtm.test:
    nameservers: {ns1: [127.0.0.1]}
    contact: hostmaster@example.com
    records:
      one: {pools: first}
      one: {pools: second}
"""
DUPLICATE = (10, "one")  # a mistake of syntax hides those of later stages
REPAIRED = BROKEN.replace("      one: {pools: second}\n", "")
LATER = [(2, "selekt"), (3, "10.2.0.300")]


@pytest.mark.parametrize(
    ("text", "mistakes"), [(BROKEN, [DUPLICATE]), (REPAIRED, LATER), ("", [(1, "")])]
)
def test_a_broken_file_changes_nothing_and_is_told_everywhere(
    at_zero: Server, text: str, mistakes: list[tuple[int, str]]
) -> None:
    """It is noticed without being asked for; then it is asked for, and refused the same."""
    generation = at_zero.api("status")["configuration"]["generation"]
    assert at_zero.metrics()["gtmdns_config_last_reload_successful"] == {(): 1}
    said_before = len(at_zero.log)
    with Load(Plan("127.0.0.1", at_zero.port, NAMES, rate=500)) as load:
        at_zero.write(text)
        error = eventually(
            lambda: at_zero.api("status")["configuration"]["last_error"], "noticed", NOTICED_IN
        )
        status, outcome = at_zero.request("/api/v1/reload", "POST")
        answers = load.finish()

    answers.assert_none_lost()
    assert {number_of(asked) for asked in answers} == {0}
    assert (status, outcome["ok"], outcome["generation"]) == (422, False, generation)
    assert outcome["mistakes"] == error["mistakes"]
    said = at_zero.log[said_before:]
    assert len(outcome["mistakes"]) == len(mistakes)
    for mistake, (line, words) in zip(outcome["mistakes"], mistakes, strict=True):
        assert (mistake["file"], mistake["line"]) == (str(at_zero.file), line)
        assert words in mistake["text"]
        assert mistake["text"] in said
        assert mistake["text"].startswith(f"{at_zero.file}:{line}:")
    assert at_zero.metrics()["gtmdns_config_last_reload_successful"] == {(): 0}
    assert at_zero.metrics()["gtmdns_config_generation"] == {(): generation}


def test_a_file_that_is_gone_changes_nothing(at_zero: Server) -> None:
    at_zero.file.unlink()
    eventually(lambda: at_zero.api("status")["configuration"]["last_error"], "noticed", NOTICED_IN)

    assert serves(at_zero, 0)

    at_zero.write(config(3))
    eventually(lambda: serves(at_zero, 3), "the new file is noticed", NOTICED_IN)


def test_hang_up_reloads(at_zero: Server) -> None:
    at_zero.write(config(9))
    written = time.monotonic()
    at_zero.signal(signal.SIGHUP)
    eventually(lambda: serves(at_zero, 9), "SIGHUP is followed")

    print(f"SIGHUP: the new answer after {time.monotonic() - written:.2f} s")
    assert "reload (SIGHUP)" in at_zero.log


def test_a_change_that_needs_a_restart_is_refused(at_zero: Server) -> None:
    at_zero.write(config(1) + "server: {workers: 7}\n")

    status, outcome = at_zero.request("/api/v1/reload", "POST")

    assert status == 422
    assert [mistake["key"] for mistake in outcome["mistakes"]] == ["server.workers"]
    assert serves(at_zero, 0)


def swap(folder: Path, number: int) -> None:
    """Publish a configuration as the kubelet does: a new folder, and `..data` renamed over."""
    version = folder / f"..2026_01_01_00_00_00.{number}"
    version.mkdir()
    (version / "gtmdns.yaml").write_text(config(number))
    (folder / "..data.new").symlink_to(version.name)
    os.replace(folder / "..data.new", folder / "..data")


@pytest.mark.parametrize("as_folder", [False, True], ids=["file", "folder"])
def test_a_config_map_is_swapped(tmp_path: Path, as_folder: bool) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    swap(mount, 1)
    (mount / "gtmdns.yaml").symlink_to("..data/gtmdns.yaml")
    path = mount if as_folder else mount / "gtmdns.yaml"
    with serving(tmp_path, "", path=path, workers=1) as server:
        assert serves(server, 1)

        swapped = time.monotonic()
        swap(mount, 2)
        eventually(lambda: serves(server, 2), "the swap is noticed", NOTICED_IN)

        print(f"the new answer {time.monotonic() - swapped:.2f} s after the swap")
