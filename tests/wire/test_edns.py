"""OPT records and the Client Subnet option, with dnspython as the judge."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import dns.edns
import dns.message
import dns.wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.wire.constants import FORMERR
from gtmdns.wire.edns import (
    IPV4_MAPPED,
    Subnet,
    extended_error,
    keepalive_option,
    opt_record,
    option,
    parse_subnet,
    subnet_option,
    with_options,
)
from gtmdns.wire.query import BadQuery
from tests.laws import LAW

# fmt: off
BAD = [
    # id                             option data in hexadecimal
    ("empty",                        ""),
    ("three octets",                 "000100"),
    ("family 3",                     "0003 0800 7f"),
    ("family 256",                   "0100 1800 c00002"),
    ("family 257",                   "0101 1800 c00002"),
    ("family 0 with a prefix",       "0000 0800 7f"),
    ("family 0 with an address",     "0000 0000 7f"),
    ("a scope in a query",           "0001 1818 c00002"),
    ("IPv4 prefix of 33",            "0001 2100 c000020100"),
    ("IPv4 prefix of 255",           "0001 ff00 c0000201"),
    ("IPv6 prefix of 129",           "0002 8100 20010db800000000000000000000000100"),
    ("an octet short",               "0001 1800 c000"),
    ("an octet more",                "0001 1800 c0000201"),
    ("whole address for a /24",      "0001 1800 c0000200"),
    ("/0 with an address",           "0001 0000 00"),
    ("no address for a /8",          "0001 0800"),
    ("bits behind a /20",            "0001 1400 c00008"),
    ("lowest bit behind a /31",      "0001 1f00 c0000201"),
    ("bits behind a /33 of IPv6",    "0002 2100 20010db840"),
    ("IPv6 an octet short",          "0002 3800 20010db80000"),
]
GOOD = [
    # id                   option data         family source address           prefix of the client number
    ("IPv4 /24",           "0001 1800 c00002", 1,     24,    "192.0.2.0"),
    ("IPv4 /32",           "0001 2000 c0000201", 1,   32,    "192.0.2.1"),
    ("IPv4 /20",           "0001 1400 c0a8f0", 1,     20,    "192.168.240.0"),
    ("IPv4 /1",            "0001 0100 80",     1,     1,     "128.0.0.0"),
    ("IPv4 /0",            "0001 0000",        1,     0,     "0.0.0.0"),
    ("IPv6 /56",           "0002 3800 20010db8000001", 2, 56, "2001:db8:0:100::"),
    ("IPv6 /128",          "0002 8000 20010db8000000000000000000000001", 2, 128, "2001:db8::1"),
    ("IPv6 /0",            "0002 0000",        2,     0,     "::"),
    ("no address at all",  "0000 0000",        0,     0,     "::"),
]
# fmt: on


@pytest.mark.parametrize("octets", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_every_malformed_option_is_formerr(octets):
    with pytest.raises(BadQuery) as bad:
        parse_subnet(bytes.fromhex(octets))

    assert bad.value.rcode == FORMERR


@pytest.mark.parametrize(
    ("octets", "family", "source", "address"),
    [row[1:] for row in GOOD],
    ids=[row[0] for row in GOOD],
)
def test_good_options(octets, family, source, address):
    octets = bytes.fromhex(octets)
    number = int(ip_network(address).network_address)

    subnet = parse_subnet(octets)

    assert subnet == Subnet(
        family, source, number | (IPV4_MAPPED if family == 1 else 0), octets[4:]
    )


@LAW
@given(st.binary(max_size=24))
def test_any_octets_are_a_subnet_or_formerr(octets):
    """And what is a subnet is one to dnspython, and goes back as it came with scope 0."""
    try:
        subnet = parse_subnet(octets)
    except BadQuery:
        return
    assert subnet_option(subnet, 0)[4:] == octets
    if subnet.family:
        judge = dns.edns.option_from_wire_parser(dns.edns.ECS, dns.wire.Parser(octets))
        assert isinstance(judge, dns.edns.ECSOption)
        assert (judge.family, judge.srclen) == (subnet.family, subnet.source)
        assert (
            int(ip_network(judge.address).network_address) | IPV4_MAPPED * (judge.family == 1)
            == subnet.client
        )


@LAW
@given(st.sampled_from((4, 6)), st.data())
def test_what_dnspython_writes_is_read(version, data):
    width = 32 if version == 4 else 128
    source = data.draw(st.integers(0, width))
    number = data.draw(st.integers(0, 2**width - 1)) >> width - source << width - source
    address = str(IPv4Address(number) if version == 4 else IPv6Address(number))
    written = dns.edns.ECSOption(address, source).to_wire()
    assert written is not None

    subnet = parse_subnet(written)

    assert (subnet.source, subnet.client) == (source, number | (IPV4_MAPPED if version == 4 else 0))


# fmt: off
SCOPES = [
    # id                        option             scope of 128 bits   on the wire
    ("IPv4",                    "0001 1800 c00002", 96 + 20,           20),
    ("IPv4, the whole family",  "0001 1800 c00002", 96,                0),
    ("IPv4, everybody",         "0001 1800 c00002", 0,                 0),
    ("IPv4, one address",       "0001 1800 c00002", 128,               32),
    ("IPv6",                    "0002 1800 20010d", 40,                40),
    ("IPv6, everybody",         "0002 1800 20010d", 0,                 0),
    ("no address",              "0000 0000",        0,                 0),
]
# fmt: on


@pytest.mark.parametrize(
    ("octets", "scope", "written"), [row[1:] for row in SCOPES], ids=[row[0] for row in SCOPES]
)
def test_the_option_of_a_response_echoes_all_but_the_scope(octets, scope, written):
    octets = bytes.fromhex(octets)

    option = subnet_option(parse_subnet(octets), scope)

    assert (
        option
        == b"\x00\x08" + len(octets).to_bytes(2) + octets[:3] + bytes((written,)) + octets[4:]
    )


# fmt: off
RECORDS = [
    # id                  arguments                                             payload flags   extended options
    ("plain",             {"payload": 1232, "dnssec_ok": False},                1232,   0,      0,       b""),
    ("DO is copied",      {"payload": 512, "dnssec_ok": True},                  512,    0x8000, 0,       b""),
    ("BADVERS",           {"payload": 4096, "dnssec_ok": False, "extended": 1}, 4096,   0,      1,       b""),
    ("with an option",    {"payload": 65535, "dnssec_ok": True, "options": b"\x00\x0c\x00\x01x"}, 65535, 0x8000, 0, b"x"),
]
# fmt: on


@pytest.mark.parametrize(
    ("arguments", "payload", "flags", "extended", "padding"),
    [row[1:] for row in RECORDS],
    ids=[row[0] for row in RECORDS],
)
def test_opt_record(arguments, payload, flags, extended, padding):
    response = bytes.fromhex("1234 8000 0000 0000 0000 0001") + opt_record(**arguments)

    judge = dns.message.from_wire(response)

    assert (judge.edns, judge.payload, judge.ednsflags & 0xFFFF) == (0, payload, flags)
    assert judge.rcode() >> 4 == extended
    assert [option.to_wire() for option in judge.options] == [padding] * bool(padding)


def test_options_are_put_behind_those_that_are_there():
    opt = opt_record(1232, dnssec_ok=True)
    for more in (extended_error(20), option(3, b"edge-1"), keepalive_option(65_535)):
        opt = with_options(opt, more)
    opt = with_options(opt, extended_error(0, "why") + option(10, bytes(24)))

    judge = dns.message.from_wire(bytes.fromhex("1234 8000 0000 0000 0000 0001") + opt)

    assert (judge.payload, judge.ednsflags & 0xFFFF) == (1232, 0x8000)
    assert [int(each.otype) for each in judge.options] == [15, 3, 11, 15, 10]
    first, name, keepalive, second, cookie = judge.options
    assert isinstance(first, dns.edns.EDEOption)
    assert isinstance(second, dns.edns.EDEOption)
    assert (first.code, first.text, second.code, second.text) == (20, None, 0, "why")
    assert [each.to_wire() for each in (name, keepalive, cookie)] == [
        b"edge-1",
        b"\xff\xff",
        bytes(24),
    ]
