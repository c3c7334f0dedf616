"""Answers behind links, by the client's network, and CNAMEs that are followed once chosen."""

import dns.edns
import dns.flags
import dns.message
import pytest

from gtmdns.answers import answer as tags
from gtmdns.answers.answer import Fixed, leaf
from gtmdns.answers.cache import AnswerCache, client_number
from gtmdns.answers.prepared import MAX_KEPT
from gtmdns.answers.responder import prepare, respond
from gtmdns.answers.snapshot import Snapshot
from gtmdns.wire.constants import SERVFAIL
from gtmdns.wire.query import parse_query
from tests.compiler.support import ask, compile_text, rcode, section, snapshot_of, with_records
from tests.example_zone import NUMBERS, OTHER, STEERED, example

HASHED = "endpoints: [203.0.113.1, 203.0.113.2, 203.0.113.3, 203.0.113.4], select: hash"
RECORDS = """
  hashed: {pools: hashed}
  tohashed: {CNAME: hashed}
  byred: {route: {red: hashed, default: one}}
  named: {pools: named}
  spread: {pools: {a: 1, b: 1}}
  long: {CNAME: XXX}
  XXX: {CNAME: YYY}
  YYY: {CNAME: ZZZ}
  ZZZ: {pools: one}
  deep: {CNAME: named}
""".replace("XXX", "x" * 63 + ".x" * 60).replace("YYY", "y" * 63 + ".y" * 60)
RECORDS = RECORDS.replace("ZZZ", "z" * 63 + ".z" * 60)
REST = f"""
regions: {{red: {{networks: [192.0.2.0/25, 10.1.0.0/16]}}}}
pools:
  hashed: {{{HASHED}}}
  one: {{endpoints: [203.0.113.9]}}
  named: {{endpoints: [hashed.example.test]}}
  a: {{endpoints: [one.a.example.net]}}
  b: {{endpoints: [hashed.example.test]}}
"""
SNAPSHOT = snapshot_of(compile_text(with_records(RECORDS, REST)))
CLIENTS = [f"198.51.{n}.7" for n in range(64)]


def asked_for(
    name: str, subnet: str, client: str = "198.51.100.1", snapshot: Snapshot = SNAPSHOT
) -> tuple[list[str], int]:
    """Return the answer section and the scope for a client subnet."""
    address, _, prefix = subnet.partition("/")
    option = dns.edns.ECSOption(address, int(prefix))
    query = dns.message.make_query(f"{name}.example.test.", "A", use_edns=0, options=[option])
    octets = respond(query.to_wire(), client_number(client), snapshot, 5)
    response = dns.message.from_wire(octets or b"")
    return section(response.answer), response.options[0].scopelen


@pytest.mark.parametrize("name", ["hashed", "tohashed", "named", "byred", "deep"])
def test_one_network_gets_one_answer_whatever_is_drawn(name):
    cache = AnswerCache(SNAPSHOT)
    chosen = set()
    for client in CLIENTS:
        answers = {
            str(ask(SNAPSHOT, f"{name}.example.test.", "A", client, draw << 60).answer)
            for draw in range(8)
        }
        query = dns.message.make_query(f"{name}.example.test.", "A", id=1).to_wire()
        whole = [cache.respond(query, client, draw << 60) for draw in range(3)]
        assert len(answers) == 1
        assert len(set(whole)) == 1
        assert whole[0] == respond(query, client_number(client), SNAPSHOT, 0)
        chosen |= answers

    assert len(chosen) == (1 if name == "byred" else 4)


# fmt: off
SCOPES = [
    # what                               name        subnet             scope
    ("hashed",                           "hashed",   "198.51.7.0/24",   24),
    ("a longer prefix",                  "hashed",   "198.51.7.9/32",   24),
    ("IPv6",                             "hashed",   "2001:db8::/64",   56),
    ("no prefix",                        "hashed",   "0.0.0.0/0",       0),
    ("behind a CNAME",                   "tohashed", "198.51.7.0/24",   24),
    ("behind a CNAME that was chosen",   "named",    "198.51.7.0/24",   24),
    ("hashed by one rule",               "byred",    "192.0.2.0/25",    25),
    ("not by the other, away from it",   "byred",    "198.51.7.0/24",   6),
    ("a private address that is placed", "byred",    "10.1.9.0/24",     24),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "subnet", "scope"), [row[1:] for row in SCOPES], ids=[row[0] for row in SCOPES]
)
def test_scope(name, subnet, scope):
    assert asked_for(name, subnet)[1] == scope


