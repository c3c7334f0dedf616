"""RDATA from presentation format, judged by dnspython reading the octets back."""

from struct import pack

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.compiler.records import (
    MAX_RDATA,
    TO_QUESTION,
    BadRecord,
    address_rdata,
    rdata_from_text,
    rr,
    soa_rdata,
)
from gtmdns.config.rrtypes import RR_TYPES
from gtmdns.wire.name import from_text
from tests.compiler.support import LAW

ORIGIN = from_text("example.test.")


def read_back(rtype: str, octets: bytes) -> str:
    number = dns.rdatatype.from_text(rtype)
    return dns.rdata.from_wire(dns.rdataclass.IN, number, octets, 0, len(octets)).to_text()


# fmt: off
GOOD = [
    # type, text -> what dnspython reads back
    ("A",     "192.0.2.1",                  "192.0.2.1"),
    ("A",     " 192.0.2.1\n",               "192.0.2.1"),
    ("AAAA",  "2001:DB8::0:1",              "2001:db8::1"),
    ("CNAME", "www",                        "www.example.test."),
    ("CNAME", "www.example.net.",           "www.example.net."),
    ("CNAME", "@",                          "example.test."),
    ("NS",    "ns1.sub",                    "ns1.sub.example.test."),
    ("PTR",   "Host.Example.NET.",          "Host.Example.NET."),
    ("MX",    "10 mail",                    "10 mail.example.test."),
    ("MX",    "0 .",                        "0 ."),
    ("SRV",   "10 5 443 www",               "10 5 443 www.example.test."),
    ("CAA",   '0 issue "ca.example"',       '0 issue "ca.example"'),
    ("CAA",   "128 iodef mailto:a@b.test",  '128 iodef "mailto:a@b.test"'),
    ("TXT",   "v=spf1 -all",                '"v=spf1 -all"'),
    ("TXT",   '"v=spf1 -all"',              '"v=spf1 -all"'),
    ("TXT",   '"one" "two"',                '"one" "two"'),
    ("TXT",   'say "hello"; done',          r'"say \"hello\"; done"'),
    ("TXT",   r"v=DKIM1\; k=rsa",           r'"v=DKIM1\\; k=rsa"'),
    ("TXT",   r'"a\"b\065"',                r'"a\"bA"'),
    ("TXT",   "ü",                          r'"\195\188"'),
    ("TXT",   r"\# is text",                r'"\\# is text"'),
    ("TYPE16", '"one" two',                 '"one" "two"'),
    ("TYPE65", "1 . alpn=h2",               '1 . alpn="h2"'),
    ("TYPE1",  r"\# 4 c0000201",            "192.0.2.1"),
    ("TYPE4711", r"\# 3 ab cd ef",          r"\# 3 abcdef"),
    ("NULL",  r"\# 1 ff",                   r"\# 1 ff"),
    ("HTTPS", "1 . alpn=h2,h3 ipv4hint=192.0.2.1", '1 . alpn="h2,h3" ipv4hint="192.0.2.1"'),
    ("HTTPS", "0 www",                      "0 www.example.test."),
    ("SVCB",  "1 svc port=8443",            '1 svc.example.test. port="8443"'),
    ("DS",    "12345 13 2 " + "ab" * 32,    "12345 13 2 " + "ab" * 32),
    ("TLSA",  "3 1 1 " + "cd" * 32,         "3 1 1 " + "cd" * 32),
    ("SSHFP", "4 2 " + "ef" * 32,           "4 2 " + "ef" * 32),
    ("NAPTR", '100 10 "u" "E2U+sip" "!^.*$!sip:a@b.test!" .', '100 10 "u" "E2U+sip" "!^.*$!sip:a@b.test!" .'),
    ("URI",   '10 1 "https://a.test/"',     '10 1 "https://a.test/"'),
    ("LOC",   "51 30 12.748 N 0 7 39.612 W 0.00m", "51 30 12.748 N 0 7 39.612 W 0.00m"),
    ("HINFO", '"a" "b"',                    '"a" "b"'),
    ("RP",    "a b",                        "a.example.test. b.example.test."),
    ("NSAP-PTR", "a.b.",                    "a.b."),
    ("TXT",   "x" * 300,                    f'"{"x" * 255}" "{"x" * 45}"'),
]
# fmt: on


@pytest.mark.parametrize(("rtype", "text", "expected"), GOOD)
def test_good(rtype: str, text: str, expected: str) -> None:
    assert read_back(rtype, rdata_from_text(rtype, text, ORIGIN)) == expected


