"""A target flaps, workers have to agree. That everything fails together is the drill `collapse`."""

from pathlib import Path

from tests.conformance.storming import agree, thresholds
from tests.conformance.waiting import in_time


def test_workers_agree_on_health_while_they_are_killed(tmp_path: Path) -> None:
    print(in_time(lambda: agree(tmp_path, changes=2, kill=True)))


def test_a_flapping_target_changes_answers_only_at_a_threshold(tmp_path: Path) -> None:
    print(in_time(lambda: thresholds(tmp_path, results=30)))
