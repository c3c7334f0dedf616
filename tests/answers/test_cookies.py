"""Server cookies: the vectors of RFC 9018, what is kept, what is renewed, what is remembered."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers import cookies as module
from gtmdns.answers.cache import client_number
from gtmdns.answers.cookies import Cookies
from gtmdns.wire.siphash import siphash24
from tests.laws import LAW

SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
OLD, NEW = (
    bytes.fromhex("dd3bdf9344b678b185a6f5cb60fca715"),
    bytes.fromhex("445536bcd2513298075a5d379663c962"),
)
V6 = "2001:db8:220:1:59de:d0f4:8769:82b8"
NOW = 1_800_000_000
MINE = bytes.fromhex("2464c4abcf10c957")  # a client's part

# fmt: off
APPENDIX_A = [
    # id                      secrets      client            time         cookie that came, cookie of the response
    ("A.1 a new one",         [SECRET],    "198.51.100.100", 1559731985,  "2464c4abcf10c957",
                                                                          "2464c4abcf10c957010000005cf79f111f8130c3eee29480"),
    ("A.2 renewed, 40 min",   [SECRET],    "198.51.100.100", 1559734385,  "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
                                                                          "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"),
    ("A.3 another client",    [SECRET],    "203.0.113.203",  1559734700,  "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
                                                                          "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"),
    ("A.4 IPv6",              [OLD],       V6,               1559741817,  "22681ab97d52c298",
                                                                          "22681ab97d52c298010000005cf7c57926556bd0934c72f8"),
    ("A.4 a secret withdrawn", [NEW],      V6,               1559741961,  "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                                                                          "22681ab97d52c298010000005cf7c609a6bb79d16625507a"),
    ("A.4 both are accepted", [NEW, OLD],  V6,               1559741961,  "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                                                                          "22681ab97d52c298010000005cf7c57926556bd0934c72f8"),
]
# fmt: on


@pytest.mark.parametrize(
    ("secrets", "client", "now", "came", "answered"),
    [row[1:] for row in APPENDIX_A],
    ids=[row[0] for row in APPENDIX_A],
)
def test_rfc_9018_appendix_a(secrets, client, now, came, answered):
    cookies = Cookies(tuple(secrets))

    for _ in range(2):  # made, then remembered
        octets = cookies.option(bytes.fromhex(came), client_number(client), now)

        assert octets.hex() == "000a0018" + answered


def server_part(made: int, client: str = "192.0.2.1", reserved: bytes = b"\0\0\0") -> bytes:
    head = b"\x01" + reserved + (made & 0xFFFF_FFFF).to_bytes(4)
    return head + siphash24(SECRET, MINE + head + ip_address(client).packed)


def answered(theirs: bytes, client: str = "192.0.2.1", now: int = NOW) -> bytes:
    """Return the server's part of the response, from a worker without a memory."""
    octets = Cookies((SECRET,)).option(MINE + theirs, client_number(client), now)
    assert octets[:12] == bytes.fromhex("000a0018") + MINE
    return octets[12:]


# fmt: off
CAME = [
    # id                              server's part that came                              kept
    ("made now",                      server_part(NOW),                                    True),
    ("half an hour old",              server_part(NOW - 1800),                             True),
    ("a second older",                server_part(NOW - 1801),                             False),
    ("an hour old",                   server_part(NOW - 3600),                             False),
    ("five minutes ahead",            server_part(NOW + 300),                              True),
    ("a second more ahead",           server_part(NOW + 301),                              False),
    ("ages ago",                      server_part(NOW - 2**31),                            False),
    ("reserved octets count",         server_part(NOW, reserved=b"abc"),                   True),
    ("another client's",              server_part(NOW, client="192.0.2.2"),                False),
    ("version 2",                     b"\x02" + server_part(NOW)[1:],                      False),
    ("a hash that is wrong",          server_part(NOW)[:-1] + b"\xff",                     False),
    ("a time that was changed",       server_part(NOW)[:7] + b"\x01" + server_part(NOW)[8:], False),
    ("8 octets",                      server_part(NOW)[:8],                                False),
    ("15 octets",                     server_part(NOW)[:15],                               False),
    ("17 octets",                     server_part(NOW) + b"\x00",                          False),
    ("32 octets",                     server_part(NOW) * 2,                                False),
    ("none",                          b"",                                                 False),
]
# fmt: on


