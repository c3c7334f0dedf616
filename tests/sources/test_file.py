"""How files look, and noticing that they look different: written, renamed, swapped, half-written."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gtmdns.sources import file
from gtmdns.sources.file import (
    changed_since,
    digest,
    first_files,
    look,
    pause_after,
    wait_for_change,
)
from tests.control.support import until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(file, "SETTLE", 0.03)


def write_over(folder: Path) -> None:
    (folder / "gtmdns.yaml").write_text("other content")


def write_as_long(folder: Path) -> None:
    (folder / "gtmdns.yaml").write_text("CONTENT")


def rename_over(folder: Path) -> None:
    (folder / "new").write_text("content")
    os.replace(folder / "new", folder / "gtmdns.yaml")


def remove(folder: Path) -> None:
    (folder / "gtmdns.yaml").unlink()


def make_the_missing(folder: Path) -> None:
    (folder / "missing.yaml").write_text("now there")


def add_beside(folder: Path) -> None:
    (folder / "conf.d" / "more.yaml").write_text("more")


def link_elsewhere(folder: Path) -> None:
    (folder / "target").write_text("content")
    (folder / "gtmdns.yaml").unlink()
    (folder / "gtmdns.yaml").symlink_to(folder / "target")


CHANGES = [
    write_over,
    write_as_long,
    rename_over,
    remove,
    make_the_missing,
    add_beside,
    link_elsewhere,
]


def watched(folder: Path) -> tuple[Path, ...]:
    return folder / "gtmdns.yaml", folder / "conf.d", folder / "missing.yaml"


def prepare(folder: Path) -> tuple[Path, ...]:
    (folder / "gtmdns.yaml").write_text("content")
    (folder / "conf.d").mkdir()
    return watched(folder)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_looks_different_and_is_noticed(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    files = prepare(tmp_path)
    before = look(files)
    assert look(files) == before

    async def run() -> None:
        waiting = asyncio.create_task(wait_for_change(lambda: (files, before)))
        await asyncio.sleep(0)
        change(tmp_path)
        await asyncio.wait_for(waiting, 10)

    asyncio.run(run())
    assert look(files) != before


def config_map(folder: Path) -> tuple[Path, Callable[[int], None]]:
    """Return a mounted ConfigMap, and how the kubelet changes it: one rename of `..data`."""

    def publish(version: int) -> None:
        data = folder / f"..2026_{version}"
        data.mkdir()
        (data / "gtmdns.yaml").write_text("same content")
        os.utime(data / "gtmdns.yaml", (1_000_000_000, 1_000_000_000))
        (folder / "..data_tmp").symlink_to(data.name)
        os.replace(folder / "..data_tmp", folder / "..data")

    publish(1)
    (folder / "gtmdns.yaml").symlink_to("..data/gtmdns.yaml")
    return folder / "gtmdns.yaml", publish


@pytest.mark.parametrize("of", ["file", "folder"])
def test_a_config_map_is_swapped(tmp_path: Path, of: str) -> None:
    """Size, content and time may be the same: the real path is another."""
    path, publish = config_map(tmp_path)
    files = (path,) if of == "file" else (tmp_path, path)
    before = look(files)

    async def run() -> None:
        waiting = asyncio.create_task(wait_for_change(lambda: (files, before)))
        await asyncio.sleep(0)
        publish(2)
        await asyncio.wait_for(waiting, 10)

    asyncio.run(run())


def test_a_half_written_file_is_left_alone_until_it_settles(tmp_path: Path) -> None:
    """A writer that goes on, slower than the watcher looks, is waited for to its end."""
    path = tmp_path / "gtmdns.yaml"
    path.write_text("")
    before = look((path,))
    looks = 0
    done = False

    def known() -> tuple[tuple[Path, ...], file.Look]:
        nonlocal looks, done
        looks += 1
        if looks < 30:
            with path.open("a") as half:
                half.write("more\n")
        else:
            done = True
        return (path,), before

    async def run() -> None:
        await asyncio.wait_for(wait_for_change(known), 20)
        assert done, "returned while it was still being written"

    asyncio.run(run())


def test_what_looks_again_as_it_was_read_is_no_change(tmp_path: Path) -> None:
    """A file that goes and comes back between two looks, or a reload for another reason."""
    path = tmp_path / "gtmdns.yaml"
    path.write_text("content")
    read = look((path,))
    asked = 0

    def known() -> tuple[tuple[Path, ...], file.Look]:
        nonlocal asked, read
        asked += 1
        if asked == 3:
            path.write_text("changed, and read by a reload at once")
            read = look((path,))
        return (path,), read

    async def run() -> None:
        waiting = asyncio.create_task(wait_for_change(known))
        await until(lambda: asked > 10, "it looks on")
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(run())


def test_first_files_of_a_file_and_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "notes.txt"):
        (tmp_path / name).write_text("")

    assert first_files(tmp_path / "a.yaml") == (tmp_path / "a.yaml",)
    assert first_files(tmp_path) == (tmp_path, tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert first_files(tmp_path / "nowhere") == (tmp_path / "nowhere",)


def test_changed_since_goes_by_the_kernels_clock(tmp_path: Path) -> None:
    """A content's time may be set to any day: one of next year must not look like a change."""
    path = tmp_path / "gtmdns.yaml"
    path.write_text("content")
    after = os.stat(path).st_ctime_ns + 1
    year = time.time() + 365 * 86_400
    os.utime(path, (year, year))
    changed = os.stat(path).st_ctime_ns

    assert changed_since([path], changed)
    assert not changed_since([path], max(after, changed) + 1)
    assert not changed_since([tmp_path / "missing"], 0)


def test_a_digest_tells_names_and_contents_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    two.write_text("b")
    digests = {
        digest([one, two]),
        digest([two, one]),
        digest([one]),
        digest([two]),
        digest([tmp_path / "missing"]),
        digest([tmp_path]),
    }

    assert len(digests) == 6
    assert digest([one, two]) == digest([one, two])
    assert digest([one, tmp_path]) == digest([one])  # a folder has no content of its own


def test_a_digest_does_not_wait_at_a_pipe(tmp_path: Path) -> None:
    """A pipe in place of a file is refused; a loader that reads it never ends."""
    pipe = tmp_path / "gtmdns.yaml"
    os.mkfifo(pipe)

    assert digest([pipe]) == digest([pipe]) != digest([])


def test_a_digest_takes_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    assert digest([tmp_path / os.fsdecode(b"\xff.yaml")]) != digest([])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every folder")
def test_a_digest_takes_a_folder_that_is_closed_to_us(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)

    assert digest([closed / "gtmdns.yaml"]) != digest([])


def test_looks_that_cost_much_are_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LOOK_EVERY", 0.1)

    assert [pause_after(seconds) for seconds in (0.0, 0.001, 0.005, 0.1)] == [0.1, 0.1, 0.5, 1.0]


def test_the_real_path_of_a_file_is_that_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for name in ("a", "b"):
        (tmp_path / "real" / name).write_text("")
    (tmp_path / "real" / "c").symlink_to("b")
    files = [tmp_path / folder / name for folder in ("real", "link") for name in "abc"]

    assert [line[1] for line in look(files)] == [os.path.realpath(path) for path in files]
