"""docs/reliability.md names drills that exist, and has a row for each expectation."""

import re
from pathlib import Path

from tests.drills.__main__ import DRILLS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text()
ROWS = re.findall(r"^\| (T\d+) \|(.*)\|$", TEXT, re.M)


def test_named_drills_exist() -> None:
    named = {
        name
        for place in re.findall(r"drills? ((?:`[\w-]+`(?:, | and )?)+)", TEXT)
        for name in re.findall(r"`([\w-]+)`", place)
    }

    assert len(named) > 10
    assert named <= set(DRILLS)


def test_every_row_has_a_proof_and_a_figure() -> None:
    """Three cells: what is expected, a drill or a link to a test, what was measured and when."""
    assert len(ROWS) == len({number for number, _ in ROWS}) >= 30
    for number, cells in ROWS:
        expected, proof, measured = cells.split(" | ")
        assert expected.strip(), number
        assert "](../tests/" in proof or "drill `" in proof, number
        assert re.search(r"\(2\d{3}-\d\d-\d\d\)", measured), number
