"""Back ends that die, hang and come back under load: how long answers take to follow."""

from pathlib import Path

from tests.conformance.following import follow
from tests.conformance.waiting import in_time


def test_answers_follow_the_back_ends(tmp_path: Path) -> None:
    print(*in_time(lambda: follow(tmp_path, rate=500, interval=0.4, timeout=0.2)), sep="\n")
