"""Options on the compiled path: cookies of every age and secret, in any order with others."""

import random

import pytest

from gtmdns.answers import cookies as cookies_module
from gtmdns.answers.cookies import Cookies
from gtmdns.answers.options import ALL_DOWN
from gtmdns.answers.responder import respond
from gtmdns.answers.route import client_number
from tests.answers.compiled import IN_OPT, NOW, SECRETS, both, everything, fast, option, subnet
from tests.answers.interleaving import packet
from tests.answers.test_cookies import APPENDIX_A, CAME, MINE, SECRET, server_part
from tests.example_zone import EU, EU6, US, example

NSID, KEEPALIVE, PADDING, UNKNOWN = (
    option(3),
    option(11),
    option(12, bytes(9)),
    option(65_001, b"x"),
)
COOKIE = option(10, MINE)
NETWORK = subnet(US, 24)
SERVED = example(nsid=b"edge-1", cookie_secrets=SECRETS)
LONGEST = example(udp_payload=512, nsid=b"n" * 255, cookie_secrets=SECRETS)
LONG_NAME = ".".join(["a" * 63] * 3 + ["b" * 49]) + ".example.com."

# fmt: off
OPTIONS = [
    # id                            options                                         compiled
    ("a cookie",                    COOKIE,                                         True),
    ("with a server's part",        option(10, MINE + server_part(NOW)),            True),
    ("of 40 octets",                option(10, bytes(40)),                          True),
    ("a name is asked for",         NSID,                                           True),
    ("with data",                   option(3, b"whatever"),                         True),
    ("an unknown one",              UNKNOWN,                                        True),
    ("padding",                     PADDING,                                        True),
    ("keepalive",                   KEEPALIVE,                                      True),
    ("keepalive with a time",       option(11, b"\0\x64"),                          True),
    ("all, a subnet last",          COOKIE + NSID + PADDING + UNKNOWN + NETWORK,    True),
    ("all, a subnet first",         NETWORK + UNKNOWN + KEEPALIVE + NSID + COOKIE,  True),
    ("the first cookie counts",     COOKIE + option(10, bytes(16)),                 True),
    ("whatever the second is",      COOKIE + option(10, b""),                       True),
    ("two names",                   NSID + NSID,                                    True),
    ("256 options",                 UNKNOWN[:2] + b"\0\0" + (PADDING[:2] + b"\0\0") * 255, True),
    ("257 options",                 (PADDING[:2] + b"\0\0") * 257,                  False),
    ("a cookie of 7 octets",        option(10, bytes(7)),                           False),
    ("of 15",                       NSID + option(10, bytes(15)),                   False),
    ("of 41",                       option(10, bytes(41)) + NETWORK,                False),
    ("none at all in it",           option(10),                                     False),
    ("two subnets",                 NETWORK + NETWORK,                              False),
    ("two subnets, apart",          NETWORK + COOKIE + NETWORK,                     False),
    ("a subnet with a scope",       COOKIE + bytes.fromhex("0008000700011818c00002"), False),
    ("a subnet too long",           bytes.fromhex("0008000800011821c0000201"),      False),
    ("bits behind its prefix",      bytes.fromhex("0008000700011700c00001"),        False),
    ("half a header",               COOKIE + b"\0\x03\0",                           False),
    ("longer than the record",      COOKIE + b"\0\x03\0\x01",                       False),
    ("far longer",                  b"\xff\xff\xff\xff",                            False),
]
# fmt: on


