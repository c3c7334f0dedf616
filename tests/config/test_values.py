"""Readers of single values: durations, addresses, networks, listen addresses, lists."""

import json
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from gtmdns.config import readers, values
from gtmdns.config.mistakes import Mistake, did_you_mean, key_path
from gtmdns.config.readers import Minimum
from gtmdns.config.values import format_duration, parse_duration, problems_of

# fmt: off
DURATIONS = [
    ("500ms", 0.5), ("5s", 5.0), ("2m", 120.0), ("1h", 3600.0), ("1.5s", 1.5), ("0.5m", 30.0),
    (5, 5.0), (0.25, 0.25), ("7", 7.0), (0, 0.0), ("1ms", 0.001),
]
NO_DURATIONS = ["5x", "", "s", "-5s", "5 s", "1d", "1h30m", "1e3s", None, True, [], {}, float("nan"), float("inf"), ".5s", "\u0665s"]
# fmt: on


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_duration(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_no_duration(text):
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 10**9))
def test_whole_milliseconds_survive_writing_and_reading(milliseconds):
    seconds = milliseconds / 1000

    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (1.5, "1500ms"), (60, "1m"), (90, "90s"), (7200.0, "2h")],
)
def test_durations_are_written_shortly(seconds, text):
    assert format_duration(seconds) == text


# fmt: off
GOOD = [
    # reader                    text                    value
    (values.read_address,          "192.0.2.1",            "192.0.2.1"),
    (values.read_address,          "2001:DB8:0::1",        "2001:db8::1"),
    (values.read_endpoint_address, "2001:DB8::1",          "2001:db8::1"),
    (values.read_endpoint_address, "LB.Example.NET.",      "lb.example.net"),
    (values.read_endpoint_address, "_x-1.example",         "_x-1.example"),
    (values.read_network,          "203.0.113.0/24",       ip_network("203.0.113.0/24")),
    (values.read_network,          "2001:DB8::/32",        ip_network("2001:db8::/32")),
    (values.read_network,          "192.0.2.1",            ip_network("192.0.2.1/32")),
    (values.read_network,          "0.0.0.0/0",            ip_network("0.0.0.0/0")),
    (values.read_network,          ip_network("10.0.0.0/8"), ip_network("10.0.0.0/8")),
    (values.read_listen,           "127.0.0.1:5300",       "127.0.0.1:5300"),
    (values.read_listen,           "[0:0::1]:53",          "[::1]:53"),
    (values.read_listen,           "[fe80::1%eth0]:53",    "[fe80::1%eth0]:53"),
    (values.read_flag,             False,                  False),
    (values.read_name,             "a.B_c-9",              "a.B_c-9"),
    (readers.read_workers,         "auto",                 None),
    (readers.read_workers,         4,                      4),
    (readers.read_serial,          "auto",                 None),
    (readers.read_serial,          2**32 - 1,              2**32 - 1),
    (readers.read_contact,         "host.master@a.example", "host.master@a.example"),
    (readers.read_host_name,       "GTM.example.net",      "gtm.example.net"),
    (readers.read_http_host,       "2001:DB8::1",          "2001:db8::1"),
    (readers.read_http_host,       "WWW.example.com",      "www.example.com"),
    (readers.read_http_path,       "/a?b=c%20d",           "/a?b=c%20d"),
    (readers.read_status_range,    "200-399",              (200, 399)),
    (readers.read_status_range,    "204",                  (204, 204)),
    (readers.read_status_range,    200,                    (200, 200)),
    (readers.read_status_range,    (200, 399),             (200, 399)),
    (readers.read_minimum,         3,                      Minimum(count=3)),
    (readers.read_minimum,         "1%",                   Minimum(percent=1)),
    (readers.read_minimum,         "100%",                 Minimum(percent=100)),
    (readers.read_minimum,         Minimum(count=2),       Minimum(count=2)),
    (readers.read_subdivision,     "CN-ZJ",                "CN-ZJ"),
    (readers.read_country,         "NO",                   "NO"),
]

