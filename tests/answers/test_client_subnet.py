"""Client Subnet (RFC 7871): who counts as the client, what is echoed, and how far the scope reaches."""

from bisect import bisect_right
from ipaddress import ip_address
from typing import Any

import dns.edns
import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers.answer import FORMERR
from gtmdns.answers.cache import client_number
from gtmdns.answers.responder import respond
from gtmdns.answers.route import MAPPED, RouteTable
from gtmdns.answers.snapshot import PRIVATE, Settings, SnapshotBuilder
from tests.answers.asking import answered, ask, rcode, told
from tests.example_zone import (
    ELSEWHERE,
    EU,
    EU6,
    HOME,
    IN_EU,
    IN_US,
    NEGATIVE,
    OFFICE,
    US,
    address,
    example,
    fixed,
)
from tests.laws import LAW

EU_ANSWER, US_ANSWER, DEFAULT = ["192.0.2.1"], ["198.51.100.1"], ["203.0.113.1"]


def subnet(text: str) -> dns.edns.ECSOption:
    host, length = text.split("/")
    return dns.edns.ECSOption(host, int(length))


def asked(qname: str, prefix: str, client: int = IN_US, **options: Any) -> dns.message.Message:
    return ask(
        f"{qname}.example.com", client=client, use_edns=0, options=[subnet(prefix)], **options
    )


def echoed(response: dns.message.Message) -> list[str]:
    """Return the option of a response as ADDRESS/SOURCE/SCOPE, in a list of one or none."""
    return [
        f"{option.address}/{option.srclen}/{option.scopelen}"
        for option in response.options
        if isinstance(option, dns.edns.ECSOption)
    ]


# The query comes from the US. Private space bounds every scope: 192.0.2.0 and 192.168.0.0 share 8 bits.
# fmt: off
CASES = [
    # id                              name        subnet                   answer      echoed
    ("its own region",                "region",   "192.0.2.0/24",          EU_ANSWER,  "192.0.2.0/24/24"),
    ("one address",                   "region",   "192.0.2.1/32",          EU_ANSWER,  "192.0.2.1/32/24"),
    ("source shorter than scope",     "region",   "192.0.0.0/16",          DEFAULT,    "192.0.0.0/16/23"),
    ("the transport's region too",    "region",   "198.51.100.0/24",       US_ANSWER,  "198.51.100.0/24/24"),
    ("default",                       "region",   "203.0.113.0/24",        DEFAULT,    "203.0.113.0/24/5"),
    ("default, close to EU",          "region",   "192.0.3.0/24",          DEFAULT,    "192.0.3.0/24/24"),
    ("IPv6",                          "region",   "2001:db8:e::/48",       EU_ANSWER,  "2001:db8:e::/48/48"),
    ("IPv6, default",                 "region",   "2001:db8:f::/48",       DEFAULT,    "2001:db8:f::/48/48"),
    ("IPv6, far away",                "region",   "2400::/32",             DEFAULT,    "2400::/32/6"),
    ("/0: the transport counts",      "region",   "0.0.0.0/0",             US_ANSWER,  "0.0.0.0/0/0"),
    ("/0 of IPv6",                    "region",   "::/0",                  US_ANSWER,  "::/0/0"),
    ("private and known",             "region",   "10.1.2.0/24",           EU_ANSWER,  "10.1.2.0/24/16"),
    ("private: the transport counts", "region",   "10.9.9.0/24",           US_ANSWER,  "10.9.9.0/24/13"),
    ("private, close to the known",   "region",   "10.0.0.0/24",           US_ANSWER,  "10.0.0.0/24/16"),
    ("private, another block",        "region",   "192.168.7.0/24",        US_ANSWER,  "192.168.7.0/24/16"),
    ("shared address space",          "region",   "100.64.0.0/16",         US_ANSWER,  "100.64.0.0/16/10"),
    ("loopback",                      "region",   "127.0.0.1/32",          US_ANSWER,  "127.0.0.1/32/8"),
    ("link-local",                    "region",   "169.254.1.0/24",        US_ANSWER,  "169.254.1.0/24/16"),
    ("unique local",                  "region",   "fd00::/48",             US_ANSWER,  "fd00::/48/7"),
    ("the first address",             "region",   "::/128",                US_ANSWER,  "::/128/127"),
    ("next to the first address",     "region",   "::1/128",               US_ANSWER,  "::1/128/127"),
    ("behind all private space",      "region",   "ff00::/16",             DEFAULT,    "ff00::/16/8"),
    ("NODATA in a region",            "down",     "192.0.2.0/24",          [],         "192.0.2.0/24/24"),
    # the answer does not depend on the client
    ("static",                        "www",      "192.0.2.0/24",          ["192.0.2.10"], "192.0.2.0/24/0"),
    ("static, private",               "www",      "10.9.9.0/24",           ["192.0.2.10"], "10.9.9.0/24/0"),
    ("static, IPv6",                  "www",      "2001:db8:e::/48",       ["192.0.2.10"], "2001:db8:e::/48/0"),
    ("by weight",                     "weighted", "192.0.2.0/24",          ["192.0.2.1"], "192.0.2.0/24/0"),
    ("wildcard",                      "x.apps",   "192.0.2.0/24",          ["192.0.2.20"], "192.0.2.0/24/0"),
    ("NXDOMAIN",                      "no",       "192.0.2.0/24",          [],         "192.0.2.0/24/0"),
    ("referral",                      "a.sub",    "192.0.2.0/24",          [],         "192.0.2.0/24/0"),
]
# fmt: on


