"""Files that comments, docstrings and pages name are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [
    *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "setup.py",
    *(
        file
        for folder in ("docs", "gtmdns", "tests", "bench", "config", "geoip")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in {".md", ".py", ".pyx", ".pxi", ".pxd", ".h", ".yaml"}
    ),
]  # fmt: skip
PACKAGES = "|".join(sorted(file.parent.name for file in ROOT.glob("gtmdns/*/__init__.py")))
NAMED = re.compile(
    rf"(?<![\w./-])(?:docs|gtmdns|tests|bench|geoip|{PACKAGES})/[\w./-]*\.(?:md|pyx?|px[id]|h|yaml)\b"
)


def missing(text: str, beside: Path) -> set[str]:
    """Return the paths in a text that are no files, from the root, gtmdns/ or its own folder."""
    places = (ROOT, ROOT / "gtmdns", beside)
    return {name for name in NAMED.findall(text) if not any((p / name).exists() for p in places)}


def test_a_path_that_leads_nowhere_is_seen() -> None:
    gone = "docs/adr" + "/none.md"  # this file is read too

    assert missing(f"see wire/name.py, {gone}.", ROOT) == {gone}


def test_named_files_exist() -> None:
    found = {str(file): missing(file.read_text(), file.parent) for file in SOURCES}

    assert len(found) > 300
    assert {file: names for file, names in found.items() if names} == {}