BAD = [
    (values.read_address,          "192.0.2.256",          'expected an IP address, got "192.0.2.256"'),
    (values.read_address,          "fe80::1%eth0",         'expected an IP address, got "fe80::1%eth0"'),
    (values.read_address,          1,                      "expected an IP address, got 1"),
    (values.read_endpoint_address, "192.0.2.256",          'expected an IP address or a full host name, got "192.0.2.256"'),
    (values.read_endpoint_address, "192.0.2.1:80",         'expected an IP address or a full host name, got "192.0.2.1:80"; a port belongs to the health check'),
    (values.read_endpoint_address, "www",                  'expected an IP address or a full host name, got "www"'),
    (values.read_endpoint_address, "a..b",                 'expected an IP address or a full host name, got "a..b"'),
    (values.read_endpoint_address, "-a.b",                 'expected an IP address or a full host name, got "-a.b"'),
    (values.read_endpoint_address, "x" * 64 + ".b",        f'expected an IP address or a full host name, got "{"x" * 64}.b"'),
    (values.read_endpoint_address, "bücher.example",       'expected an IP address or a full host name, got "bücher.example"'),
    (values.read_endpoint_address, None,                   "expected an IP address or a full host name, got nothing"),
    (values.read_network,          "10.0.0.1/8",           "10.0.0.1/8 has bits set beyond its prefix; did you mean 10.0.0.0/8?"),
    (values.read_network,          "2001:db8::1/64",       "2001:db8::1/64 has bits set beyond its prefix; did you mean 2001:db8::/64?"),
    (values.read_network,          "10.0.0.0/33",          'expected a network such as 203.0.113.0/24 or 2001:db8::/32, got "10.0.0.0/33"'),
    (values.read_network,          167772160,              "expected a network such as 203.0.113.0/24 or 2001:db8::/32, got 167772160"),
    (values.read_listen,           ":5300",                'expected an address and a port, such as "127.0.0.1:5300" or "[::1]:5300", got ":5300"'),
    (values.read_listen,           "localhost:53",         'expected an address and a port, such as "127.0.0.1:5300" or "[::1]:5300", got "localhost:53"'),
    (values.read_listen,           "::1:53",               'expected an address and a port, such as "127.0.0.1:5300" or "[::1]:5300", got "::1:53"'),
    (values.read_listen,           "[127.0.0.1]:53",       'expected an address and a port, such as "127.0.0.1:5300" or "[::1]:5300", got "[127.0.0.1]:53"'),
    (values.read_listen,           "127.0.0.1",            'expected an address and a port, such as "127.0.0.1:5300" or "[::1]:5300", got "127.0.0.1"'),
    (values.read_listen,           "127.0.0.1:",           'expected an address and a port, such as "127.0.0.1:5300" or "[::1]:5300", got "127.0.0.1:"'),
    (values.read_listen,           "127.0.0.1:0",          'expected a port from 1 to 65535, got "127.0.0.1:0"'),
    (values.read_listen,           "127.0.0.1:65536",      'expected a port from 1 to 65535, got "127.0.0.1:65536"'),
    (values.read_flag,             "yes",                  'expected true or false, got "yes"; YAML 1.2 has no yes and no'),
    (values.read_flag,             1,                      "expected true or false, got 1"),
    (values.read_name,             "all",                  'the name "all" is reserved'),
    (values.read_name,             "nearest",              'the name "nearest" is reserved'),
    (values.read_name,             "default",              'the name "default" is reserved'),
    (values.read_name,             "a b",                  'expected a name of letters, digits, dots, underscores and hyphens, got "a b"'),
    (values.read_name,             "",                     'expected a name of letters, digits, dots, underscores and hyphens, got ""'),
    (values.read_name,             1,                      "expected a name; a number must be put in quotes, got 1"),
    (values.duration(1, 60).read,  "2m",                   'expected a duration from 1s to 1m, got "2m"'),
    (values.duration(1, 60).read,  "x",                    'expected a duration from 1s to 1m, such as 500ms, 5s, 2m or 1h, got "x"'),
    (values.integer(1, 9).read,    True,                   "expected a whole number from 1 to 9, got true"),
    (values.integer(1, 9).read,    1.0,                    "expected a whole number from 1 to 9, got 1.0"),
    (values.integer(1, 9).read,    "5",                    'expected a whole number from 1 to 9, got "5"'),
    (values.integer(1, 9).read,    10,                     "expected a whole number from 1 to 9, got 10"),
    (values.text().read,           5,                      'expected a text, got 5; write it in quotes: "5"'),
    (values.text().read,           True,                   'expected a text, got true; write it in quotes: "true"'),
    (values.text().read,           "",                     'expected a text, got ""'),
    (readers.read_workers,         0,                      "expected auto, or a whole number from 1 to 256, got 0"),
    (readers.read_workers,         True,                   "expected auto, or a whole number from 1 to 256, got true"),
    (readers.read_serial,          2**32,                  "expected auto, or a whole number from 0 to 4294967295, got 4294967296"),
    (readers.read_contact,         "host.example",         'expected an e-mail address such as hostmaster@example.com, got "host.example"'),
    (readers.read_contact,         "a@b@c",                'expected an e-mail address such as hostmaster@example.com, got "a@b@c"'),
    (readers.read_http_host,       "a:80",                 'expected a host name, got "a:80"'),
    (readers.read_http_path,       "healthz",              'expected a path that begins with / and has no spaces, got "healthz"'),
    (readers.read_http_path,       "/a b",                 'expected a path that begins with / and has no spaces, got "/a b"'),
    (readers.read_http_path,       "/a\r\nX: y",           'expected a path that begins with / and has no spaces, got "/a\\r\\nX: y"'),
    (readers.read_status_range,    "600",                  'expected a status such as 204 or "200-399", got "600"'),
    (readers.read_status_range,    "399-200",              'expected the smaller status first, got "399-200"'),
    (readers.read_status_range,    True,                   'expected a status such as 204 or "200-399", got true'),
    (readers.read_minimum,         0,                      'expected a number from 1, or a percentage such as "50%", from 1% to 100%, got 0'),
    (readers.read_minimum,         "101%",                 'expected a number from 1, or a percentage such as "50%", from 1% to 100%, got "101%"'),
    (readers.read_minimum,         "0%",                   'expected a number from 1, or a percentage such as "50%", from 1% to 100%, got "0%"'),
    (readers.read_minimum,         True,                   'expected a number from 1, or a percentage such as "50%", from 1% to 100%, got true'),
    (readers.read_subdivision,     "ZJ",                   'expected an ISO 3166-2 code such as CN-ZJ, got "ZJ"'),
    (readers.read_country,         "cn",                   'expected two capital letters such as CN (ISO 3166-1), got "cn"'),
    (readers.CONTINENT.read,       "as",                   'expected AF, AN, AS, EU, NA, OC or SA, got "as"; did you mean "AS"?'),
]
# fmt: on


