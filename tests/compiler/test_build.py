"""From a configuration to the pieces of a snapshot: what is shared, numbered, counted, versioned."""

import marshal
from itertools import pairwise
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import pytest

from gtmdns.answers.cache import client_number
from gtmdns.answers.responder import respond
from gtmdns.compiler.build import BASE_BITS, CHUNK, MAX_COUNTED, Compiled, compile_config
from gtmdns.config.load import load
from gtmdns.config.mistakes import BadConfig
from gtmdns.wire.name import from_text
from tests.compiler.support import (
    NOW,
    ask,
    compile_text,
    mistakes_in,
    rcode,
    section,
    snapshot_of,
    with_records,
)

POOLS = """
regions:
  east: {networks: [203.0.113.0/24, "2001:db8:e::/48"]}
  west: {networks: [198.51.100.0/24]}
  inside: {networks: [10.1.0.0/16]}
pools:
  home: {endpoints: [192.0.2.1]}
  away: {endpoints: [192.0.2.2]}
  six: {endpoints: ["2001:db8::6"]}
  spare: {endpoints: [192.0.2.9]}
"""


def compiled(records: str, **options: Any) -> Compiled:
    return compile_text(with_records(records, POOLS), **options)


def nodes_of(compiled: Compiled) -> dict[bytes, tuple[Any, ...]]:
    """Return by name (base, types, cname, referral), in the order of the pieces."""
    return {
        node[0]: node[1:] for piece in compiled.pieces if piece[0] == "nodes" for node in piece[2]
    }


def answers_of(compiled: Compiled) -> list[Any]:
    return [answer for piece in compiled.pieces if piece[0] == "answers" for answer in piece[1]]


def types_at(compiled: Compiled, owner: str) -> dict[int, int]:
    return dict(nodes_of(compiled)[from_text(owner, from_text("example.test."))][1])


def test_names_with_one_target_share_one_answer() -> None:
    few = compiled("n0: {pools: [home, away]}")
    many = compiled("\n".join(f"n{n}: {{pools: [home, away]}}" for n in range(100)))

    numbers = {types_at(many, f"n{n}")[1] for n in range(100)}

    assert len(numbers) == 1
    assert len(answers_of(many)) == len(answers_of(few))
    assert len(many.plan.specs) == 1
    assert len(many.plan.targets) == 1


# fmt: off
APART = [
    # two records, whether they share an answer
    ("one: {pools: home}",           "two: {pools: home}",                            True),
    ("one: {pools: home, ttl: 60}",  "two: {pools: home}",                            True),
    ("one: {pools: home}",           "two: {pools: home, ttl: 61}",                   False),
    ("one: {pools: home}",           "two: {pools: home, when_all_down: servfail}",   False),
    ("one: {pools: home}",           "two: {pools: [home]}",                          False),
    ("one: {pools: home}",           "two: {pools: away}",                            False),
    ("one: {A: 192.0.2.7}",          "two: {A: 192.0.2.7}",                           True),
    ("one: {A: 192.0.2.1}",          "two: {pools: home}",                            False),
]
# fmt: on


@pytest.mark.parametrize(("one", "two", "share"), APART)
def test_what_shares_an_answer(one: str, two: str, share: bool) -> None:
    """Only what stays alike whatever happens to the endpoints: never by what the octets are now."""
    both = compiled(f"{one}\n{two}")

    assert (types_at(both, "one")[1] == types_at(both, "two")[1]) == share


def test_equal_routes_share_their_table_and_their_answers() -> None:
    route = "{route: {east: home, default: away}}"
    both = compiled(f"one: {route}\ntwo: {route}\nthree: {{route: {{east: away, default: home}}}}")

    assert sum(len(piece[1]) for piece in both.pieces if piece[0] == "routes") == 1
    assert types_at(both, "one")[1] == types_at(both, "two")[1] < 0
    assert types_at(both, "three")[1] < 0
    assert types_at(both, "three")[1] != types_at(both, "one")[1]


