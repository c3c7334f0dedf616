"""The stories of config/examples at the pace at which they are told: a thousand digs one by one."""

import shutil
import subprocess
from pathlib import Path

from tests.conformance.server import ROOT

SECONDS = 400  # for one story; the ejection of the fourth takes a minute


def stories(folder: Path) -> str:
    """Play one after the other; return what they tell. Each judges its own outcome."""
    missing = [program for program in ("bash", "dig", "curl") if not shutil.which(program)]
    if missing:
        return f"SKIPPED: not installed: {', '.join(missing)}"
    told = []
    for story in sorted((ROOT / "config" / "examples").glob("story-*.sh")):
        done = subprocess.run(
            [story], capture_output=True, text=True, timeout=SECONDS, cwd=folder,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{story.name}:\n{done.stdout}{done.stderr}"
        told.append(f"{story.name}\n{done.stdout}")
    assert len(told) == 5
    return "\n".join(told)
