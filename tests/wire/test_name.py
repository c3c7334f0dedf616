"""Names in text and octets, with dnspython as the judge."""

import dns.exception
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.wire.name import (
    MAX_NAME,
    ROOT,
    BadName,
    ancestors,
    from_text,
    is_below,
    labels_of,
    parent,
    to_text,
)
from tests.laws import LAW

EXAMPLE = b"\x07example\x03com\x00"
LONGEST = ".".join(("a" * 63, "b" * 63, "c" * 63, "d" * 61))  # 255 octets in wire format

# fmt: off
GOOD = [
    # id                         text                   origin   wire
    ("absolute",                 "example.com.",        None,    EXAMPLE),
    ("without the final dot",    "example.com",         None,    EXAMPLE),
    ("upper case",               "eXaMPLE.Com.",        None,    EXAMPLE),
    ("root",                     ".",                   None,    b"\x00"),
    ("root with an origin",      ".",                   EXAMPLE, b"\x00"),
    ("origin",                   "@",                   EXAMPLE, EXAMPLE),
    ("@ without an origin",      "@",                   None,    b"\x01@\x00"),
    ("@ as a label",             "@.",                  EXAMPLE, b"\x01@\x00"),
    ("relative",                 "www",                 EXAMPLE, b"\x03www" + EXAMPLE),
    ("absolute beside origin",   "www.",                EXAMPLE, b"\x03www\x00"),
    ("wildcard",                 "*.www",               EXAMPLE, b"\x01*\x03www" + EXAMPLE),
    ("service labels",           "_dns._udp",           EXAMPLE, b"\x04_dns\x04_udp" + EXAMPLE),
    ("escaped dot",              r"a\.b.example.com.",  None,    b"\x03a.b" + EXAMPLE),
    ("escaped final dot",        "a\\.",                EXAMPLE, b"\x02a." + EXAMPLE),
    ("escaped backslash",        r"a\\b.",              None,    b"\x03a\\b\x00"),
    ("decimal escapes",          r"\000\255\046.",      None,    b"\x03\x00\xff.\x00"),
    ("escaped upper case",       r"\065\B.",            None,    b"\x02ab\x00"),
    ("label of 63 octets",       "a" * 63,              None,    b"\x3f" + b"a" * 63 + b"\x00"),
    ("127 labels",               "a." * 127,            None,    b"\x01a" * 127 + b"\x00"),
]
BAD = [
    # id                         text                   origin   what is said
    ("nothing",                  "",                    None,    "an empty label"),
    ("two dots",                 "www..example.com",    None,    "an empty label"),
    ("dot in front",             ".example.com",        None,    "an empty label"),
    ("only dots",                "..",                  None,    "an empty label"),
    ("label of 64 octets",       "a" * 64,              None,    "a label of 64 octets"),
    ("256 octets",               LONGEST + "d",         None,    "256 octets"),
    ("too long by the origin",   "a." * 121 + "a",      EXAMPLE, "257 octets"),
    ("not ASCII",                "bücher.example",      None,    "xn--"),
    ("fullwidth digit",          "\\\N{FULLWIDTH DIGIT ZERO}00.", None,    "ASCII"),
    ("backslash at the end",     "www\\",               None,    "ends in a backslash"),
    ("escape over 255",          r"\256.",              None,    r"\256 is no escape"),
    ("escape of two digits",     r"\25",                None,    r"\25 is no escape"),
    ("escape of digit, letter",  r"\25x.",              None,    r"\25x is no escape"),
]
# fmt: on


@pytest.mark.parametrize(
    ("text", "origin", "wire"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD]
)
def test_text_becomes_octets(text, origin, wire):
    assert from_text(text, origin) == wire


@pytest.mark.parametrize(
    ("text", "origin", "said"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_bad_text_is_refused_with_the_reason(text, origin, said):
    with pytest.raises(BadName) as refused:
        from_text(text, origin)

    assert said in str(refused.value)


def test_the_longest_name_has_255_octets():
    assert len(from_text(LONGEST)) == MAX_NAME


ascii_text = st.text(st.sampled_from('aB0-_*@\\."; ,09z'), max_size=40)


@LAW
@given(ascii_text)
def test_dnspython_reads_names_alike(text):
    """A text is good for both or for neither, and gives the same octets."""
    try:
        ours = from_text(text)
    except BadName:
        ours = None
    try:
        theirs = dns.name.from_text(text).canonicalize().to_wire()
    except (dns.exception.DNSException, ValueError):
        theirs = None
    if text in ("", "@"):  # for dnspython these are the origin; here only "@" with one given
        return

    assert ours == theirs


labels = st.lists(st.binary(min_size=1, max_size=20), max_size=12).map(
    lambda each: [label.lower() for label in each]
)


@LAW
@given(labels)
def test_any_name_survives_the_way_over_text(parts):
    name = b"".join(bytes((len(label),)) + label for label in parts) + b"\x00"
    text = to_text(name)

    assert from_text(text) == name
    assert dns.name.from_text(text).to_wire() == name
    assert labels_of(name) == parts


def test_text_keeps_upper_case_and_escapes_what_would_be_read_otherwise():
    assert to_text(b'\x03WwW\x04a.b \x03"\\;\x00') == 'WwW.a\\.b\\032.\\"\\\\\\;.'
    assert to_text(ROOT) == "."


def test_ancestors_end_at_the_root():
    name = from_text("a.b.c")

    assert [to_text(each) for each in ancestors(name)] == ["b.c.", "c.", "."]
    assert list(ancestors(ROOT)) == []
    assert parent(name) == from_text("b.c")
    with pytest.raises(ValueError, match="no parent"):
        parent(ROOT)


# fmt: off
BELOW = [
    ("child",                  "www.example.com", "example.com",     True),
    ("far below",              "a.b.example.com", "com",             True),
    ("everything but itself",  "com",             ".",               True),
    ("itself",                 "example.com",     "example.com",     False),
    ("the root",               ".",               ".",               False),
    ("the other way round",    "example.com",     "www.example.com", False),
    ("same octets at the end", r"x\007example.com", "example.com",   False),
    ("sibling",                "www.example.net", "example.com",     False),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "ancestor", "expected"), [row[1:] for row in BELOW], ids=[row[0] for row in BELOW]
)
def test_below(name, ancestor, expected):
    assert is_below(from_text(name), from_text(ancestor)) is expected
