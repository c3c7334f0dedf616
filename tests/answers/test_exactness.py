"""Shares are exact, whatever way leads to a name: every ticket is counted, nothing is estimated.

A draw is a place in [0, 2**64) and an answer divides that space into tickets of equal size. One
draw for each ticket, therefore, gives each answer exactly as often as its weight says. A choice
behind another one draws from the next number of splitmix64, which can be calculated backwards: so
there is a draw for every pair of tickets, and their counts are exact as well.
"""

from collections import Counter
from fractions import Fraction
from itertools import permutations
from socket import inet_ntoa

import dns.flags
import dns.message
import pytest

from gtmdns.answers.answer import Nested, Several, Shuffled, Weighted
from gtmdns.answers.cache import AnswerCache
from gtmdns.answers.choice import MASK64, split
from gtmdns.answers.responder import respond
from gtmdns.wire.constants import MAX_TCP, A
from gtmdns.wire.name import from_text
from tests.compiler.support import compile_text, snapshot_of, with_records
from tests.example_zone import IN_EU

ZONE = "example.test"
NAMES = ["weights", "inside", "three", "eight", "several", "nested"]


def config() -> str:
    hosts = "\n".join(f"  to-{name}: {{endpoints: [{name}.{ZONE}]}}" for name in NAMES)
    ways = "\n".join(
        f"{name}.alias: {{CNAME: {name}}}\n"
        f'"*.{name}.wild": {{CNAME: {name}}}\n'
        f"{name}.hosts: {{pools: to-{name}}}"
        for name in NAMES
    )
    return with_records(
        f"""
weights: {{pools: {{a: 1, b: 3, c: 5}}}}
inside: {{pools: inside}}
three: {{pools: three}}
eight: {{pools: eight}}
several: {{pools: several}}
nested: {{pools: {{a: 1, three: 2}}}}
forty: {{pools: forty}}
two-hosts: {{pools: {{to-three: 1, to-inside: 3}}}}
led: {{DNAME: {ZONE}.}}
{ways}
""",
        f"""
pools:
  a: {{endpoints: [192.0.2.1]}}
  b: {{endpoints: [192.0.2.2]}}
  c: {{endpoints: [192.0.2.3]}}
  inside: {{endpoints: [{_weighted(5, 3, 2)}]}}
  several: {{endpoints: [{_weighted(5, 3, 2, 1)}], max_answers: 2}}
  three: {{endpoints: [{_many(3)}]}}
  eight: {{endpoints: [{_many(8)}]}}
  forty: {{endpoints: [{_many(40)}], max_answers: 40}}
{hosts}
""",
    )


def _many(number: int) -> str:
    return ", ".join(f"198.51.100.{n}" for n in range(1, number + 1))


def _weighted(*weights: int) -> str:
    return ", ".join(
        f"{{address: 203.0.113.{n}, weight: {weight}}}" for n, weight in enumerate(weights, 1)
    )


SNAPSHOT = snapshot_of(compile_text(config()))
CACHE = AnswerCache(SNAPSHOT)


def unsplit(draw: int) -> int:
    """Return the draw of which `split` makes this one."""
    draw ^= draw >> 31 ^ draw >> 62
    draw = draw * pow(0x94D049BB133111EB, -1, 1 << 64) & MASK64
    draw ^= draw >> 27 ^ draw >> 54
    draw = draw * pow(0xBF58476D1CE4E5B9, -1, 1 << 64) & MASK64
    draw ^= draw >> 30 ^ draw >> 60
    return draw - 0x9E3779B97F4A7C15 & MASK64


