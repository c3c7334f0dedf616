"""Zones and names at their limits: the root, one label, 255 octets, labels of 63, many labels."""

import dns.message
import dns.name
import pytest

from gtmdns.answers.cache import AnswerCache
from gtmdns.answers.responder import respond
from tests.compiler.support import ask, compile_text, mistakes_in, rcode, section, snapshot_of

L63 = "l" * 63
FULL = ".".join([L63, L63, L63, "f" * 61])  # with its root 255 octets
MANY = ".".join(["m"] * 127)  # 127 labels, 255 octets
TEXT = f"""
zones:
  ".":
    nameservers: {{a.servers: [192.0.2.53]}}
    contact: hostmaster@other.test
    serial: 1
    records:
      "@": {{TXT: root}}
      one: {{NS: ns.one, DS: "1 13 2 {"ab" * 32}"}}
      ns.one: {{A: 192.0.2.54}}
      {FULL}: {{A: 192.0.2.1}}
      {MANY}: {{A: 192.0.2.2}}
      "*.wild": {{MX: 10 mail.one}}
      toroot: {{CNAME: .}}
      toone: {{CNAME: one}}
      led: {{DNAME: one}}
      tofull: {{CNAME: {FULL}}}
  one:
    nameservers: {{ns: [192.0.2.54]}}
    contact: hostmaster@one
    serial: 1
    records:
      "@": {{A: 192.0.2.3}}
      mail: {{A: 192.0.2.4}}
"""
SNAPSHOT = snapshot_of(compile_text(TEXT))
ROOT_SOA = ". 30 SOA a.servers. hostmaster.other.test. 1 86400 7200 3600000 30"
ONE_SOA = "one. 30 SOA ns.one. hostmaster.one. 1 86400 7200 3600000 30"
DS = f"1 13 2 {'ab' * 32}"
LONG_WILD = ".".join(["w"] * 124) + ".wild"  # 254 octets

# fmt: off
CASES = [
    # what                         name               type    RCODE       answer                             authority
    ("the root",                   ".",               "TXT",  "NOERROR",  ['. 60 TXT "root"'],                [] ),
    ("its servers",                ".",               "NS",   "NOERROR",  [". 60 NS a.servers."],             []),
    ("its SOA",                    ".",               "SOA",  "NOERROR",  [ROOT_SOA.replace(" 30 SOA", " 60 SOA")], []),
    ("NODATA there",               ".",               "A",    "NOERROR",  [],                                 [ROOT_SOA]),
    ("DS of the root",             ".",               "DS",   "NOERROR",  [],                                 [ROOT_SOA]),
    ("no such name",               "no.such.name.",   "A",    "NXDOMAIN", [],                                 [ROOT_SOA]),
    ("to the root",                "toroot.",         "TXT",  "NOERROR",  ["toroot. 60 CNAME .", '. 60 TXT "root"'], []),
    ("to the root, NODATA",        "toroot.",         "A",    "NOERROR",  ["toroot. 60 CNAME ."],             [ROOT_SOA]),
    ("255 octets",                 f"{FULL}.",        "A",    "NOERROR",  [f"{FULL}. 60 A 192.0.2.1"],        []),
    ("255 octets, other type",     f"{FULL}.",        "TXT",  "NOERROR",  [],                                 [ROOT_SOA]),
    ("127 labels",                 f"{MANY}.",        "A",    "NOERROR",  [f"{MANY}. 60 A 192.0.2.2"],        []),
    ("above them",                 MANY[2:] + ".",    "A",    "NOERROR",  [],                                 [ROOT_SOA]),
    ("254 octets, no such name",   "n." * 127,        "A",    "NXDOMAIN", [],                                 [ROOT_SOA]),
    ("255 octets at an end",       "tofull.",         "A",    "NOERROR",  [f"tofull. 60 CNAME {FULL}.", f"{FULL}. 60 A 192.0.2.1"], []),
    ("125 labels by a wildcard",   f"{LONG_WILD}.",   "MX",   "NOERROR",  [f"{LONG_WILD}. 60 MX 10 mail.one."], []),
    ("a zone of one label",        "one.",            "A",    "NOERROR",  ["one. 60 A 192.0.2.3"],            []),
    ("its NS are its own",         "one.",            "NS",   "NOERROR",  ["one. 60 NS ns.one."],             []),
    ("its DS are its parent's",    "one.",            "DS",   "NOERROR",  [f"one. 60 DS {DS}"],               []),
    ("NODATA in it",               "one.",            "TXT",  "NOERROR",  [],                                 [ONE_SOA]),
    ("NXDOMAIN in it",             "no.one.",         "A",    "NXDOMAIN", [],                                 [ONE_SOA]),
    ("DS below its apex",          "mail.one.",       "DS",   "NOERROR",  [],                                 [ONE_SOA]),
    ("from one into the other",    "toone.",          "A",    "NOERROR",  ["toone. 60 CNAME one.", "one. 60 A 192.0.2.3"], []),
    ("DS at the end of a chain",   "toone.",          "DS",   "NOERROR",  ["toone. 60 CNAME one.", f"one. 60 DS {DS}"], []),
    ("DNAME into the other",       "mail.led.",       "A",    "NOERROR",  ["led. 60 DNAME one.", "mail.led. 60 CNAME mail.one.", "mail.one. 60 A 192.0.2.4"], []),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "rtype", "code", "answer", "authority"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_answer(name: str, rtype: str, code: str, answer: list[str], authority: list[str]) -> None:
    response = ask(SNAPSHOT, name, rtype)

    assert rcode(response) == code
    assert section(response.answer) == sorted(answer)
    assert section(response.authority) == authority
    packet = dns.message.make_query(name, rtype, use_edns=0).to_wire()
    cache = AnswerCache(SNAPSHOT)
    whole = respond(packet, 0, SNAPSHOT, 0)
    assert [cache.respond(packet, "::", 0) for _ in range(2)] == [whole, whole]


def test_labels_of_64_and_names_of_256_octets_are_mistakes() -> None:
    wrong = TEXT.replace(f"{FULL}:", f"x{FULL}:").replace(f"{MANY}:", f"m{MANY}:")

    found = mistakes_in(wrong)

    assert "a label of 64 octets" in found[0]
    assert "has 256 octets in wire format" in found[1]
