"""Targets: every spelling, equality, and the place of every problem."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.config.mistakes import KEY
from gtmdns.config.targets import (
    AllOf,
    Chain,
    Member,
    Nearest,
    PoolRef,
    Weights,
    parse_target,
    pools_of,
)

A, B, C = PoolRef("a"), PoolRef("b"), PoolRef("c")

# fmt: off
SPELLINGS = [
    ("a",                                       A),
    (["a", "b"],                                Chain((A, B))),
    ({"a": 99, "b": 0},                         Weights((Member("a", 99, A), Member("b", 0, B)))),
    ([{"a": 9, "b": 1}, "c"],                   Chain((Weights((Member("a", 9, A), Member("b", 1, B))), C))),
    ({"all": ["a", "b"]},                       AllOf((A, B))),
    ({"nearest": ["a", ["b", "c"]]},            Nearest((A, Chain((B, C))))),
    ([{"nearest": ["a"]}, "b"],                 Chain((Nearest((A,)), B))),
    ({"nearest": ["a"] * 16},                   Nearest((A,) * 16)),
    ({"x": {"weight": 9, "to": ["a", "b"]}},    Weights((Member("x", 9, Chain((A, B))),))),
    ({"x": {"weight": 9, "to": {"all": [["a"]]}}}, Weights((Member("x", 9, AllOf((Chain((A,)),))),))),
]
# fmt: on


@pytest.mark.parametrize(("value", "target"), SPELLINGS, ids=[str(row[0]) for row in SPELLINGS])
def test_spelling(value, target):
    problems = []

    assert parse_target(value, problems, ()) == target
    assert problems == []
    assert hash(parse_target(value, problems, ())) == hash(target)


def test_pools_of_a_target():
    target = parse_target(
        [{"x": {"weight": 1, "to": ["a", "b"]}, "c": 2}, {"all": ["a"]}, {"nearest": ["d"]}], [], ()
    )

    assert pools_of(target) == ("a", "b", "c", "d")


WEIGHT = "expected a weight from 0 to 1000000, got "
LINE = "missing; expected a mapping {weight: 90, to: target}"
# fmt: off
BAD = [
    (5,                        [((), "expected a pool, a list of targets or a mapping of weights, got 5")]),
    (None,                     [((), "expected a pool, a list of targets or a mapping of weights, got nothing")]),
    ([],                       [((), "expected a list of one or more targets, got an empty list")]),
    ({},                       [((), "expected pools and their weights, got an empty mapping")]),
    ("all",                    [((), 'the name "all" is reserved')]),
    (["a", 5, ["default"]],    [((1,), "expected a pool, a list of targets or a mapping of weights, got 5"),
                                ((2, 0), 'the name "default" is reserved')]),
    ({"a": -1, "b": 1000001},  [(("a",), WEIGHT + "-1"), (("b",), WEIGHT + "1000001")]),
    ({"a": "90%", "b": True},  [(("a",), WEIGHT + '"90%"'), (("b",), WEIGHT + "true")]),
    ({"a b": 1},               [(("a b", KEY), 'expected a name of letters, digits, dots, underscores and hyphens, got "a b"')]),
    ({"x": {"weight": 1}},     [(("x", "to"), LINE)]),
    ({"x": {}},                [(("x", "weight"), LINE), (("x", "to"), LINE)]),
    ({"x": {"wieght": 1, "to": "a"}}, [(("x", "wieght", KEY), 'unknown key; did you mean "weight"?'), (("x", "weight"), LINE)]),
    ({"x": {"weight": 1, "to": {"all": "a"}}}, [(("x", "to", "all"), 'expected a list of one or more targets, got "a"')]),
    ({"all": ["a"], "b": 1},   [(("all", KEY), '"all" stands alone in its mapping; the name is reserved')]),
    ({"nearest": ["a"] * 17},  [(("nearest",), "expected at most 16 members, got 17")]),
    ({"nearest": []},          [(("nearest",), "expected a list of one or more targets, got an empty list")]),
    ({"nearest": ["a", 5]},    [(("nearest", 1), "expected a pool, a list of targets or a mapping of weights, got 5")]),
    ({"nearest": ["a"], "b": 1}, [(("nearest", KEY), '"nearest" stands alone in its mapping; the name is reserved')]),
]
# fmt: on


@pytest.mark.parametrize(("value", "expected"), BAD, ids=[str(row[0]) for row in BAD])
def test_bad_target(value, expected):
    problems = []

    assert parse_target(value, problems, ()) is None
    assert problems == expected


DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 2)
    | st.sampled_from(["a", "b", "all", "nearest", "x y", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "b", "all", "nearest", "weight", "to"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, derandomize=True)
@given(DATA)
def test_any_data_gives_a_target_or_problems(value):
    problems = []
    target = parse_target(value, problems, ("pools",))

    assert (target is None) == bool(problems)
    assert all(keys[0] == "pools" for keys, _ in problems)
