"""Every output that docs/decisions.md shows is what the command prints for the configuration there."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from gtmdns.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "decisions.md").read_text()
SHOWN = re.findall(r"^```console\n\$ gtmdns (.*?)\n(.*?)^```", PAGE, re.S | re.M)


def test_there_are_outputs() -> None:
    assert len(SHOWN) > 5


@pytest.mark.parametrize(("line", "output"), SHOWN, ids=[line for line, _ in SHOWN])
def test_the_output_is_real(
    line: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = re.search(r"^```yaml\n(.*?)^```", PAGE, re.S | re.M)
    assert configuration is not None
    (tmp_path / "gtm.yaml").write_text(configuration[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    done = CliRunner().invoke(main, shlex.split(line))

    assert done.stdout.splitlines() == output.splitlines()
