"""What README and docs say is held to be true: configurations load, links lead somewhere, commands exist."""

import re
from pathlib import Path

import pytest

from gtmdns.control.loader import load_and_compile

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
    """What a page shows is good, and warned of where it says so: `# warned of: ...`."""
    file = tmp_path / "gtmdns.yaml"
    file.write_text(text)
    marked = [n for n, line in enumerate(text.splitlines(), 1) if "# warned of" in line]

    _, warnings, _ = load_and_compile(file, {})

    lines = {int(warning.removeprefix(f"{file}:").partition(":")[0]) for warning in warnings}
    assert sorted(lines) == marked, warnings


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^):]+)\)", page.read_text())

    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Return whether the file of a link exists, and the heading in it where one is named."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """Return what headings are called in links: lower case, hyphens for blanks, no punctuation."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_named_commands_exist() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(
        re.findall(
            r"gtmdns (serve|check|explain|measure|status|override|reload|demo|schema)\b", text
        )
    )

    missing = [name for name in named if not (ROOT / "gtmdns" / "cli" / f"{name}.py").exists()]
    assert missing == []