@pytest.mark.parametrize(
    ("options", "compiled"), [row[1:] for row in OPTIONS], ids=[row[0] for row in OPTIONS]
)
@pytest.mark.parametrize("snapshot", [SERVED, LONGEST, example(False)], ids=["all", "long", "none"])
def test_options_in_any_order(snapshot, options, compiled):
    cache = fast.FastCache(snapshot)
    names = ("www", "region", "no", "servfail", "down", "to-down", "big", "a.sub", LONG_NAME)
    for name in names:
        for edns in (IN_OPT, (512, 0x8000)):
            query = packet(name, edns=edns, options=options)
            for host in (EU, US, EU6):
                for now in (NOW, None):
                    said, expected = both(cache, query, host, 0, now)
                    assert said == expected
            # Where Client Subnet is off, what is wrong with its data is not looked at.
            is_off = not snapshot.settings.client_subnet
            sound = compiled or (is_off and respond(query, 0, snapshot, 0)[3] & 15 != 1)
            assert (cache.respond_compiled(query, EU, 0, NOW) is not None) == sound


@pytest.mark.parametrize(
    ("secrets", "client", "now", "came", "answered"),
    [row[1:] for row in APPENDIX_A],
    ids=[row[0] for row in APPENDIX_A],
)
def test_rfc_9018_appendix_a(secrets, client, now, came, answered):
    cache = fast.FastCache(example(cookie_secrets=tuple(secrets)))
    query = packet(edns=IN_OPT, options=option(10, bytes.fromhex(came)))

    response = cache.respond_compiled(query, client, 0, now)

    assert response[-28:].hex() == "000a0018" + answered


@pytest.mark.parametrize(("theirs", "kept"), [row[1:] for row in CAME], ids=[r[0] for r in CAME])
@pytest.mark.parametrize("secrets", [(SECRET,), (bytes(16), SECRET), (bytes(16),)])
def test_a_good_cookie_is_kept_and_any_other_renewed(theirs, kept, secrets):
    """With the secret that makes cookies, with one that only accepts them, and with neither."""
    cache = fast.FastCache(example(cookie_secrets=secrets))
    query = packet(edns=IN_OPT, options=option(10, MINE + theirs))

    said, expected = both(cache, query, "192.0.2.1", 0, NOW)

    assert said == expected == cache.respond_compiled(query, "192.0.2.1", 0, NOW)
    assert (said[-16:] == theirs) == (kept and SECRET in secrets)


@pytest.mark.parametrize("start", [0, 2**31 - 4000, 2**32 - 2000, NOW])
def test_what_was_asked_before_does_not_matter(monkeypatch, start):
    """Both paths, one with a full memory, one with none, as time goes by and is set back."""
    monkeypatch.setattr(cookies_module, "REMEMBERED", 4)
    chance = random.Random(start)
    snapshot = everything(cookie_secrets=SECRETS)
    cache = fast.FastCache(snapshot)
    came = [option(10, mine) for mine in (MINE, MINE[::-1], bytes(8))]
    now = start
    for _ in range(1500):
        now = max(0, now + chance.choice((0, 0, 0, 1, 7, 300, 900, 1801, -400)))
        host = chance.choice((EU, US, EU6))
        query = packet(edns=IN_OPT, options=chance.choice(came[-30:] + came[:3]))
        said, expected = both(cache, query, host, 0, now)
        cookie = query[query.index(b"\0\x0a\0", 30) + 4 :]
        assert said[-28:] == Cookies(SECRETS).option(cookie, client_number(host), now)
        assert said == expected == cache.respond_compiled(query, host, 0, now)
        came.append(said[-28:])
    assert len(snapshot.cookies) <= 8


def test_a_secret_of_another_length_is_refused():
    with pytest.raises(ValueError, match="16 octets"):
        fast.FastCache(example(cookie_secrets=(bytes(15), bytes(16))))


def test_where_all_endpoints_are_down_is_told_behind_all_other_options():
    cache = fast.FastCache(SERVED)
    query = packet("down", edns=IN_OPT, options=COOKIE + NSID + NETWORK)

    response = cache.respond_compiled(query, EU, 0, NOW)

    assert response[3] & 15 == 2
    assert response.endswith(subnet(US, 24)[:7] + b"\x18" + subnet(US, 24)[8:] + ALL_DOWN)
