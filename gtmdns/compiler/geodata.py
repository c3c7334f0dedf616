"""What MMDB files say about clients: continent, country, subdivisions, ISP, AS number, location.

Files may be flat (country_code, state1, isp, asn, latitude ...) or of MaxMind's shape
(country.iso_code, subdivisions[].iso_code, location.latitude ...), mixed as one likes. A fact that
is missing in one file may come from the next: the first that knows a kind of fact wins, kind by
kind. A country is where the address is, else where it is registered (`registered_country`, the best
that there is for anycast and satellites); whom it represents (an embassy) says nothing of the way
there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, NamedTuple

import maxminddb

import gtmdns

from ..answers.route import EMBEDDINGS, embedded_ipv4
from .locations import Place, on_grid
from .mmdb import BadMmdb, Mmdb
from .places import CONTINENT_OF, CONTINENTS, country_code, isp_name, subdivision_code

BUILTIN = "builtin"
_BUILTIN_FILES = ("world.mmdb", "china.mmdb")
_COUNTRY_KEYS = ("country_code", "country")
_CONTINENT_KEYS = ("continent_code", "continent")
_STATE_KEYS = ("subdivision_code", "state1", "state", "province", "region")
_ISP_KEYS = ("isp", "organization")
_ASN_KEYS = ("autonomous_system_number", "asn")
_LATITUDE_KEYS = ("latitude", "lat")
_LONGITUDE_KEYS = ("longitude", "lng", "lon")

# The keys of the outermost map that facts come from.
FACT_KEYS = frozenset(
    {"registered_country", "subdivisions", "traits"}.union(
        _COUNTRY_KEYS, _CONTINENT_KEYS, _STATE_KEYS, _ISP_KEYS, _ASN_KEYS
    )
)
LOCATION_KEYS = frozenset({"location"}.union(_LATITUDE_KEYS, _LONGITUDE_KEYS))  # likewise


class BadDatabase(Exception):
    """A file of `geoip.databases` cannot be used.

    index: its place in the list, from 0. problem: what is wrong, in words, with the file's name.
    """

    def __init__(self, index: int, problem: str) -> None:
        self.index = index
        self.problem = problem
        super().__init__(problem)


class Facts(NamedTuple):
    """What one record says; None or empty where it says nothing."""

    continent: str | None = None  # "AS"
    country: str | None = None  # "CN"
    subdivisions: tuple[str, ...] = ()  # ("CN-ZJ",): all levels that the file has
    isp: str | None = None  # "telecom"
    asn: int | None = None
    location: Place | None = None  # rounded to half a degree

    def over(self, other: "Facts") -> "Facts":
        """Return these facts, and those of the other where there is none here."""
        return Facts(
            self.continent or other.continent,
            self.country or other.country,
            self.subdivisions or other.subdivisions,
            self.isp or other.isp,
            self.asn or other.asn,
            self.location or other.location,
        )


def builtin_databases() -> tuple[Path, ...]:
    """Return the two files that come with gtmdns: beside the package's code, else in the tree."""
    package = Path(gtmdns.__file__).parent
    folder = package / "geoip"
    if not folder.is_dir():
        folder = package.parent / "geoip"
    return tuple(folder / name for name in _BUILTIN_FILES)


def files_of(databases: Sequence[Path | str]) -> Iterator[tuple[int, Path]]:
    """Yield (place in the list, file); `builtin` is two files of one place."""
    for index, database in enumerate(databases):
        if database == BUILTIN:
            yield from ((index, path) for path in builtin_databases())
        else:
            yield index, Path(database)


def open_databases(databases: Sequence[Path | str]) -> list[tuple[int, Mmdb]]:
    """Read all files, in order. Raises BadDatabase for the first that is none."""
    opened = []
    for index, path in files_of(databases):
        try:
            opened.append((index, Mmdb(path)))
        except BadMmdb as error:
            raise BadDatabase(index, f"{path}: {error}") from error
    return opened