# fmt: off
BAD = [
    # type, text, a part of what is said
    ("A",     "2001:db8::1",            "expected an IPv4 address such as 192.0.2.1"),
    ("A",     "192.0.2.256",            "expected an IPv4 address"),
    ("A",     "192.0.2.1 192.0.2.2",    "expected an IPv4 address"),
    ("A",     "192.0.2.1\n192.0.2.2",   "several lines, expected one A record; use a list"),
    ("TXT",   "one\ntwo",               "several lines, expected one TXT record"),
    ("AAAA",  "192.0.2.1",              "expected an IPv6 address"),
    ("CNAME", "a..b",                   "expected a name such as www.example.com."),
    ("NS",    "x" * 64,                 "expected a name such as ns1.example.com."),
    ("PTR",   ".".join(["x" * 60] * 5), "expected a name"),
    ("MX",    "mail",                   "expected a preference and a name such as 10 mail"),
    ("MX",    "70000 mail",             "expected a preference"),
    ("MX",    "10",                     "expected a preference"),
    ("SRV",   "1 2 www",                "expected priority, weight, port and a name"),
    ("CAA",   "issue ca.example",       "expected flags, tag and value"),
    ("TYPE4711", "abc",                 "expected its presentation format, or \\# with octets"),
    ("TYPE4711", r"\# 2 abcdef",        "expected its presentation format"),
    ("TYPE1", r"\# 3 c00002",           "expected its presentation format"),
    ("HTTPS", "x",                      "expected priority, name and parameters such as 1 . alpn=h2,h3"),
    ("HTTPS", "1 . alpn=h2 alpn=h3",    "expected priority, name and parameters"),
    ("TLSA",  "3 1 1",                  "expected usage, selector"),
    ("DS",    "1 13 2 abcd",            "expected key tag"),
    ("NAPTR", "1 1 u",                  "expected order, preference"),
    ("LOC",   "somewhere",              "expected its presentation format"),
    ("TXT",   '"open',                  "expected a text such as"),
    ("TXT",   f'"{"x" * 256}"',         "expected a text such as"),
    ("TXT",   "x" * 66_000,             f"allowed are {MAX_RDATA}"),
    ("TXT",   "\ud800",                 "expected a text such as"),
]
# fmt: on


@pytest.mark.parametrize(("rtype", "text", "said"), BAD, ids=[f"{b[0]} {b[2]}" for b in BAD])
def test_bad(rtype: str, text: str, said: str) -> None:
    with pytest.raises(BadRecord) as raised:
        rdata_from_text(rtype, text, ORIGIN)

    assert said in str(raised.value)


def check_any(rtype: str, text: str) -> None:
    try:
        octets = rdata_from_text(rtype, text, ORIGIN)
    except BadRecord:
        return
    assert read_back(rtype, octets) or (rtype, octets) == ("APL", b"")  # a list that may be empty


@LAW
@given(rtype=st.sampled_from(RR_TYPES), text=st.text(max_size=40))
def test_any_text_is_a_record_or_a_bad_record(rtype: str, text: str) -> None:
    """Invariant: nothing else is raised, and what is made can be read back."""
    check_any(rtype, text)


@LAW
@given(
    rtype=st.sampled_from(RR_TYPES),
    words=st.lists(
        st.sampled_from(
            [
                "10",
                "5",
                "0",
                "-1",
                "443",
                "www",
                "a.b.",
                "@",
                ".",
                '"q"',
                "(",
                ")",
                ";",
                "\\#",
                "4",
                "issue",
            ]
        ),
        max_size=6,
    ),
)
def test_words_of_master_files_are_no_different(rtype: str, words: list[str]) -> None:
    check_any(rtype, " ".join(words))


def test_names_in_records_are_whole_and_not_compressed() -> None:
    assert rdata_from_text("MX", "10 mail", ORIGIN) == b"\x00\x0a\x04mail\x07example\x04test\x00"


def test_rr_is_in_wire_order() -> None:
    record = rr(TO_QUESTION, 1, 300, bytes([192, 0, 2, 1]))

    assert record == b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01"


@pytest.mark.parametrize(
    ("address", "rtype", "size"), [("192.0.2.1", 1, 4), ("2001:db8::1", 28, 16), ("::1", 28, 16)]
)
def test_address_rdata(address: str, rtype: int, size: int) -> None:
    number, octets = address_rdata(address)

    assert (number, len(octets)) == (rtype, size)
    assert read_back(dns.rdatatype.to_text(dns.rdatatype.RdataType(number)), octets) == address


def test_soa() -> None:
    octets = soa_rdata(from_text("ns1.example.test."), from_text("host.example.test."), 42, 30)

    assert (
        read_back("SOA", octets) == "ns1.example.test. host.example.test. 42 86400 7200 3600000 30"
    )
    assert octets.endswith(pack("!I", 30))
