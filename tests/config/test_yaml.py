"""YAML text to a tree: scalars of the core schema, places, and everything that is refused.

Each case runs with libyaml and with PyYAML's own parser: which of them is there must not matter.
"""

import math
import re
import time

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.config import yaml
from gtmdns.config.yaml import plain, read_yaml

PARSERS = {"pure": pyyaml.SafeLoader}
if hasattr(pyyaml, "CSafeLoader"):
    PARSERS["libyaml"] = pyyaml.CSafeLoader


@pytest.fixture(params=PARSERS, autouse=True)
def _parser(request, monkeypatch):
    monkeypatch.setattr(yaml, "PARSER", PARSERS[request.param])


def read(text):
    """Return (data, mistakes as texts without the file)."""
    octets = text if isinstance(text, bytes) else text.encode()
    node, mistakes = read_yaml(octets, "f")
    return (None if node is None else plain(node)), [str(mistake)[2:] for mistake in mistakes]


# fmt: off
SCALARS = [
    # text            value
    ("true",          True),
    ("True",          True),
    ("FALSE",         False),
    ("NO",            "NO"),        # Norway
    ("no",            "no"),
    ("on",            "on"),
    ("off",           "off"),
    ("y",             "y"),
    ("tRue",          "tRue"),
    ("null",          None),
    ("~",             None),
    ("Null",          None),
    ("",              None),
    ("nULL",          "nULL"),
    ("0",             0),
    ("+12",           12),
    ("-7",            -7),
    ("010",           10),          # not octal, as in YAML 1.1
    ("0o10",          8),
    ("0x1F",          31),
    ("0b11",          "0b11"),
    ("1_000",         "1_000"),
    ("1:30",          "1:30"),      # not sexagesimal
    ("190:20:30",     "190:20:30"),
    ("1.5",           1.5),
    (".5",            0.5),
    ("5.",            5.0),
    ("1e3",           1000.0),
    ("-1.5E-2",       -0.015),
    (".inf",          math.inf),
    ("-.INF",         -math.inf),
    ("+.Inf",         math.inf),
    (".",             "."),
    ("-",             None),        # a list with nothing in it, see below
    ("+",             "+"),
    ("1.2.3.4",       "1.2.3.4"),
    ("2001-12-14",    "2001-12-14"),  # not a date
    ("=",             "="),
    ("'true'",        "true"),
    ('"5"',           "5"),
    ("!!str 5",       "5"),
    ("! 5",           "5"),
    ('!!int "5"',     5),
    ("!!float 5",     5.0),
    ("!!bool true",   True),
    ("!!null ''",     None),
]
# fmt: on


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[row[0] for row in SCALARS])
def test_scalar(text, value):
    data, mistakes = read(f"a: {text}\n" if text != "-" else "- \n")

    assert mistakes == []
    got = data[0] if text == "-" else data["a"]
    assert (type(got), got) == (type(value), value)


def test_not_a_number_is_a_float():
    data, _ = read("a: .nan")

    assert math.isnan(data["a"])


def test_keys_are_texts_as_written():
    data, mistakes = read("1: a\nno: b\n0x1: c\n~: d\ntrue: e\n1.50: f\n'q': g\n")

    assert mistakes == []
    assert list(data) == ["1", "no", "0x1", "~", "true", "1.50", "q"]


def test_aliases_stand_for_what_they_name():
    data, mistakes = read("a: &x {b: [1, 2]}\nc: *x\nd: &k e\n*k : f\n")

    assert mistakes == []
    assert data == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": "e", "e": "f"}


def test_a_byte_order_mark_is_passed_over():
    assert read(b"\xef\xbb\xbfa: 1\n") == ({"a": 1}, [])


def test_places_count_from_one_in_characters():
    node, _ = read_yaml("é: [ü, {b: 1}]\nc:\n  - d\n".encode(), "f")

    assert node.key_places["é"] == ("f", 1, 1)
    assert node.value["é"].place == ("f", 1, 4)
    assert [item.place[1:] for item in node.value["é"].value] == [(1, 5), (1, 8)]
    assert node.value["é"].value[1].value["b"].place == ("f", 1, 12)
    assert node.value["c"].value[0].place == ("f", 3, 5)


