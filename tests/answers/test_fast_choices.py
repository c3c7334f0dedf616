"""What the compiled path chooses, and by which route, is what the reference does."""

import random

import pytest

from gtmdns.answers.answer import Hashed, Nested, Several, Weighted, leaf, shuffled
from gtmdns.answers.choice import AliasTable, alias_table
from gtmdns.answers.route import MAPPED, NAT64, SIX_TO_FOUR, TEREDO, RouteTable
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.wire.name import from_text
from tests.answers.compiled import IN_OPT, both, fast, subnet
from tests.answers.interleaving import packet
from tests.example_zone import APEX, EU, NEGATIVE, NUMBERS, STEERED, address, example, fixed, node

# fmt: off
ANSWERS = [
    ("one",                   fixed(address("192.0.2.1"))),
    ("all orders of five",    shuffled([address(f"192.0.2.{n}") for n in range(5)], 3, STEERED)),
    ("rotations of twelve",   shuffled([address(f"192.0.2.{n}") for n in range(12)], 12, STEERED)),
    ("IPv6",                  shuffled([address(f"2001:db8::{n}") for n in range(7)], 4, STEERED)),
    ("one of many",           Weighted(alias_table([3, 1, 7, 0, 2]), tuple(leaf(address(f"192.0.2.{n}"), STEERED, 1) for n in range(5)))),
    ("several",               Several((1, 2, 3, 4, 5), tuple(address(f"192.0.2.{n}") for n in range(5)), 4, STEERED)),
    ("one heavy",             Several((1_000_000, 1, 1), tuple(address(f"192.0.2.{n}") for n in range(3)), 3, STEERED)),
]
# fmt: on
ANSWERS.append(
    (
        "nested twice",
        Nested(
            alias_table([2, 3]),
            (Nested(alias_table([1, 4]), (ANSWERS[1][1], ANSWERS[4][1])), ANSWERS[5][1]),
        ),
    )
)  # fmt: skip
ANSWERS.append(
    (
        "by the client",
        Hashed((1, 2, 3), (1, 1, 2), tuple(address(f"192.0.2.{n}") for n in range(3)), 2, STEERED),
    )
)
IN_PYTHON = [
    ("numbers above 64 bits", Weighted(AliasTable((1 << 64, 1 << 64), (0, 1), 1 << 64), tuple(leaf(address(f"192.0.2.{n}"), STEERED, 1) for n in range(2)))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "compiled"),
    [(row[1], True) for row in ANSWERS] + [(row[1], False) for row in IN_PYTHON],
    ids=[row[0] for row in ANSWERS + IN_PYTHON],
)
def test_every_kind_chooses_the_same(answer, compiled):
    snapshot, chance = example(), random.Random(7)
    cache = fast.FastCache(snapshot)
    cache.respond(packet("www"), EU, 0)
    snapshot.change(((NUMBERS["www"], answer.encoded()),))
    draws = [0, 1, 2**64 - 1, 1 << 63, *(chance.getrandbits(64) for _ in range(400))]
    for draw in draws:
        said, expected = both(cache, packet("www"), EU, draw)
        assert said == expected

    assert (cache.respond_compiled(packet("www"), EU, 0) is not None) == compiled


@pytest.mark.parametrize("client_subnet", [True, False])
@pytest.mark.parametrize("size", [0, 40, 1500])
def test_routes_are_looked_up_the_same(size, client_subnet):
    """Small ones, and those with an index by the first 16 bits; IPv4 inside IPv6 too."""
    chance = random.Random(size)
    route = some_route(chance, size)
    snapshot = routed_snapshot(route, client_subnet)
    cache = fast.FastCache(snapshot)
    edges = [start + step for start in (*route._starts4, 0) for step in (-1, 0, 1)]
    for turn in range(600):
        four = chance.choice(edges) & 0xFFFF_FFFF if turn & 1 else chance.getrandbits(32)
        shown = chance.choice([_text4(four), *(_embedded(kind, four) for kind in range(4))])
        length = chance.randrange(33 if ":" not in shown else 129)
        query = packet("r", edns=IN_OPT, options=subnet(shown, length))
        for asked, host in ((query, "192.0.2.7"), (packet("r"), shown)):
            said, expected = both(cache, asked, host)
            assert said == expected
    assert cache.answered == 1200


def some_route(chance: random.Random, size: int) -> RouteTable:
    starts4 = sorted({chance.randrange(1, 1 << 32) for _ in range(size)})
    plain = {chance.randrange(1, 1 << 128) for _ in range(size // 4)}
    inside = {0xFFFF << 32: MAPPED, 0x64FF9B << 96: NAT64, 0x2002 << 112: SIX_TO_FOUR, 0x20010000 << 96: TEREDO}  # fmt: skip
    if not size:
        return RouteTable((), (0,), (), (0,))
    ends = {0x10000 << 32, (0x64FF9B << 96) + (1 << 32), 0x2003 << 112, 0x20010001 << 96}
    starts6 = sorted(plain | set(inside) | ends)
    rules6 = [chance.randrange(5)]
    rules6 += [inside.get(start, chance.randrange(5)) for start in starts6]
    return RouteTable(starts4, [chance.randrange(5) for _ in range(len(starts4) + 1)], starts6, rules6)  # fmt: skip


def routed_snapshot(route: RouteTable, client_subnet: bool) -> Snapshot:
    builder = SnapshotBuilder(1, Settings(client_subnet))
    answers = [fixed(address(f"192.0.2.{n}")).encoded() for n in range(5)]
    for piece in (
        ("routes", (route.encode(),)),
        ("answers", tuple(answers)),
        ("routed", ((0, (0, 1, 2, 3, 4), False),)),
        ("zone", APEX, 1 << 16, NEGATIVE),
        ("nodes", 0, (node("@"), (from_text("r", APEX), 1 << 16, ((1, ~0),), None, None))),
    ):
        builder.add(piece)
    return builder.finish()


def _text4(number: int) -> str:
    return ".".join(str(octet) for octet in number.to_bytes(4))


def _embedded(kind: int, number: int) -> str:
    words = f"{number >> 16:x}:{number & 0xFFFF:x}"
    inverted = f"{~number >> 16 & 0xFFFF:x}:{~number & 0xFFFF:x}"
    return (f"::ffff:{words}", f"64:ff9b::{words}", f"2002:{words}::1", f"2001:0:1::{inverted}")[
        kind
    ]


def test_a_route_that_is_broken_is_refused_not_read_beyond():
    """It came over the channel: octets that were cut must not become a look behind their end."""
    broken = RouteTable((5, 9), (0, 1, 0), (), (0,))
    broken._rules4.pop()
    cache = fast.FastCache(routed_snapshot(broken, True))

    with pytest.raises(ValueError, match="one rule more than starts"):
        cache.respond(packet("r"), EU, 0)
