"""Route tables against a plain walk over the intervals, and the law of the scope."""

import marshal
from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.answers.route import (
    MAPPED,
    MAX_RULE,
    NAT64,
    SIX_TO_FOUR,
    TEREDO,
    RouteTable,
    embedded_ipv4,
)

V4 = 0xFFFF << 32


def client(text: str) -> int:
    address = ip_address(text)
    return int(address) + (V4 if address.version == 4 else 0)


# 10.0.0.0/8 is rule 0, 198.51.100.0/24 rule 1, 2001:db8::/32 rule 0, 2001:db8:1:2:3::/80 rule 2,
# the rest rule 3.
STARTS4 = [
    int(ip_address(text)) for text in ("10.0.0.0", "11.0.0.0", "198.51.100.0", "198.51.101.0")
]
PREFIXES = [
    ("::ffff:0:0/96", MAPPED),
    ("64:ff9b::/96", NAT64),
    ("2001::/32", TEREDO),
    ("2001:db8::/32", 0),
    ("2002::/16", SIX_TO_FOUR),
]


def starts6() -> tuple[list[int], list[int]]:
    starts, rules = [], [3]
    for text, rule in PREFIXES:
        network = ip_network(text)
        starts += [int(network.network_address), int(network.broadcast_address) + 1]
        rules += [rule, 3]
    hole = ip_network("2001:db8:1:2:3::/80")
    at = starts.index(int(ip_address("2001:db8::"))) + 1
    starts[at:at] = [int(hole.network_address), int(hole.broadcast_address) + 1]
    rules[at + 1 : at + 1] = [2, 0]
    return starts, rules


TABLE = RouteTable(STARTS4, [3, 0, 3, 1, 3], *starts6())

# fmt: off
CASES = [
    # id                           client                          rule scope
    ("IPv4 inside",                "10.1.2.3",                     0, 96 + 8),
    ("IPv4 first",                 "10.0.0.0",                     0, 96 + 8),
    ("IPv4 last",                  "10.255.255.255",               0, 96 + 8),
    ("IPv4 below",                 "9.255.255.255",                3, 96 + 7),
    ("IPv4 above",                 "11.0.0.0",                     3, 96 + 8),
    ("IPv4 zero",                  "0.0.0.0",                      3, 96 + 5),
    ("IPv4 last of all",           "255.255.255.255",              3, 96 + 3),
    ("IPv4 a /24",                 "198.51.100.77",                1, 96 + 24),
    ("IPv4 beside the /24",        "198.51.101.77",                3, 96 + 24),
    ("IPv6 inside",                "2001:db8::1",                  0, 48),
    ("IPv6 first",                 "2001:db8::",                   0, 48),
    ("IPv6 the hole",              "2001:db8:1:2:3::9",            2, 80),
    ("IPv6 beside the hole",       "2001:db8:1:2:2:ffff::",        0, 80),
    ("IPv6 same /64 after it",     "2001:db8:1:2:4::",             0, 78),
    ("IPv6 far away",              "ffff::",                       3, 1),
    ("IPv6 zero",                  "::",                           3, 81),
    ("NAT64",                      "64:ff9b::10.1.2.3",            0, 96 + 8),
    ("NAT64, default",             "64:ff9b::192.0.2.1",           3, 96 + 6),
    ("beside NAT64",               "64:ff9b:0:1::10.1.2.3",        3, 64),
    ("6to4",                       "2002:c633:644d::1",            1, 16 + 24),
    ("6to4, default",              "2002:c633:654d::1",            3, 16 + 24),
    ("Teredo, inverted 10.1.2.3",  "2001:0:1:2:3:4:f5fe:fdfc",     0, 96 + 8),
    ("Teredo, not inverted",       "2001:0:1:2:3:4:a01:203",       3, 96 + 3),
]
# fmt: on


