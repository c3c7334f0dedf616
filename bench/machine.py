"""When, where and with which programs something was measured."""

import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from gtmdns.serve.compiled import PURE_BECAUSE

# The words that make a program tell its version.
VERSIONS = {
    "gdnsd": ["gdnsd", "-?"],
    "NSD": ["nsd", "-v"],
    "Knot DNS": ["knotd", "-V"],
    "BIND": ["named", "-v"],
    "PowerDNS": ["pdns_server", "--version"],
    "dnsperf": [
        "dnsperf",
        "-d",
        os.devnull,
        "-s",
        "127.0.0.1",
        "-l",
        "1",
    ],  # it has nothing to send
    "gcc": ["gcc", "--version"],
}


@cache
def made() -> dict[str, Any]:
    """Return the day, the commit, the machine and the versions, as JSON takes them."""
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "versions": {"Python": platform.python_version()} | versions(),
        "path": f"pure: {PURE_BECAUSE}" if PURE_BECAUSE else "compiled",
    }


def commit() -> str:
    """Return the commit, with "and changes" where what is served was changed after it."""
    here = Path(__file__).parents[1]
    if not (here / ".git").exists() or not shutil.which("git"):
        return "unknown"
    short = _said(["git", "-C", str(here), "rev-parse", "--short", "HEAD"]).strip()
    changed = _said(["git", "-C", str(here), "status", "--porcelain", "--", "gtmdns", "bench/*.py"])
    return f"{short} and changes" if changed.strip() else short


def machine() -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.+)", info)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    release = ".".join(platform.release().split(".")[:2])
    virtual = "in a virtual machine, " if " hypervisor " in info else ""
    return (
        f"{len(os.sched_getaffinity(0))} cores of {model[1] if model else platform.machine()}, "
        f"{memory:.0f} GiB, {sys.platform.capitalize()} {release}, {virtual}loopback"
    )


def versions() -> dict[str, str]:
    """Return the versions of what is installed."""
    found = {}
    for name, words in VERSIONS.items():
        if shutil.which(words[0]):
            version = re.search(r"\d+\.\d+(\.\d+)*", _said(words).partition("\n[Status]")[0])
            found[name] = version[0] if version else "of unknown version"
    return found


def _said(words: list[str]) -> str:
    """Return what a program prints, wherever it prints it and however it ends."""
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=30,
    )  # fmt: skip
    return done.stdout
