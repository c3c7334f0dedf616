"""Workers and control killed under load: the answers go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.deaths import kill_control, kill_workers
from tests.conformance.reloading import NAMES, config
from tests.conformance.server import Server, serving
from tests.conformance.waiting import in_time


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("deaths"), config(0)) as running:
        yield running


def test_ten_workers_are_killed(server: Server) -> None:
    print(in_time(lambda: kill_workers(server, names=NAMES, times=10, rate=2000)))


@pytest.mark.parametrize("broken", [False, True], ids=["good file", "broken file"])
def test_control_is_killed(tmp_path: Path, broken: bool) -> None:
    print(in_time(lambda: kill_control(tmp_path, rate=2000, broken=broken)))
