"""Federation names: what one record publishes, what leads where, and what cannot be."""

import re

import dns.rcode
import pytest

from gtmdns.control.publication import Publication
from gtmdns.health.condition import WELL, Condition
from tests.compiler.support import (
    NOW,
    ask,
    compile_text,
    mistakes_in,
    refresh,
    section,
    with_records,
)

DOWN = Condition(usable=False)
POOLS = """
pools:
  a1: {endpoints: [192.0.2.1, "2001:db8::1"], locality: {region: a, zone: a-1}, min_available: 2}
  a2: {endpoints: [192.0.2.2, 192.0.2.3], locality: {region: a, zone: a-2}, max_answers: 1}
  a3: {endpoints: [192.0.2.4], locality: {region: a, zone: a-2}}
  b1: {endpoints: [192.0.2.5], locality: {region: b, zone: b-1}}
  none: {endpoints: [192.0.2.6]}
"""
RECORD = "nginx.ns.svc: {federate: [a1, a2, a3, b1]}"
EVERY = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"]


@pytest.fixture
def publication() -> Publication:
    made = compile_text(with_records(RECORD, POOLS))
    return Publication.of(made.plan, made.pieces)


def lose(publication: Publication, *addresses: str) -> None:
    conditions = {
        name: tuple(DOWN if e.address in addresses else WELL for e in pool.endpoints)
        for name, pool in publication.plan.pools.items()
    }
    refresh(publication, publication.plan.pools, conditions)


def told(publication: Publication, between: str, rtype: str = "A") -> list[str]:
    """Return the records of the name with these labels: "alias NAME", else the value."""
    name = f"nginx.ns.svc.{between}example.test."
    response = ask(publication.snapshot, name, rtype)
    assert {rrset.ttl for rrset in response.answer} <= {180}
    found = []
    for line in section(response.answer):
        _, _, kind, value = line.split()
        if kind == "CNAME":
            value = "alias " + value.removeprefix("nginx.ns.svc.").removesuffix("example.test.")
        found.append(value)
    return found


def test_the_names_of_a_record(publication: Publication) -> None:
    assert {
        name.removesuffix(".example.test"): types
        for (_, name), types in publication.plan.names.items()
        if name.startswith("nginx")
    } == dict.fromkeys(
        (
            "nginx.ns.svc",
            "nginx.ns.svc.a", "nginx.ns.svc.b",
            "nginx.ns.svc.a-1", "nginx.ns.svc.a-1.a",
            "nginx.ns.svc.a-2", "nginx.ns.svc.a-2.a",
            "nginx.ns.svc.b-1", "nginx.ns.svc.b-1.b",
        ),
        ("federate",),
    )  # fmt: skip
    assert {s.owner for s in publication.plan.steered.values()} == {"nginx.ns.svc"}
    assert ("example.test", "nginx.ns.svc.a-1.a.example.test") in publication.plan.counted


# fmt: off
STORIES = [
    # lost -> labels, type, what is told
    ((), "",       "A", EVERY),
    ((), "",       "AAAA", ["2001:db8::1"]),
    ((), "",       "TXT", []),
    ((), "a.",     "A", EVERY[:4]),
    ((), "a-2.a.", "A", EVERY[1:4]),  # of two pools, whatever their max_answers
    ((), "a-2.",   "A", EVERY[1:4]),
    ((), "a-2.",   "AAAA", []),
    ((), "b.",     "A", EVERY[4:]),
    (("192.0.2.1",), "a-1.", "A", []),  # one family is lost: NODATA, the other answers
    (("192.0.2.1",), "a-1.", "AAAA", ["2001:db8::1"]),
    (("192.0.2.1", "2001:db8::1"), "a-1.", "A", ["alias a.", *EVERY[1:4]]),
    (("192.0.2.1", "2001:db8::1"), "a-1.a.", "A", ["alias a.", *EVERY[1:4]]),
    (("192.0.2.1", "2001:db8::1"), "a.", "A", EVERY[1:4]),
    (("192.0.2.2",), "a-2.", "A", EVERY[2:4]),
    (("192.0.2.5",), "b-1.b.", "A", ["alias b.", "alias ", *EVERY[:4]]),
    (("192.0.2.5",), "b-1.b.", "TXT", ["alias b.", "alias "]),
    (("192.0.2.5",), "b.",   "A", ["alias ", *EVERY[:4]]),
    (("192.0.2.5",), "",     "A", EVERY[:4]),
    ((*EVERY, "2001:db8::1"), "", "A", EVERY),  # serve_all of the widest
    ((*EVERY, "2001:db8::1"), "a-1.", "A", ["alias a.", "alias ", *EVERY]),
]
# fmt: on