@pytest.mark.parametrize(("reader", "text", "value"), GOOD)
def test_good_value(reader, text, value):
    result = reader(text)

    assert (type(result), result) == (type(value), value)
    assert result is None or reader(result) == value  # models can be made from their own values


@pytest.mark.parametrize(("reader", "value", "problem"), BAD)
def test_bad_value(reader, value, problem):
    with pytest.raises(PydanticCustomError) as caught:
        reader(value)

    assert caught.value.message() == problem


def test_a_list_reports_every_item():
    reader = values.list_of(values.integer(1, 9), "numbers", least=1).read

    assert reader([1, 2]) == (1, 2)
    with pytest.raises(ValidationError) as caught:
        reader([0, 1, "x", 1])
    assert problems_of(caught.value) == [
        ((0,), "expected a whole number from 1 to 9, got 0"),
        ((2,), 'expected a whole number from 1 to 9, got "x"'),
        ((3,), "1 is in the list twice"),
    ]


@pytest.mark.parametrize("value", [[], 5, None, {}, "x"])
def test_no_list(value):
    with pytest.raises(PydanticCustomError, match="expected a list of numbers"):
        values.list_of(values.integer(1, 9), "numbers", least=1).read(value)


def test_a_single_value_may_stand_for_a_list():
    reader = values.list_of(values.integer(1, 9), "numbers", single=True).read

    assert reader(5) == (5,)
    assert reader([5, 6]) == (5, 6)


def test_long_values_are_shown_short():
    assert values.shown("x" * 500) == '"' + "x" * 75 + "..."
    assert [values.shown(value) for value in ({}, {"a": 1}, [], [1], None, True, 1.5)] == [
        "an empty mapping", "a mapping", "an empty list", "a list", "nothing", "true", "1.5",
    ]  # fmt: skip


def test_did_you_mean():
    assert did_you_mean("intervall", ["interval", "timeout"]) == '; did you mean "interval"?'
    assert did_you_mean("TTL", ["ttl", "TXT"]) == '; did you mean "ttl"?'
    assert did_you_mean("zzz", ["ttl"]) == ""
    assert did_you_mean("x", []) == ""


def test_key_paths():
    assert key_path(("pools", "a.b", "endpoints", 0, "weight")) == "pools.a.b.endpoints[0].weight"
    assert key_path(()) == ""
    assert key_path((0,) * 40) == "[0]" * 24 + "..."


def test_a_mistake_is_one_line():
    assert str(Mistake("f.yaml", 3, 5, "a.b", "no")) == "f.yaml:3:5: a.b: no"
    assert str(Mistake("f.yaml", 3, 5, "", "no")) == "f.yaml:3:5: no"


@pytest.mark.parametrize("checked", [values.FLAG, values.NAMED, values.ADDRESS, readers.MINIMUM])
def test_schemas_are_json(checked):
    assert json.loads(json.dumps(checked.schema)) == checked.schema
