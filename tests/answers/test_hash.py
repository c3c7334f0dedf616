"""Answers by the client's network: the same everywhere, by weight, and few clients move at a flap."""

import marshal
from collections import Counter
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers.answer import FIRST_TAG, Fixed, Hashed, Nested, decode, leaf, weighted
from gtmdns.answers.cache import client_number
from gtmdns.answers.choice import MASK64, best, network_of, network_scope, split
from tests.laws import LAW

TAG = FIRST_TAG
KEYS = st.lists(st.integers(0, MASK64), min_size=2, max_size=12, unique=True)


def hashed(keys, weights=None, take=1):
    records = tuple(bytes((n,)) * 16 for n in range(len(keys)))
    return Hashed(tuple(keys), tuple(weights or (1,) * len(keys)), records, take, TAG)


def chosen(answer, client, draw=0):
    """Return the indexes of what a client gets, in order."""
    octets = answer.choose_for(draw, client)[2]
    return [octets[at] for at in range(0, len(octets), 16)]


def mix(value):
    """Return what the output function of splitmix64 makes of 64 bits; one to one."""
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & MASK64
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & MASK64
    return value ^ value >> 31


def by_definition(keys, weights, network, take):
    """Return the order that the text at the top of choice.py says."""

    def score(n):
        x = mix(split(network) ^ keys[n])
        return -log((x + 1) / 2**64) / weights[n]

    return sorted(range(len(keys)), key=score)[:take]


@LAW
@given(KEYS, st.integers(0, 2**128 - 1), st.data())
def test_the_best_scores_answer_in_their_order(keys, client, data):
    weights = data.draw(st.lists(st.integers(1, 1_000_000), min_size=len(keys), max_size=len(keys)))
    take = data.draw(st.integers(1, len(keys)))

    assert chosen(hashed(keys, weights, take), client) == by_definition(
        keys, weights, network_of(client), take
    )


def test_no_version_and_no_node_chooses_otherwise():
    """Written down: another figure here would move the clients of everybody at an upgrade."""
    keys = [0x0123456789ABCDEF * n & MASK64 for n in range(1, 9)]
    clients = ["192.0.2.1", "198.51.100.7", "203.0.113.200", "2001:db8::1", "2400:cb00:2048::6814"]

    assert [chosen(hashed(keys, range(1, 9), 3), client_number(c)) for c in clients] == [
        [4, 7, 6], [3, 6, 1], [1, 5, 3], [2, 6, 4], [6, 3, 4],
    ]  # fmt: skip
    assert mix(0x0123456789ABCDEF) == 0xB2C058E4EBB5112C


# fmt: off
ONE_NETWORK = [
    # two clients, whether they are one network
    ("192.0.2.1",           "192.0.2.254",               True),
    ("192.0.2.1",           "192.0.3.1",                 False),
    ("2001:db8::1",         "2001:db8:0:ff::2",          True),
    ("2001:db8::1",         "2001:db8:0:100::1",         False),
    ("192.0.2.1",           "::ffff:192.0.2.9",          True),
    ("192.0.2.1",           "64:ff9b::192.0.2.9",        True),
    ("192.0.2.1",           "2002:c000:209::1",          True),
    ("192.0.2.1",           "2001:0:4136:e378:8000:63bf:3fff:fdd2", True),  # Teredo of 192.0.2.45
    ("192.0.2.1",           "2001:1::c000:201",          False),
]
# fmt: on


@pytest.mark.parametrize(("one", "other", "same"), ONE_NETWORK)
def test_a_network_is_a_24_or_a_56_and_ipv4_inside_ipv6_is_ipv4(one, other, same):
    assert (network_of(client_number(one)) == network_of(client_number(other))) == same


@pytest.mark.parametrize(
    ("client", "scope"),
    [
        ("192.0.2.1", 96 + 24),
        ("2001:db8::1", 56),
        ("64:ff9b::192.0.2.9", 96 + 24),
        ("2002:c000:209::1", 16 + 24),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", 96 + 24),
    ],
)
def test_the_scope_is_the_shortest_prefix_of_one_network(client, scope):
    number = client_number(client)
    last = number | ((1 << 128 - scope) - 1)
    first = last ^ ((1 << 128 - scope) - 1)

    assert network_scope(number) == scope
    assert network_of(first) == network_of(number) == network_of(last)
    assert network_of(first ^ 1 << 128 - scope) != network_of(number), "a shorter one holds two"


