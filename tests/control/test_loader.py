"""What the loader says, and that it never says more than what stands in the files."""

import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gtmdns.compiler.geodata import builtin_databases
from gtmdns.compiler.plan import Plan
from gtmdns.config.load import load
from gtmdns.control import loader
from gtmdns.control.loader import PART, databases_of, frames_of, load_and_compile, main
from gtmdns.serve.frames import Decoder, Frame
from gtmdns.sources.file import look
from tests.control.support import QUICK, write


def config(folder: Path, text: str = QUICK) -> Path:
    return write(folder / "gtmdns.yaml", text)


def plan_of(frames: list[Frame]) -> Plan:
    parts = [pickle.loads(frame[1]) for frame in frames if frame[0] == "plan"]
    plan: Plan = parts[0]
    for table, entries in parts[1:]:
        getattr(plan, table).update(entries)
    return plan


def look_in(frames: list[Frame]) -> Any:
    return next(frame[1] for frame in frames if frame[0] == "files")


def test_what_is_said_of_a_good_configuration(tmp_path: Path) -> None:
    path = config(tmp_path)

    frames = list(frames_of(path, {}))

    assert [frame[0] for frame in frames[:3]] == ["files", "warnings", "plan"]
    assert frames[0][1] == look((path,))
    assert frames[0][3] == (str(path),)
    assert frames[-1] == ("done",)
    assert {frame[0] for frame in frames[3:-1]} == {"plan", "piece"}
    plan = plan_of(frames)
    assert set(plan.pools) == {"home", "away"}
    assert len(plan.steered) == 2
    assert plan.names["example.test", "static.example.test"] == ("A", "TXT")


def test_mistakes_are_all_that_is_said_of_a_bad_one(tmp_path: Path) -> None:
    path = config(tmp_path, QUICK.replace("A: 192.0.2.77", "A: 192.0.2.777"))

    frames = list(frames_of(path, {}))

    assert [frame[0] for frame in frames] == ["files", "mistakes"]
    ((file, line, _, key, problem),) = frames[1][1]
    assert (file, line, key) == (str(path), 16, "zones.example.test.records.static.A")
    assert "192.0.2.777" in problem


def test_large_tables_are_told_in_parts(tmp_path: Path) -> None:
    records = "".join(f"      n{n}: {{pools: home, ttl: {n}}}\n" for n in range(2 * PART + 1))
    path = config(tmp_path, QUICK + records)

    frames = list(frames_of(path, {}))

    parts = [pickle.loads(frame[1]) for frame in frames if frame[0] == "plan"]
    assert max(len(entries) for _, entries in parts[1:]) == PART
    assert len(plan_of(frames).steered) == 2 * PART + 3


def test_it_speaks_frames_and_takes_serials(tmp_path: Path) -> None:
    path = config(tmp_path)
    first = plan_of(list(frames_of(path, {}))).serials
    kept = {"example.test": (first["example.test"][0], 7)}
    out = io.BytesIO()

    main([str(path)], json.dumps(kept), out)

    frames = list(Decoder().feed(out.getvalue()))
    assert frames[-1] == ("done",)
    assert plan_of(frames).zones["example.test"].serial == 7


def test_where_nobody_listens_any_more_it_ends_silently(tmp_path: Path) -> None:
    """Control was killed: no traceback for whoever reads the log."""
    records = "".join(f"      n{n}: {{A: 192.0.2.1}}\n" for n in range(2000))
    path = config(tmp_path, QUICK + records)
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "gtmdns.control.loader", str(path)],
        input=b"{}", stdout=writing, stderr=subprocess.PIPE, timeout=60,
    )  # fmt: skip
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, b"")


def test_databases_are_watched(tmp_path: Path) -> None:
    assert databases_of(tmp_path, ("own.mmdb", "builtin")) == (
        tmp_path / "own.mmdb",
        *builtin_databases(),
    )

    path = config(tmp_path, QUICK.replace("databases: []", "databases: [own.mmdb]"))
    frames = list(frames_of(path, {}))

    assert [frame[0] for frame in frames] == ["files", "mistakes"]
    assert frames[0][3] == (str(path), str(tmp_path / "own.mmdb"))


# What happens to the files while they are read


def meddle(monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], Any]) -> list[Path]:
    """Do one of `steps` after each reading of the files, before they are compiled."""
    waiting = list(steps)
    read: list[Path] = []

    def load_and_meddle(path: Path) -> Any:
        read.append(path)
        try:
            return load(path)
        finally:
            if waiting:
                waiting.pop(0)()

    monkeypatch.setattr(loader, "load", load_and_meddle)
    return read


def test_a_file_that_changes_meanwhile_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(tmp_path)
    read = meddle(monkeypatch, lambda: config(tmp_path, QUICK.replace("192.0.2.9", "192.0.2.10")))

    frames = list(frames_of(path, {}))

    assert len(read) == 2
    assert plan_of(frames).pools["away"].endpoints[0].address == "192.0.2.10"
    assert look_in(frames) == look((path,))


def test_a_file_that_never_rests_is_taken_as_it_is_and_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look is that of before the last reading: the watcher will find that it is another."""
    path = config(tmp_path)
    texts = [QUICK.replace("192.0.2.9", f"192.0.2.{n}") for n in range(10, 30)]
    read = meddle(monkeypatch, *(lambda text=text: config(tmp_path, text) for text in texts))  # type: ignore[misc]

    frames = list(frames_of(path, {}))

    assert len(read) == loader.TRIES
    assert frames[-1] == ("done",)
    assert look_in(frames) != look((path,))


def test_a_repair_that_comes_while_the_broken_file_is_read_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(tmp_path, "zones: [")
    meddle(monkeypatch, lambda: config(tmp_path))

    frames = list(frames_of(path, {}))

    assert frames[-1][0] == "mistakes"
    assert look_in(frames) != look((path,))


@pytest.mark.parametrize("broken", [False, True])
def test_an_included_file_that_changes_meanwhile_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """It is known only after the first reading."""
    path = config(tmp_path, "include: [more.yaml]\n" + ("zones: 7\n" if broken else ""))
    more = write(tmp_path / "more.yaml", QUICK)
    changed = QUICK.replace("192.0.2.9", "192.0.2.10")
    os.utime(more, (2_000_000_000, 2_000_000_000))  # as a clock that was wrong would leave it
    meddle(monkeypatch, lambda: write(more, changed))

    frames = list(frames_of(path, {}))

    if broken:
        assert frames[-1][0] == "mistakes"
        assert look_in(frames) != look(list(map(Path, frames[0][3])))
    else:
        assert plan_of(frames).pools["away"].endpoints[0].address == "192.0.2.10"
        assert look_in(frames) == look(list(map(Path, frames[0][3])))


def test_a_config_map_that_is_swapped_meanwhile_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new files were written before the reading began; only the link changed since."""
    for version in (1, 2):
        (tmp_path / f"v{version}").mkdir()
        config(tmp_path / f"v{version}", QUICK.replace("192.0.2.9", f"192.0.2.{version + 100}"))
    (tmp_path / "data").symlink_to("v1")
    path = tmp_path / "gtmdns.yaml"
    path.symlink_to("data/gtmdns.yaml")

    def swap() -> None:
        (tmp_path / "tmp").symlink_to("v2")
        os.replace(tmp_path / "tmp", tmp_path / "data")

    meddle(monkeypatch, swap)

    compiled, _, files = load_and_compile(path, {})

    assert compiled.plan.pools["away"].endpoints[0].address == "192.0.2.102"
    assert files == (path,)