# fmt: off
REFUSED = [
    ("duplicate key",         "a: 1\nb: {c: 1, c: 2}\na: 2\n",  ["2:11: b.c: set twice; first set in line 2, column 5",
                                                                 "3:1: a: set twice; first set in line 1, column 1"]),
    ("duplicate, quoted",     "1: a\n'1': b\n",                 ["2:1: 1: set twice; first set in line 1, column 1"]),
    ("two documents",         "a: 1\n---\nb: 2\n",              ["2:1: a second YAML document; a configuration file is one document"]),
    ("list as key",           "b: {? [a] : 1}\n",               ["1:7: b: a key must be a text; a mapping or a list cannot be a key"]),
    ("alias of list as key",  "a: &x [1]\n*x : 2\n",            ["2:1: a key must be a text; a mapping or a list cannot be a key"]),
    ("unknown tag",           "a: !foo 3\n",                    ["1:4: a: tags such as !foo are not read"]),
    ("unknown tag on a list", "a: !!set [3]\n",                 ["1:4: a: tags such as !!set are not read"]),
    ("python tag",            "a: !!python/name:os.system x\n", ["1:4: a: tags such as !!python/name:os.system are not read"]),
    ("tag that lies",         "a: [1, !!int x]\n",              ["1:8: a[1]: 'x' is not of its type !!int"]),
    ("merge key",             "a: &x {b: 1}\nc: {<<: *x}\n",    ["2:5: c: merge keys (<<) are not part of YAML 1.2; write the keys out"]),
    ("alias without anchor",  "a: [*x]\n",                      ["1:5: a[0]: alias *x has no anchor before it"]),
    ("alias inside itself",   "a: &x [*x]\n",                   ["1:8: a[0]: alias *x stands inside what it names"]),
    ("long number",           "a: " + "1" * 5000,               ["1:4: a: a number of 5000 characters, at most 40 are read"]),
    ("NUL by escape",         'a: "x\\0"\n',                    ["1:4: a: character U+0000 is not allowed in a text"]),
    ("control character",     "a: 1\nbc: \x07\n",               ["2:5: character U+0007 is not allowed in YAML"]),
    ("NUL",                   "a: \0",                          ["1:4: character U+0000 is not allowed in YAML"]),
    ("not UTF-8",             b"a: 1\nb: \xff\n",               ["2:4: not UTF-8 text"]),
    ("half a character",      "a: é".encode()[:-1],             ["1:4: not UTF-8 text"]),
    ("UTF-16",                "a: 1".encode("utf-16"),          ["1:1: not UTF-8 text"]),
]
# fmt: on


@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(text, expected):
    _, mistakes = read(text)

    assert mistakes == expected


# The two parsers word these differently: the place is what counts.
# fmt: off
BROKEN = [
    ("half a flow mapping",  "zones: {a: 1\n",          2, 1),
    ("half a flow list",     "zones:\n  a: [1,\n",       3, 1),
    ("half a quoted text",   'a: 1\nb: "x\n',            3, 1),
    ("tab as indentation",   "a:\n\tb: 1\n",             2, 1),
    ("bad indentation",      "a:\n  b: 1\n c: 2\n",      3, 2),
    ("unclosed bracket",     "a: ]\n",                   1, 4),
]
# fmt: on


@pytest.mark.parametrize(
    ("text", "line", "column"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_broken_text_is_one_mistake_with_its_place(text, line, column):
    node, mistakes = read_yaml(text.encode(), "f")

    assert node is None
    assert [(m.line, m.column, m.problem[:10]) for m in mistakes] == [(line, column, "not YAML: ")]


def test_an_escape_beyond_unicode_is_a_mistake():
    node, mistakes = read_yaml(b'a: "\\UFFFFFFFF"', "f")

    assert node is None
    assert len(mistakes) == 1
    assert mistakes[0].problem.startswith("not YAML: ")


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)
)


@pytest.mark.parametrize("text", [BOMB, "[" * 200_000, "{a: " * 100_000, "- " * 5_000])
def test_what_would_cost_too_much_is_refused_at_once(text):
    begin = time.process_time()
    node, mistakes = read_yaml(text.encode(), "f")

    assert node is None
    assert len(mistakes) == 1
    assert "more than" in mistakes[0].problem
    assert time.process_time() - begin < 2


def test_too_many_values_are_refused(monkeypatch):
    monkeypatch.setattr(yaml, "MAX_VALUES", 10)

    assert read("[1, 2, 3, 4, 5, 6, 7, 8, 9]")[1] == []  # nine and the list
    assert read("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]")[1] == ["1:1: more than 10 values in one file"]


# Space, comments, byte order marks and ends of documents: no value, and no mistake in the syntax.
NOTHING = re.compile(r"([\s\ufeff]|\.\.\.|#[^\n\r\x85\u2028\u2029]*)*")


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_any_octets_give_a_tree_or_mistakes(octets):
    node, mistakes = read_yaml(octets, "f")

    assert node is not None or mistakes or NOTHING.fullmatch(octets.decode())


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%?, \n\t~1.<0xe\\", max_size=40))
def test_any_text_gives_the_same_with_both_parsers(text):
    """Where both parsers read a text, it means the same; errors may come at other places."""
    results = []
    for parser in PARSERS.values():
        yaml.PARSER = parser
        node, mistakes = read_yaml(text.encode(), "f")
        results.append(None if node is None or mistakes else repr(plain(node)))
    good = {result for result in results if result is not None}

    assert len(good) <= 1
