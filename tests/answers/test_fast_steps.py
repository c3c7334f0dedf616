"""Chains on the compiled path: links before an answer, and CNAMEs that are followed when chosen."""

import gc

from gtmdns.answers.answer import Hashed, Several, weighted
from gtmdns.wire.constants import CNAME
from tests.answers.compiled import IN_OPT, both, everything, fast, subnet
from tests.answers.interleaving import HOSTS, packet
from tests.example_zone import (
    EU,
    NUMBERS,
    OTHER,
    STEERED,
    US,
    address,
    empty,
    fixed,
    rdata,
    rr,
    shuffled,
)
from tests.fuzz.zone import AT, KEYS

LEADING = (
    "leads.kinds.test.",
    "to-leads.kinds.test.",
    "alias-www",
    "alias-region",
    "to-alias-region",
)
DRAWS = [(number << 64) // 55 + 9 for number in range(55)]


def cname(target: str) -> bytes:
    return rr(CNAME, rdata("CNAME", target))


def check(cache, names=LEADING, compiled=True):
    """Ask for names, with options and without, and for what was kept of them."""
    for name in names:
        for draw in DRAWS:
            for query in (packet(name), packet(name, edns=IN_OPT, options=subnet(US, 24))):
                said, expected = both(cache, query, HOSTS[draw % len(HOSTS)], draw)
                assert said == expected
                made_here = cache.respond_compiled(query, HOSTS[draw % len(HOSTS)], draw)
                assert made_here == (expected if compiled else None)


def test_chains_that_are_chosen_are_followed_here():
    check(fast.FastCache(everything()))


def test_a_chain_ends_at_whatever_is_there_now():
    """What is kept of a chain are the numbers of answers, and a verdict changes these."""
    snapshot = everything()
    cache = fast.FastCache(snapshot)
    changes = [
        fixed(address("192.0.2.99")),
        shuffled([address(f"192.0.2.{n}") for n in range(9)], 4, STEERED),
        empty(0, OTHER),
        empty(2, OTHER),
        empty(0x100 | 0, OTHER),  # all are down
        fixed(cname("weighted"), tag=OTHER),
        fixed(cname("nothing"), tag=OTHER),
        Hashed(KEYS[:3], (1, 2, 3), tuple(address(f"192.0.2.{n}") for n in range(3)), 2, OTHER),
    ]
    for change in changes:
        snapshot.change(((NUMBERS["www"], change.encoded()), (NUMBERS["eu"], change.encoded())))
        check(cache)
        gc.collect()


def test_an_alias_that_is_hashed_or_drawn_is_followed_too():
    records = tuple(cname(name) for name in ("www", "region", "away", "www.example.net."))
    for answer in (
        Hashed(KEYS[:4], (1, 2, 3, 4), records, 1, STEERED),
        Several((1, 2, 3, 4), records, 1, STEERED),
        weighted([(1, Hashed(KEYS[:2], (1, 1), records[:2], 1, OTHER)), (1, fixed(records[3]))]),
    ):
        snapshot = everything()
        change = answer.encoded()
        snapshot.change(((NUMBERS["alias www"], change), (AT["leads"], change)))
        check(fast.FastCache(snapshot))


def test_chains_that_are_kept_have_a_bound():
    """Beyond it they are followed anew each time, by the pure path."""
    cache = fast.FastCache(everything())
    cache.room = 0
    check(cache, ["alias-www"], compiled=False)
    cache.room = 1 << 20
    check(cache, ["alias-www"])
    taken = (1 << 20) - cache.room
    check(cache, ["alias-www"])
    assert taken == (1 << 20) - cache.room > 0


def test_large_records_are_kept_as_long_as_there_is_room():
    """A thousand octets of TXT at an apex are asked for often, and packed once."""
    query = packet("huge", 16, edns=(4096, 0))
    for room, number in ((1 << 20, 1), (100, 0)):
        snapshot = everything(udp_payload=4096)
        cache = fast.FastCache(snapshot)
        cache.room = room
        for name in ("mx.kinds.test.", "www"):
            for qtype in (15, 1):
                said, expected = both(cache, packet(name, qtype, edns=(4096, 0)))
                assert said == expected
        kept = len(cache)
        assert kept == 3 + number
        assert cache.respond_compiled(query, EU, 0) == both(cache, query)[1]


def test_a_cname_whose_ttl_moves_leaves_room_for_others():
    """Each second brings other octets; only so many of them are kept."""
    snapshot = everything()
    cache = fast.FastCache(snapshot)
    query, least = packet("alias-www"), cache.room
    for ttl in range(1_000):
        record = cname("www")
        change = fixed(record[:6] + ttl.to_bytes(4) + record[10:], tag=OTHER)
        snapshot.change(((NUMBERS["alias www"], change.encoded()),))
        said, expected = both(cache, query)
        assert said == expected == cache.respond_compiled(query, EU, 0)
        least = min(least, cache.room)
    assert least > (8 << 20) - (1 << 19)