def spaced(tickets: int) -> list[int]:
    """Return one draw for each of so many equal parts of [0, 2**64)."""
    return [-(-(ticket << 64) // tickets) for ticket in range(tickets)]


def paired(first: int, second: int) -> list[int]:
    """Return a draw for each pair of a ticket of the first choice and one of the next."""
    found: dict[tuple[int, int], int] = {}
    for ticket, start in enumerate(spaced(second)):
        missing = set(range(first))
        step = 0
        while missing:
            draw = unsplit(start + step * 0x1234567)
            step += 1
            if draw * first >> 64 in missing:
                missing.discard(draw * first >> 64)
                found[draw * first >> 64, ticket] = draw
    return [found[key] for key in sorted(found)]


# name -> draws that stand for every ticket
DRAWS = {
    "weights": spaced(27),
    "inside": spaced(30),
    "three": spaced(6),
    "eight": spaced(128),
    "several": paired(44, 44),
    "nested": paired(6, 6),
}


def packet(name: str, edns: int | None = None) -> bytes:
    query = dns.message.make_query(
        name, "A", id=1, use_edns=False if edns is None else 0, payload=edns
    )
    return query.to_wire()


def octets(query: bytes, draw: int, limit: int | None = None) -> bytes:
    response = respond(query, IN_EU, SNAPSHOT, draw, limit)
    assert response is not None
    return response


def read(response: bytes) -> dns.message.Message:
    message = dns.message.from_wire(response)
    assert not message.flags & dns.flags.TC
    return message


def drawn(response: bytes, links: int = 0, edns: bool = False) -> tuple[str, ...]:
    """Return the addresses in their order. A record of one is 16 octets, and they stand last.

    links: records before them
    """
    records = response[: -11 if edns else None]
    number = int.from_bytes(response[6:8]) - links
    rdata = [
        records[at + 12 : at + 16] for at in range(len(records) - 16 * number, len(records), 16)
    ]
    return tuple(map(inet_ntoa, rdata))


DIRECT = {
    name: [drawn(octets(packet(f"{name}.{ZONE}"), draw)) for draw in draws]
    for name, draws in DRAWS.items()
}


def test_calculating_backwards() -> None:
    for draw in (0, 1, MASK64, 0x0123456789ABCDEF):
        assert split(unsplit(draw)) == unsplit(split(draw)) == draw


@pytest.mark.parametrize(
    ("name", "kind", "tickets"),
    [("weights", Weighted, 27), ("inside", Weighted, 30), ("three", Shuffled, 6),
     ("eight", Shuffled, 128), ("several", Several, 44), ("nested", Nested, 6)],
)  # fmt: skip
def test_each_name_is_what_it_is_here_for(name: str, kind: type, tickets: int) -> None:
    """Every kind of answer is among them, and DRAWS knows how many tickets each has."""
    zone = SNAPSHOT.zone_of(from_text(f"{name}.{ZONE}"))
    assert zone is not None
    node, _ = zone.lookup(from_text(f"{name}.{ZONE}"))
    assert node is not None
    number = node.entry(A)
    assert isinstance(number, int)
    answer = SNAPSHOT.answers[number]

    assert isinstance(answer, kind)
    assert (answer if isinstance(answer, Weighted | Shuffled) else answer.table).tickets == tickets


def shares(name: str, place: int = 0) -> dict[str, Fraction]:
    counts = Counter(order[place] for order in DIRECT[name])
    return {address: Fraction(count, len(DIRECT[name])) for address, count in counts.items()}


def test_weights_are_exact() -> None:
    assert shares("weights") == {
        "192.0.2.1": Fraction(1, 9), "192.0.2.2": Fraction(3, 9), "192.0.2.3": Fraction(5, 9),
    }  # fmt: skip
    assert shares("inside") == {
        "203.0.113.1": Fraction(5, 10), "203.0.113.2": Fraction(3, 10), "203.0.113.3": Fraction(2, 10),
    }  # fmt: skip


@pytest.mark.parametrize("number", [3, 8])
def test_each_address_is_equally_often_at_each_place(number: int) -> None:
    name = {3: "three", 8: "eight"}[number]
    each = {f"198.51.100.{n}": Fraction(1, number) for n in range(1, number + 1)}

    assert [shares(name, place) for place in range(number)] == [each] * number


def test_every_order_of_three_is_equally_often() -> None:
    assert sorted(DIRECT["three"]) == sorted(permutations(f"198.51.100.{n}" for n in (1, 2, 3)))


def test_several_are_exact() -> None:
    """The first by weight, and the second by weight where it was not drawn again."""
    weights = dict(zip((f"203.0.113.{n}" for n in range(1, 5)), (5, 3, 2, 1), strict=True))
    answer = next(answer for answer in SNAPSHOT.answers if isinstance(answer, Several))
    pick = answer.table.pick
    pairs = Counter(
        order
        for order, draw in zip(DIRECT["several"], DRAWS["several"], strict=True)
        if pick(draw) != pick(split(draw))
    )

    assert shares("several") == {name: Fraction(n, 11) for name, n in weights.items()}
    assert pairs == {
        (one, two): 16 * weights[one] * weights[two] for one, two in permutations(weights, 2)
    }


def test_nested_shares_are_exact() -> None:
    counts = Counter(DIRECT["nested"])

    assert counts.pop(("192.0.2.1",)) == 12, "a third of the pairs"
    assert counts == dict.fromkeys(permutations(f"198.51.100.{n}" for n in (1, 2, 3)), 4)


# fmt: off
WAYS = [
    # id                      name asked for      limit     EDNS    draws that were spent before
    ("over TCP",              "{}",               MAX_TCP,  None,   0),
    ("with EDNS",             "{}",               None,     4096,   0),
    ("a static CNAME",        "{}.alias",         None,     None,   0),
    ("a wildcard",            "x.{}.wild",        None,     None,   0),
    ("a wildcard far above",  "x.y.z.{}.wild",    MAX_TCP,  1232,   0),
    ("a DNAME",               "{}.led",           None,     None,   0),
    ("a DNAME to a CNAME",    "{}.alias.led",     None,     None,   0),
    ("DNAME twice",           "{}.led.led",       MAX_TCP,  None,   0),
    ("a steered CNAME",       "{}.hosts",         None,     None,   1),
    ("DNAME, steered CNAME",  "{}.hosts.led",     MAX_TCP,  4096,   1),
]
# fmt: on


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("way", "limit", "edns", "before"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS]
)
def test_no_way_to_a_name_changes_a_share(
    name: str, way: str, limit: int | None, edns: int | None, before: int
) -> None:
    """Every ticket leads to the answer that it has where the name is asked for itself."""
    query = packet(f"{way.format(name)}.{ZONE}", edns)
    draws = [unsplit(draw) for draw in DRAWS[name]] if before else DRAWS[name]
    first = read(octets(query, draws[0], limit))
    links = sum(map(len, first.answer)) - len(DIRECT[name][0])

    assert [str(rdata) for rdata in first.answer[-1]] == list(DIRECT[name][0])
    found = [drawn(octets(query, draw, limit), links, edns is not None) for draw in draws]
    assert found == DIRECT[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_cached_answer_has_the_same_shares(name: str) -> None:
    query = packet(f"{name}.{ZONE}")

    answers = [CACHE.respond(query, "192.0.2.77", draw) for draw in DRAWS[name]]

    assert [drawn(answer or b"") for answer in answers] == DIRECT[name]


def test_shares_behind_a_choice_of_names_are_products() -> None:
    """One time in four through the first name, and there each address one time in three."""
    counts: Counter[tuple[str, str]] = Counter()
    draws = paired(8, 30)
    for draw in draws:
        message = read(octets(packet(f"two-hosts.{ZONE}"), draw))
        counts[str(message.answer[0][0]), str(message.answer[1][0])] += 1

    assert len(draws) == 240
    assert counts == {
        **{(f"three.{ZONE}.", f"198.51.100.{n}"): 20 for n in (1, 2, 3)},
        **{
            (f"inside.{ZONE}.", f"203.0.113.{n}"): count for n, count in ((1, 90), (2, 54), (3, 36))
        },
    }


@pytest.mark.parametrize("edns", [None, 512, 600])
def test_a_truncated_answer_says_nothing_and_tcp_all_of_it(edns: int | None) -> None:
    """Whatever was drawn, the same octets without a record; so who asks again has a fair draw."""
    query = packet(f"forty.{ZONE}", edns)
    draws = spaced(640)
    truncated = {octets(query, draw) for draw in draws}
    answers = [octets(query, draw, MAX_TCP) for draw in draws]
    firsts = Counter(drawn(answer, edns=edns is not None)[0] for answer in answers)

    [only] = truncated
    message = dns.message.from_wire(only)
    assert message.flags & dns.flags.TC
    assert [message.answer, message.authority, message.additional] == [[], [], []]
    assert set(firsts.values()) == {16}
    assert len(firsts) == 40


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["{}", "{}.alias", "{}.hosts.led"])
def test_one_octet_decides_between_all_of_it_and_nothing(name: str, way: str) -> None:
    """No draw gives a part: nothing stands in a steered answer that could be left out first."""
    query = packet(f"{way.format(name)}.{ZONE}")
    for draw in DRAWS[name][:: len(DRAWS[name]) // 6]:
        whole = octets(query, draw, MAX_TCP)
        assert octets(query, draw, len(whole)) == whole
        cut = dns.message.from_wire(octets(query, draw, len(whole) - 1))

        assert cut.flags & dns.flags.TC
        assert cut.answer == []
