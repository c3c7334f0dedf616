"""Host names whose addresses become endpoints (`resolve: true`), kept as their TTLs say.

Each name is asked for A and AAAA by the system's resolvers, and again when the smaller TTL has
run out. What the resolver says holds, "no such name" and "no address" included; while it fails,
the addresses it gave last are kept, for each family by itself. Names in the hosts file are
taken from there. Chance spreads the questions of names that began together.
"""

import asyncio
import logging
import random
import time
from asyncio import sleep
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.resolver

log = logging.getLogger(__name__)

SHORTEST, LONGEST = 5.0, 3600.0  # seconds between two questions, whatever the TTL
RETRY = 60.0  # seconds between two questions at most while the resolver fails
JITTER = 0.1  # the part of a wait that chance may add
LIFETIME = 5.0  # seconds that one question may take, over all resolvers
TURNS = 32  # names that are asked about at once
LIMIT = 64  # addresses of one name
HOSTS = Path("/etc/hosts")

OnChange = Callable[[str, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True)
class NameState:
    """What is known of one name. Times in seconds since the epoch."""

    addresses: tuple[str, ...] = ()
    last_success: float | None = None  # when both families were last answered
    last_error: str | None = None  # of the last try; None: it succeeded
    failures: int = 0  # tries in a row that failed


@dataclass(frozen=True, slots=True)
class _Found:
    addresses: tuple[str, ...]
    ttl: float  # seconds


@dataclass(slots=True, eq=False)
class _Kept:
    """One name under care."""

    state: NameState = NameState()
    families: dict[str, _Found] = field(default_factory=dict)  # "A", "AAAA"
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Names:
    """Keeps the addresses of names. Make and use it inside the loop.

    on_change: called when a name's addresses are others than before, and when both families were
    answered for the first time, "none" included; must not block, and what it raises is logged.
    resolver: makes the resolver, again after each failure, as /etc/resolv.conf may have changed.
    hosts: the hosts file. chance: seed it to repeat a schedule. clock: seconds since the epoch.
    """

    def __init__(
        self,
        on_change: OnChange,
        *,
        resolver: Callable[[], dns.asyncresolver.Resolver] = dns.asyncresolver.Resolver,
        hosts: Path = HOSTS,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._on_change = on_change
        self._make_resolver = resolver
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._hosts = hosts
        self._chance = chance or random.Random()
        self._clock = clock
        self._turns = asyncio.Semaphore(TURNS)
        self._kept: dict[str, _Kept] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def apply(self, hosts: Collection[str]) -> None:
        """Keep exactly these names from now on; new ones are asked about at once."""
        for host in self._kept.keys() - set(hosts):
            self._drop(host)
        for host in hosts:
            if host not in self._kept:
                kept = self._kept[host] = _Kept()
                kept.task = asyncio.get_running_loop().create_task(self._keep(host, kept))

    def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a name, sorted, IPv4 first; () where none are known."""
        kept = self._kept.get(host)
        return kept.state.addresses if kept else ()

    def state(self, host: str) -> NameState:
        """Return what is known of a name. Raises KeyError where it is not kept."""
        return self._kept[host].state

    async def first_answers(self, timeout: float) -> bool:
        """Wait until every name has been tried once, at most `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                for kept in list(self._kept.values()):
                    await kept.tried.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Ask no more. Addresses are forgotten."""
        for host in list(self._kept):
            self._drop(host)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _drop(self, host: str) -> None:
        task = self._kept.pop(host).task
        if task is not None:
            task.cancel()
            self._ending.add(task)  # the loop holds tasks only weakly
            task.add_done_callback(self._ending.discard)

    async def _keep(self, host: str, kept: _Kept) -> None:
        while True:
            async with self._turns:
                wait = await self._look_up(host, kept)
            kept.tried.set()
            await sleep(wait * (1 + JITTER * self._chance.random()))

    async def _look_up(self, host: str, kept: _Kept) -> float:
        """Ask once for both families. Returns the seconds after which to ask again."""
        written = hosts_addresses(self._hosts, host)
        if written:
            self._note(host, kept, merged(written), None)
            return SHORTEST
        answers = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        errors = []
        for rdtype, answer in zip(("A", "AAAA"), answers, strict=True):
            if isinstance(answer, _Found):
                kept.families[rdtype] = answer
            else:
                errors.append(f"{rdtype}: {answer}")
        found = kept.families.values()
        addresses = merged(address for family in found for address in family.addresses)
        self._note(host, kept, addresses, "; ".join(errors) or None)
        if errors:
            self._resolver = None
            return float(min(SHORTEST * 2 ** min(kept.state.failures - 1, 8), RETRY))
        return max(SHORTEST, min(LONGEST, *(family.ttl for family in found)))

    async def _ask(self, host: str, rdtype: str) -> _Found | str:
        """Return what the resolver says, or why it says nothing."""
        try:
            if self._resolver is None:
                self._resolver = self._make_resolver()
            return await _resolve(self._resolver, host, rdtype)
        except Exception as error:  # whatever it is, it must not end the care for the name
            return why(error)

    def _note(self, host: str, kept: _Kept, addresses: tuple[str, ...], error: str | None) -> None:
        before = kept.state
        if error is None:
            kept.state = NameState(addresses, self._clock())
        else:
            failures = before.failures + 1
            kept.state = NameState(addresses, before.last_success, error, failures)
        if error is not None and before.last_error is None:
            known = ", ".join(addresses) or "no address"
            log.warning("looking up %s failed (%s); it keeps %s", host, error, known)
        elif error is None and before.last_error is not None:
            log.info("looking up %s succeeds again", host)
        first = error is None and before.last_success is None
        if addresses == before.addresses and not first:
            return
        log.info("addresses of %s: %s", host, ", ".join(addresses) or "none")
        try:
            self._on_change(host, addresses)
        except Exception:
            log.exception("telling of the addresses of %s failed", host)


async def _resolve(resolver: dns.asyncresolver.Resolver, host: str, rdtype: str) -> _Found:
    """Ask. A name without an address is asked again within RETRY seconds (RFC 2308 section 5)."""
    try:
        answer = await resolver.resolve(
            host, rdtype, raise_on_no_answer=False, search=False, lifetime=LIFETIME
        )
    except dns.resolver.NXDOMAIN as error:
        responses = error.kwargs["responses"].values()
        negative = [response.resolve_chaining().minimum_ttl for response in responses]
        return _Found((), min([RETRY, *map(float, negative)]))
    ttl = float(answer.chaining_result.minimum_ttl)
    if answer.rrset is None:
        return _Found((), min(RETRY, ttl))
    return _Found(tuple(rdata.address for rdata in answer.rrset), ttl)


def why(error: Exception) -> str:
    """Return a failed question in a few words; nothing that came from outside is repeated."""
    if isinstance(error, dns.exception.Timeout):
        return "timeout"
    if isinstance(error, dns.resolver.NoNameservers):
        return "no resolver gave an answer"
    if isinstance(error, dns.resolver.NoResolverConfiguration):
        return "no resolver is configured"
    return type(error).__name__


def merged(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return distinct addresses, sorted, IPv4 first, at most LIMIT; neither family starves."""
    parsed = sorted({ip_address(text) for text in addresses}, key=lambda ip: (ip.version, int(ip)))
    four = [str(ip) for ip in parsed if ip.version == 4]
    six = [str(ip) for ip in parsed if ip.version == 6]
    half = LIMIT // 2
    return (*four[: LIMIT - min(len(six), half)], *six[: LIMIT - min(len(four), half)])


def hosts_addresses(file: Path, host: str) -> list[str]:
    """Return the addresses of a name in a hosts file, hosts(5); [] where the file has none."""
    wanted, found = host.rstrip(".").lower(), []
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        # An address with a scope, fe80::1%eth0, is nothing for DNS.
        if "%" not in address and wanted in (name.lower() for name in names):
            with suppress(ValueError):  # no address, so no line for anybody
                found.append(str(ip_address(address)))
    return found