@pytest.mark.parametrize(
    ("text", "rule", "scope"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_find(text: str, rule: int, scope: int) -> None:
    assert TABLE.find(client(text)) == rule
    assert TABLE.find_with_scope(client(text)) == (rule, scope)


def test_mapped_is_the_same_number_as_ipv4() -> None:
    assert int(IPv6Address("::ffff:10.1.2.3")) == client("10.1.2.3")


def test_one_rule_for_all_has_scope_zero() -> None:
    table = RouteTable([], [0], [], [0])

    assert table.find_with_scope(client("192.0.2.1")) == (0, 96)
    assert table.find_with_scope(client("2001:db8::1")) == (0, 0)


def test_embedded_addresses() -> None:
    assert embedded_ipv4(int(ip_address("2002:c633:644d:1::1")), SIX_TO_FOUR) == 0xC633644D
    assert embedded_ipv4(int(ip_address("64:ff9b::c633:644d")), NAT64) == 0xC633644D
    assert embedded_ipv4(int(ip_address("2001::39cc:9bb2")), TEREDO) == 0xC633644D


def test_rules() -> None:
    assert TABLE.rules() == {0, 1, 2, 3}
    assert RouteTable([], [4], [1 << 64], [4, MAX_RULE]).rules() == {4, MAX_RULE}


starts = st.lists(st.integers(1, 2**32 - 1), unique=True, max_size=30).map(sorted)


@given(starts, starts, st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_find_is_the_interval_around(starts4: list[int], high: list[int], asked: list[int]) -> None:
    """Law: the rule is that of the last start at or below the client, at any bits of IPv6."""
    table = RouteTable(
        starts4,
        list(range(len(starts4) + 1)),
        sorted({start << 48 for start in high}),  # several starts in one /64, and in many
        list(range(len(high) + 1)),
    )

    for number in asked:
        assert table.find(V4 | number) == sum(start <= number for start in starts4)
        six = number << 48 | 0xFFFF
        if six >> 32 != 0xFFFF:
            assert table.find(six) == sum(start << 48 <= six for start in high)


@given(
    st.lists(st.integers(0, 255), min_size=2, max_size=20),
    st.integers(0, 255),
    st.integers(0, 2**24 - 1),
    st.sampled_from([24, 0]),
)
def test_scope_is_the_shortest_prefix_with_one_rule(
    rules: list[int], place: int, low: int, shift: int
) -> None:
    """Law: every address in the scope has the same rule; with one bit less one has another."""
    asked = place << shift | low & (1 << shift) - 1
    marks = [rules[place % len(rules)] % 3 for place in range(256)]  # the rule of each 1/256
    starts = [place << shift for place in range(1, 256) if marks[place] != marks[place - 1]]
    kept = [marks[0]] + [
        marks[place] for place in range(1, 256) if marks[place] != marks[place - 1]
    ]
    table4 = RouteTable(starts, kept, [], [0])
    table6 = RouteTable([], [0], [start << 64 for start in starts], kept)

    rule, scope = table4.find_with_scope(V4 | asked)
    rule6, scope6 = table6.find_with_scope(asked << 64)

    def rules_of(length: int) -> set[int]:
        first = asked >> 32 - length << 32 - length
        last = first + (1 << 32 - length) - 1
        return {
            marks[min(at >> shift, 255)]
            for at in {first, last, *starts, *(start - 1 for start in starts)}
            if first <= at <= last
        }

    assert rule == marks[place] == rule6
    assert rules_of(scope - 96) == {rule}
    assert scope == 96 or len(rules_of(scope - 97)) > 1
    assert scope6 == (scope - 64 if starts else 0)


def large_table() -> RouteTable:
    """More starts than an index by the first 16 bits begins at."""
    starts4 = [place * 1_000_003 for place in range(1, 4_000)]
    return RouteTable(starts4, [place % 7 for place in range(4_000)], [1 << 100], [0, 1])


def test_large_table_is_indexed_alike() -> None:
    table = large_table()

    for number in (0, 1_000_002, 1_000_003, 4_000_000_000, 2**32 - 1, *range(0, 2**32, 9_999_991)):
        rule = min(number // 1_000_003, 3_999) % 7
        assert table.find(V4 | number) == rule
        assert table.find_with_scope(V4 | number)[0] == rule


@pytest.mark.parametrize("table", [TABLE, large_table()], ids=["small", "large"])
def test_encoded_tables_are_the_same(table: RouteTable) -> None:
    again = RouteTable.decode(marshal.loads(marshal.dumps(table.encode())))

    assert again.encode() == table.encode()
    for text in ("10.1.2.3", "198.51.100.1", "2001:db8::1", "2002:a00::1"):
        assert again.find_with_scope(client(text)) == table.find_with_scope(client(text))


def test_a_table_is_read_where_its_octets_are() -> None:
    columns = large_table().encode()
    places = [(0, 0)]
    for octets in columns:
        places.append((-(-sum(places[-1]) // 8) * 8, len(octets)))
    memory = bytearray(sum(places[-1]))
    for octets, (at, size) in zip(columns, places[1:], strict=True):
        memory[at : at + size] = octets

    table = RouteTable.decode(
        tuple(memoryview(memory).toreadonly()[at : at + size] for at, size in places[1:])
    )

    assert table.encode() == columns
    assert table.find(V4 | 5_000_000) == 4 % 7
    memory[places[2][0] : sum(places[2])] = bytes(places[2][1])  # the rules of IPv4
    assert table.find(V4 | 5_000_000) == 0
