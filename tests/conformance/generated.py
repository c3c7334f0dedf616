"""Zones and questions out of a seed: the same seed, the same zones and the same questions.

A zone has wildcards at several depths, empty non-terminals, zone cuts with and without glue,
names below those cuts, aliases and DNAMEs to everywhere (other zones, below cuts, nothing), and
labels of any octets and case.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

Name = tuple[bytes, ...]  # labels, leftmost first, without the root's

LABELS = [
    b"a", b"b", b"c", b"d", b"www", b"Mail", b"x-1", b"_tcp", b"UPPER", b"*x",
    b"\x00", b"a.b", b"\xff\x80", b'"', b"\\", b"@", b"l" * 63,
]  # fmt: skip
ABSENT = [b"zz", b"no", b"0", b"\x01", b"~"]  # no name of a zone has these
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
OUTSIDE = "www.elsewhere.example."
MASTER_SOA = "86400 7200 3600000 30"  # refresh, retry, expire as gtmdns says them; minimum
SERIAL, TTL = 2026, 60

# fmt: off
TYPES = ["A", "AAAA", "TXT", "MX", "SRV", "CAA", "NS", "SOA", "CNAME", "PTR", "DS", "ANY", "HTTPS",
         "DNSKEY", "HINFO", "NSEC", "TYPE65280", "NAPTR", "DNAME"]
WEIGHTS = [8,  4,      4,     3,    3,     1,     3,    2,     3,       1,     3,    1,     1,
           1,        1,       1,      1,           1,       2]
# fmt: on


@dataclass(frozen=True)
class Question:
    """edns: payload that the query allows; None: a query without OPT."""

    name: Name
    rdtype: str
    edns: int | None
    dnssec_ok: bool

    def __str__(self) -> str:
        return f"{text(self.name)} {self.rdtype} EDNS {self.edns}{' DO' * self.dnssec_ok}"


@dataclass
class GeneratedZone:
    """owners: absolute name -> (TTL, type -> values); the apex's SOA and NS stand apart."""

    apex: Name
    owners: dict[Name, tuple[int, dict[str, list[str]]]] = field(default_factory=dict)
    cuts: list[Name] = field(default_factory=list)
    dnames: list[Name] = field(default_factory=list)

    @property
    def server(self) -> Name:
        return (b"ns1", *self.apex)

    def add(self, name: Name, rrsets: dict[str, list[str]], ttl: int = TTL) -> bool:
        """Add an owner; False where the name, in any spelling, is taken."""
        if lower(name) in map(lower, [*self.owners, self.apex, self.server]):
            return False
        if sum(len(label) + 1 for label in name) >= 255:
            return False
        if any(is_below(lower(name), dname) for dname in self.dnames):
            return False
        self.owners[name] = (ttl, rrsets)
        return True

    def master_file(self) -> str:
        apex, server = text(self.apex), text(self.server)
        lines = [
            f"{apex} {TTL} IN SOA {server} hostmaster.{apex} {SERIAL} {MASTER_SOA}",
            f"{apex} {TTL} IN NS {server}",
            f"{server} {TTL} IN A 192.0.2.53",
        ]
        for name, (ttl, rrsets) in self.owners.items():
            for rdtype, values in rrsets.items():
                lines += [f"{text(name)} {ttl} IN {rdtype} {value}" for value in values]
        return "\n".join(lines) + "\n"

    def config(self, file: str | None) -> dict[str, object]:
        """Return the zone as one of `zones` in a configuration of gtmdns. file: its master file."""
        if file is not None:
            return {"zone_file": file}
        return {
            "nameservers": {text(self.server): ["192.0.2.53"]},
            "contact": f"hostmaster@{text(self.apex).rstrip('.')}",
            "serial": SERIAL,
            "ttl": TTL,
            "negative_ttl": 30,
            "records": {
                text(name): {**rrsets, "ttl": ttl} for name, (ttl, rrsets) in self.owners.items()
            },
        }


def is_below(name: Name, above: Name) -> bool:
    return len(name) > len(above) and name[-len(above) :] == above


def lower(name: Name) -> Name:
    return tuple(label.lower() for label in name)


def text(name: Name) -> str:
    """Return the presentation form; every octet that is no letter, digit or "*-_" as \\DDD."""
    return "".join("".join(map(_character, label)) + "." for label in name)


