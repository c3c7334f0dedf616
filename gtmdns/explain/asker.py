"""Whose question is explained: which address counts, what is known of it, which rules hold it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from ..answers.route import EMBEDDINGS, NAT64, SIX_TO_FOUR, TEREDO, client_number
from ..answers.snapshot import Snapshot
from ..compiler.conditions import KINDS, Region
from ..compiler.geodata import BadDatabase, Facts, client_facts, client_of
from ..compiler.locations import Place, place_of
from ..compiler.plan import Plan
from ..compiler.regions import held_facts, reasons_of
from ..config.values import as_configured
from ..wire.edns import Subnet
from .witness import BadQuestion

LISTED = 4  # values of a region that a sentence names
EMBEDDED = {NAT64: "64:ff9b::/96", SIX_TO_FOUR: "6to4", TEREDO: "Teredo"}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks.

    address: the transport's, subnet: the option; None: none was named, and the address stands in
             for one, so that there is a scope to tell
    client, option: the same as answers are asked with; option None: the server reads none
    counts:  which address decides, and why it does
    facts:   what is known of it, problem: why nothing is
    """

    address: str
    subnet: str | None
    client: int
    option: Subnet | None
    counts: int
    because: str
    facts: Facts
    problem: str | None
    place: tuple[Place, str] | None

    @property
    def looked_up(self) -> int:
        return client_of(self.counts)


def asker_of(client: str | None, subnet: str | None, snapshot: Snapshot, plan: Plan) -> Asker:
    """Return who asks. Raises BadQuestion.

    client: an address, subnet: that of EDNS Client Subnet, at least one of them
    """
    option = None if subnet is None else _option(subnet)
    if client is None:
        if subnet is None:
            raise BadQuestion("expected the address of a client, or a subnet")
        client = subnet.partition("/")[0]
    number = _number(client)
    alone = option is None
    if option is None:
        is_ipv4 = number >> 32 == 0xFFFF
        option = Subnet(1 if is_ipv4 else 2, 32 if is_ipv4 else 128, number, b"")
    reads = snapshot.settings.client_subnet
    counts, because = _counting(number, None if alone else option, snapshot)
    facts, problem = Facts(), None
    try:
        facts = Facts(**client_facts(client_of(counts), plan.databases))
    except BadDatabase as error:
        problem = error.problem
    return Asker(
        str(ip_address(client)), None if alone else str(ip_network(str(subnet))), number,
        option if reads else None, counts, because, facts, problem,
        place_of(facts.location, facts.subdivisions, facts.country),
    )  # fmt: skip


def _number(text: str) -> int:
    try:
        return client_number(str(ip_address(as_configured(text))))
    except ValueError:
        raise BadQuestion(f"{text!r} is no address, expected IPv4 or IPv6") from None


def _option(text: str) -> Subnet:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise BadQuestion(f"{text!r} is no subnet, expected one as 192.0.2.0/24: {error}") from None
    first = client_number(str(network.network_address))
    return Subnet(1 if network.version == 4 else 2, network.prefixlen, first, b"")


def _counting(number: int, option: Subnet | None, snapshot: Snapshot) -> tuple[int, str]:
    """Return which address counts, and why."""
    counts, because = number, "the address that asks"
    if option is not None:
        if not snapshot.settings.client_subnet:
            because = "the address that asks: server.client_subnet is off"
        elif option.source == 0:
            because = "the address that asks: a subnet of /0 tells nothing"
        elif is_private(option.client, snapshot):
            because = "the address that asks: no region's networks hold the private subnet"
        else:
            counts, because = option.client, "EDNS Client Subnet"
    for marker, name in EMBEDDED.items():
        first, length, _ = EMBEDDINGS[marker]
        if counts >> 128 - length == first >> 128 - length:
            because += f"; {name} stands for IPv4"
    return counts, because


def is_private(client: int, snapshot: Snapshot) -> bool:
    """Return whether an address says nothing of where a client is when it is in the option."""
    return bisect_right(snapshot.unplaced, client) & 1 == 1


def address_text(client: int) -> str:
    """Return a client of 128 bits as people write it, IPv4 in dots."""
    mapped = IPv6Address(client).ipv4_mapped
    return str(mapped or IPv6Address(client))


def told_facts(facts: Facts) -> dict[str, Any]:
    """Return what is known, without what is not."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in facts._asdict().items()
        if value not in (None, ())
    }


def regions_told(asker: Asker, plan: Plan) -> list[dict[str, Any]]:
    """Return the regions that hold the client, each with what puts it there."""
    found = []
    for name, region in plan.regions.items():
        if reasons := reasons_of(asker.looked_up, asker.facts, region):
            found.append({"name": name, "by": reasons})
    return found


def rules_told(
    regions: Sequence[str], chosen: str, asker: Asker, plan: Plan
) -> list[dict[str, Any]]:
    """Return the rules of a route from the top: matched or not, and why; None: not tried.

    chosen: what the table that answers says
    """
    told: list[dict[str, Any]] = []
    matched: bool | None = False
    for name in regions:
        if matched:
            told.append({"region": name, "matched": None, "why": "not tried"})
            continue
        matched = name == chosen
        if name == "default":
            why = "what no other rule holds"
        else:
            why = _why(asker, plan.regions[name], matched)
        told.append({"region": name, "matched": matched, "why": why})
    return told


def _why(asker: Asker, region: Region, matched: bool) -> str:
    held = held_facts(asker.looked_up, asker.facts, region)
    facts = [fact for kind in held.values() for fact in kind]
    if matched:
        joined = (" and " if region.match == "all" else ", ").join(facts)
        return joined or "held it when the configuration was loaded"
    missing = [_missing(kind, region, asker.facts) for kind, found in held.items() if not found]
    if not missing:
        return "did not hold it when the configuration was loaded"
    return f"{', '.join(facts)}, but {'; '.join(missing)}" if facts else "; ".join(missing)


def _missing(kind: str, region: Region, facts: Facts) -> str:
    """Return in which facts of one kind of a region the client is not."""
    said = f"not in {kind} {listed(list(map(str, getattr(region, kind))))}"
    if kind == "networks":
        return said
    known = [str(value) for value in KINDS[kind](facts) if value is not None]
    return f"{said} (is in {', '.join(known)})" if known else f"{said} (not known)"


def listed(values: Sequence[str]) -> str:
    """Return the first few of some values as words."""
    if len(values) <= LISTED + 1:
        return ", ".join(values)
    return f"{', '.join(values[:LISTED])} and {len(values) - LISTED} more"
