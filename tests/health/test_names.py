"""Names that become endpoints, against a small DNS server on loopback."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.health import names
from gtmdns.health.names import Names, hosts_addresses, merged, why
from tests.health.resolvers import answer_to, resolving
from tests.health.support import run_fast, until

SOA = "example. 20 IN SOA a.example. b.example. 1 1 1 1 15"
ERROR = "A: no resolver gave an answer; AAAA: no resolver gave an answer"
NO_HOSTS = Path("/nonexistent/hosts")


class Zone:
    """What the resolver says at the moment: RRsets by name and type, or an rcode for all."""

    def __init__(self, **addresses: str) -> None:
        self.rrsets: dict[str, str] = {}
        self.failing: set[str] = set()  # types
        self.exists = True
        self.asked: list[str] = []

    def reply(self, query: dns.message.QueryMessage, octets: bytes) -> list[bytes]:
        rdtype = dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append(rdtype)
        if rdtype in self.failing:
            return [answer_to(query, rcode=dns.rcode.SERVFAIL)]
        if not self.exists:
            return [answer_to(query, rcode=dns.rcode.NXDOMAIN, authority=SOA)]
        if rdtype not in self.rrsets:
            return [answer_to(query, authority=SOA)]
        return [answer_to(query, *self.rrsets[rdtype].split(" | "))]


def resolver(port: int) -> dns.asyncresolver.Resolver:
    made = dns.asyncresolver.Resolver(configure=False)
    made.nameservers, made.port = ["127.0.0.1"], port
    return made


class Steps:
    """Names whose waits end when the test says so, and how long they would have been."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.zone = Zone()
        self.told: list[tuple[str, ...]] = []
        self.waits: list[float] = []
        self._go = asyncio.Event()
        monkeypatch.setattr(names, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._go.clear()
        await self._go.wait()

    async def next(self) -> float:
        """Let the name be asked for again; returns the wait after it."""
        count = len(self.waits)
        self._go.set()
        await until(lambda: len(self.waits) > count)
        return self.waits[-1]

    @asynccontextmanager
    async def keeping(self, hosts: Path = NO_HOSTS) -> AsyncIterator[Names]:
        """Keep www.example; begins after the first question."""
        async with resolving(self.zone.reply) as port:
            kept = Names(
                lambda host, addresses: self.told.append(addresses),
                resolver=lambda: resolver(port),
                hosts=hosts,
                chance=random.Random(1),
                clock=lambda: 1e9 + len(self.waits),
            )
            kept.apply(["www.example"])
            try:
                assert await kept.first_answers(10)
                await until(lambda: bool(self.waits))
                yield kept
            finally:
                await kept.close()


def a(ttl: int, *addresses: str) -> str:
    return f"www.example. {ttl} IN A {'; '.join(addresses)}"


def aaaa(ttl: int, *addresses: str) -> str:
    return f"www.example. {ttl} IN AAAA {'; '.join(addresses)}"


def test_addresses_of_both_families_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        steps = Steps(monkeypatch)
        steps.zone.rrsets = {
            "A": a(60, "192.0.2.10", "192.0.2.9"),
            "AAAA": aaaa(30, "2001:db8::2", "2001:db8::1"),
        }
        async with steps.keeping() as kept:
            expected = ("192.0.2.9", "192.0.2.10", "2001:db8::1", "2001:db8::2")
            assert kept.addresses("www.example") == expected
            assert steps.told == [expected]
            assert kept.state("www.example").last_success == 1e9
            assert 30 <= steps.waits[0] <= 33  # the smaller TTL, and up to a tenth

            await steps.next()
            assert steps.told == [expected]  # no change, no word
            steps.zone.rrsets["A"] = a(60, "192.0.2.11")
            await steps.next()
            assert steps.told[1:] == [("192.0.2.11", "2001:db8::1", "2001:db8::2")]
            assert sorted(steps.zone.asked) == ["A"] * 3 + ["AAAA"] * 3
            assert kept.addresses("other.example") == ()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("ttl", "least", "most"),
    [(0, 5, 5.5), (4, 5, 5.5), (7, 7, 7.7), (86_400, 3600, 3960)],
)
def test_ttl_is_bounded(
    monkeypatch: pytest.MonkeyPatch, ttl: int, least: float, most: float
) -> None:
    async def run() -> None:
        steps = Steps(monkeypatch)
        steps.zone.rrsets = {"A": a(ttl, "192.0.2.1"), "AAAA": aaaa(ttl, "2001:db8::1")}
        async with steps.keeping():
            assert least <= steps.waits[0] <= most

    asyncio.run(run())


