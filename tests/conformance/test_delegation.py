"""A parent zone delegates to gtmdns, and a resolver that knows only the parent finds its names.

NSD serves root and parent; unbound, BIND and Knot Resolver resolve, all of them from Debian. A
resolver is told nothing of gtmdns: it learns of it from the delegation, as resolvers do.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.conformance.resolving import (
    CHILD,
    CHILD_HOST,
    KINDS,
    reason_to_skip,
    resolver,
)
from tests.conformance.server import Server, serving
from tests.conformance.shares import assert_shares
from tests.conformance.waiting import eventually

ONE, TWO = "10.0.0.1", "10.0.0.2"
TEXTS = [f"{number:03}" + "x" * 200 for number in range(20)]  # together far beyond 1232 octets

CONFIG = f"""
regions:
  hangzhou: {{networks: [101.37.0.0/16]}}
pools:
  one: {{endpoints: [{ONE}, "2001:db8::1"]}}
  two: {{endpoints: [{TWO}]}}
  elsewhere: {{endpoints: [www.{CHILD}]}}
  to-near: {{endpoints: [near.{CHILD}]}}
zones:
  {CHILD}:
    nameservers: {{ns1: [{CHILD_HOST}]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: one}}
      "*.drawn": {{pools: {{one: 1, two: 3}}}}
      near: {{ttl: 60, route: {{hangzhou: two, default: one}}}}
      alias: {{pools: elsewhere}}
      "*.wild": {{pools: two}}
      deep.empty.non.terminal: {{TXT: here}}
      long: {{TXT: {TEXTS}}}
      mail: {{MX: ["10 www"], ttl: 300}}
      led: {{DNAME: wild}}
      far: {{DNAME: led.inner}}
      "*.chain": {{CNAME: x.led}}
      to-chain: {{CNAME: y.chain}}
      across: {{CNAME: www.inner}}
      to-near: {{pools: to-near}}
      lost: {{CNAME: no.inner}}
      inner: {{NS: ns1}}
  inner.{CHILD}:
    nameservers: {{ns1.{CHILD}.: []}}
    contact: hostmaster@example.com
    records:
      www: {{pools: two}}
      back: {{CNAME: www.{CHILD}.}}
      "*.led": {{CNAME: back}}
