"""One zone of the configuration to nodes: names, RRsets, cuts, wildcards, empty non-terminals."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..answers.answer import REFERRAL, STATIC, Answer, Fixed, leaf, shuffled
from ..config.load import Loaded
from ..config.mistakes import Mistake
from ..config.model import Record, Zone
from ..wire.constants import AAAA, CNAME, NS, SOA, TYPES, A
from ..wire.name import ROOT, BadName, WireName, ancestors, from_text, is_below, to_text
from .records import TO_QUESTION, BadRecord, address_rdata, rdata_from_text, rr, soa_rdata

Key = tuple[str | int, ...]  # path of keys in the configuration


@dataclass(slots=True)
class Owner:
    """What one name owns, before numbers are given.

    key:    where it stands in the configuration
    rrsets: type -> (TTL, [RDATA, ...])
    record: the record, where the name is steered
    """

    key: Key
    rrsets: dict[int, tuple[int, list[bytes]]] = field(default_factory=dict)
    record: Record | None = None


@dataclass(slots=True)
class ZoneDraft:
    """A zone with its names in wire format. `mistakes`: what is wrong with it; empty if good."""

    apex: WireName
    negative: bytes
    owners: dict[WireName, Owner]
    cuts: set[WireName]
    mistakes: list[Mistake]

    def is_occluded(self, name: WireName) -> bool:
        """Return whether `name` lies below a zone cut, where it is glue at most."""
        return bool(self.cuts) and any(above in self.cuts for above in ancestors(name))

    def glue(self, names: list[bytes]) -> list[bytes]:
        """Return the address records of those name servers that the zone knows."""
        found = []
        for name in names:
            owner = self.owners.get(WireName(name.lower()))
            for rtype in (A, AAAA):
                if owner is not None and rtype in owner.rrsets:
                    ttl, values = owner.rrsets[rtype]
                    found += [rr(name, rtype, ttl, rdata) for rdata in values]
        return found

    def answer(self, name: WireName, rtype: int) -> Answer:
        """Return the answer of a static RRset. Addresses are shuffled, the rest keeps its order."""
        ttl, values = self.owners[name].rrsets[rtype]
        records = [rr(TO_QUESTION, rtype, ttl, rdata) for rdata in values]
        if rtype in (A, AAAA):
            return shuffled(records, len(records), STATIC)
        extra = self.glue(values) if rtype == NS else []
        return Fixed(leaf(b"".join(records + extra), STATIC, len(records), 0, len(extra)))

    def referral(self, name: WireName) -> Answer:
        """Return the referral of a zone cut: NS in the authority section, with glue.

        The owner is written out: the question asks for a name at the cut or below it.
        """
        ttl, values = self.owners[name].rrsets[NS]
        records = [rr(name, NS, ttl, rdata) for rdata in values]
        extra = self.glue(values)
        return Fixed(leaf(b"".join(records + extra), REFERRAL, 0, len(records), len(extra)))

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
        self.loaded = loaded
        self.key: Key = ("zones", apex_text)
        self.mistakes: list[Mistake] = []
        self.owners: dict[WireName, Owner] = {}
        self.cuts: set[WireName] = set()
        self.apex = self._name(apex_text, ROOT, self.key) or ROOT

    def draft(self, serial: int) -> ZoneDraft:
        self.owners[self.apex] = Owner(self.key)
        servers = self._nameservers()
        negative = self._soa(servers, serial)
        for text, record in self.zone.records.items():
            self._record(text, record)
        for name, owner in self.owners.items():
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

    def _nameservers(self) -> list[WireName]:
        """Add NS of the apex and the addresses of name servers inside the zone.

        That those inside have addresses and the others have none was checked before.
        """
        key = (*self.key, "nameservers")
        servers = []
        for text, addresses in self.zone.nameservers.items():
            name = self._name(text, self.apex, (*key, text))
            if name is None:
                continue
            servers.append(name)
            for address in addresses:
                rtype, rdata = address_rdata(address)
                owner = self.owners.setdefault(name, Owner((*key, text)))
                owner.rrsets.setdefault(rtype, (self.zone.ttl, []))[1].append(rdata)
        self.owners[self.apex].rrsets[NS] = (self.zone.ttl, list(servers))
        return servers

    def _soa(self, servers: list[WireName], serial: int) -> bytes:
        """Add the SOA and return it for negative responses, without its owner (RFC 2308)."""
        local, at, domain = self.zone.contact.partition("@")
        text = local.replace(".", "\\.") + "." + domain if at else self.zone.contact
        contact = self._name(text, ROOT, (*self.key, "contact")) or ROOT
        minimum = self.zone.negative_ttl
        rdata = soa_rdata(servers[0] if servers else ROOT, contact, serial, minimum)
        self.owners[self.apex].rrsets[SOA] = (self.zone.ttl, [rdata])
        return rr(b"", SOA, min(self.zone.ttl, minimum), rdata)

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
        number = TYPES[rtype]
        if number in owner.rrsets:
            self._mistake((*key, rtype), "set by `nameservers` of the zone too")
            return
        ttl = self.zone.ttl if record.ttl is None else record.ttl
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
        owner.rrsets[number] = (ttl, found)

    def _check_owner(self, name: WireName, owner: Owner) -> None:
        """A CNAME stands alone (RFC 1034 section 3.6.2) and never at the apex."""
        types = set(owner.rrsets)
        if CNAME in types:
            if name == self.apex:
                self._mistake(owner.key, "the apex cannot be a CNAME, it has SOA and NS")
            elif len(types) > 1 or owner.record is not None:
                self._mistake(owner.key, "a CNAME allows no other records at its name")
            elif len(owner.rrsets[CNAME][1]) > 1:
                self._mistake((*owner.key, "CNAME"), "one name only, expected a single CNAME")
        if owner.record is not None and types & {A, AAAA}:
            self._mistake(owner.key, "a name server's addresses stand here already")
        if name in self.cuts and (owner.record is not None or types - {NS, A, AAAA}):
            self._mistake(owner.key, "a delegated name has NS, and addresses as glue, nothing else")
        if name in self.cuts and name[:2] == b"\x01*":
            self._mistake(owner.key, "a wildcard cannot be delegated (RFC 4592 section 4.2)")
        if name in self.cuts:
            self._check_glue(name, owner)

    def _check_glue(self, cut: WireName, owner: Owner) -> None:
        """A name server below its own zone cut is found by glue alone (RFC 1034 section 4.2.1)."""
        for at, rdata in enumerate(owner.rrsets[NS][1]):
            server = WireName(rdata.lower())
            known = self.owners.get(server)
            has_address = known is not None and not {A, AAAA}.isdisjoint(known.rrsets)
            if (server == cut or is_below(server, cut)) and not has_address:
                problem = f"{to_text(server)} is reached by its addresses alone, expected a record"
                self._mistake((*owner.key, "NS", at), f"{problem} with A or AAAA in this zone")


def wildcards(names: Iterable[WireName]) -> list[tuple[WireName, WireName]]:
    """Return (encloser, wildcard name) for every wildcard (RFC 4592 section 2.1.1)."""
    return [(WireName(name[2:]), name) for name in names if name[:2] == b"\x01*"]
