"""The stories of config/examples, played in their short form: each script judges its own outcome.

They are played at the same time, as most of their time is waiting; each has addresses of its own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORIES = sorted((ROOT / "config" / "examples").glob("story-*.sh"))
MISSING = [program for program in ("bash", "dig", "curl") if not shutil.which(program)]
Played = dict[str, "subprocess.Popen[str]"]


def test_there_are_five() -> None:
    assert [story.name[:7] for story in STORIES] == [f"story-{n}" for n in range(1, 6)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Start all of them; whatever still runs in the end is told to stop."""
    folder = tmp_path_factory.mktemp("stories")
    command = Path(sys.executable).with_name("gtmdns")
    environment = {**os.environ, "GTMDNS": str(command), "TMPDIR": str(folder)}
    with ExitStack() as stack:
        found = {}
        for story in STORIES:
            process = subprocess.Popen(
                [story, "--fast"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, env=environment,
            )  # fmt: skip
            stack.callback(process.communicate)
            stack.callback(process.terminate)
            found[story.name] = process
        yield found
    assert list(folder.iterdir()) == [], "a story leaves its files behind"


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_story(story: Path, played: Played) -> None:
    process = played[story.name]
    told, _ = process.communicate(timeout=100)
    print(told)

    assert process.returncode == 0
    assert told.endswith("All as it should be.\n")


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_a_story_that_goes_wrong_says_so(tmp_path: Path) -> None:
    """A server that is none: nothing is asked, and the exit status is 1."""
    done = subprocess.run(
        [STORIES[0], "--fast"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "GTMDNS": shutil.which("true") or "", "PATIENCE": "1", "TMPDIR": str(tmp_path)},
    )  # fmt: skip

    assert done.returncode == 1
    assert "WRONG: the server did not start" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck() -> None:
    scripts = sorted((ROOT / "config" / "examples").glob("*.sh"))

    done = subprocess.run(
        ["shellcheck", "-x", *(script.name for script in scripts)],
        cwd=scripts[0].parent, capture_output=True, text=True,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "")
