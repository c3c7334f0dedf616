"""Questions of class CHAOS about the server itself."""

import dns.flags
import dns.message
import dns.rdataclass
import pytest

from gtmdns.answers import answer as tags
from gtmdns.answers.cache import AnswerCache
from tests.answers.asking import ask, rcode, told
from tests.example_zone import example

NAMED = {"nsid": b"edge-1", "version": b"what you see"}
LONG = "x" * 255

# fmt: off
ASKED = [
    # id                        qname             type    class  settings                    texts, None: REFUSED
    ("version.bind",            "version.bind",   "TXT",  "CH",  NAMED,                      ['"what you see"']),
    ("version.server",          "version.server", "TXT",  "CH",  NAMED,                      ['"what you see"']),
    ("id.server",               "id.server",      "TXT",  "CH",  NAMED,                      ['"edge-1"']),
    ("hostname.bind",           "hostname.bind",  "TXT",  "CH",  NAMED,                      ['"edge-1"']),
    ("in any case",             "VERSION.Bind",   "TXT",  "CH",  NAMED,                      ['"what you see"']),
    ("ANY",                     "version.bind",   "ANY",  "CH",  NAMED,                      ['"what you see"']),
    ("the longest",             "id.server",      "TXT",  "CH",  {"nsid": LONG.encode()},    [f'"{LONG}"']),
    ("another type",            "version.bind",   "A",    "CH",  NAMED,                      None),
    ("another name",            "authors.bind",   "TXT",  "CH",  NAMED,                      None),
    ("below it",                "x.version.bind", "TXT",  "CH",  NAMED,                      None),
    ("a name of ours",          "www.example.com", "A",   "CH",  NAMED,                      None),
    ("class IN",                "version.bind",   "TXT",  "IN",  NAMED,                      None),
    ("class ANY",               "version.bind",   "TXT",  "ANY", NAMED,                      None),
    ("class HS",                "version.bind",   "TXT",  "HS",  NAMED,                      None),
    ("no version",              "version.bind",   "TXT",  "CH",  {"nsid": b"edge-1"},        None),
    ("no name",                 "id.server",      "TXT",  "CH",  {"version": b"1"},          None),
    ("nothing told",            "version.bind",   "TXT",  "CH",  {},                         None),
    ("a transfer",              "version.bind",   "AXFR", "CH",  NAMED,                      None),
]
# fmt: on


@pytest.mark.parametrize(
    ("qname", "qtype", "qclass", "settings", "texts"),
    [row[1:] for row in ASKED],
    ids=[row[0] for row in ASKED],
)
def test_about_the_server(qname, qtype, qclass, settings, texts):
    snapshot = example(**settings)

    response = ask(qname, qtype, rdclass=qclass, snapshot=snapshot)

    assert rcode(response) == ("REFUSED" if texts is None else "NOERROR")
    assert told(response) == (texts or [])
    assert bool(response.flags & dns.flags.AA) == (texts is not None)
    assert snapshot.tally == {tags.REFUSED if texts is None else tags.ABOUT: 1}
    for rrset in response.answer:
        assert (rrset.ttl, rrset.rdclass) == (0, dns.rdataclass.CH)
        assert rrset.name == response.question[0].name


def test_it_is_not_kept_in_the_cache():
    cache = AnswerCache(example(**NAMED))
    query = dns.message.make_query("version.bind", "TXT", "CH").to_wire()
    octets = [cache.respond(query, "192.0.2.1", 0) for _ in range(2)]

    assert octets[0] == octets[1] is not None
    assert len(cache) == 0
