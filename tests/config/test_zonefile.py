"""Master files, judged by dnspython's own zone reader; and every mistake with its line."""

from pathlib import Path

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gtmdns.config.mistakes import Mistake
from gtmdns.config.zonefile import MAX_MISTAKES, Budget, ZoneFile, read_zone_file

ASKED = Mistake("gtmdns.yaml", 3, 5, "zones.example.test.zone_file", "")
SOA = "@ 300 IN SOA ns1 hostmaster 2026010100 3600 600 86400 60\n"

WHOLE = rf"""
; comment, and a blank line above
$TTL 2h
@ IN SOA ns1 host\.master (
        2026010100 ; serial
        1h 10m 1w  ; refresh, retry, expire
        60 )
    NS ns1
    IN NS ns2.other.test.
    600 IN MX 10 mail
    IN 700 MX 20 mail
ns1 A 192.0.2.53
    AAAA 2001:db8::53
*.wild TXT wildcard
we\.ird\032name TXT "one two" "th\"ree" four\059five
UPPER.Example.TEST. A 192.0.2.1
_443._tcp.www TLSA 3 1 1 {"ab" * 32}
svc HTTPS 1 . alpn=h2,h3 (
    ipv4hint=192.0.2.1 )
old TYPE4711 \# 3 abcdef
bytes A \# 4 c0000201
$ORIGIN sub
host A 192.0.2.2
     A 192.0.2.3
     5 A 192.0.2.2
$TTL 90
@ TXT at
$ORIGIN example.test.
a.b.c CNAME host.sub
caa CAA 0 issue "ca.example; x=y"
hip naptr 1 1 "u" "E2U" "!a!b!" .
"""


def read(folder: Path, text: str | bytes, apex: str = "example.test", **more: str) -> ZoneFile:
    """Read `text` as the file z.zone; more: other files, "_" in a name stands for its last dot."""
    for name, content in {"z_zone": text, **more}.items():
        path = folder / name.replace("_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_zone_file("z.zone", folder, apex, 60, Budget(), ASKED)


def ours(found: ZoneFile) -> dict[tuple[str, str], tuple[int, set[str]]]:
    return {
        (dns.name.from_wire(name, 0)[0].to_text(), dns.rdatatype.to_text(rtype)): (
            rrset.ttl,
            {
                dns.rdata.from_wire(dns.rdataclass.IN, rtype, octets, 0, len(octets)).to_text()
                for octets in rrset.values
            },
        )
        for name, rrsets in found.rrsets.items()
        for rtype, rrset in rrsets.items()
    }


def theirs(text: str, apex: str = "example.test") -> dict[tuple[str, str], tuple[int, set[str]]]:
    zone = dns.zone.from_text(text, apex, relativize=False, check_origin=False)
    return {
        (name.to_text().lower(), dns.rdatatype.to_text(rdataset.rdtype)): (
            rdataset.ttl,
            {rdata.to_text() for rdata in rdataset},
        )
        for name, rdataset in zone.iterate_rdatasets()
    }


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        SOA + "a A 192.0.2.1\n",
        "@ SOA ns1 h 1 2 3 4 77\na A 192.0.2.1\nb 5 A 192.0.2.1\nc A 192.0.2.1\n",
        "a 5 A 192.0.2.1\n A 192.0.2.2\n$TTL 9\nb A 192.0.2.1\n",
        WHOLE.replace("\n", "\r\n"),
        "$TTL 5\na A 192.0.2.1",
        "$TTL 5\na A 192.0.2.1 ; a comment without a new line",
        "$ttl 5\na in a 192.0.2.1\nb CLASS1 A 192.0.2.1\n".replace("b CLASS1", "b IN"),
        "$TTL 5\na\tA\t192.0.2.1\n\t\n \n\tTXT\t\"semicolon ; and (parentheses)\"\n",
    ],
)  # fmt: skip
def test_the_rrsets_are_those_that_dnspython_reads(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)

    assert found.mistakes == []
    assert ours(found) == theirs(text) != {}


NAMES = st.sampled_from(["a", "B.a", "*.c", "@", "x.example.test.", r"e\.f", r"\065"])
VALUES = st.sampled_from([
    "A 192.0.2.1", "A 192.0.2.2", "TXT a b", 'TXT "(;" ; comment', "MX ( 10\n\n mail )", "NS @",
    "SRV 1 2 3 t", r"TYPE99 \# 2 0161", "HTTPS 1 .", "AAAA ::1",
])  # fmt: skip
LINES = st.one_of(
    st.builds("$ORIGIN {}".format, NAMES.filter(lambda name: "*" not in name)),
    st.builds("$TTL {}".format, st.integers(0, 900)),
    st.builds(
        "{} {} {}".format,
        st.one_of(NAMES, st.just("")),
        st.sampled_from(["", "5", "IN", "IN 1h", "7 IN", "in"]),
        VALUES,
    ),
)


