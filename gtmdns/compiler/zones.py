"""One zone of the configuration to nodes: names, RRsets, cuts, wildcards, empty non-terminals."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..answers.pack import Extra
from ..config.load import Loaded
from ..config.mistakes import Mistake, Place
from ..config.model import Config, Record, Zone
from ..config.readers import longest
from ..config.rrtypes import type_number, type_text
from ..config.zonefile import FileRrset, ZoneFile
from ..wire.constants import AAAA, CNAME, DNAME, DS, NS, SOA, A
from ..wire.name import ROOT, BadName, WireName, ancestors, from_text, is_below, to_text
from .decide import reaches
from .records import (
    MAX_RDATA,
    MAX_RECORDS,
    BadRecord,
    address_rdata,
    rdata_from_text,
    rr,
    soa_rdata,
)

NEEDED = ("nameservers", "contact")  # keys that a zone has, or its master file in their place
Key = tuple[str | int, ...]  # path of keys in the configuration
NOTHING: Mapping[int, FileRrset] = MappingProxyType({})
ALONE = frozenset((CNAME, DNAME, DS))  # types that forbid others beside them, or want them


@dataclass(slots=True)
class Owner:
    """What one name owns, before numbers are given.

    key:    where it stands in the configuration
    rrsets: type -> (TTL, [RDATA, ...])
    record: the record, where the name is steered
    file:   what the zone's master file says of it
    """

    key: Key
    rrsets: dict[int, tuple[int, list[bytes]]] = field(default_factory=dict)
    record: Record | None = None
    file: Mapping[int, FileRrset] = field(default_factory=lambda: NOTHING)

    @property
    def lines(self) -> dict[int, Place]:
        """Where the types stand that come from the master file."""
        return {rtype: rrset.place for rtype, rrset in self.file.items()}


@dataclass(slots=True)
class ZoneDraft:
    """A zone with its names in wire format. `mistakes`: what is wrong with it; empty if good."""

    apex: WireName
    negative: bytes
    owners: dict[WireName, Owner]
    cuts: set[WireName]
    mistakes: list[Mistake]

    @property
    def serial(self) -> int:
        """That of the SOA, wherever it came from (RFC 1035 section 3.3.13)."""
        return int.from_bytes(self.owners[self.apex].rrsets[SOA][1][0][-20:-16])

    def is_occluded(self, name: WireName) -> bool:
        """Return whether `name` lies below a zone cut, where it is glue at most."""
        return bool(self.cuts) and any(above in self.cuts for above in ancestors(name))

    def addresses(self, name: WireName, owner: bytes) -> list[Extra]:
        """Return the static addresses of a name as additional records, owned by `owner`."""
        known = self.owners.get(name)
        rrsets = known.rrsets if known is not None else {}
        return [
            (owner, rtype, rrsets[rtype][0], rdata)
            for rtype in (A, AAAA)
            if rtype in rrsets
            for rdata in rrsets[rtype][1]
        ]

    def glue(self, cut: WireName) -> tuple[Extra, ...]:
        """Return the addresses of those name servers of a zone cut that the zone knows."""
        names = self.owners[cut].rrsets[NS][1]
        return tuple(
            each for name in names for each in self.addresses(WireName(name.lower()), name)
        )

    def nodes(self) -> Iterator[WireName]:
        """Yield every name that exists: owners that are not occluded, and what lies between."""
        seen: set[bytes] = set()
        for name in self.owners:
            if self.is_occluded(name):
                continue
            while name not in seen:
                seen.add(name)
                yield name
                if name == self.apex:
                    break
                name = WireName(name[1 + name[0] :])


def draft_zone(apex_text: str, zone: Zone, serial: int, loaded: Loaded) -> ZoneDraft:
    """Read one zone of the configuration. Mistakes are in the draft, not raised."""
    return _Drafter(apex_text, zone, loaded).draft(serial)


class _Drafter:
    def __init__(self, apex_text: str, zone: Zone, loaded: Loaded) -> None:
        self.zone = zone
        self.ttl = longest(zone.ttl)  # a range is for steered names
        self.loaded = loaded
        self.config: Config = loaded.config
        self.key: Key = ("zones", apex_text)
        self.mistakes: list[Mistake] = []
        self.owners: dict[WireName, Owner] = {}
        self.cuts: set[WireName] = set()
        self.apex = self._name(apex_text, ROOT, self.key) or ROOT
        self.file = loaded.zone_files.get(apex_text, ZoneFile())

    def draft(self, serial: int) -> ZoneDraft:
        self.owners[self.apex] = Owner(self.key)
        self._zone_file()
        servers = self._nameservers()
        negative = self._soa(servers, serial)
        for text, record in self.zone.records.items():
            self._record(text, record)
        for name, owner in self.owners.items():
            is_plain = owner.record is None and name not in self.cuts and name != self.apex
            if not is_plain or not ALONE.isdisjoint(owner.rrsets):
                self._check_owner(name, owner)
        return ZoneDraft(self.apex, negative, self.owners, self.cuts, self.mistakes)

    def _mistake(self, key: Key, problem: str) -> None:
        self.mistakes.append(self.loaded.mistake(key, problem))

    def _name(self, text: str, origin: WireName, key: Key) -> WireName | None:
        try:
            return from_text(text, origin)
        except BadName as error:
            self._mistake(key, f"{error}, expected a domain name")
            return None

    def _zone_file(self) -> None:
        """Add the records of the master file, and see which keys stand in its place or beside it.

        What the SOA and the NS of the apex say there, no key may say too.
        """
        here = (*self.key, "zone_file")
        for name, rrsets in self.file.rrsets.items():
            if name == self.apex:
                owner = self.owners[name]
            else:
                owner = self.owners[name] = Owner(here)
            owner.file = rrsets
            for rtype, rrset in rrsets.items():
                owner.rrsets[rtype] = (rrset.ttl, rrset.values)
                if max(map(len, rrset.values)) > MAX_RDATA:
                    self._mistake_at(rrset.place, f"a record of more than {MAX_RDATA} octets")
                if len(rrset.values) > MAX_RECORDS:
                    self._mistake_at(rrset.place, _too_many(len(rrset.values)))
            if NS in rrsets and name != self.apex:
                self.cuts.add(name)
        lines = self.owners[self.apex].lines
        replaced = {"nameservers": NS, "contact": SOA, "serial": SOA, "negative_ttl": SOA}
        for key, rtype in replaced.items():
            if rtype in lines and key in self.zone.model_fields_set:
                problem = f"given by {type_text(rtype)} at {lines[rtype]} too"
                self._mistake((*self.key, key), problem)
            elif rtype not in lines and not getattr(self.zone, key, None) and key in NEEDED:
                problem = f"missing; expected here, or {type_text(rtype)} in the master file"
                self._mistake((*self.key, key), problem)

    def _nameservers(self) -> list[WireName]:
        """Add NS of the apex and the addresses of name servers inside the zone.

        That those inside have addresses and the others have none was checked before.
        """
        key = (*self.key, "nameservers")
        servers = []
        if NS in self.owners[self.apex].lines:
            return [WireName(name) for name in self.owners[self.apex].rrsets[NS][1]]
        for text, addresses in self.zone.nameservers.items():
            name = self._name(text, self.apex, (*key, text))
            if name is None:
                continue
            servers.append(name)
            for address in addresses:
                rtype, rdata = address_rdata(address)
                owner = self.owners.setdefault(name, Owner((*key, text)))
                if rtype in owner.lines:
                    self._mistake((*key, text), f"has an address at {owner.lines[rtype]} too")
                    break
                owner.rrsets.setdefault(rtype, (self.ttl, []))[1].append(rdata)
        self.owners[self.apex].rrsets[NS] = (self.ttl, list(servers))
        return servers

    def _soa(self, servers: list[WireName], serial: int) -> bytes:
        """Add the SOA and return it for negative responses, without its owner (RFC 2308)."""
        apex = self.owners[self.apex]
        if SOA in apex.lines:
            ttl, values = apex.rrsets[SOA]
            return rr(b"", SOA, min(ttl, int.from_bytes(values[0][-4:])), values[0])
        local, _, domain = (self.zone.contact or "").partition("@")
        text = local.replace(".", "\\.") + "." + domain
        contact = self._name(text, ROOT, (*self.key, "contact")) or ROOT
        minimum = self.zone.negative_ttl
        rdata = soa_rdata(servers[0] if servers else ROOT, contact, serial, minimum)
        self.owners[self.apex].rrsets[SOA] = (self.ttl, [rdata])
        return rr(b"", SOA, min(self.ttl, minimum), rdata)

    def _record(self, text: str, record: Record) -> None:
        key: Key = (*self.key, "records", text)
        name = self._name(text, self.apex, key)
        if name is None:
            return
        if name != self.apex and not is_below(name, self.apex):
            self._mistake(key, f"the name is not in the zone {self.key[1]}")
            return
        owner = self.owners.get(name)
        if owner is not None and owner.key[:3] == key[:3]:
            place = self.loaded.where(*owner.key)
            self._mistake(key, f"the same name as {owner.key[-1]!r} at {place}")
            return
        owner = self.owners.setdefault(name, Owner(key))
        owner.key = key
        if record.route:
            owner.record = record
        for rtype, values in record.rrsets.items():
            self._rrset(owner, rtype, values, record, key)
        if NS in owner.rrsets and name != self.apex:
            self.cuts.add(name)

    def _rrset(
        self, owner: Owner, rtype: str, values: tuple[str, ...], record: Record, key: Key
    ) -> None:
        number = type_number(rtype)
        assert number is not None, "the model has only types that there are"
        if number in owner.rrsets:
            where = owner.lines.get(number, "`nameservers` of the zone")
            self._mistake((*key, rtype), f"set by {where} too")
            return
        ttl = self.ttl if record.ttl is None else longest(record.ttl)
        found: list[bytes] = []
        for at, value in enumerate(values):
            try:
                rdata = rdata_from_text(rtype, value, self.apex)
            except BadRecord as error:
                self._mistake((*key, rtype, at), str(error))
                continue
            if rdata in found:
                self._mistake((*key, rtype, at), f"{value!r} stands there twice")
            found.append(rdata)
        if len(found) > MAX_RECORDS:
            self._mistake((*key, rtype), _too_many(len(found)))
        owner.rrsets[number] = (ttl, found)

    def _check_owner(self, name: WireName, owner: Owner) -> None:
        """A CNAME stands alone (RFC 1034 section 3.6.2) and never at the apex."""
        types = set(owner.rrsets)
        if CNAME in types:
            if name == self.apex:
                self._mistake_of(owner, "the apex cannot be a CNAME, it has SOA and NS", CNAME)
            elif len(types) > 1 or owner.record is not None:
                self._mistake_of(owner, "a CNAME allows no other records at its name", CNAME)
            elif len(owner.rrsets[CNAME][1]) > 1:
                self._mistake_of(owner, "one name only, expected a single CNAME", CNAME, CNAME)
        if DNAME in types:
            self._check_dname(name, owner)
        if owner.record is not None:
            self._check_steered(owner, types)
        if name in self.cuts and (owner.record is not None or types - {NS, DS, A, AAAA}):
            problem = "a delegated name has NS, DS, and addresses as glue, nothing else"
            self._mistake_of(owner, problem, NS)
        if DS in types and name not in self.cuts:
            problem = "stands beside NS of a delegated name alone"
            self._mistake_of(owner, problem, DS, DS)
        if name in self.cuts and name[:2] == b"\x01*":
            problem = "a wildcard cannot be delegated (RFC 4592 section 4.2)"
            self._mistake_of(owner, problem, NS)
        if name in self.cuts or (name == self.apex and NS in owner.lines):
            self._check_glue(name, owner)

    def _check_dname(self, name: WireName, owner: Owner) -> None:
        """A DNAME is single, and nothing is below it (RFC 6672 section 2.4)."""
        if len(owner.rrsets[DNAME][1]) > 1:
            self._mistake_of(owner, "one name only, expected a single DNAME", DNAME, DNAME)
        if name[:2] == b"\x01*":
            problem = "a wildcard cannot have a DNAME (RFC 4592 section 4.4)"
            self._mistake_of(owner, problem, DNAME, DNAME)
        place = owner.lines.get(DNAME) or self.loaded.where(*owner.key, "DNAME")
        problem = (
            f"below {to_text(name)}, which has a DNAME at {place} that leads all such names on"
        )
        for other, below in self.owners.items():
            if is_below(other, name):
                self._mistake_of(below, problem, next(iter(below.rrsets), DNAME))

    def _check_steered(self, owner: Owner, types: set[int]) -> None:
        """Static addresses cannot stand beside a steered name, nor anything beside host names."""
        assert owner.record is not None
        lines = [owner.lines[rtype] for rtype in (A, AAAA) if rtype in owner.lines]
        if lines:
            self._mistake(owner.key, f"steered, but an address stands at {lines[0]} already")
        elif types & {A, AAAA}:
            self._mistake(owner.key, "a name server's addresses stand here already")
        elif owner.lines and self._answers_names(owner.record):
            rtype, place = next(iter(owner.lines.items()))
            problem = "host names are answered as CNAME, which cannot stand beside"
            self._mistake(owner.key, f"{problem} {type_text(rtype)} at {place}")

    def _answers_names(self, record: Record) -> bool:
        pools = self.config.pools
        return any(reaches(rule.target, 0, pools) for rule in record.route)

    def _mistake_of(self, owner: Owner, problem: str, rtype: int, *more: int) -> None:
        """Note a mistake of an owner where it is configured, else by its line in the master file.

        rtype: the type that is to blame; more: that too, where it has a key of its own
        """
        shown = rtype if rtype in owner.lines else next(iter(owner.lines), None)
        if shown is None:
            self._mistake((*owner.key, *map(type_text, more)), problem)
        elif owner.key in (self.key, (*self.key, "zone_file")):
            self._mistake_at(owner.lines[shown], problem)
        else:
            beside = f"{type_text(shown)} is at {owner.lines[shown]}"
            self._mistake(owner.key, f"{problem}; {beside}")

    def _mistake_at(self, place: Place, problem: str) -> None:
        self.mistakes.append(Mistake(*place, "", problem))

    def _check_glue(self, cut: WireName, owner: Owner) -> None:
        """A name server below its own zone cut is found by glue alone (RFC 1034 section 4.2.1).

        So is one of the zone itself, where it is in the zone.
        """
        line = owner.lines.get(NS)
        for at, rdata in enumerate(owner.rrsets[NS][1]):
            server = WireName(rdata.lower())
            known = self.owners.get(server)
            has_address = known is not None and not {A, AAAA}.isdisjoint(known.rrsets)
            if (server == cut or is_below(server, cut)) and not has_address:
                problem = f"{to_text(server)} is reached by its addresses alone, expected a record"
                problem += " with A or AAAA in this zone"
                if line is None:
                    self._mistake((*owner.key, "NS", at), problem)
                else:
                    self._mistake_at(line, problem)


def _too_many(records: int) -> str:
    return f"an RRset of {records} records, no message holds more than {MAX_RECORDS}"


def wildcards(names: Iterable[WireName]) -> list[tuple[WireName, WireName]]:
    """Return (encloser, wildcard name) for every wildcard (RFC 4592 section 2.1.1)."""
    return [(WireName(name[2:]), name) for name in names if name[:2] == b"\x01*"]
