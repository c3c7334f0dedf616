"""What the kernel tells of a server's processes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "GTMDNS_TEST_SERVER"  # in the environment of every process of a server


@dataclass(frozen=True)
class Process:
    """What the kernel tells of one process."""

    pid: int
    role: str  # "parent", "control", "worker 0", "loader", "other"

    @property
    def rss(self) -> int:
        """Resident memory in octets."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))


def role_of(words: Sequence[str]) -> str:
    """Return what a command line is in a server."""
    modules = {
        "gtmdns.control": "control",
        "gtmdns.control.loader": "loader",
        "gtmdns.serve": "parent",
    }
    module = words[words.index("-m") + 1] if "-m" in words else ""
    if module == "gtmdns.serve.worker":
        return f"worker {words[words.index('--number') + 1]}"
    return modules.get(module, "other")


def processes_of(mark: str) -> list[Process]:
    """Return every living process whose environment has this value of MARK."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if wanted not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if state not in "ZX":
            found.append(Process(int(folder.name), role_of(words)))
    return sorted(found, key=lambda process: process.role)
