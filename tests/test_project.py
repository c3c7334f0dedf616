"""The project's own description: what is installed is what there is."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_package_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])

    folders = {file.parent.relative_to(ROOT) for file in ROOT.glob("gtmdns/**/__init__.py")}
    found = {".".join(folder.parts) for folder in folders}

    assert listed == found | {"gtmdns.geoip", "gtmdns.geoip.presets"}
