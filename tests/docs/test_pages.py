"""What README and docs say is held to be true: configurations load, links lead somewhere, commands exist."""

import re
from pathlib import Path

import pytest

from gtmdns.config.load import load

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
CONFIGURATIONS = [
    pytest.param(text, id=f"{page.relative_to(ROOT)}, block {number}")
    for page in PAGES
    for number, text in enumerate(
        re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text(), re.S | re.M), 1
    )
]


def test_there_are_pages() -> None:
    assert len(PAGES) > 10
    assert len(CONFIGURATIONS) > 5


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_configuration_loads(text: str, tmp_path: Path) -> None:
    file = tmp_path / "gtmdns.yaml"
    file.write_text(text)

    assert load(file).config.zones


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_named_commands_exist() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(
        re.findall(
            r"gtmdns (serve|check|explain|measure|status|override|reload|demo|schema)\b", text
        )
    )

    missing = [name for name in named if not (ROOT / "gtmdns" / "cli" / f"{name}.py").exists()]
    assert missing == []
