"""Answers on generated zones are those of NSD and Knot, or differ by a rule that has a name.

The long form is `python -m tests.drills differential`.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conformance.differing import PEERS, Comparison, Shown, differences
from tests.conformance.generated import Question, generate, questions

ZONES, QUESTIONS = 6, 200
MISSING = [peer.program for peer in PEERS if shutil.which(peer.program) is None]


@pytest.mark.skipif(
    len(MISSING) == len(PEERS), reason="neither nsd nor knotd is here (Debian: nsd, knot)"
)
def test_no_difference_is_left_unexplained(tmp_path: Path) -> None:
    comparison = differences(tmp_path, zones=ZONES, asked=QUESTIONS)

    print(comparison)
    assert comparison.unexplained == []
    assert comparison.asked > 0.9 * ZONES * QUESTIONS * (len(PEERS) - len(MISSING))
    explained = comparison.explained.total()
    assert explained < comparison.asked / 10, "rules that explain much prove little"


def test_generated_zones_have_what_is_hard() -> None:
    """A seed is as good as what comes out of it."""
    zones = [zone for seed in range(ZONES) for zone in generate(seed)]
    names = [name for zone in zones for name in zone.owners]
    types = {rdtype for zone in zones for _, rrsets in zone.owners.values() for rdtype in rrsets}

    assert types >= {"A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT"}
    assert {len(name) for name in names if name[0] == b"*"} >= {3, 4, 5}, "wildcards at depths"
    assert any(b"*" in name[1:] for name in names)
    assert sum(len(zone.cuts) for zone in zones) > ZONES
    assert any(name[0] == b"occluded" for name in names)


def test_the_same_seed_asks_the_same() -> None:
    first, second = ([str(q) for q in questions(generate(3), 3, 100)] for _ in range(2))

    assert first == second
    assert len(set(first)) > 80


# fmt: off
CHANGES = [
    # id           what ours says in place of theirs
    ("rcode",      {"rcode": 3}),
    ("AA",         {"aa": False}),
    ("TC",         {"tc": True}),
    ("answer",     {"answer": frozenset()}),
    ("authority",  {"authority": frozenset({"more"})}),
    ("glue",       {"glue": frozenset({"more"})}),
]
# fmt: on


@pytest.mark.parametrize("change", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_difference_without_a_rule_is_told(change: dict[str, object]) -> None:
    question = Question((b"www", b"test"), "A", None, False)
    theirs = Shown(0, True, False, frozenset({("www", 1, 60, frozenset({b"data"}))}), frozenset(), frozenset())  # type: ignore[arg-type]  # fmt: skip
    comparison = Comparison()

    comparison.compare(question, "NSD", theirs, theirs)
    assert comparison.unexplained == []

    comparison.compare(question, "NSD", replace(theirs, **change), theirs)  # type: ignore[arg-type]
    assert len(comparison.unexplained) == 1
