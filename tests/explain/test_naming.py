"""What a name is, and why."""

import pytest

from gtmdns.control.publication import Publication
from gtmdns.control.witnesses import of_file
from gtmdns.explain.explain import explain
from tests.compiler.support import compile_text
from tests.explain.scene import told

# fmt: off
NAMES = [
    # name, type -> kind, why
    ("chain",  "A",    "steered",  "the record chain"),
    ("chain",  "AAAA", "nodata",   "no pool of the record chain has an IPv6 endpoint"),
    ("chain",  "TXT",  "nodata",   "the name exists, with A, and has no such type"),
    ("ent",    "A",    "nodata",   "no records: an empty non-terminal, as names below it exist"),
    ("a.ent",  "TXT",  "static",   "records of the configuration"),
    ("x.y.no", "A",    "nxdomain", "example.test exists, no.example.test does not, and there is no wildcard"),
    ("x.wild", "A",    "steered",  "the record *.wild"),
    ("x.sub",  "A",    "referral", "delegated at sub.example.test"),
    ("x.old",  "A",    "alias",    "old.example.test has a DNAME, which renames all below it"),
    ("cname",  "A",    "alias",    "a static CNAME to near.example.test"),
    ("chain",  "ANY",  "static",   "ANY gets one record in place of all (RFC 8482)"),
    ("chain",  "AXFR", "transfer", "zones alone are transferred: example.test is one"),
]
# fmt: on


@pytest.mark.parametrize(("name", "rtype", "kind", "why"), NAMES)
def test_what_a_name_is(name: str, rtype: str, kind: str, why: str) -> None:
    said = told(name, rtype=rtype)

    assert (said["kind"], said["why"]) == (kind, why)
    assert said["wildcard"] == ("*.wild.example.test" if name == "x.wild" else None)


SENT = """
zones:
  sent.test: {nameservers: {ns1: [192.0.2.53]}, contact: a@sent.test, serial: 7, transfer_to: [192.0.2.0/24],
              records: {www: {A: 192.0.2.1}}}
  kept.test: {nameservers: {ns1: [192.0.2.53]}, contact: a@kept.test}
"""
# fmt: off
TRANSFERS = [
    # name, type, client -> rcode, records, words of why
    ("sent.test",     "AXFR", "192.0.2.9", "NOERROR", ["SOA"], "holds the address that asks: the SOA, then all of the zone over TCP, and REFUSED over UDP"),
    ("SENT.Test",     "IXFR", "192.0.2.9", "NOERROR", ["SOA"], "all of the zone over TCP, unless the asker has it; the SOA over UDP"),
    ("sent.test",     "AXFR", "192.0.3.9", "REFUSED", [],      "transfer_to of the zone does not hold the address that asks"),
    ("kept.test",     "AXFR", "192.0.2.9", "REFUSED", [],      "the zone has no transfer_to"),
    ("www.sent.test", "AXFR", "192.0.2.9", "REFUSED", [],      "zones alone are transferred: sent.test is one"),
]
# fmt: on


@pytest.mark.parametrize(("name", "rtype", "client", "rcode", "types", "why"), TRANSFERS)
def test_whole_zones_are_told_as_they_are_sent(
    name: str, rtype: str, client: str, rcode: str, types: list[str], why: str
) -> None:
    made = compile_text(SENT)
    snapshot = Publication.of(made.plan, made.pieces).snapshot

    said = explain(snapshot, of_file(made.plan), name, rtype, client)

    assert (said["kind"], said["rcode"]) == ("transfer", rcode)
    assert [answer["type"] for answer in said["answers"]] == types
    assert why in said["why"]