def test_pieces_are_small_and_fit_for_the_channel() -> None:
    records = "\n".join(f"n{n}: {{A: 192.0.2.{n % 250}}}" for n in range(1300))
    many = compiled(records)

    assert [tuple(piece) for piece in marshal.loads(marshal.dumps(many.pieces))] == many.pieces
    names = [len(piece[-1]) for piece in many.pieces if piece[0] in ("nodes", "static")]
    assert max(names) == CHUNK
    assert sum(names) == 1302, "with the apex, and ns1"
    assert rcode(ask(snapshot_of(many), "n1299.example.test.", "A")) == "NOERROR"


def test_nodes_come_in_the_order_of_the_file() -> None:
    """So the same names are counted by themselves after every load."""
    names = [f"n{n}" for n in range(50)]
    order = list(nodes_of(compiled("\n".join(f"{name}: {{pools: home}}" for name in names))))

    origin = from_text("example.test.")
    assert [name for name in order if from_text("ns1", origin) != name][1:] == [
        from_text(name, origin) for name in names
    ]


def test_the_first_thousand_names_are_counted_by_themselves() -> None:
    many = compiled("\n".join(f"n{n}: {{pools: home}}" for n in range(MAX_COUNTED + 5)))
    counted = many.plan.counted
    nodes = nodes_of(many)

    def label(name: str) -> tuple[str, str]:
        return counted[nodes[from_text(name)][0] >> BASE_BITS]

    assert len(counted) == MAX_COUNTED + 2  # and "no zone", and "other"
    assert label("example.test.") == ("example.test", "example.test")
    assert label("n0.example.test.") == ("example.test", "n0.example.test")
    assert label(f"n{MAX_COUNTED + 4}.example.test.") == ("example.test", "other")
    assert counted[0] == ("", "")


def test_names_of_the_plan_have_their_types() -> None:
    made = compiled(
        'a: {A: 192.0.2.1, TXT: x}\nb: {pools: home, MX: 10 m}\nc: {route: {default: home}}\n"*.d": {PTR: x}'
    )

    assert made.plan.names == {
        ("example.test", "example.test"): ("NS", "SOA"),
        ("example.test", "ns1.example.test"): ("A",),
        ("example.test", "a.example.test"): ("A", "TXT"),
        ("example.test", "b.example.test"): ("pools", "MX"),
        ("example.test", "c.example.test"): ("route",),
        ("example.test", "*.d.example.test"): ("PTR",),
    }


# Routes


ROUTED = """
near: {route: {east: home, west: away, default: [spare, six]}}
some: {route: {east: [home, six], default: away}}
"""


def ask_from(made: Compiled, name: str, rtype: str, source: str, subnet: str | None) -> Any:
    """Return (records, RCODE, scope of the echoed subnet or None)."""
    options = []
    if subnet is not None:
        address, _, length = subnet.partition("/")
        options = [dns.edns.ECSOption(address, int(length))]
    query = dns.message.make_query(name, rtype, use_edns=0, options=options)
    octets = respond(query.to_wire(), client_number(source), snapshot_of(made), 0)
    assert octets is not None
    response = dns.message.from_wire(octets)
    scope = next((o.scopelen for o in response.options if isinstance(o, dns.edns.ECSOption)), None)
    return [str(rdata) for rrset in response.answer for rdata in rrset], rcode(response), scope