@pytest.mark.parametrize(("lost", "between", "rtype", "expected"), STORIES)
def test_a_name_answers_all_that_is_usable_or_leads_to_the_next_wider(
    publication: Publication, lost: tuple[str, ...], between: str, rtype: str, expected: list[str]
) -> None:
    lose(publication, *lost)

    assert sorted(told(publication, between, rtype)) == sorted(expected)


@pytest.mark.parametrize(
    ("policy", "rcode", "value"),
    [
        ("servfail", "SERVFAIL", []),
        ("empty", "NOERROR", []),
        ("{pools: none}", "NOERROR", ["192.0.2.6"]),
    ],
)
def test_the_widest_name_does_as_the_record_says(policy: str, rcode: str, value: list[str]) -> None:
    record = f"nginx.ns.svc: {{federate: [a1, b1], when_all_down: {policy}, ttl: 180}}"
    made = compile_text(with_records(record, POOLS))
    publication = Publication.of(made.plan, made.pieces)
    lose(publication, *EVERY, "2001:db8::1")

    assert told(publication, "") == value
    narrow = ask(publication.snapshot, "nginx.ns.svc.b-1.example.test.", "A")
    assert dns.rcode.to_text(narrow.rcode()) == rcode
    aliases = [] if rcode == "SERVFAIL" else ["alias b.", "alias "]
    assert told(publication, "b-1.") == aliases + value


def test_a_serial_changes_with_the_pools_that_are_federated() -> None:
    before = compile_text(with_records(RECORD, POOLS)).plan.serials
    for old, new, changes in [
        ("zone: b-1", "zone: b-2", True),
        ("endpoints: [192.0.2.5]", "endpoints: [192.0.2.55]", True),
        ("192.0.2.6", "192.0.2.66", False),  # of a pool that nothing uses
    ]:
        made = compile_text(with_records(RECORD, POOLS.replace(old, new)), before, NOW + 9)
        assert (made.plan.serials["example.test"][1] == NOW + 9) == changes, new


def test_a_name_written_with_its_zone_is_the_same() -> None:
    plain, dotted = (
        compile_text(with_records(record, POOLS)).plan.steered
        for record in (RECORD, RECORD.replace("svc:", "svc.example.test.:"))
    )

    assert list(plain) == list(dotted)


LONG = ".".join(["x" * 58] * 4)


# fmt: off
MISTAKES = [
    # records -> mistakes: what stands behind the place and the key
    (f"{RECORD}\nnginx.ns.svc.a: {{TXT: mine}}",
        ["makes the name nginx.ns.svc.a.example.test., which stands at gtmdns.yaml:16:7 too"]),
    (f"{RECORD}\nnginx.ns.svc.a-1.a: {{pools: b1}}",
        ["makes the name nginx.ns.svc.a-1.a.example.test., which stands at gtmdns.yaml:16:7 too"]),
    ("svc: {federate: [a1]}\nsvc.a-1: {federate: [a1]}",
        ["makes the name svc.a-1.a.example.test., which stands at gtmdns.yaml:15:7 too",
         "makes the name svc.a-1.example.test., which stands at gtmdns.yaml:16:7 too"]),
    (f"{LONG}: {{federate: [a1]}}", None),
    ("x: {federate: [a1]}\na.x: {NS: ns.other.test.}", []),
    ("x: {federate: [a1]}\na-1.a: {NS: ns.other.test.}",
        ["makes the name x.a-1.a.example.test., which is delegated"]),
    ("x: {federate: [a1]}\na: {NS: ns.other.test.}",
        ["makes the name x.a.example.test., which is delegated",
         "makes the name x.a-1.a.example.test., which is delegated"]),
    ("ns1: {federate: [a1]}", None),
]
# fmt: on


@pytest.mark.parametrize(("records", "expected"), MISTAKES)
def test_names_that_cannot_be(records: str, expected: list[str] | None) -> None:
    found = mistakes_in(with_records(records, POOLS))

    assert all(".federate: " in mistake for mistake in found), found
    if expected is None:
        assert found
    else:
        said = [re.sub("at /.*/", "at ", mistake.split(".federate: ")[1]) for mistake in found]
        assert sorted(said) == sorted(expected)


def test_an_alias_of_itself_is_a_mistake() -> None:
    fine = "www: {pools: a2, when_all_down: {cname: sorry}}"
    wrong = "www: {pools: a2, when_all_down: {cname: WWW.example.test.}}"

    assert mistakes_in(with_records(fine, POOLS)) == []
    [mistake] = mistakes_in(with_records(wrong, POOLS))
    assert mistake.endswith("when_all_down.cname: an alias of itself; expected another name")