def facts_at(client: int, databases: Sequence[Path | str]) -> list[tuple[Path, Facts]]:
    """Return what each file says of one address, in order, for people to read.

    `client`: one integer of 128 bits, IPv4 as ::ffff:a.b.c.d. Asks `maxminddb`, not the tables that
    answers are made from. Raises BadDatabase.
    """
    address = _address(client)
    found = []
    for index, path in files_of(databases):
        try:
            with closing(maxminddb.open_database(path)) as reader:
                older = address.version == 6 and reader.metadata().ip_version == 4
                record = None if older else reader.get(address)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise BadDatabase(index, f"{path}: {error}") from error
        found.append((path, facts_of(record)))
    return found


def client_of(client: int) -> int:
    """Return the client that is looked up: an IPv4 address inside IPv6 as ::ffff:a.b.c.d."""
    for marker, (first, length, _) in EMBEDDINGS.items():
        if client >> 128 - length == first >> 128 - length:
            return 0xFFFF << 32 | embedded_ipv4(client, marker)
    return client


def client_facts(client: int, databases: Sequence[Path | str]) -> dict[str, Any]:
    """Return what is known of a client: the keys of Facts, the first file that knows each wins."""
    facts = Facts()
    for _, more in facts_at(client, databases):
        facts = facts.over(more)
    return facts._asdict()


def _address(client: int) -> IPv4Address | IPv6Address:
    if client >> 32 == 0xFFFF:
        return IPv4Address(client & 0xFFFF_FFFF)
    return IPv6Address(client)


def facts_of(record: object) -> Facts:
    """Read a record of either shape; a record of another shape has no facts."""
    if not isinstance(record, Mapping):
        return Facts()
    traits = record.get("traits")
    network = {**traits, **record} if isinstance(traits, Mapping) else record
    country = _country(record)
    continent = _continent(record) or (CONTINENT_OF.get(country) if country else None)
    isp = _text(network, *_ISP_KEYS)
    return Facts(
        continent,
        country,
        tuple(_subdivisions(record, country)),
        isp_name(isp) if isp else None,
        _asn(network),
        location_of(record),
    )


def _text(record: Mapping[str, Any], *keys: str) -> str | None:
    """Return the first of these that is a text with something in it."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _inside(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a map inside the record, empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _country(record: Mapping[str, Any]) -> str | None:
    for code in (
        _text(record, *_COUNTRY_KEYS),
        _text(_inside(record, "country"), "iso_code"),
        _text(_inside(record, "registered_country"), "iso_code"),
    ):
        if code and (country := country_code(code)):
            return country
    return None


def _continent(record: Mapping[str, Any]) -> str | None:
    for code in (
        _text(record, *_CONTINENT_KEYS),
        _text(_inside(record, "continent"), "code"),
    ):
        if code and code.strip().upper() in CONTINENTS:
            return code.strip().upper()
    return None


def _subdivisions(record: Mapping[str, Any], country: str | None) -> Iterator[str]:
    """Yield the subdivisions of a record, each by its code, or by a name where it has no code."""
    levels = record.get("subdivisions")
    texts = [_text(record, *_STATE_KEYS)]
    texts += (
        _text(level, "iso_code") or _text(_inside(level, "names"), "en", "zh-CN")
        for level in (levels if isinstance(levels, list) else [])
        if isinstance(level, Mapping)
    )
    for text in texts:
        if text and (code := subdivision_code(text, country)):
            yield code


def _asn(record: Mapping[str, Any]) -> int | None:
    """Return the AS number, from 4134, "4134" or "AS4134"."""
    for key in _ASN_KEYS:
        value = record.get(key)
        if isinstance(value, str):
            value = value.strip().upper().removeprefix("AS")
            value = int(value) if value.isascii() and value.isdecimal() else None
        if isinstance(value, int) and value > 0:
            return value
    return None


def location_of(record: object) -> Place | None:
    """Return the place of a record, rounded; None where it has no coordinates, or no good ones."""
    if not isinstance(record, Mapping):
        return None
    inside = _inside(record, "location") or record
    latitude, longitude = (_degrees(inside, keys) for keys in (_LATITUDE_KEYS, _LONGITUDE_KEYS))
    return None if latitude is None or longitude is None else on_grid(latitude, longitude)


def _degrees(record: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    """Return the first of these that is a number, or a text of one."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                continue  # no number: as good as not there
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None
