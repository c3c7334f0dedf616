"""Looking names up in a zone, against a plain walk by RFC 1034 section 4.3.2 and RFC 4592."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.answers.pack import Records, Referral
from gtmdns.answers.zone import Node, Zone
from gtmdns.wire.constants import NS
from gtmdns.wire.name import ROOT, WireName, ancestors, from_text, is_below, to_text
from tests.example_zone import APEX, EXAMPLE, NEGATIVE
from tests.laws import LAW

ZONE = EXAMPLE.zones[APEX]

# fmt: off
CASES = [
    # id                            qname                        node               the name exists
    ("apex",                        "example.com",               "example.com.",        True),
    ("name",                        "www.example.com",           "www.example.com.",    True),
    ("not there",                   "no.example.com",            None,                  False),
    ("below a name",                "a.www.example.com",         None,                  False),
    ("empty non-terminal",          "ent.example.com",           "ent.example.com.",    True),
    ("beside its child",            "b.ent.example.com",         None,                  False),
    ("wildcard",                    "x.apps.example.com",        "*.apps.example.com.", False),
    ("wildcard, two labels",        "x.y.apps.example.com",      "*.apps.example.com.", False),
    ("the wildcard itself",         "*.apps.example.com",        "*.apps.example.com.", True),
    ("above the wildcard",          "apps.example.com",          "apps.example.com.",   True),
    ("a name beside the wildcard",  "exact.apps.example.com",    "exact.apps.example.com.", True),
    ("below that name",             "x.exact.apps.example.com",  None,                  False),
    ("below the wildcard itself",   "x.*.apps.example.com",      None,                  False),
    ("zone cut",                    "sub.example.com",           "sub.example.com.",    True),
    ("below the zone cut",          "a.b.sub.example.com",       "sub.example.com.",    False),
    ("longer than any name here",   "a." * 120 + "example.com",  None,                  False),
    ("long, below the wildcard",    "a." * 100 + "apps.example.com", "*.apps.example.com.", False),
    ("long, below the cut",         "a." * 100 + "sub.example.com", "sub.example.com.", False),
]
# fmt: on


@pytest.mark.parametrize(
    ("qname", "found", "exists"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_lookup(qname, found, exists):
    node, there = ZONE.lookup(from_text(qname))

    assert node is (None if found is None else ZONE.get(from_text(found)))
    assert there is exists


def test_the_entry_of_a_type():
    node = Node(0, ((1, 10), (28, 20)))
    alias = Node(0, (), cname=30)

    assert (node.entry(1), node.entry(28), node.entry(16)) == (10, 20, None)
    assert (alias.entry(1), alias.entry(255)) == (30, 30)


LABELS = ["a", "b", "*"]
names = st.lists(st.sampled_from(LABELS), max_size=4).map(
    lambda each: from_text(".".join([*each, "z"]))
)


def build(owners: set[WireName], cuts: set[WireName]) -> Zone:
    """Make the zone z as the compiler does: empty non-terminals, nothing below cuts, wildcards hung."""
    zone = Zone(from_text("z"), 0, NEGATIVE)
    existing = {from_text("z")}
    for owner in owners | cuts:
        existing |= {owner, *ancestors(owner)} - {ROOT}
    existing = {each for each in existing if not any(is_below(each, cut) for cut in cuts)}
    for name in existing:
        referral = Referral(name, Records(NS, 60, ())) if name in cuts else None
        zone.add(name, Node(0, (), None, referral))
    for name in existing:
        if name[:2] == b"\x01*":
            encloser = zone.get(WireName(name[2:]))
            assert encloser is not None
            encloser.wildcard = zone.get(name)
    return zone


@LAW
@given(
    st.sets(names, max_size=6),
    st.sets(names.filter(lambda name: to_text(name)[0] in "ab"), max_size=2),
    names,
)
def test_lookup_is_the_algorithm_of_the_rfc(owners, cuts, qname):
    """From the apex down: a cut ends it; else the name, else the wildcard of the closest encloser."""
    cuts = {cut for cut in cuts if not any(is_below(cut, other) for other in cuts)}
    zone = build(owners, cuts)
    expected = None
    for name in [*reversed(list(ancestors(qname))), qname]:
        if name in cuts:
            expected = zone.get(name)
            break
        node = zone.get(name)
        if node is None and name != ROOT:
            expected = zone.get(WireName(b"\x01*" + name[1 + name[0] :]))
            break
        expected = node

    found, exists = zone.lookup(qname)

    assert found is expected
    assert exists is (zone.get(qname) is not None)


def test_a_name_of_127_labels_does_not_cost_127_looks(monkeypatch):
    looked = []
    get = Zone.get
    monkeypatch.setattr(Zone, "get", lambda zone, name: looked.append(name) or get(zone, name))

    ZONE.lookup(from_text("a." * 121 + "example.com"))

    assert len(looked) <= 2 + ZONE.longest // 2, "the name, and those not longer than a node's"
    assert ZONE.longest == max(len(name) for shard in ZONE.shards for name in shard)
