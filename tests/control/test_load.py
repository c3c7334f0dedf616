"""Running the loader as a process: good, mistakes, and every way in which it can die."""

import asyncio
import gc
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import NoReturn

import pytest

from gtmdns.control import load as load_module
from gtmdns.control import loader
from gtmdns.control.load import LoadReport, load, load_handed_over, load_kept
from gtmdns.control.loader import load_to_hand_over
from gtmdns.control.state import State, state_text, write_text
from gtmdns.serve.frames import encode
from tests.control.support import QUICK, write


def run_load(path: Path, keep: Path) -> LoadReport:
    return asyncio.run(load(path, {}, keep))


def test_a_good_configuration_and_what_is_kept_of_it(tmp_path: Path) -> None:
    path, keep = write(tmp_path / "gtmdns.yaml", QUICK), tmp_path / "kept"

    report = run_load(path, keep)
    kept = asyncio.run(load_kept(keep))

    assert report.plan is not None
    assert report.mistakes == []
    assert report.files == (path,)
    assert len(report.digest) == 64
    assert kept is not None
    assert kept == report


def test_mistakes_come_with_their_places_and_keep_nothing(tmp_path: Path) -> None:
    path, keep = write(tmp_path / "gtmdns.yaml", "zones: {}\npools: 7\n"), tmp_path / "kept"

    report = run_load(path, keep)

    assert report.plan is None
    assert [mistake.key for mistake in report.mistakes] == ["zones", "pools"]
    assert report.files == (path,)
    assert not keep.exists()


FILES_FRAME = encode(("files", (("a",),), "hash", ("a",)))

# fmt: off
DEATHS = [
    # what the loader does in place of its work, and what is said of it
    ("exits at once",       "exit 7",                                          "ended with status 7 before it was done"),
    ("says nothing",        "exit 0",                                          "ended with status 0 before it was done"),
    ("is killed",           "kill -9 $$",                                      "ended with status -9 before it was done"),
    ("dies half way",       "cat {start}; kill -9 $$",                         "ended with status -9 before it was done"),
    ("talks nonsense",      "cat {nonsense}",                                  "said what cannot be read: "),
    ("goes on with nonsense", "cat {nonsense}; exec sleep 60",                 "said what cannot be read: "),
    ("stops in a frame",    "cat {half}",                                      "before it was done"),
]
# fmt: on


@pytest.mark.parametrize(
    ("script", "said"), [death[1:] for death in DEATHS], ids=[death[0] for death in DEATHS]
)
def test_a_loader_that_dies_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    for name, octets in (
        ("start", FILES_FRAME),
        ("nonsense", b"\xff" * 64),
        ("half", FILES_FRAME + b"\0\0\1\0half"),
    ):
        (tmp_path / name).write_bytes(octets)
        script = script.replace("{" + name + "}", str(tmp_path / name))
    program = write(tmp_path / "loader", f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    keep = tmp_path / "kept"

    report = run_load(tmp_path / "gtmdns.yaml", keep)

    assert report.plan is None
    (mistake,) = report.mistakes
    assert mistake.file == str(tmp_path / "gtmdns.yaml")
    assert said in mistake.problem
    assert not keep.exists()


def test_a_loader_that_cannot_start_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no such program"))

    report = run_load(tmp_path / "gtmdns.yaml", tmp_path / "kept")

    (mistake,) = report.mistakes
    assert mistake.problem == "the loader cannot be started: No such file or directory"


def test_a_load_without_an_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = write(tmp_path / "loader", "#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(load_module, "LOAD_TIME", 0.2)

    report = run_load(tmp_path / "gtmdns.yaml", tmp_path / "kept")

    (mistake,) = report.mistakes
    assert mistake.problem == "the loader was not done after 0.2 s"


def test_where_nothing_can_be_kept_the_load_is_still_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "gtmdns.yaml", QUICK)

    report = run_load(path, tmp_path / "no folder" / "kept")

    assert report.plan is not None
    assert "cannot be kept" in caplog.text


def test_a_load_that_is_given_up_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write(tmp_path / "loader", f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))

    async def run() -> int:
        loading = asyncio.create_task(load(tmp_path / "x", {}, tmp_path / "kept"))
        async with asyncio.timeout(20):
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
        return int((tmp_path / "pid").read_text())

    pid = asyncio.run(run())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("octets", [None, b"", b"\0\0", FILES_FRAME, b"\xff" * 64])