def test_the_ttl_of_an_alias_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        steps = Steps(monkeypatch)
        alias = "www.example. 9 IN CNAME a.example."
        steps.zone.rrsets = {
            "A": f"{alias} | a.example. 60 IN A 192.0.2.1",
            "AAAA": f"{alias} | a.example. 60 IN AAAA 2001:db8::1",
        }
        async with steps.keeping() as kept:
            assert kept.addresses("www.example") == ("192.0.2.1", "2001:db8::1")
            assert 9 <= steps.waits[0] <= 9.9

    asyncio.run(run())


def test_one_family_only_is_asked_for_again_by_the_negative_ttl(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        steps = Steps(monkeypatch)
        steps.zone.rrsets = {"A": a(300, "192.0.2.1")}
        async with steps.keeping() as kept:
            assert kept.addresses("www.example") == ("192.0.2.1",)
            assert kept.state("www.example").last_error is None
            assert 15 <= steps.waits[0] <= 16.5  # minimum of the SOA (RFC 2308)

    asyncio.run(run())


def test_last_good_addresses_are_kept_while_the_resolver_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def run() -> None:
        steps = Steps(monkeypatch)
        steps.zone.rrsets = {"A": a(60, "192.0.2.1"), "AAAA": aaaa(60, "2001:db8::1")}
        async with steps.keeping() as kept:
            steps.zone.failing = {"A", "AAAA"}
            waits = [await steps.next() for _ in range(6)]
            state = kept.state("www.example")
            assert state.addresses == ("192.0.2.1", "2001:db8::1")
            assert (state.failures, state.last_success) == (6, 1e9)
            assert state.last_error == ERROR
            for wait, least in zip(waits, [5, 10, 20, 40, 60, 60], strict=True):
                assert least <= wait <= least * 1.1

            steps.zone.failing = set()
            assert 60 <= await steps.next() <= 66
            state = kept.state("www.example")
            assert (state.failures, state.last_error) == (0, None)
            assert len(steps.told) == 1

    asyncio.run(run())
    lines = [record.message for record in caplog.records if record.name == names.__name__]
    assert lines == [
        "addresses of www.example: 192.0.2.1, 2001:db8::1",
        f"looking up www.example failed ({ERROR}); it keeps 192.0.2.1, 2001:db8::1",
        "looking up www.example succeeds again",
    ]


def test_each_family_is_kept_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        steps = Steps(monkeypatch)
        steps.zone.rrsets = {"A": a(60, "192.0.2.1"), "AAAA": aaaa(60, "2001:db8::1")}
        async with steps.keeping() as kept:
            steps.zone.failing = {"AAAA"}
            steps.zone.rrsets["A"] = a(60, "192.0.2.2")
            await steps.next()
            assert kept.addresses("www.example") == ("192.0.2.2", "2001:db8::1")
            assert kept.state("www.example").last_error == "AAAA: no resolver gave an answer"

    asyncio.run(run())


def test_a_name_that_is_gone_has_no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is an answer, not a failure."""

    async def run() -> None:
        steps = Steps(monkeypatch)
        steps.zone.rrsets = {"A": a(60, "192.0.2.1")}
        async with steps.keeping() as kept:
            steps.zone.exists = False
            assert 15 <= await steps.next() <= 16.5
            assert kept.addresses("www.example") == ()
            assert kept.state("www.example").last_error is None
            assert steps.told == [("192.0.2.1",), ()]

    asyncio.run(run())


def test_nothing_at_the_start_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        steps = Steps(monkeypatch)
        steps.zone.failing = {"A", "AAAA"}
        async with steps.keeping() as kept:
            assert kept.addresses("www.example") == ()
            assert kept.state("www.example").last_success is None
            assert steps.told == []

    asyncio.run(run())


def test_the_hosts_file_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.7 a WWW.example # c\n::1 localhost\n2001:db8::7 www.example\n")

    async def run() -> None:
        steps = Steps(monkeypatch)
        async with steps.keeping(hosts) as kept:
            assert kept.addresses("www.example") == ("192.0.2.7", "2001:db8::7")
            assert steps.zone.asked == []
            hosts.write_text("")
            steps.zone.rrsets = {"A": a(60, "192.0.2.1")}
            await steps.next()
            assert kept.addresses("www.example") == ("192.0.2.1",)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "host", "expected"),
    [
        ("", "a.example", []),
        ("192.0.2.1 a.example b.example\n", "b.example.", ["192.0.2.1"]),
        ("192.0.2.1 #a.example\n", "a.example", []),
        (
            "192.0.2.1\ta.example\nfe80::1%lo a.example\nx a.example\n",
            "a.example",
            ["192.0.2.1"],
        ),
        ("\n \n#\n192.0.2.1\n", "a.example", []),
    ],
)
def test_hosts_file(tmp_path: Path, text: str, host: str, expected: list[str]) -> None:
    file = tmp_path / "hosts"
    file.write_text(text)

    assert hosts_addresses(file, host) == expected


def test_a_listener_that_raises_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        steps = Steps(monkeypatch)
        steps.zone.rrsets = {"A": a(60, "192.0.2.1")}
        steps.told = None  # type: ignore[assignment]
        async with steps.keeping() as kept:
            await steps.next()
            assert kept.addresses("www.example") == ("192.0.2.1",)

    asyncio.run(run())
    assert "telling of the addresses of www.example failed" in caplog.text


def test_names_come_and_go() -> None:
    async def run() -> None:
        zone = Zone()
        zone.rrsets = {"A": a(60, "192.0.2.1")}
        told: list[str] = []
        async with resolving(zone.reply) as port:
            kept = Names(
                lambda host, _: told.append(host), resolver=lambda: resolver(port), hosts=NO_HOSTS
            )
            kept.apply(["www.example"])
            assert await kept.first_answers(10)
            kept.apply(["www.example"])
            assert kept.addresses("www.example") == ("192.0.2.1",)
            kept.apply([])
            assert kept.addresses("www.example") == ()
            with pytest.raises(KeyError):
                kept.state("www.example")
            assert await kept.first_answers(10)
            assert told == ["www.example"]
            await kept.close()

    asyncio.run(run())


def test_a_resolver_that_never_answers_is_not_waited_for() -> None:
    """On made-up time: the first answers are late, later ones are tried again and again."""

    async def run() -> None:
        made = 0

        class Silent:
            async def resolve(self, *_: object, lifetime: float, **__: object) -> None:
                await asyncio.sleep(lifetime)
                raise dns.exception.Timeout

        def make() -> Silent:
            nonlocal made
            made += 1
            return Silent()

        kept = Names(lambda *_: None, resolver=make, hosts=NO_HOSTS)  # type: ignore[arg-type, return-value]
        kept.apply(["www.example"])
        assert not await kept.first_answers(2)
        await asyncio.sleep(100)
        assert kept.state("www.example").last_error == "A: timeout; AAAA: timeout"
        assert 3 <= made <= 5  # made anew for each try
        await kept.close()

    run_fast(run())


def test_without_a_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> dns.asyncresolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    async def run() -> None:
        kept = Names(lambda *_: None, resolver=none, hosts=NO_HOSTS)
        kept.apply(["www.example"])
        assert await kept.first_answers(10)
        state = kept.state("www.example")
        assert state.last_error == "A: no resolver is configured; AAAA: no resolver is configured"
        await kept.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (dns.exception.Timeout(), "timeout"),
        (dns.resolver.LifetimeTimeout(timeout=1, errors=[]), "timeout"),
        (ValueError("<b>"), "ValueError"),
    ],
)
def test_why(error: Exception, expected: str) -> None:
    assert why(error) == expected


FOURS = st.ip_addresses(v=4).map(str)
SIXES = st.ip_addresses(v=6).map(str)


@given(st.lists(FOURS, max_size=100), st.lists(SIXES, max_size=100))
def test_at_most_64_addresses_and_no_family_starves(
    fours: Iterable[str], sixes: Iterable[str]
) -> None:
    four, six = set(fours), set(sixes)

    kept = merged([*sixes, *fours, *fours])

    taken_four, taken_six = len(four & set(kept)), len(six & set(kept))
    assert len(kept) == taken_four + taken_six == min(64, len(four) + len(six))
    assert taken_four >= min(32, len(four))
    assert taken_six >= min(32, len(six))
    assert kept == merged(reversed(kept))