def test_one_scope_one_answer():
    assert len({str(asked_for("hashed", f"198.51.7.{n}/32")) for n in range(0, 256, 5)}) == 1
    assert len({str(asked_for("hashed", f"198.51.{n}.0/24")[0]) for n in range(40)}) == 4


def test_an_address_without_a_place_does_not_count_but_the_transport_does():
    """10.9.0.0/16 is private, and no region holds it."""
    for client in CLIENTS[:8]:
        by_transport = section(ask(SNAPSHOT, "hashed.example.test.", "A", client).answer)
        assert asked_for("hashed", "10.9.1.0/24", client)[0] == by_transport


def test_a_chosen_cname_is_followed_where_its_target_is_here():
    seen = {
        tuple(section(ask(SNAPSHOT, "spread.example.test.", "A", draw=n << 56).answer))
        for n in range(256)
    }

    away = ("spread.example.test. 60 CNAME one.a.example.net.",)
    assert away in seen
    followed = [each for each in seen if each != away]
    assert {len(each) for each in followed} == {2}
    assert all("hashed.example.test. 60 A 203.0.113." in each[0] for each in followed)


@pytest.mark.parametrize("edns", [False, 0], ids=["plain", "EDNS"])
@pytest.mark.parametrize(
    ("client", "code", "number"), [("192.0.2.77", "NOERROR", 1), ("198.51.100.77", "SERVFAIL", 0)]
)
def test_an_answer_without_records_behind_a_cname(client, code, number, edns):
    """NODATA has the links and the SOA; SERVFAIL has neither."""
    snapshot = example()
    query = dns.message.make_query("to-down.example.com.", "A", use_edns=edns)
    octets = respond(query.to_wire(), client_number(client), snapshot, 0)
    response = dns.message.from_wire(octets or b"")

    assert (rcode(response), len(response.answer), len(response.authority)) == (
        code, number, number,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "code", "number"), [(0, "NOERROR", 1), (SERVFAIL, "SERVFAIL", 0)]
)
def test_an_answer_without_records_behind_a_chosen_cname(outcome, code, number):
    snapshot = example()
    snapshot.change([(NUMBERS["www"], Fixed(leaf(None, tags.FIRST_TAG, outcome)).encoded())])

    response = ask(snapshot, "alias-www.example.com.", "A")

    assert (rcode(response), len(response.answer)) == (code, number)


@pytest.mark.parametrize("payload", [512, 1232])
@pytest.mark.parametrize("subnet", [[], [dns.edns.ECSOption("192.0.2.0", 24)]])
@pytest.mark.parametrize("name", ["to-down", "alias-www"])
def test_nodata_behind_a_cname_says_that_all_are_down(name, subnet, payload):
    snapshot = example(nsid=b"n" * 240)
    down = Fixed(leaf(None, tags.FIRST_TAG, 1 << 8)).encoded()
    snapshot.change([(NUMBERS["nodata"], down), (NUMBERS["www"], down)])
    nsid = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")
    told = {}
    for options in (subnet, [*subnet, nsid]):
        query = dns.message.make_query(
            f"{name}.example.com.", "A", use_edns=0, options=options, payload=payload
        )
        octets = respond(query.to_wire(), client_number("192.0.2.77"), snapshot, 0) or b""
        response = dns.message.from_wire(octets)
        assert len(octets) <= payload
        assert not response.flags & dns.flags.TC
        assert (rcode(response), len(response.answer), len(response.authority)) == ("NOERROR", 1, 1)
        told[len(options) - len(subnet)] = {option.otype for option in response.options}

    own = {option.otype for option in subnet}
    assert told[0] == own | {dns.edns.OptionType.EDE}
    assert told[1] == own | {dns.edns.OptionType.EDE, dns.edns.OptionType.NSID}


@pytest.mark.parametrize(
    ("name", "tag"),
    [("alias-www", STEERED), ("alias", tags.STATIC), ("to-region", OTHER), ("to-nothing", tags.NXDOMAIN)],
)  # fmt: skip
def test_the_choice_that_led_on_is_counted(name, tag):
    snapshot = example()

    ask(snapshot, f"{name}.example.com.", "A")

    assert [key & 0xFFFF for key in snapshot.tally] == [tag]


@pytest.mark.parametrize(
    ("name", "kept"), [("tohashed", True), ("named", True), ("long", False), ("deep", False)]
)
def test_only_what_is_small_is_kept(name, kept):
    packet = dns.message.make_query(f"{name}.example.test.", "A").to_wire()

    assert prepare(packet, parse_query(packet), SNAPSHOT, None).keep is kept
    assert MAX_KEPT < 65_536