def _character(octet: int) -> str:
    plain = octet in b"*-_" or (octet < 128 and chr(octet).isalnum())
    return chr(octet) if plain else f"\\{octet:03}"


def generate(seed: int) -> list[GeneratedZone]:
    """Return a zone, and a child of it that is served beside it."""
    random = Random(f"zone {seed}")
    zone = _generate_zone(random, (f"z{seed}".encode(), b"test"))
    kid = _generate_zone(random, (b"kid", *zone.apex))
    zone.cuts.append(kid.apex)
    zone.add(kid.apex, {"NS": [text(kid.server)]})
    zone.add(kid.server, {"A": ["192.0.2.53"]})
    return [zone, kid]


def write_config(zones: list[GeneratedZone], folder: Path) -> Path:
    """Write the configuration of gtmdns: JSON, which is YAML, on lines short enough for it.

    Half of the zones are records in it, half are master files beside it.
    """
    configs = {}
    for number, zone in enumerate(zones):
        file = folder / f"{number}.zone" if number % 4 > 1 else None
        if file is not None:
            file.write_text(zone.master_file())
        configs[text(zone.apex)] = zone.config(None if file is None else file.name)
    shown = json.dumps(configs, indent=1).replace("\n", "\n ")
    path = folder / "gtmdns.yaml"
    path.write_text(f"geoip: {{databases: []}}\nzones: {shown}\n")
    return path


def _generate_zone(random: Random, apex: Name) -> GeneratedZone:
    zone = GeneratedZone(apex)
    names = [_below(random, apex) for _ in range(random.randint(10, 22))]
    for name in names:
        zone.add(name, _rrsets(random, zone, names), random.choice([0, 30, TTL, 3600]))
    for _ in range(random.choice([0, 1, 1, 2])):
        _add_dname(random, zone, names)
    for _ in range(random.randint(1, 3)):
        _add_cut(random, zone)
    if random.random() < 0.3:
        values = [f'"{number:02}{"v" * 180}"' for number in range(random.choice([3, 7, 12]))]
        zone.add((b"long", *apex), {"TXT": values})
    return zone


def _below(random: Random, apex: Name) -> Name:
    """Return a name of one to four labels below the apex; a quarter are wildcards."""
    labels = [random.choice(LABELS) for _ in range(random.choice([1, 1, 2, 2, 3, 4]))]
    chance = random.random()
    if chance < 0.25:
        labels[0] = b"*"
    elif chance < 0.28:
        labels[-1] = b"*"  # a "*" that is no wildcard for the names above it
    return (*labels, *apex)


def _rrsets(random: Random, zone: GeneratedZone, names: list[Name]) -> dict[str, list[str]]:
    target = text(random.choice([*names, zone.apex]))
    nowhere = text((random.choice(ABSENT), *zone.apex))
    if random.random() < 0.3:
        stem = [name[1:] if name[0] == b"*" else name for name in names]
        below = text((random.choice([b"w", b"ns"]), *random.choice(stem)))  # by a wildcard, often
        other = random.choice(["cut", "sub", "led", "w.moved", "www.kid", "a.led.kid"])
        near = f"{other}.{text(zone.apex)}"
        return {"CNAME": [random.choice([target, target, below, below, near, nowhere, OUTSIDE])]}
    number = random.randint(1, 250)
    every = {
        "A": [f"192.0.2.{number + n}" for n in range(random.choice([1, 1, 2, 4]))],
        "AAAA": [f"2001:db8::{number:x}"],
        "TXT": [f'"text {number}"', '"a;b\\"c" ""'][: random.randint(1, 2)],
        "MX": [f"10 {target}", f"20 {OUTSIDE}", "0 ."][: random.randint(1, 3)],
        "SRV": [f"1 2 {number} {target}", f"1 3 {number} {OUTSIDE}"][: random.randint(1, 2)],
        "CAA": ['0 issue "ca.example"'],
        "PTR": [target],
        "HTTPS": [f"1 {target} alpn=h2 port={number}", "2 . ipv4hint=192.0.2.9"],
        "NAPTR": [f'10 20 "U" "E2U+sip" "!^.*$!sip:{number}@example.com!" .'],
        "TYPE65280": [f"\\# 3 abcd{number:02x}"],
    }
    chosen = random.sample(sorted(every), random.randint(1, 3))
    return {rdtype: every[rdtype] for rdtype in chosen}