@pytest.mark.parametrize(("theirs", "kept"), [row[1:] for row in CAME], ids=[r[0] for r in CAME])
def test_a_good_cookie_is_kept_and_any_other_renewed(theirs, kept):
    assert answered(theirs) == (theirs if kept else server_part(NOW))


@pytest.mark.parametrize("now", [0, 5, 2**32 - 1, 2**32, 2**32 + 5, 2**33 + 100])
def test_time_goes_round(now):
    """Serial arithmetic: 2106 is no end of the world."""
    for age, kept in ((0, True), (1000, True), (1801, False), (-300, True), (-301, False)):
        theirs = server_part(now - age)

        assert answered(theirs, now=now) == (theirs if kept else server_part(now))


def test_the_address_in_its_ipv6_form_is_the_same_client():
    assert answered(b"", "::ffff:192.0.2.1") == server_part(NOW)


def test_who_is_remembered_costs_no_hash(monkeypatch):
    cookies = Cookies((SECRET,))
    client = client_number("192.0.2.1")
    first = cookies.option(MINE, client, NOW)
    monkeypatch.setattr(module, "siphash24", None)

    assert cookies.option(MINE, client, NOW) == first
    assert cookies.option(first[4:], client, NOW + 10) == first
    assert cookies.option(first[4:], client, NOW + 1800) == first
    assert len(cookies) == 2, "what was made, and that it is right"


def test_a_cookie_of_another_worker_costs_one_hash(monkeypatch):
    cookies = Cookies((SECRET,))
    client = client_number("192.0.2.1")
    other = MINE + server_part(NOW - 60)
    first = cookies.option(other, client, NOW)
    monkeypatch.setattr(module, "siphash24", None)

    assert first[4:] == other
    assert cookies.option(other, client, NOW + 1) == first


def test_what_is_remembered_is_renewed_too():
    cookies = Cookies((SECRET,))
    client = client_number("192.0.2.1")
    first = cookies.option(MINE, client, NOW)

    assert cookies.option(first[4:], client, NOW + 1801)[12:] == server_part(NOW + 1801)
    assert cookies.option(first[4:], client, NOW)[12:] == server_part(NOW), "the clock was set back"
    assert cookies.option(MINE, client, NOW + 1)[12:] == server_part(NOW + 1)


def test_the_memory_has_a_bound_and_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 10)
    cookies = Cookies((SECRET,))
    for number in range(95):
        octets = cookies.option(number.to_bytes(8), number, NOW)

        assert cookies.option(octets[4:], number, NOW) == octets
        assert len(cookies) <= 20
    monkeypatch.setattr(module, "siphash24", None)
    assert cookies.option((94).to_bytes(8), 94, NOW) == octets


@settings(LAW, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"", *(server_part(NOW - age) for age in (0, 1, 1800, -300))]),
            st.sampled_from([MINE, MINE[::-1]]),
            st.sampled_from(["192.0.2.1", "192.0.2.2"]),
            st.integers(NOW - 2, NOW + 2) | st.sampled_from([NOW + 1801, NOW - 301]),
        ),
        max_size=12,
    )
)
def test_the_memory_changes_no_answer(asked):
    """Whatever was asked before, and when: what was made with a secret that only accepts too."""
    cookies = Cookies((OLD, SECRET))
    for theirs, mine, client, now in asked:
        expected = Cookies((OLD, SECRET)).option(mine + theirs, client_number(client), now)

        assert cookies.option(mine + theirs, client_number(client), now) == expected


@LAW
@given(
    st.one_of(st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=40)),
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**34),
)
def test_any_cookie_gets_one_that_is_accepted_later(cookie, client, now):
    first = Cookies((OLD, SECRET)).option(cookie, client, now)

    assert first[:12] == bytes.fromhex("000a0018") + cookie[:8]
    assert Cookies((SECRET, OLD)).option(first[4:], client, now + 1800) == first
