"""What is asked about addresses, and the label of an address that holds all of the answers.

One *condition* is one kind of fact of one region ("subdivisions of east-china"), and one bit. A
label is an integer: the lowest bits say which kinds of facts a file knows, then comes a bit for
each condition, and, where something is `nearest`, three fields that say where the address is:
numbers of its location, of its first subdivision with a place, and of its country; 0 for none.
"""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Protocol

from .geodata import Facts
from .locations import (
    COUNTRY_PLACES,
    GRID_BITS,
    SUBDIVISION_PLACES,
    Place,
    numbered_place,
    place_number,
    place_of,
)
from .places import isp_name, subdivision_code

Network = IPv4Network | IPv6Network


class Region(Protocol):
    """The part of `config.model.Region` that is read here."""

    @property
    def networks(self) -> Sequence[Network]: ...
    @property
    def continents(self) -> Sequence[str]: ...
    @property
    def countries(self) -> Sequence[str]: ...
    @property
    def subdivisions(self) -> Sequence[str]: ...
    @property
    def isps(self) -> Sequence[str]: ...
    @property
    def asns(self) -> Sequence[int]: ...
    @property
    def match(self) -> str: ...


# Kind of fact -> the values of a record, in the spelling of Facts. The order gives the bit of
# "this file knows it".
KINDS: dict[str, Callable[[Facts], tuple[str | int | Place | None, ...]]] = {
    "continents": lambda facts: (facts.continent,),
    "countries": lambda facts: (facts.country,),
    "subdivisions": lambda facts: facts.subdivisions,
    "isps": lambda facts: (facts.isp,),
    "asns": lambda facts: (facts.asn,),
    "locations": lambda facts: (facts.location,),
}
# The kinds that a region may ask for -> its values in that spelling.
SPELLING: dict[str, Callable[[Any], str | int | None]] = {
    "continents": str.upper,
    "countries": str.upper,
    "subdivisions": subdivision_code,
    "isps": isp_name,
    "asns": int,
}
SINGULAR = {
    "continents": "continent",
    "countries": "country",
    "subdivisions": "subdivision",
    "isps": "ISP",
    "asns": "AS",
}
_KNOWN = (1 << len(KINDS)) - 1  # the lowest bits of a label: kinds that a file knows there

_COUNTRIES = [None, *COUNTRY_PLACES]  # by the number in a label
_SUBDIVISIONS = [None, *SUBDIVISION_PLACES]
_COUNTRY_NUMBERS = {country: number for number, country in enumerate(_COUNTRIES)}
_SUBDIVISION_NUMBERS = {code: number for number, code in enumerate(_SUBDIVISIONS)}
_ELSEWHERE = 255  # the number of a country that the table of places does not have
_FIELDS = {"locations": GRID_BITS, "subdivisions": 6, "countries": 8}  # kind -> bits


class Conditions:
    """The bits of all conditions of the regions in use, and what asks for them."""

    def __init__(self, regions: Mapping[str, Region], *, places: bool = False) -> None:
        """Number the conditions. `places`: labels say where an address is, too."""
        self.of_region: dict[str, tuple[int, bool]] = {}  # bits, and whether all must hold
        self.networks: list[tuple[Network, int]] = []
        self.wanted: dict[str, dict[object, int]] = {kind: {} for kind in SPELLING}
        self.of_kind = dict.fromkeys(KINDS, 0)
        self.places = places
        self._next = _KNOWN + 1
        for name, region in regions.items():
            bits = self._add_networks(region) | self._add_facts(region)
            self.of_region[name] = bits, region.match == "all"
        self._shifts: dict[str, int] = {}
        for kind, width in _FIELDS.items() if places else ():
            self._shifts[kind] = self._next.bit_length() - 1
            self.of_kind[kind] |= self._next * ((1 << width) - 1)
            self._next <<= width

    def _add_networks(self, region: Region) -> int:
        if not region.networks:
            return 0
        bit = self._new_bit()
        self.networks += ((network, bit) for network in region.networks)
        return bit

    def _add_facts(self, region: Region) -> int:
        bits = 0
        for kind, wanted in self.wanted.items():
            values = getattr(region, kind)
            if not values:
                continue
            bit = self._new_bit()
            bits |= bit
            self.of_kind[kind] |= bit
            for value in map(SPELLING[kind], values):
                if value is not None:
                    wanted[value] = wanted.get(value, 0) | bit
        return bits

    def _new_bit(self) -> int:
        bit = self._next
        self._next <<= 1
        return bit

    def label(self, facts: Facts) -> int:
        """Return the conditions that these facts fulfil, and which kinds in use they know."""
        label = self._fields(facts) if self.places else 0
        for number, (kind, values_of) in enumerate(KINDS.items()):
            values = [value for value in values_of(facts) if value is not None]
            if values and self.of_kind[kind]:
                label |= 1 << number
                wanted = self.wanted.get(kind, {})
                for value in values:
                    label |= wanted.get(value, 0)
        return label

    def _fields(self, facts: Facts) -> int:
        """Return the fields that say where an address with these facts is."""
        placed = (_SUBDIVISION_NUMBERS.get(code, 0) for code in facts.subdivisions)
        numbers = {
            "locations": 0 if facts.location is None else place_number(facts.location),
            "subdivisions": next(filter(None, placed), 0),
            "countries": _COUNTRY_NUMBERS.get(facts.country, _ELSEWHERE),
        }
        return sum(number << self._shifts[kind] for kind, number in numbers.items())

    def place(self, label: int) -> Place | None:
        """Return where an address with this label is; for Conditions with places."""
        location, subdivision, country = (
            label >> self._shifts[kind] & (1 << width) - 1 for kind, width in _FIELDS.items()
        )
        code = _SUBDIVISIONS[subdivision]
        found = place_of(
            numbered_place(location) if location else None,
            () if code is None else (code,),
            "" if country == _ELSEWHERE else _COUNTRIES[country],
        )
        return None if found is None else found[0]

    def holds(self, region: str, label: int) -> bool:
        """Say whether an address with these conditions is in the region."""
        bits, every = self.of_region[region]
        met = label & bits
        return bits != 0 and met == bits if every else met != 0

    def first_over(self) -> Callable[[int, int], int]:
        """Return the function that joins the label of a file with that of a later one."""
        open_bits = []  # for each set of known kinds: the bits that a later file may still give
        for known in range(_KNOWN + 1):
            bits = 0
            for number, kind in enumerate(KINDS):
                if not known >> number & 1:
                    bits |= 1 << number | self.of_kind[kind]
            open_bits.append(bits)
        return lambda first, later: first | later & open_bits[first & _KNOWN]
