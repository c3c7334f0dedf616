"""The systemd unit in docs/operations.md is one that systemd takes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_one_for_systemd(tmp_path: Path) -> None:
    unit = re.search(r"^```ini\n(.*?)^```", PAGE, re.S | re.M)
    assert unit is not None
    file = tmp_path / "gtmdns.service"
    assert "/opt/gtmdns/bin/gtmdns" in unit[1]
    file.write_text(unit[1].replace("/opt/gtmdns/bin/gtmdns", sys.executable))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True
    )

    assert [line for line in done.stderr.splitlines() if "gtmdns" in line] == []