def _add_dname(random: Random, zone: GeneratedZone, names: list[Name]) -> None:
    """Add a DNAME with nothing below it: to a name of the zone or above, the child, elsewhere."""
    owner = (random.choice([b"led", b"Moved", b"over"]), *_parent(random, zone))
    target = random.choice([*names, (b"cut", *zone.apex), (b"kid", *zone.apex), owner[1:], owner])
    shown = random.choice([text(target), text(target), text((b"no", *zone.apex)), OUTSIDE])
    if target == owner:  # a name that grows until it is too long
        shown = text((random.choice([b"x", b"l" * 63]), *owner))
    beside = {"TXT": ['"beside"']} if random.random() < 0.3 else {}
    if any(is_below(lower(name), lower(owner)) for name in zone.owners):
        return
    if zone.add(owner, {"DNAME": [shown], **beside}):
        zone.dnames.append(lower(owner))


def _add_cut(random: Random, zone: GeneratedZone) -> None:
    cut = (random.choice([b"cut", b"Sub", b"dele"]), *_parent(random, zone))
    server = (b"ns", *cut)
    glue, sibling = text(server), text(zone.server)
    servers = random.choice([[glue], [glue, OUTSIDE], [OUTSIDE], [sibling], [text(cut)]])
    addresses = {"A": ["192.0.2.77"], "AAAA": ["2001:db8::77"]}
    at_cut = addresses if text(cut) in servers else {}
    signed = {"DS": [f"12345 13 2 {'ab' * 32}"]} if random.random() < 0.5 else {}
    if any(name[-len(cut) :] == cut for name in zone.owners) or not zone.add(
        cut, {"NS": servers, **at_cut, **signed}
    ):
        return
    zone.cuts.append(cut)
    if glue in servers:
        zone.add(server, addresses)
    if random.random() < 0.5:
        zone.add((b"occluded", *cut), {"TXT": ['"never seen"']})


def _parent(random: Random, zone: GeneratedZone) -> Name:
    """Return the apex, or a name of the zone that a cut may hang on."""
    plain = [name for name in zone.owners if name[0] != b"*"]
    return random.choice([zone.apex, zone.apex, *plain]) if plain else zone.apex


def questions(zones: list[GeneratedZone], seed: int, number: int) -> Iterator[Question]:
    """Yield questions for names that are there, near by, below, and not there at all."""
    random = Random(f"questions {seed}")
    for _ in range(number):
        zone = random.choice(zones)
        name = _asked_name(random, zone)
        if sum(len(label) + 1 for label in name) >= 255:
            continue
        yield Question(
            name if random.random() < 0.5 else _recased(random, name),
            random.choices(TYPES, WEIGHTS)[0],
            random.choice([None, 512, 1232]),
            random.random() < 0.1,
        )


def _asked_name(random: Random, zone: GeneratedZone) -> Name:
    if zone.dnames and random.random() < 0.1:
        return (
            *random.choices([*LABELS, b"ns", b"w"], k=random.randint(1, 3)),
            *random.choice(zone.dnames),
        )
    owned = random.choice([*zone.owners, *zone.owners, *zone.cuts, zone.apex, zone.server])
    fresh = random.choice([*ABSENT, *LABELS, b"*"])
    kind = random.random()
    if kind < 0.4:
        return owned
    if kind < 0.55:  # a neighbour; for a wildcard, what it stands for
        return (fresh, *owned[1:]) if len(owned) > len(zone.apex) else owned
    if kind < 0.65:  # two labels in place of one
        return (fresh, random.choice(LABELS), *owned[1:]) if len(owned) > 3 else owned
    if kind < 0.8:
        return (fresh, *owned)
    if kind < 0.85:
        return (fresh, b"deeper", *owned)
    if kind < 0.97:  # above it: an empty non-terminal, often
        return owned[random.randint(0, max(0, len(owned) - len(zone.apex))) :]
    return (fresh, b"example", b"org")  # not ours


def _recased(random: Random, name: Name) -> Name:
    """Return the name with half of its letters, on average, in the other case."""
    return tuple(
        bytes(o ^ 0x20 if o | 0x20 in ALPHABET and random.random() < 0.5 else o for o in label)
        for label in name
    )