@settings(LAW, max_examples=40)
@given(KEYS, st.data())
def test_a_flap_moves_the_clients_of_the_flapped_endpoint_alone(keys, data):
    weights = data.draw(st.lists(st.integers(1, 100), min_size=len(keys), max_size=len(keys)))
    lost = data.draw(st.integers(0, len(keys) - 1))
    left = [n for n in range(len(keys)) if n != lost]
    whole = hashed(keys, weights)
    without = hashed([keys[n] for n in left], [weights[n] for n in left])

    for network in range(200):
        client = 0xFFFF << 32 | (network * 7919 & 0xFFFFFF) << 8
        [before], [after] = chosen(whole, client), chosen(without, client)
        assert before in (left[after], lost)


def test_shares_follow_the_weights_and_a_ramp_takes_no_more_than_it_gains():
    """Each within 4 sigma, of 8 000 networks; and the ways in between move towards it only."""
    keys = [split(n) for n in range(4)]
    number, weights = 8000, (5, 3, 1, 1)
    clients = [0xFFFF << 32 | n << 8 for n in range(number)]
    full = [chosen(hashed(keys, weights), client)[0] for client in clients]

    seen = Counter(full)
    for n, weight in enumerate(weights):
        share = weight / sum(weights)
        assert abs(seen[n] - number * share) < 4 * (number * share * (1 - share)) ** 0.5
    # endpoint 0 comes back with 3 of 10 parts of its weight: all others keep theirs whole
    some = [chosen(hashed(keys, (15, 30, 10, 10)), client)[0] for client in clients]
    assert {(a, b) for a, b in zip(some, full, strict=True) if a != b} <= {(1, 0), (2, 0), (3, 0)}


def test_a_client_that_is_not_known_gets_any_by_weight():
    answer = hashed([split(n) for n in range(2)], (3, 1))

    seen = Counter(answer.choose(split(n)).records[0] for n in range(4000))

    assert abs(seen[0] - 3000) < 4 * (4000 * 0.75 * 0.25) ** 0.5


def test_no_draw_changes_what_a_client_gets():
    answer = hashed([split(n) for n in range(5)], take=2)

    assert len({answer.choose_for(draw, 1 << 127) for draw in range(0, 1 << 64, 1 << 58)}) == 1
    assert len(set(chosen(answer, 1 << 127))) == 2


def test_what_holds_a_hash_is_by_client_and_passes_the_client_on():
    one, other = hashed([1, 2, 3]), Fixed(leaf(b"\7" * 16, TAG, 1))
    nested = weighted([(1, one), (1, other)])
    assert isinstance(nested, Nested)
    inner = weighted([(1, nested), (1, other)])

    assert (one.by_client, nested.by_client, inner.by_client) == (True, True, True)
    assert not other.by_client
    assert not weighted([(1, other), (2, other)]).by_client
    client = client_number("192.0.2.1")
    seen = {nested.choose_for(draw, client)[2] for draw in range(0, 1 << 64, 1 << 58)}
    assert seen == {one.choose_for(0, client)[2], other.leaf.records}


@pytest.mark.parametrize("take", [1, 2])
def test_a_hash_survives_the_channel(take):
    answer = weighted(
        [(2, hashed([5, 6, MASK64], (1, 2, 3), take)), (1, hashed([9, 8], take=take))]
    )

    again = decode(marshal.loads(marshal.dumps(answer.encoded())))

    assert again.encoded() == answer.encoded()
    assert again.by_client
    for draw in range(0, 1 << 64, 1 << 59):
        assert again.choose_for(draw, draw << 60) == answer.choose_for(draw, draw << 60)
        assert again.choose(draw) == answer.choose(draw)


def test_keys_at_the_ends_have_scores():
    assert best(0, (0, MASK64), (1.0, 1.0), 2) in ([0, 1], [1, 0])
