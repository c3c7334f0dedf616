"""When this machine doubts itself: the decision alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.health.isolation import Doubt, Phase, canary_check, host_and_port

# The decision. Of ten hosts: "d3@5" host 3 goes down at 5, "u3" it is up again; looks at the
# canaries: "+@6" one answers, "-@6" none does, "?@6" could not be made.
# fmt: off
DECISIONS = [
    # id                                              share  story                                             phases
    ("at the share nothing is doubted",               50, "+@0 d1@1 d2@1 d3@1 d4@1 d5@1",                      "cccccc"),
    ("above it further downs are held",               50, "+@0 d1@1 d2@1 d3@1 d4@1 d5@1 d6@1 d7@1",            "ccccccHH"),
    ("a canary answers",                              20, "+@0 d1@1 d2@1 d3@1 +@2",                            "cccHt"),
    ("no canary answers",                             20, "+@0 d1@1 d2@1 d3@1 -@3",                            "cccHF"),
    ("first it answers, then it does not",            20, "+@0 d1@1 d2@1 d3@1 +@2 d4@2.5 -@3",                 "cccHttF"),
    ("canaries that never answered prove nothing",    20, "-@0 d1@1 d2@1 d3@1 -@3 -@4",                        "cccHtt"),
    ("a look that cannot be made proves nothing",     20, "+@0 d1@1 d2@1 d3@1 ?@3 -@4",                        "cccHtF"),
    ("two looks in a row end it",                     20, "+@0 d1@1 d2@1 d3@1 -@3 +@4 +@5",                    "cccHFFc"),
    ("one look between does not",                     20, "+@0 d1@1 d2@1 d3@1 -@3 +@4 -@5 +@6 ?@7 +@8 +@9",    "cccHFFFFFFc"),
    ("after it all is forgotten",                     20, "+@0 d1@1 d2@1 d3@1 -@3 +@4 +@5 d4@6 d5@6 -@7",      "cccHFFcccc"),
    ("downs outside the window do not count",         20, "+@0 d1@1 d2@1 d3@31.5 d4@31.5 d5@31.5",             "ccccc" "H"),
    ("what came up again does not count",             20, "+@0 d1@1 u1 d2@1 u2 d3@1 d4@1 d5@1",                "ccccccc" "H"),
    ("the window passes while trusting",              20, "+@0 d1@1 d2@1 d3@1 +@2 -@40",                       "cccHtc"),
    ("too few are left at the look",                  20, "+@0 d1@1 d2@1 d3@1 u3 -@3",                         "cccHHc"),
    ("two checks of one host are one host",           20, "+@0 d1@1 d1b@1 d1c@1 d2@1 d3@1",                    "cccccH"),
    ("share 100 is never reached",                    100, "+@0 " + " ".join(f"d{n}@1" for n in range(10)),    "c" * 11),
]
# fmt: on
LETTERS = {Phase.CALM: "c", Phase.HOLDING: "H", Phase.TRUSTING: "t", Phase.FROZEN: "F"}


@pytest.mark.parametrize(
    ("share", "story", "expected"),
    [row[1:] for row in DECISIONS],
    ids=[row[0] for row in DECISIONS],
)
def test_decisions(share: int, story: str, expected: str) -> None:
    doubt, seen = Doubt(share, 30.0), ""
    for word in story.split():
        what, _, when = word.partition("@")
        if what[0] == "d":
            doubt.went_down((what[1], what[2:]), float(when), 10)
        elif what[0] == "u":
            doubt.forget((what[1], what[2:]))
        else:
            doubt.looked({"+": True, "-": False, "?": None}[what], float(when), 10)
        seen += LETTERS[doubt.phase]

    assert seen == expected


steps = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["down", "up", True, False, None])), max_size=60
)


@given(steps, st.integers(1, 100))
def test_frozen_only_with_the_share_reached_and_proven_canaries_gone(
    story: list[tuple[int, Any]], share: int
) -> None:
    """A plain model: all downs with their times, looked through at each look."""
    doubt, downs, now, proven = Doubt(share, 30.0), dict[int, float](), 0.0, False
    for host, what in story:
        now += 5.0
        before = doubt.phase
        if what == "down":
            doubt.went_down((str(host), "web"), now, 10)
            downs[host] = now
        elif what == "up":
            doubt.forget((str(host), "web"))
            downs.pop(host, None)
        else:
            doubt.looked(what, now, 10)
            proven = proven or what is True
        reached = sum(at >= now - 30 for at in downs.values()) * 10 > share
        if doubt.phase is Phase.FROZEN and before is not Phase.FROZEN:
            assert (what, reached, proven) == (False, True, True)
        if before is Phase.FROZEN and doubt.phase is not Phase.FROZEN:
            assert what is True
            downs.clear()
        if doubt.phase in (Phase.HOLDING, Phase.TRUSTING) and what not in ("up", "down"):
            assert reached


def test_what_a_canary_is() -> None:
    assert host_and_port("192.0.2.1:443") == ("192.0.2.1", 443)
    assert host_and_port("[2001:db8::1]:53") == ("2001:db8::1", 53)
    assert host_and_port("canary.example:80") == ("canary.example", 80)
    check = canary_check(443)
    assert (check.type, check.port, check.timeout) == ("tcp", 443, 2.0)