@settings(deadline=None, derandomize=True, max_examples=200,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(lines=st.lists(LINES, max_size=12))
def test_any_lines_are_read_as_dnspython_reads_them(tmp_path: Path, lines: list[str]) -> None:
    text = "$TTL 60\n@ TXT first\n" + "\n".join(lines) + "\n"

    assert ours(read(tmp_path, text)) == theirs(text)


@settings(deadline=None, derandomize=True, max_examples=300,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    words=st.lists(
        st.sampled_from(["a", "(", ")", '"', "\\", "\\#", "4", ";", "\n", "\n ", "A", "TXT", "SOA", "LOC", "APL", "HIP",
                         "1", "$TTL", "$ORIGIN", "$INCLUDE", "IN", "CH", "@", ".", "é", "\\300", "x" * 64, "\0", "99999999999"]),
        max_size=12,
    )
)  # fmt: skip
def test_nonsense_is_a_mistake_with_a_line(tmp_path: Path, words: list[str]) -> None:
    """Invariant: nothing is raised, and every mistake has a line of this file."""
    found = read(tmp_path, " ".join(words))

    assert all(mistake.line >= 1 and mistake.problem for mistake in found.mistakes)


# fmt: off
MISTAKES = [
    # what, text, mistakes as LINE what
    ("a name of another zone",    SOA + "a A 192.0.2.1\nb.other.test. A 192.0.2.1\n example.net. A 1.1.1.1\n",
        ["3 b.other.test. is not in the zone example.test.", "4 cannot be read: example.net. is no RR type"]),
    ("an origin outside",         "$ORIGIN test.\na 5 A 192.0.2.1\n", ["2 a.test. is not in the zone example.test."]),
    ("a bad address",             SOA + "\na A 192.0.2.256\n", ["3 cannot be read: no A record (is malformed)"]),
    ("too many words",            SOA + "\na MX 10 a b\n", ['3 cannot be read: no MX record ("b" is too much)']),
    ("a bad line in parentheses", SOA + "a A (\n192.0.2.1\n192.0.2.2 )\n", ["2 cannot be read: "]),
    ("a parenthesis left open",   "a 5 A ( 192.0.2.1\n\n", ["1 cannot be read: "]),
    ("several",                   SOA + "a AA 1\n\nb A x ; (\n A 192.0.2.1\nc 5 TXT ( a\n ; )\n b\n) ( d )\nd AAA ( 1\n2 ; )\n3)\ne TXT \"open\nf MX mail\n",
        ["2 cannot be read: AA is no RR type", "4 cannot be read: no A record", "10 cannot be read: AAA is no RR type",
         "13 cannot be read: no TXT record", "14 cannot be read: no MX record"]),
    ("behind CR LF",              SOA + "a AA 1\r\nb A 192.0.2.1\r\nc AA 1\r\n",
        ["2 cannot be read: AA is no RR type", "4 cannot be read: AA is no RR type"]),
    ("a backslash at the end",    SOA + "a TXT x\\\nb AA 1\n", ["2 cannot be read: ", "3 cannot be read: AA is no RR type"]),
    ("a parenthesis too many",    SOA + "a AA 1 )\nb AA 1\n", ["2 cannot be read: "]),
    ("a directive",               "$ORIGIN a..b\nb AA 1\n", ["1 cannot be read: "]),
    ("many that cannot be read",  "a 5 AA x\n" * 99,
        [f"{n} cannot be read: AA is no RR type" for n in range(1, MAX_MISTAKES + 1)]
        + [f"{MAX_MISTAKES} reading ends after so many mistakes"]),
    ("no type",                   "a 5 IN NONE x\n", ["1 cannot be read: NONE is no RR type"]),
    ("another class",             "a 5 CH TXT x\n", ["1 cannot be read: the class is CH, expected IN"]),
    ("no owner",                  " 5 TXT x\n", ["1 cannot be read: the first record has no owner"]),
    ("a long TTL",                "a 2147483648 TXT x\n", ["1 cannot be read: "]),
    ("a long label",              "x" * 64 + " 5 TXT x\n", ["1 cannot be read: "]),
    ("GENERATE",                  "$GENERATE 1-2 a$ A 192.0.2.$\n", ["1 $GENERATE is not supported"]),
    ("a made type",               "a 5 NSEC b A\n", ["1 NSEC: is made by signing a zone, which is not supported yet"]),
    ("a second SOA",              SOA + SOA + SOA.replace("2026", "2027"), ["3 a second SOA; the first is at {}:1"]),
    ("an SOA elsewhere",          SOA.replace("@", "a"), ["1 an SOA at a.example.test., expected it at example.test. alone"]),
    ("not UTF-8",                 b"a 5 TXT x\nb 5 TXT \xff\n", ["2 not UTF-8"]),
    ("very many",                 "o.test. 5 TXT x\n" * 99,
        ["1 o.test. is not in the zone example.test."] + [f"{n} o.test. is not" for n in range(2, MAX_MISTAKES + 1)]
        + [f"{MAX_MISTAKES} reading ends after so many mistakes"]),
]
# fmt: on


@pytest.mark.parametrize(
    ("text", "expected"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_mistakes(tmp_path: Path, text: str | bytes, expected: list[str]) -> None:
    found = read(tmp_path, text)

    path = tmp_path / "z.zone"
    assert len(found.mistakes) == len(expected)
    for mistake, line_and_what in zip(found.mistakes, expected, strict=True):
        line, _, what = line_and_what.partition(" ")
        assert str(mistake).startswith(f"{path}:{line}: {what.format(path)}")


def test_a_file_included(tmp_path: Path) -> None:
    """$INCLUDE leaves origin, owner and TTL of its own file alone (RFC 1035 section 5.1)."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.zone").write_text("$TTL 9\nx A 192.0.2.1\n$INCLUDE b.zone\n")
    (tmp_path / "more" / "b.zone").write_text("$ORIGIN y\nz A 192.0.2.2\n")

    found = read(
        tmp_path, "$TTL 5\nw TXT w\n$INCLUDE more/a.zone sub ; here\n TXT v\n$INCLUDE more/b.zone\n"
    )

    assert found.mistakes == []
    assert {name: ttl for (name, _), (ttl, _) in ours(found).items()} == {
        "w.example.test.": 5,
        "x.sub.example.test.": 9,
        "z.y.sub.example.test.": 9,
        "z.y.example.test.": 5,
    }
    assert ours(found)["w.example.test.", "TXT"] == (5, {'"w"', '"v"'})
    assert [path.name for path in found.files] == ["z.zone", "a.zone", "b.zone", "b.zone"]


# fmt: off
INCLUDES = [
    # what, the name, where and what is said
    ("itself",              "z.zone",              "z.zone:2: {folder}/z.zone includes itself"),
    ("a ring",              "ring.zone",           "ring.zone:1: {folder}/z.zone includes itself"),
    ("a parent folder",     "../outside.zone",     "z.zone:2: {folder}/../outside.zone is outside of the folder {folder}"),
    ("an absolute path",    "/etc/passwd",         "z.zone:2: /etc/passwd is outside of the folder {folder}"),
    ("a link out",          "link.zone",           "z.zone:2: {folder}/link.zone is outside of the folder {folder}"),
    ("none",                "none.zone",           "z.zone:2: {folder}/none.zone cannot be read: no such file or directory"),
    ("a folder",            ".",                   "z.zone:2: {folder} is not a regular file"),
    ("a mistake inside",    "bad.zone",            "bad.zone:1: cannot be read: b is no RR type"),
    ("again and again",     "many.zone",           "many.zone:1: more than 1000 files"),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "said"), [case[1:] for case in INCLUDES], ids=[case[0] for case in INCLUDES]
)
def test_a_file_that_cannot_be_included(tmp_path: Path, name: str, said: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "outside.zone").write_text("o TXT o\n")
    (folder / "link.zone").symlink_to(tmp_path / "outside.zone")
    (folder / "many.zone").write_text("$INCLUDE few.zone\n" * 2_000)

    found = read(
        folder, f"$TTL 5\n$INCLUDE {name}\n",
        ring_zone="$INCLUDE z.zone\n", bad_zone="a b\n", few_zone="",
    )  # fmt: skip

    if name == "many.zone":
        said = said.replace(":1:", ":999:")
    assert [str(mistake) for mistake in found.mistakes] == [
        f"{folder}/{said.format(folder=folder)}"
    ]


def test_the_file_as_a_whole_is_a_mistake_of_the_key(tmp_path: Path) -> None:
    found = read_zone_file("none.zone", tmp_path, "example.test", 60, Budget(), ASKED)

    assert [str(mistake) for mistake in found.mistakes] == [
        f"gtmdns.yaml:3:5: zones.example.test.zone_file: {tmp_path}/none.zone cannot be read: "
        "no such file or directory"
    ]
    assert found.files == [tmp_path / "none.zone"]  # whoever waits for it may look there


@pytest.mark.parametrize("name", ["a\0b", "ring", "/etc/passwd", "../x"])
def test_a_path_that_leads_nowhere_good_is_a_mistake(tmp_path: Path, name: str) -> None:
    (tmp_path / "ring").symlink_to("ring")

    found = read_zone_file(name, tmp_path, "example.test", 60, Budget(), ASKED)

    assert [mistake.key for mistake in found.mistakes] == [ASKED.key]
    assert found.rrsets == {}


def test_octets_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "z.zone").write_text("a 5 TXT x\n")
    budget = Budget(15)

    first = read_zone_file("z.zone", tmp_path, "example.test", 60, budget, ASKED)
    second = read_zone_file("z.zone", tmp_path, "example.test", 60, budget, ASKED)

    assert first.mistakes == []
    assert "is too large; all master files together may have 64 MiB" in second.mistakes[0].problem


def test_the_ttl_without_any_is_that_of_the_zone(tmp_path: Path) -> None:
    assert ours(read(tmp_path, "a TXT x\n")) == {("a.example.test.", "TXT"): (60, {'"x"'})}


def test_the_digest_is_of_the_contents(tmp_path: Path) -> None:
    text = "$INCLUDE m.zone\n"
    digests = [read(tmp_path, text, m_zone=f"a 5 TXT {n}\n").digest for n in (1, 2, 1)]

    assert digests[0] == digests[2] != digests[1]