def test_nothing_usable_is_kept(tmp_path: Path, octets: bytes | None) -> None:
    if octets is not None:
        (tmp_path / "kept").write_bytes(octets)

    assert asyncio.run(load_module.load_kept(tmp_path / "kept")) is None


def handed_over(
    path: Path, keep: Path, before: Callable[[], object] = lambda: None
) -> LoadReport | None:
    """Load as `serve` does, then as the control that it starts. `before`: called in between."""
    with TemporaryFile() as file:
        _, whole = load_to_hand_over(path, file)
        assert whole
        before()
        report = asyncio.run(load_handed_over(os.dup(file.fileno()), keep))
        assert os.fstat(file.fileno()).st_size == 0  # the parent holds it for as long as it runs
    return report


def test_what_was_loaded_before_the_start_is_not_loaded_again(tmp_path: Path) -> None:
    path, keep = write(tmp_path / "gtmdns.yaml", QUICK), tmp_path / "kept"

    report = handed_over(path, keep)

    assert report is not None
    loaded = run_load(path, tmp_path / "other")
    assert report.plan is not None
    assert loaded.plan is not None
    assert report.plan.specs == loaded.plan.specs
    assert (report.files, report.look) == (loaded.files, loaded.look)
    assert asyncio.run(load_kept(keep)) == report


def test_what_changed_before_control_started_is_loaded_again(tmp_path: Path) -> None:
    path = write(tmp_path / "gtmdns.yaml", QUICK)

    assert handed_over(path, tmp_path / "kept", lambda: write(path, QUICK + "\n")) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_what_this_user_may_not_read_is_loaded_again_and_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "gtmdns.yaml", QUICK)

    assert handed_over(path, tmp_path / "kept", lambda: path.chmod(0)) is None


def test_where_nothing_can_be_kept_it_is_loaded_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "gtmdns.yaml", QUICK)
    with TemporaryFile() as file:
        load_to_hand_over(path, file)
        nowhere = tmp_path / "no folder" / "kept"
        assert asyncio.run(load_handed_over(os.dup(file.fileno()), nowhere)) is None
        assert os.fstat(file.fileno()).st_size == 0
    assert "loaded again" in caplog.text


def test_where_there_is_no_room_nothing_is_handed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "gtmdns.yaml", QUICK)
    with Path("/dev/full").open("wb", buffering=0) as full:
        plan, whole = load_to_hand_over(path, full)

    assert plan.zones
    assert not whole
    assert not load_to_hand_over(path, None)[1]


def test_serials_go_on_over_a_restart_with_the_load_that_is_handed_over(tmp_path: Path) -> None:
    text = QUICK.replace("startup_wait", "state_dir: state, startup_wait")
    path, state = write(tmp_path / "gtmdns.yaml", text), tmp_path / "state"
    state.mkdir()
    (first, _), again = load_to_hand_over(path, None), State(generation=7)
    again.serials = {zone: (content, 42) for zone, (content, _) in first.serials.items()}
    write_text(state, state_text(again))

    assert load_to_hand_over(path, None)[0].serials == again.serials
    write_text(state, "nothing of use")
    assert load_to_hand_over(path, None)[0].serials != again.serials


def test_a_loader_gives_way_to_what_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def note(_: object) -> NoReturn:
        seen.append(gc.isenabled())
        raise SystemExit

    monkeypatch.setattr(loader.os, "nice", lambda by: seen.append(by))
    monkeypatch.setattr(loader.os, "_exit", note)
    monkeypatch.setattr(loader, "main", lambda *_: 0)
    monkeypatch.setattr(sys, "stdin", io.StringIO("{}"))
    with pytest.raises(SystemExit):
        loader.run()
    gc.enable()

    assert seen == [loader.NICE, False]
