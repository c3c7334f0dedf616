"""An independent judge of regions, which goes address by address.

It asks: is the client an IPv4 address in disguise (Python's ipaddress says so), which networks hold
it, what does `maxminddb` find for it in files of another writer; then it takes the first region of
the route whose facts hold.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import atan2, cos, hypot, radians, sin
from pathlib import Path
from typing import Any

import maxminddb

Network = IPv4Network | IPv6Network
Place = tuple[float, float]  # latitude, longitude
V4 = 0xFFFF << 32


@dataclass(frozen=True)
class Region:
    """The fields of the configuration's region."""

    networks: tuple[Network, ...] = ()
    continents: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    subdivisions: tuple[str, ...] = ()
    isps: tuple[str, ...] = ()
    asns: tuple[int, ...] = ()
    match: str = "any"


def networks(*texts: str) -> Region:
    return Region(networks=tuple(map(ip_network, texts)))


def client(text: str) -> int:
    address = ip_address(text)
    return int(address) + (V4 if address.version == 4 else 0)


def plain(number: int) -> IPv4Address | IPv6Address:
    """The address that a client is looked up as."""
    address = IPv6Address(number)
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in IPv6Network("64:ff9b::/96"):
        return IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return address


def apart(one: Place, other: Place) -> float:
    """Kilometres, by the angle between two vectors: another formula than that of the program."""
    (x, y, z), (u, v, w) = (
        (cos(radians(a)) * cos(radians(b)), cos(radians(a)) * sin(radians(b)), sin(radians(a)))
        for a, b in (one, other)
    )
    cross = hypot(y * w - z * v, z * u - x * w, x * v - y * u)
    return 6371.0088 * atan2(cross, x * u + y * v + z * w)


CONTINENT = {"CN": "AS", "JP": "AS", "DE": "EU", "US": "NA"}


class Judge:
    def __init__(
        self, route: tuple[str, ...], regions: dict[str, Region], files: list[Path]
    ) -> None:
        self.route, self.regions = route, regions
        self.readers = [maxminddb.open_database(path) for path in files]

    def facts(self, address: IPv4Address | IPv6Address) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if address.version == 6 and int(address) < 1 << 32:
            return facts  # where the files keep IPv4
        for reader in self.readers:
            record = dict(reader.get(address) or {})
            if "country_code" in record:
                record.setdefault("continent_code", CONTINENT[record["country_code"]])
            for key, value in record.items():
                facts.setdefault(key, value)
        return facts

    def rule(self, number: int) -> int:
        address = plain(number)
        facts = self.facts(address)
        state = f"{facts.get('country_code')}-{facts.get('state1')}"
        for rule, name in enumerate(self.route):
            region = self.regions[name]
            kinds = [
                (region.networks, any(address in network for network in region.networks)),
                (region.continents, facts.get("continent_code") in region.continents),
                (region.countries, facts.get("country_code") in region.countries),
                (region.subdivisions, state in region.subdivisions),
                (region.isps, facts.get("isp") in region.isps),
                (region.asns, facts.get("asn") in region.asns),
            ]
            held = [holds for values, holds in kinds if values]
            if all(held) if region.match == "all" else any(held):
                return rule
        return len(self.route)


def disguises(four: int, within: int) -> list[int]:
    """An IPv4 address and the IPv6 addresses that carry it, those of Teredo near `within` too."""
    inverted = ~four & 0xFFFFFFFF
    teredo = {0x2001_0000 << 96 | inverted}
    if within >> 96 == 0x2001_0000:
        teredo.add(within >> 32 << 32 | inverted)
    return [V4 | four, 0x64FF9B << 96 | four, 0x2002 << 112 | four << 80, *teredo]


def edges(found: set[Network], within: int) -> set[int]:
    """Clients just inside and just outside of networks, in every disguise."""
    result = set()
    found = found | {
        ip_network(text) for text in ("2001::/32", "2002::/16", "64:ff9b::/96", "::/96", "::ffff:0:0/96")
    }  # fmt: skip
    for network in found:
        first, last = int(network.network_address), int(network.broadcast_address)
        for edge in (first - 1, first, last, last + 1):
            if 0 <= edge < 1 << network.max_prefixlen:
                result.update([edge] if network.version == 6 else disguises(edge, within))
    return result


def is_shortest(judge: Judge, number: int, rule: int, scope: int, found: set[Network]) -> bool:
    """Law: all addresses in the scope get this rule, and with one bit less one gets another."""
    low = 96 if number >> 32 == 0xFFFF else 0
    if inside(judge, number, scope, found) != {rule}:
        return False
    return scope == low or inside(judge, number, scope - 1, found) != {rule}


def inside(judge: Judge, number: int, length: int, found: set[Network]) -> set[int]:
    """The rules in a prefix: at its own ends, and at every edge in it."""
    first = number >> 128 - length << 128 - length
    last = first + (1 << 128 - length) - 1
    clients = {first, last} | {edge for edge in edges(found, number) if first <= edge <= last}
    return {judge.rule(one) for one in clients}