# fmt: off
CLIENTS = [
    # name, type, source, subnet -> answer, scope
    ("near", "A",    "203.0.113.9",    None,               ["192.0.2.1"],    None),
    ("near", "A",    "198.51.100.9",   None,               ["192.0.2.2"],    None),
    ("near", "A",    "192.0.2.200",    None,               ["192.0.2.9"],    None),
    ("near", "A",    "2001:db8:e::1",  None,               ["192.0.2.1"],    None),
    ("near", "A",    "192.0.2.200",    "203.0.113.0/24",   ["192.0.2.1"],    24),
    ("near", "A",    "192.0.2.200",    "198.51.100.0/24",  ["192.0.2.2"],    24),
    ("near", "A",    "203.0.113.9",    "203.0.112.0/24",   ["192.0.2.9"],    24),
    ("near", "A",    "203.0.113.9",    "16.0.0.0/24",      ["192.0.2.9"],    4),   # 10/8 is nobody's
    ("near", "AAAA", "203.0.113.9",    None,               [],               None),
    ("near", "AAAA", "192.0.2.200",    "203.0.113.0/24",   [],               24),
    ("near", "AAAA", "192.0.2.200",    "16.0.0.0/24",      ["2001:db8::6"],  4),
    ("some", "AAAA", "192.0.2.200",    "203.0.113.0/24",   ["2001:db8::6"],  24),
    ("some", "AAAA", "192.0.2.200",    "2001:db8:e::/56",  ["2001:db8::6"],  48),
    ("near", "TXT",  "192.0.2.200",    "203.0.113.0/24",   [],               0),
    ("nope", "A",    "192.0.2.200",    "203.0.113.0/24",   [],               0),
]
# fmt: on


@pytest.mark.parametrize(("name", "rtype", "source", "subnet", "expected", "scope"), CLIENTS)
def test_route(
    name: str, rtype: str, source: str, subnet: str | None, expected: list[str], scope: int | None
) -> None:
    """A family that a rule does not have is NODATA with the rule's scope; a name's absence has 0."""
    found = ask_from(compiled(ROUTED), f"{name}.example.test.", rtype, source, subnet)

    assert found == (expected, "NXDOMAIN" if name == "nope" else "NOERROR", scope)


def test_networks_of_private_addresses_are_told_to_the_workers() -> None:
    private = next(piece[1] for piece in compiled("").pieces if piece[0] == "private")

    assert private == ((client_number("10.1.0.0"), client_number("10.1.255.255")),)


def test_a_rule_that_nobody_is_left_for_is_reported() -> None:
    regions = POOLS.replace("inside:", "again: {networks: [203.0.113.128/25]}\n  inside:")
    made = compile_text(
        with_records("a: {route: {east: home, again: away, default: home}}", regions)
    )

    assert made.unreached == {("east", "again"): ("again",)}


# Serials


def serial(text: str, before: Compiled | None = None, now: int = NOW) -> tuple[int, Compiled]:
    made = compile_text(text, before.plan.serials if before else {}, now)
    soa = ask(snapshot_of(made), "example.test.", "SOA").answer[0][0]
    assert soa.serial == made.plan.zones["example.test"].serial
    return soa.serial, made


BASE = with_records("www: {route: {east: home, default: away}}", POOLS)

# fmt: off
CHANGES = [
    # what, before, after, whether the serial changes
    ("nothing",                "",                          "",                               False),
    ("a comment",              "records:",                  "records:  # these",              False),
    ("another spelling",       "ttl: 60",                   'ttl:   60',                      False),
    ("a record",               "default: away",             "default: home",                  True),
    ("the TTL",                "ttl: 60",                   "ttl: 61",                        True),
    ("the contact",            "hostmaster@",               "admin@",                         True),
    ("a pool that it uses",    "home: {endpoints: [192.0.2.1]", "home: {endpoints: [192.0.2.8]", True),
    ("a pool that it uses not", "[192.0.2.9]",              "[192.0.2.19]",                   False),
    ("a region that it uses",  "203.0.113.0/24",            "203.0.113.0/25",                 True),
    ("a region that it uses not", "10.1.0.0/16",            "10.2.0.0/16",                    False),
    ("another zone", "zones:\n", "zones:\n  other.test: {nameservers: {ns.other.net.: []}, contact: a@b.test}\n", False),
]
# fmt: on


