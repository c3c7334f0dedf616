"""Configuration that comes from files: how they look, and noticing that they look different.

A look ten times a second at (modification time, size, inode, real path) is the one way that
noticed ConfigMap symlink swaps, writes in place and renames alike; inotify missed the
second on folders and the first on files. A look costs about 6 microseconds a file.
"""

import asyncio
import os
import stat
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

LOOK_EVERY = 0.1  # seconds, or longer where looks cost more than LOOK_SHARE of the time
LOOK_SHARE = 0.01
LOOK_AT_LEAST = 1.0  # seconds: where looks are slow, changes are noticed no later than this
SETTLE = 0.2  # seconds between two looks that must agree: a half-written file is left alone

Look = tuple[tuple[str, ...], ...]


def look(files: Iterable[Path]) -> Look:
    """Return how `files` look now. Of a folder its names count; a missing file is a look too."""
    folders: dict[str, str] = {}  # the real paths of those that hold files; most files share one
    return tuple(_look_at(str(path), folders) for path in files)


def _look_at(path: str, folders: dict[str, str]) -> tuple[str, ...]:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return (path, os.path.realpath(path), *sorted(os.listdir(path)))
        real = _real(path, folders)
    except OSError as error:
        return path, type(error).__name__
    return path, real, f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"


def _real(path: str, folders: dict[str, str]) -> str:
    """Return the real path of a file. Most of its cost is that of the folders above."""
    folder, name = os.path.split(path)
    if os.path.islink(path):
        return os.path.realpath(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def first_files(path: Path) -> tuple[Path, ...]:
    """Return what a load of `path` reads for sure: a file, or a folder with its *.yaml files."""
    if not os.path.isdir(path):
        return (path,)
    return (path, *sorted(path.glob("*.yaml")))


def changed_since(files: Iterable[Path], moment: int) -> bool:
    """Return whether a file was changed at or after `moment`, in nanoseconds since the epoch.

    By the time of the inode, which the kernel sets; that of the content is anybody's to set,
    and one in the future would never be over.
    """
    for path in files:
        try:
            status = os.stat(path)
        except OSError:
            continue
        if status.st_ctime_ns >= moment:
            return True
    return False


def digest(files: Iterable[Path]) -> str:
    """Return a hash over names and contents, to tell configurations apart.

    A folder counts for nothing, and what is no regular file for its name: a pipe would be
    read for ever.
    """
    total = sha256()
    for path in files:
        if os.path.isdir(path):  # Path.is_dir raises where a folder above is closed to us
            continue
        total.update(os.fsencode(path) + b"\0")
        try:
            if stat.S_ISREG(path.stat().st_mode):
                total.update(sha256(path.read_bytes()).digest())
        except OSError as error:
            total.update(type(error).__name__.encode())
    return total.hexdigest()


async def wait_for_change(known: Callable[[], tuple[Iterable[Path], Look]]) -> None:
    """Return once files look otherwise than known, and have looked the same twice since.

    known: called for each look, as a reload for another reason may come between: the files,
           and how they looked when they were last read
    """
    pause = LOOK_EVERY
    while True:
        await asyncio.sleep(pause)
        paths, read = known()
        started = time.monotonic()
        seen = look(paths)
        pause = pause_after(time.monotonic() - started)
        while seen != read:
            await asyncio.sleep(SETTLE)
            paths, read = known()
            again = look(paths)
            if again == seen != read:
                return
            seen = again


def pause_after(seconds: float) -> float:
    """Return how long to wait after a look that took so many seconds, before the next."""
    return min(max(LOOK_EVERY, seconds / LOOK_SHARE), max(LOOK_EVERY, LOOK_AT_LEAST))