"""

Ask = Callable[..., dns.message.Message]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    missing = reason_to_skip()
    if missing:
        pytest.skip(missing)
    with serving(tmp_path_factory.mktemp("child"), CONFIG, host=CHILD_HOST, port=53) as running:
        yield running


@pytest.fixture(scope="module", params=KINDS)
def ask(
    server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Ask]:
    kind = KINDS[request.param]
    if not shutil.which(kind.program):
        pytest.skip(f"{kind.program} is not installed (Debian package {kind.package})")
    with resolver(tmp_path_factory.mktemp("resolver"), kind) as port:

        def resolve(name: str, rdtype: str = "A", subnet: str | None = None) -> dns.message.Message:
            options: list[dns.edns.Option] = (
                [dns.edns.ECSOption.from_text(subnet)] if subnet else []
            )
            query = dns.message.make_query(name, rdtype, use_edns=0, payload=1232, options=options)
            response, _ = dns.query.udp_with_fallback(query, kind.host, timeout=10, port=port)
            return response

        yield resolve


def told(response: dns.message.Message) -> list[str]:
    return [f"{rrset.name} {data}" for rrset in response.answer for data in rrset]


# fmt: off
CASES = [
    ("an address",        f"www.{CHILD}",     "A",     [f"www.{CHILD}. {ONE}"]),
    ("IPv6",              f"www.{CHILD}",     "AAAA",  [f"www.{CHILD}. 2001:db8::1"]),
    ("parent's alias",    "www.example.com",  "A",     [f"www.example.com. www.{CHILD}.", f"www.{CHILD}. {ONE}"]),
    ("CNAME of a pool",   f"alias.{CHILD}",   "A",     [f"alias.{CHILD}. www.{CHILD}.", f"www.{CHILD}. {ONE}"]),
    ("wildcard",          f"a.b.wild.{CHILD}", "A",    [f"a.b.wild.{CHILD}. {TWO}"]),
    ("NODATA",            f"two.wild.{CHILD}", "AAAA", []),
    ("empty non-terminal", f"non.terminal.{CHILD}", "A", []),
    ("below it",          f"deep.empty.non.terminal.{CHILD}", "TXT", [f'deep.empty.non.terminal.{CHILD}. "here"']),
    ("MX",                f"mail.{CHILD}",    "MX",    [f"mail.{CHILD}. 10 www.{CHILD}."]),
    ("name servers",      CHILD,              "NS",    [f"{CHILD}. ns1.{CHILD}."]),
    ("type HTTPS",        f"www.{CHILD}",     "HTTPS", []),
    ("DNAME, wildcard",   f"a.led.{CHILD}",   "A",     [f"led.{CHILD}. wild.{CHILD}.", f"a.led.{CHILD}. a.wild.{CHILD}.", f"a.wild.{CHILD}. {TWO}"]),
    ("CNAME of a wildcard, DNAME", f"to-chain.{CHILD}", "A",
                                  [f"to-chain.{CHILD}. y.chain.{CHILD}.", f"y.chain.{CHILD}. x.led.{CHILD}.", f"led.{CHILD}. wild.{CHILD}.",
                                   f"x.led.{CHILD}. x.wild.{CHILD}.", f"x.wild.{CHILD}. {TWO}"]),
    ("into another zone", f"across.{CHILD}",  "A",     [f"across.{CHILD}. www.inner.{CHILD}.", f"www.inner.{CHILD}. {TWO}"]),
    ("there and back",    f"b.far.{CHILD}",   "A",     [f"far.{CHILD}. led.inner.{CHILD}.", f"b.far.{CHILD}. b.led.inner.{CHILD}.",
                                   f"b.led.inner.{CHILD}. back.inner.{CHILD}.", f"back.inner.{CHILD}. www.{CHILD}.", f"www.{CHILD}. {ONE}"]),
    ("a pool's CNAME to a route", f"to-near.{CHILD}", "A", [f"to-near.{CHILD}. near.{CHILD}.", f"near.{CHILD}. {ONE}"]),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "rdtype", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_names_are_resolved(ask: Ask, name: str, rdtype: str, expected: list[str]) -> None:
    response = ask(name, rdtype)

    assert (response.rcode(), told(response)) == (dns.rcode.NOERROR, expected)


def test_a_name_that_does_not_exist(ask: Ask) -> None:
    response = ask(f"no.{CHILD}")

    assert response.rcode() == dns.rcode.NXDOMAIN
    assert [str(rrset.name) for rrset in response.authority] == [f"{CHILD}."]


def test_an_alias_of_a_name_that_does_not_exist(ask: Ask) -> None:
    """RFC 6604: the RCODE is that of the last name, which is another zone's."""
    response = ask(f"lost.{CHILD}")

    assert response.rcode() == dns.rcode.NXDOMAIN
    assert told(response) == [f"lost.{CHILD}. no.inner.{CHILD}."]
    assert [str(rrset.name) for rrset in response.authority] == [f"inner.{CHILD}."]


def test_a_long_answer_comes_over_tcp(ask: Ask, server: Server) -> None:
    before = server.metrics()["gtmdns_queries_total"][("ipv4", "tcp")]

    response = ask(f"long.{CHILD}", "TXT")

    assert sorted(told(response)) == [f'long.{CHILD}. "{text}"' for text in TEXTS]

    def over_tcp() -> bool:  # counted once a second
        return server.metrics()["gtmdns_queries_total"][("ipv4", "tcp")] > before

    eventually(over_tcp, "TCP was used")


def test_shares_survive_the_resolver(ask: Ask) -> None:
    """A name for each query, because a resolver keeps what it knows even at TTL 0, for a second."""
    answers = (told(ask(f"n{number}.drawn.{CHILD}")) for number in range(400))
    counts = Counter(answer.split()[1] for (answer,) in answers)

    assert_shares(counts, {ONE: 1, TWO: 3})


@pytest.mark.parametrize("ask", ["unbound"], indirect=True)  # the others send no client subnet
@pytest.mark.parametrize("first", ["near", "to-near"])
def test_the_resolver_keeps_answers_apart_by_client_subnet(ask: Ask, first: str) -> None:
    """The scope of each answer tells the resolver whom it may give it to."""
    name = f"{first}.{CHILD}"
    expected = {
        "101.37.1.0/24": TWO,
        "101.37.200.0/24": TWO,
        "101.36.255.0/24": ONE,
        "101.38.0.0/24": ONE,
        "8.8.8.0/24": ONE,
    }
    for _ in range(2):  # the second time from its cache
        answers = {subnet: ask(name, subnet=subnet) for subnet in expected}
        assert {s: told(a)[-1].split()[1] for s, a in answers.items()} == expected
    scopes = {
        s: [str(o) for o in a.options if isinstance(o, dns.edns.ECSOption)]
        for s, a in answers.items()
    }
    assert scopes["101.37.1.0/24"] == ["ECS 101.37.1.0/24 scope/16"]
