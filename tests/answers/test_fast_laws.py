"""Both paths say the same about anything: every zone, option, client, draw and time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gtmdns.answers.cookies import Cookies
from gtmdns.answers.responder import respond
from gtmdns.answers.route import client_number
from tests.answers.compiled import NOW, SECRETS, both, everything, fast, option, subnet
from tests.answers.interleaving import HOSTS, NAMES, packet
from tests.answers.test_cache import TYPES
from tests.example_zone import EU, US
from tests.laws import LAW

KINDS = [
    f"{name}.kinds.test."
    for name in (
        "hash", "x.hash", "to-hash", "plain", "drawn", "leads", "x.leads", "to-leads", "a.b.cut", "cut", "to-cut",
        "mx", "to-mx", "srv", "link0", "link3", "link10", "x.longer", "q.away", "q.hashes", "w.wild", "to-plain",
    )
]  # fmt: skip
LONG = [
    ".".join(["ab"] * 60) + f".{end}" for end in ("servfail", "sub", "to-down", "cut.kinds.test.")
]
ALL = [*NAMES, "a.b.sub", "to-down", "to-sub", "to-ns", "alias-www", *KINDS, *LONG]

# The second has no room for anything but cookies, the third as much as there is.
SNAPSHOTS = (
    everything(nsid=b"edge", cookie_secrets=SECRETS),
    everything(udp_payload=512, nsid=b"n" * 255, cookie_secrets=SECRETS),
    everything(udp_payload=4096, cookie_secrets=SECRETS[:1]),
    everything(client_subnet=False, nsid=b""),
)
MADE = tuple(
    Cookies((secret,)).option(b"a client", client_number(EU), NOW - age)[4:]
    for secret in (*SECRETS, b"somebody else's.")
    for age in (0, 1800, 1801, -300, -301)
)

options = st.lists(
    st.one_of(
        st.builds(option, st.just(10), st.sampled_from([b"a client", b"anothers", *MADE])),
        st.builds(option, st.sampled_from([3, 3, 11, 12, 65_001]), st.binary(max_size=3)),
        st.sampled_from([subnet(EU, 24), subnet(US, 22), subnet("::", 0), subnet("10.9.0.0", 16)]),
        st.builds(subnet, st.sampled_from(["2001:db8:e::9", "2002:c000:207::", "64:ff9b::c000:207"]),
                  st.integers(0, 128)),
        st.builds(option, st.integers(0, 20), st.binary(max_size=41)),
    ),
    max_size=4,
).map(b"".join)  # fmt: skip
queries = st.builds(
    packet,
    st.sampled_from(ALL),
    st.sampled_from([1, 1, 1, *TYPES]),
    edns=st.sampled_from([(512, 0), (1232, 0x8000), (4096, 0)]),
    case=st.integers(0, 2**60),
    options=options,
) | st.builds(packet, st.sampled_from(ALL), st.sampled_from(TYPES))
asked = st.tuples(
    queries,
    st.sampled_from(HOSTS),
    st.integers(0, 2**64 - 1),
    st.sampled_from([NOW, NOW, NOW + 1, NOW + 1800, None, 5, 2**32 + 5]),
    st.tuples(st.integers(0, 80), st.integers(0, 255)) | st.none(),
)


@settings(LAW, max_examples=150)
@given(
    st.sampled_from(SNAPSHOTS),
    st.lists(asked, min_size=1, max_size=20),
    st.sampled_from([65_536, 65_536, 2]),
)
def test_the_octets_are_those_of_the_reference(snapshot, queries, bound):
    """For any queries one after the other, some with an octet that is wrong; and counted the same."""
    cache = fast.FastCache(snapshot, bound)
    for query, host, draw, now, wrong in queries:
        octets = bytearray(query)
        if wrong is not None and wrong[0] < len(octets):
            octets[wrong[0]] = wrong[1]
        snapshot.tally.clear()
        expected = respond(bytes(octets), client_number(host), snapshot, draw, None, now)
        counted = dict(snapshot.tally)
        snapshot.tally.clear()
        assert cache.respond(bytes(octets), host, draw, now) == expected
        cache.count()
        assert dict(snapshot.tally) == counted


def test_every_name_for_every_client():
    """What is kept and what is not, chains that go on, and answers that do not fit."""
    for snapshot in SNAPSHOTS[:3]:
        for bound in (65_536, 0):
            cache = fast.FastCache(snapshot, bound)
            for name in ALL:
                for edns in (None, (512, 0), (4096, 0x8000)):
                    for qtype, draw in (
                        (1, 0),
                        (1, 1 << 63),
                        (1, 2**64 - 1),
                        (28, 5),
                        (5, 1 << 62),
                    ):
                        query = packet(name, qtype, edns=edns)
                        said, expected = both(cache, query, HOSTS[draw % 7 % len(HOSTS)], draw)
                        assert said == expected