@pytest.mark.parametrize(
    ("old", "new", "changes"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_the_serial_changes_with_the_content_alone(old: str, new: str, changes: bool) -> None:
    assert old in BASE
    first, before = serial(BASE)
    later, _ = serial(BASE.replace(old, new, 1), before, NOW + 100)

    assert first == NOW
    assert later == (NOW + 100 if changes else NOW)


def test_the_serial_never_goes_backwards() -> None:
    """Not when the clock does, and not after a serial that was written by hand (RFC 1982)."""
    texts = [BASE.replace("ttl: 60", f"ttl: {ttl}", 1) for ttl in range(1, 4)]
    by_hand = BASE.replace("ttl: 60", "ttl: 60\n    serial: 4294967295", 1)
    serials, made = [], None
    for text, now in zip([*texts, by_hand, BASE], [NOW, NOW, NOW - 900, NOW, NOW], strict=True):
        number, made = serial(text, made, now)
        serials.append(number)

    assert serials == [NOW, NOW + 1, NOW + 2, 4294967295, NOW]
    assert all(0 < (later - earlier) % 2**32 < 2**31 for earlier, later in pairwise(serials[3:]))


def test_a_serial_ahead_of_the_time_goes_on_from_there() -> None:
    """Serials of the form 2026112101 are larger than the Unix time until the year 2034."""
    _, before = serial(BASE.replace("ttl: 60", "ttl: 60\n    serial: 2026112101", 1))

    assert serial(BASE, before)[0] == 2026112102


# Mistakes


def test_mistakes_of_all_zones_are_told_at_once() -> None:
    text = with_records("www: {A: x}", POOLS) + (
        "  other.test:\n    nameservers: {ns.other.net.: []}\n    contact: a@b.test\n"
        "    records: {www: {AAAA: y}}\n"
    )

    assert [mistake.split()[1] for mistake in mistakes_in(text)] == [
        "zones.example.test.records.www.A:",
        "zones.other.test.records.www.AAAA:",
    ]


def test_an_all_of_too_many_draws_is_a_mistake_at_its_record() -> None:
    joined = ", ".join(["{home: 1, away: 1}"] * 11)

    (mistake,) = mistakes_in(with_records(f"www: {{pools: {{all: [{joined}]}}}}", POOLS))

    assert "records.www: `all` joins more weighted members than 1024 answers can hold" in mistake


def test_a_database_that_cannot_be_read_is_a_mistake_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "good.mmdb").write_bytes(b"no database")
    path = tmp_path / "gtmdns.yaml"
    path.write_text("geoip:\n  databases: [good.mmdb]\n" + with_records("", POOLS))

    with pytest.raises(BadConfig) as raised:
        compile_config(load(path), {}, NOW)

    (mistake,) = raised.value.mistakes
    assert (mistake.line, mistake.column, mistake.key) == (2, 15, "geoip.databases[0]")
    assert "good.mmdb" in mistake.problem
    assert path in raised.value.files


def test_two_zones_that_are_one() -> None:
    other = "  Example.TEST.:\n    nameservers: {ns.other.net.: []}\n    contact: a@b.test\n"

    (mistake,) = mistakes_in(with_records("", POOLS) + other)

    assert 'zones.Example.TEST.: the same zone as "example.test"' in mistake


def test_a_record_without_endpoints_of_a_family_has_no_such_type() -> None:
    made = compiled("four: {pools: home}\nsix: {pools: six}\nboth: {pools: [home, six]}")

    assert {name: set(types_at(made, name)) for name in ("four", "six", "both")} == {
        "four": {1},
        "six": {28},
        "both": {1, 28},
    }


def test_everything_is_compiled_as_if_all_were_usable() -> None:
    """Verdicts are control's to apply, after the load."""
    made = compiled("www: {pools: [home, away]}")

    assert section(ask(snapshot_of(made), "www.example.test.", "A").answer) == [
        "www.example.test. 60 A 192.0.2.1"
    ]
