"""A master file merged with the records of the configuration: answers, conflicts, serials."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gtmdns.compiler import zones
from gtmdns.compiler.build import Compiled, compile_config
from gtmdns.compiler.lint import warnings_of
from gtmdns.config.load import Loaded, load
from gtmdns.config.mistakes import BadConfig
from tests.compiler.support import NOW, PLAIN, ask, rcode, section, snapshot_of

KEYS = "    nameservers: {ns1: [192.0.2.53]}\n    contact: hostmaster@example.test\n"
WHOLE = """
$TTL 300
@ SOA ns1 host 7 1h 1h 1w 20
  NS ns1
  NS ns.other.test.
  MX 10 mail
ns1 A 192.0.2.53
mail A 192.0.2.25
*.wild TXT wild
both TXT "from the file"
alias CNAME www
sub NS ns.sub
    DS 1 13 2 abababababababababababababababababababababababababababababababab
ns.sub A 192.0.2.60
below.sub TXT occluded
"""
RECORDS = """
    records:
      www: {pools: p}
      both: {A: 192.0.2.99, ttl: 5}
      own: {TXT: own}
pools: {p: {endpoints: [203.0.113.1]}, names: {endpoints: [cdn.example.net]}}
"""


def load_files(folder: Path, zone: str, master: str) -> Loaded:
    """Load the zone example.test with these lines in YAML, and a master file."""
    (folder / "gtmdns.yaml").write_text(
        f"{PLAIN}zones:\n  example.test:\n    zone_file: static.zone\n{zone.lstrip(chr(10))}"
    )
    (folder / "static.zone").write_text(master)
    return load(folder / "gtmdns.yaml")


def compile_files(
    folder: Path, zone: str, master: str, serials: Mapping[str, tuple[str, int]] | None = None
) -> Compiled:
    return compile_config(load_files(folder, zone, master), serials or {}, NOW)


SOA = "example.test. 20 SOA ns1.example.test. host.example.test. 7 3600 3600 604800 20"
# fmt: off
ANSWERS = [
    # name, type -> (rcode, answer, authority)
    ("@",         "SOA",  ("NOERROR", [SOA.replace(" 20 SOA", " 300 SOA")], [])),
    ("@",         "NS",   ("NOERROR", ["example.test. 300 NS ns.other.test.", "example.test. 300 NS ns1.example.test."], [])),
    ("@",         "MX",   ("NOERROR", ["example.test. 300 MX 10 mail.example.test."], [])),
    ("@",         "A",    ("NOERROR", [], [SOA])),
    ("ns1",       "A",    ("NOERROR", ["ns1.example.test. 300 A 192.0.2.53"], [])),
    ("a.wild",    "TXT",  ("NOERROR", ['a.wild.example.test. 300 TXT "wild"'], [])),
    ("both",      "TXT",  ("NOERROR", ['both.example.test. 300 TXT "from the file"'], [])),
    ("both",      "A",    ("NOERROR", ["both.example.test. 5 A 192.0.2.99"], [])),
    ("own",       "TXT",  ("NOERROR", ['own.example.test. 60 TXT "own"'], [])),
    ("www",       "A",    ("NOERROR", ["www.example.test. 60 A 203.0.113.1"], [])),
    ("x",         "A",    ("NXDOMAIN", [], [SOA])),
    ("sub",       "A",    ("NOERROR", [], ["sub.example.test. 300 NS ns.sub.example.test."])),
    ("sub",       "DS",   ("NOERROR", ["sub.example.test. 300 DS 1 13 2 " + "ab" * 32], [])),
    ("below.sub", "TXT",  ("NOERROR", [], ["sub.example.test. 300 NS ns.sub.example.test."])),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "rtype", "expected"), ANSWERS, ids=[f"{case[0]} {case[1]}" for case in ANSWERS]
)
def test_answers(
    tmp_path: Path, name: str, rtype: str, expected: tuple[str, list[str], list[str]]
) -> None:
    snapshot = snapshot_of(compile_files(tmp_path, RECORDS, WHOLE))

    full = "example.test." if name == "@" else f"{name}.example.test."
    response = ask(snapshot, full, rtype)

    assert (rcode(response), section(response.answer), section(response.authority)) == expected


# fmt: off
MISTAKES = [
    # what, YAML of the zone, master file, mistakes; the YAML begins in line 5
    ("neither here nor there", "    ttl: 5\n", "a TXT x\n", [
        "gtmdns.yaml:3:3: zones.example.test.contact: missing; expected here, or SOA in the master file",
        "gtmdns.yaml:3:3: zones.example.test.nameservers: missing; expected here, or NS in the master file"]),
    ("here and there", KEYS + "    serial: 5\n    negative_ttl: 9\n", WHOLE, [
        "gtmdns.yaml:5:5: zones.example.test.nameservers: given by NS at static.zone:4 too",
        "gtmdns.yaml:6:14: zones.example.test.contact: given by SOA at static.zone:3 too",
        "gtmdns.yaml:7:13: zones.example.test.serial: given by SOA at static.zone:3 too",
        "gtmdns.yaml:8:19: zones.example.test.negative_ttl: given by SOA at static.zone:3 too"]),
    ("an address of a name server twice", KEYS, "ns1 A 192.0.2.53\n", [
        "gtmdns.yaml:5:19: zones.example.test.nameservers.ns1: has an address at static.zone:1 too"]),
    ("one type in both", KEYS + "    records: {a: {A: 192.0.2.1}}\n", "x TXT x\na A 192.0.2.1\n", [
        "gtmdns.yaml:7:22: zones.example.test.records.a.A: set by static.zone:2 too"]),
    ("a CNAME beside YAML", KEYS + "    records: {a: {TXT: x}}\n", "a CNAME b\n", [
        "gtmdns.yaml:7:15: zones.example.test.records.a: a CNAME allows no other records at its name; CNAME is at static.zone:1"]),
    ("a CNAME of YAML", KEYS + "    records: {a: {CNAME: x}}\n", "a TXT b\n", [
        "gtmdns.yaml:7:15: zones.example.test.records.a: a CNAME allows no other records at its name; TXT is at static.zone:1"]),
    ("a CNAME beside others in the file", KEYS, "a TXT b\na CNAME b\n", [
        "static.zone:2: a CNAME allows no other records at its name"]),
    ("two CNAMEs", KEYS, "a CNAME b\na CNAME c\n", ["static.zone:1: one name only, expected a single CNAME"]),
    ("a CNAME at the apex", KEYS, "@ CNAME b\n", [
        "static.zone:1: the apex cannot be a CNAME, it has SOA and NS"]),
    ("steered beside static", KEYS + "    records: {a: {pools: p}}\npools: {p: {endpoints: [192.0.2.1]}}\n", "a AAAA ::1\n", [
        "gtmdns.yaml:7:15: zones.example.test.records.a: steered, but an address stands at static.zone:1 already"]),
    ("host names beside static", KEYS + "    records: {a: {pools: p}}\npools: {p: {endpoints: [a.test]}}\n", "a TXT x\n", [
        "gtmdns.yaml:7:15: zones.example.test.records.a: host names are answered as CNAME, which cannot stand beside TXT at static.zone:1"]),
    ("DS alone", KEYS, "a DS 1 13 2 " + "ab" * 32 + "\n", ["static.zone:1: stands beside NS of a delegated name alone"]),
    ("more than NS at a cut", KEYS, "a NS ns.other.test.\n TXT x\n", [
        "static.zone:1: a delegated name has NS, DS, and addresses as glue, nothing else"]),
    ("no way to a name server", KEYS, "\na NS ns.a\n", [
        "static.zone:2: ns.a.example.test. is reached by its addresses alone, expected a record with A or AAAA in this zone"]),
    ("no address of the zone's name server", "    ttl: 5\n", "@ SOA a b 1 2 3 4 5\n@ NS ns\n", [
        "static.zone:2: ns.example.test. is reached by its addresses alone, expected a record with A or AAAA in this zone"]),
    ("a line that is none", KEYS, "a A 192.0.2.1\nb AA 192.0.2.1\n", ["static.zone:2: cannot be read: AA is no RR type"]),
]
# fmt: on


@pytest.mark.parametrize(
    ("zone", "master", "expected"),
    [case[1:] for case in MISTAKES],
    ids=[case[0] for case in MISTAKES],
)
def test_mistakes(tmp_path: Path, zone: str, master: str, expected: list[str]) -> None:
    with pytest.raises(BadConfig) as raised:
        compile_files(tmp_path, zone, master)

    said = [str(mistake).replace(f"{tmp_path}/", "") for mistake in raised.value.mistakes]
    assert said == expected


def test_an_rrset_that_no_message_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "MAX_RECORDS", 2)
    records = "    records: {b: {A: [192.0.2.1, 192.0.2.2, 192.0.2.3], TXT: [x, y]}}\n"

    with pytest.raises(BadConfig) as raised:
        compile_files(tmp_path, KEYS + records, "a TXT x\na TXT y\nc TXT x\na TXT z\n")

    said = sorted(str(mistake).rpartition("/")[2] for mistake in raised.value.mistakes)
    too_many = "an RRset of 3 records, no message holds more than 2"
    assert said == [
        f"gtmdns.yaml:7:19: zones.example.test.records.b.A: {too_many}",
        f"static.zone:1: {too_many}",
    ]


def test_soa_of_the_keys_and_ns_of_the_file(tmp_path: Path) -> None:
    """Each stands for its own keys: the first NS is then the primary of the SOA."""
    master = "@ NS ns.other.test.\n NS ns9.other.test.\n"
    compiled = compile_files(tmp_path, "    contact: h@example.test\n    serial: 3\n", master)

    response = ask(snapshot_of(compiled), "example.test.", "SOA")

    assert section(response.answer)[0].startswith("example.test. 60 SOA ns.other.test. h.exam")


def test_serials(tmp_path: Path) -> None:
    """`auto` follows the content of the master file; a serial in that is taken as it is."""
    first = compile_files(tmp_path, KEYS, "a TXT 1\n")
    same = compile_config(load_files(tmp_path, KEYS, "a TXT 1\n"), first.plan.serials, NOW + 5)
    other = compile_config(load_files(tmp_path, KEYS, "a TXT 2\n"), first.plan.serials, NOW + 5)
    own = compile_config(load_files(tmp_path, "", WHOLE), first.plan.serials, NOW + 5)

    serials = [each.plan.zones["example.test"].serial for each in (first, same, other, own)]
    assert serials == [NOW, NOW, NOW + 5, 7]


def test_the_files_are_watched(tmp_path: Path) -> None:
    (tmp_path / "more.zone").write_text("b 5 TXT b\n")
    loaded = load_files(tmp_path, KEYS, "a TXT 1\n$INCLUDE more.zone\n")

    names = ["gtmdns.yaml", "static.zone", "more.zone"]
    assert loaded.files == tuple(tmp_path / name for name in names)

    with pytest.raises(BadConfig) as raised:
        load_files(tmp_path, KEYS, "$INCLUDE more.zone\na A x\n")
    assert set(loaded.files) <= set(raised.value.files)


def test_a_name_that_a_deeper_zone_hides_is_warned_of(tmp_path: Path) -> None:
    deeper = "  sub.example.test:\n    nameservers: {ns.other.test.: []}\n    contact: a@b.test\n"
    master = "sub 5 NS ns.other.test.\nx.sub 5 TXT hidden\ny.sub 5 A 192.0.2.1\n"
    loaded = load_files(tmp_path, KEYS + deeper, master)

    warnings = warnings_of(loaded, compile_config(loaded, {}, NOW))

    assert warnings == [
        f"{tmp_path}/static.zone:2: never answered: the zone sub.example.test has this name"
    ]
