"""Plain lines: the fast reader reads what dnspython reads, and leaves every mistake to it."""

from pathlib import Path
from time import process_time
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gtmdns.config import zonefile
from gtmdns.config.mistakes import Mistake
from gtmdns.config.plain import READERS, Carried, read_plain_lines
from gtmdns.config.zonefile import Budget, ZoneFile, read_zone_file
from gtmdns.wire.name import ROOT, from_text

ASKED = Mistake("gtmdns.yaml", 3, 5, "zones.example.test.zone_file", "")
APEX = from_text("example.test.")


def read(folder: Path, text: str) -> ZoneFile:
    (folder / "z.zone").write_bytes(text.encode())
    return read_zone_file("z.zone", folder, "example.test", 60, Budget(), ASKED)


def slowly(folder: Path, text: str) -> ZoneFile:
    """Read all of it by dnspython."""
    with patch.object(zonefile, "read_plain_lines", lambda text, at, line, *_: (at, line)):
        return read(folder, text)


def told(found: ZoneFile) -> object:
    """All that a file says, where each first record stands, and what is wrong."""
    rrsets = [
        (name, rtype, rrset.ttl, rrset.place, rrset.values)
        for name, rrsets in found.rrsets.items()
        for rtype, rrset in rrsets.items()
    ]
    return rrsets, [str(mistake) for mistake in found.mistakes], found.digest


WORDS = st.sampled_from([
    "a", "B.a", "*.c", "@", "x.example.test.", "x.other.test.", "a..b", ".", ".a", "x" * 64, ".".join(["y" * 50] * 5), "_s._tcp", "1/2.arpa",
    r"e\.f", r"\065", "é", "\u017f", "$", "$ORIGIN", "$TTL", "IN", "in", "CH", "5", "1h", "007", "999999999", "9999999999", "2147483648", "-1", "+5", "1_0", "\u0663",
    "65535", "65536", "A", "a", "AAAA", "CNAME", "Ns", "MX", "TXT", "PTR", "SRV", "SOA", "N\u017fEC", "NSEC", "HTTPS", "TYPE1", r"\#", "4",
    "192.0.2.1", "192.0.2.01", "192.0.2.256", "192.0.2", "::1", "2001:DB8::1", "1::2::3", "::1.2.3.4", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "fe80::1%lo", "12345::", ":1", "1:",
    '"q"', '"a b"', '"a;b"', '"', '""', '"é"', '"' + "z" * 256 + '"', "z" * 256, '"a""b"', '"a"b', ";", "; c", "(", ")", "\\",
])  # fmt: skip
GAPS = st.sampled_from([" ", " ", " ", "\t", "  ", " \t ", ""])
NAMES = st.sampled_from(
    [
        "a",
        "B.a",
        "*.c",
        "@",
        "x.example.test.",
        "x.other.test.",
        "",
        "",
        r"e\.f",
        "a.b.c.",
        "x" * 63,
        "x" * 64,
    ]
)
TTLS = st.sampled_from(
    [
        "",
        "",
        " 5",
        " IN",
        " in 7",
        " 8 IN",
        " IN IN",
        " 5 IN 6",
        " 1h",
        " 0",
        " 2147483647",
        " 2147483648",
    ]
)
VALUES = st.sampled_from([
    "A 192.0.2.1", "a 192.0.2.2 ", "A 192.0.2.2 ; c", "A 192.0.2.01", "A 1.2.3", "A 192.0.2.1 x", "A", "AAAA ::1", "AAAA ::FFFF", "AAAA ::1.2.3.4", "AAAA 1::2::3",
    "CNAME b", "cname B.other.test.", "NS @", "NS a..b", "MX 10 mail", "MX 010 mail", "MX 65536 mail", "MX 1 .", "MX mail", "PTR x y", "SRV 1 2 3 t", "SRV 1 2 t", "TXT a b", "TXT a;b",
    'TXT "a b" "c;(" ; d', 'TXT "', 'TXT ""', 'TXT "a""b"', "TXT é", 'TXT "é"', "TXT a\\032b", "MX ( 10\n mail )", "SOA a b 1 2 3 4 5", "SOA a b 1 2 3 4 9", "NSEC a A", "HTTPS 1 .", r"A \# 4 c0000201",
])  # fmt: skip
LINES = st.one_of(
    st.builds("{}{} {}".format, NAMES, TTLS, VALUES),
    st.builds("{}{} {}".format, NAMES, TTLS, VALUES),
    st.sampled_from(["$TTL 9", "$ORIGIN s", "$ORIGIN test.", "$ORIGIN example.test.", "$ORIGIN .", "", " ", "; c", "\t;", "(", "\r"]),
    st.lists(st.tuples(WORDS, GAPS), max_size=7).map(lambda pairs: "".join(map("".join, pairs))),
)  # fmt: skip
ENDS = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n"])


@settings(deadline=None, derandomize=True, max_examples=300,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(lines=st.lists(st.tuples(LINES, ENDS), max_size=6), last=LINES)
@example(
    lines=[("a A 192.0.2.1", "\n"), (" A 192.0.2.1", "\n"), (" SOA a b 1 2 3 4 5", "\n")],
    last=" A 1.2.3",
)
@example(
    lines=[("$ORIGIN s", "\n"), ("A A 192.0.2.1", "\n"), ("$ORIGIN t", "\n"), (" AAAA ::1", "\n")],
    last=" x",
)
def test_any_lines_give_the_same_records_and_mistakes(
    tmp_path: Path, lines: list[tuple[str, str]], last: str
) -> None:
    text = "".join(line + end for line, end in lines) + last

    assert told(read(tmp_path, text)) == told(slowly(tmp_path, text))


PLAIN = [
    "www A 192.0.2.1", "www 300 IN A 192.0.2.1", "www IN 300 a 192.0.2.1 ; comment", "  AAAA 2001:db8::1", "@ NS ns1", "@ MX 10 mail.other.test.",
    "x.example.test. CNAME www", "_sip._tcp SRV 0 5 5060 sip", "1 PTR host", 't TXT "v=spf1 -all" "two"', "t TXT v=spf1 -all",
]  # fmt: skip


@pytest.mark.parametrize("line", PLAIN)
def test_usual_lines_are_plain(line: str) -> None:
    """The comparison above would hold for a reader that leaves everything to the other."""
    carried = Carried(APEX, APEX, 60, None, 60)
    found: list[object] = []

    text = f"{line}\n{line}"
    at, number = read_plain_lines(text, 0, 7, APEX, carried, lambda *record: found.append(record))

    assert (at, number) == (len(text), 9)
    assert [record[-1] for record in found] == [7, 8]  # type: ignore[index]


def test_every_type_has_a_usual_line() -> None:
    assert {word for word in READERS if any(word in line.upper().split() for line in PLAIN)} == set(
        READERS
    )


def test_a_zone_of_the_root_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "z.zone").write_text("test. NS ns.other.test.\n@ NS a.\n")

    found = read_zone_file("z.zone", tmp_path, ".", 60, Budget(), ASKED)

    assert set(found.rrsets) == {ROOT, from_text("test.")}


def test_an_rrset_of_many_records_costs_no_more_for_each(tmp_path: Path) -> None:
    lines = [f"a A 10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(30_000)]

    begun = process_time()
    found = read(tmp_path, "".join(lines + lines))

    assert len(found.rrsets[from_text("a.example.test.")][1].values) == 30_000
    assert process_time() - begun < 5