@pytest.mark.parametrize(
    ("qname", "prefix", "expected", "echo"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_answer_and_scope(qname, prefix, expected, echo):
    response = asked(qname, prefix)

    assert told(response) == expected
    assert echoed(response) == [echo]


def test_a_region_by_servfail_tells_its_scope_too():
    response = asked("down", "198.51.100.0/24")

    assert (rcode(response), echoed(response)) == ("SERVFAIL", ["198.51.100.0/24/24"])


def test_other_peoples_zones_have_scope_0():
    query = dns.message.make_query(
        "www.example.net", "A", use_edns=0, options=[subnet("192.0.2.0/24")]
    )

    assert echoed(answered(query)) == ["192.0.2.0/24/0"]


@pytest.mark.parametrize("client", [EU, US, ELSEWHERE, EU6, OFFICE, HOME])
def test_without_the_option_none_is_sent_and_the_transport_counts(client):
    response = ask("region.example.com", client=client_number(client), use_edns=0)

    expected = {EU: EU_ANSWER, EU6: EU_ANSWER, OFFICE: EU_ANSWER, US: US_ANSWER}
    assert (told(response), response.options) == (expected.get(client, DEFAULT), ())


@pytest.mark.parametrize("prefix", ["192.0.2.0/24", "10.9.9.0/24", "2001:db8:e::/48"])
def test_switched_off_the_option_is_not_read(prefix):
    response = asked("region", prefix, snapshot=example(client_subnet=False))

    assert (told(response), response.options) == (US_ANSWER, ())


def test_no_address_at_all():
    """Family 0, as some clients say "do not look at my subnet" (RFC 7871 section 7.1.2)."""
    option = dns.edns.GenericOption(8, bytes(4))
    query = dns.message.make_query("region.example.com", "A", use_edns=0, options=[option])
    octets = respond(query.to_wire(), IN_US, example(), 0)

    assert octets is not None
    assert octets.endswith(bytes.fromhex("0008 0004 0000 0000"))
    assert octets[-19 - 4 : -19] == bytes((198, 51, 100, 1)), (
        "the address before an OPT of 19 octets"
    )


@pytest.mark.parametrize("name", ["region", "www", "no", "a.sub"])
@pytest.mark.parametrize(
    "data",
    [
        "",
        "0001",
        "00011801c00002",
        "00012100c000020100",
        "00011800c000",
        "00011700c00003",
        "0003080001",
    ],
)
def test_a_malformed_option_is_formerr_whatever_is_asked(name, data):
    snapshot = example()
    option = dns.edns.GenericOption(8, bytes.fromhex(data))
    query = dns.message.make_query(f"{name}.example.com", "A", use_edns=0, options=[option])
    octets = respond(query.to_wire(), IN_EU, snapshot, 0)

    assert octets is not None
    response = dns.message.from_wire(octets)
    assert (rcode(response), response.edns, response.options) == ("FORMERR", 0, ())
    assert query.is_response(response)
    assert snapshot.tally == {FORMERR: 1}


def test_a_malformed_option_is_not_looked_at_where_it_is_switched_off():
    option = dns.edns.GenericOption(8, b"\xff")
    query = dns.message.make_query("www.example.com", "A", use_edns=0, options=[option])

    assert told(answered(query, snapshot=example(client_subnet=False))) == ["192.0.2.10"]


@pytest.mark.parametrize("payload", [512, 1232])
def test_the_option_counts_for_the_size(payload):
    response = asked("big", "192.0.2.0/24", payload=payload)

    assert len(told(response)) == (0 if payload == 512 else 40)
    assert echoed(response) == ["192.0.2.0/24/0"]


# The law of the scope, for any route: everybody within it has the same outcome, and one bit less
# would take in somebody who has not (docs/decisions.md: the shortest prefix).

V4 = 0xFFFF << 32
# IPv4 in six bits of the second octet of 10/8 and around: enough for every case, few enough to try.
cuts4 = st.sets(st.integers(1, 255), max_size=4).map(sorted)
known4 = st.sets(st.tuples(st.integers(0, 255), st.integers(2, 8)), max_size=3)
TRANSPORT = -1  # the outcome of those whom the option does not place


def rules(number: int, data: st.DataObject) -> list[int]:
    """Return rules for so many intervals, no two neighbours alike, as the compiler makes them."""
    found = [data.draw(st.integers(0, 2))]
    while len(found) < number:
        found.append((found[-1] + data.draw(st.integers(1, 2))) % 3)
    return found


@settings(LAW, max_examples=150)
@given(cuts4, known4, st.integers(0, 2**16 - 1), st.booleans(), st.data())
def test_the_scope_is_the_shortest_prefix_of_one_outcome(cuts, known, client, inside, data):
    base = 10 << 24 if inside else 0
    shift = 16 if inside else 24
    starts = [base + (cut << shift) for cut in cuts]
    rules4 = rules(len(starts) + 1, data)
    route = RouteTable(starts, rules4, [V4, V4 + (1 << 32)], [2, MAPPED, 2])
    spans = tuple(
        (
            V4 | base + (at >> 8 - length << 8 - length << shift),
            (V4 | base + (at >> 8 - length << 8 - length << shift)) + (1 << 8 - length + shift) - 1,
        )
        for at, length in known
    )
    spans = tuple(sorted(clip(spans)))
    number = V4 | (base + (client << shift - 8))

    def outcome(address: int) -> int:
        if any(first <= address <= last for first, last in PRIVATE) and not any(
            first <= address <= last for first, last in spans
        ):
            return TRANSPORT
        return rules4[bisect_right(starts, address - V4)] if address >> 32 == 0xFFFF else 2

    snapshot = snapshot_of(route, spans)
    packet = dns.message.make_query(
        "r.z", "A", use_edns=0, options=[dns.edns.ECSOption(str(ip_address(number - V4)), 32)]
    ).to_wire()
    octets = respond(packet, IN_US, snapshot, 0)
    assert octets is not None
    scope = octets[-5]

    edges = {V4, V4 + 2**32 - 1, *(V4 + s for s in starts)}
    edges |= {e for pair in (*PRIVATE, *spans) for e in pair}
    edges |= {e + d for e in edges for d in (-1, 1)}
    edges = {e for e in edges if e >> 32 == 0xFFFF}
    within = {outcome(e) for e in {*edges, number} if (e ^ number) >> 32 - scope == 0}
    assert within == {outcome(number)}
    if scope and len(set(rules4)) > 1:
        wider = {outcome(e) for e in edges if (e ^ number) >> 33 - scope == 0}
        assert wider != {outcome(number)}, "one bit less would do"


def clip(spans: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """Return the private part of each span, as the compiler hands it on."""
    return [
        (max(first, low), min(last, high))
        for first, last in spans
        for low, high in PRIVATE
        if first <= high and low <= last
    ]


def snapshot_of(route: RouteTable, known: tuple[tuple[int, int], ...]) -> Any:
    """Return a snapshot whose one name, r.z, has a route of three rules."""
    builder = SnapshotBuilder(1, Settings())
    builder.add(("private", known))
    builder.add(("routes", (route.encode(),)))
    builder.add(("answers", tuple(fixed(address(f"192.0.2.{n}")).encoded() for n in range(3))))
    builder.add(("routed", ((0, (0, 1, 2), False),)))
    builder.add(("zone", b"\x01z\x00", 0, NEGATIVE))
    builder.add(
        (
            "nodes",
            0,
            ((b"\x01z\x00", 0, (), None, None), (b"\x01r\x01z\x00", 0, ((1, ~0),), None, None)),
        )
    )
    return builder.finish()


def test_the_first_address_may_be_known():
    """Nothing unplaced lies below it then."""
    snapshot = snapshot_of(RouteTable([], [0], [2], [1, 2]), ((0, 1),))
    query = dns.message.make_query("r.z", "A", use_edns=0, options=[subnet("::1/128")])

    response = answered(query, snapshot=snapshot)

    assert (told(response), echoed(response)) == (["192.0.2.1"], ["::1/128/127"])


# fmt: off
CONSTANT = [
    # id                          starts4        rules4  starts6        rules6   subnet            scope 0
    ("one rule for all",          [],            [1],    [],            [1],     "203.0.113.0/24", True),
    ("one rule for all, private", [],            [1],    [],            [1],     "10.9.9.0/24",    True),
    ("one rule for all, IPv6",    [],            [1],    [],            [1],     "2001:db8::/48",  True),
    ("IPv6 has another one",      [],            [1],    [V4, V4 + 2**32], [2, 1, 2], "203.0.113.0/24", False),
    ("IPv6 is divided",           [],            [1],    [1 << 127],    [1, 2],  "203.0.113.0/24", False),
    ("IPv4 is divided",           [1 << 31],     [0, 1], [],            [1],     "2001:db8::/48",  False),
    ("other rules, not divided",  [],            [0],    [],            [1],     "203.0.113.0/24", False),
]
# fmt: on


@pytest.mark.parametrize(
    ("starts4", "rules4", "starts6", "rules6", "prefix", "everybody"),
    [row[1:] for row in CONSTANT],
    ids=[row[0] for row in CONSTANT],
)
def test_scope_0_means_that_the_client_does_not_matter(
    starts4, rules4, starts6, rules6, prefix, everybody
):
    snapshot = snapshot_of(RouteTable(starts4, rules4, starts6, rules6), ())
    query = dns.message.make_query("r.z", "A", use_edns=0, options=[subnet(prefix)])

    response = answered(query, snapshot=snapshot)

    assert echoed(response)[0].endswith("/0") == everybody
