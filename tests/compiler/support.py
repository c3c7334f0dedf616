"""What the tests of the compiler share: a configuration as text, compiled and asked.

Nothing here reads a GeoIP database: regions are networks.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop
from tempfile import TemporaryDirectory
from textwrap import dedent

import dns.message
import dns.name
import dns.rcode
from hypothesis import settings

from gtmdns.answers.answer import (
    Answer,
    Fixed,
    Hashed,
    Leaf,
    Nested,
    Several,
    Shuffled,
    Weighted,
)
from gtmdns.answers.cache import client_number
from gtmdns.answers.choice import AliasTable
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.compiler.build import Compiled, compile_config
from gtmdns.compiler.decide import NOT_HELD
from gtmdns.compiler.plan import AnswerSpec
from gtmdns.config.load import Loaded, load
from gtmdns.config.mistakes import BadConfig
from gtmdns.control.publication import Change, Publication
from gtmdns.health.condition import Conditions

NOW = 1_800_000_000  # Unix time of every compilation here
LAW = settings(deadline=None, derandomize=True, max_examples=300)  # the same examples each time
PLAIN = "geoip: {databases: []}\n"
ZONE = """
zones:
  example.test:
    nameservers: {ns1: [192.0.2.53]}
    contact: hostmaster@example.test
    ttl: 60
    negative_ttl: 30
    records:
"""


def load_text(text: str) -> Loaded:
    """Load a configuration that stands in one file, `gtmdns.yaml`."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "gtmdns.yaml")
        path.write_text(PLAIN + dedent(text))
        return load(path)


def with_records(records: str, rest: str = "") -> str:
    """Return a configuration of the zone example.test with these records, and other sections."""
    lines = [f"      {line}\n" for line in dedent(records).strip("\n").splitlines()]
    return dedent(rest).strip("\n") + ZONE + "".join(lines or ["      {}\n"])


def compile_text(
    text: str, serials: Mapping[str, tuple[str, int]] | None = None, now: int = NOW
) -> Compiled:
    return compile_config(load_text(text), serials or {}, now)


def mistakes_in(text: str) -> list[str]:
    """Return "LINE key: problem" of each mistake. Line 1 is the first of the text itself."""
    try:
        compile_text(text)
    except BadConfig as bad:
        return [f"{m.line - 1} {m.key}: {m.problem}" for m in bad.mistakes]
    return []


def snapshot_of(compiled: Compiled) -> Snapshot:
    builder = SnapshotBuilder(1, Settings())
    for piece in compiled.pieces:
        builder.add(piece)
    return builder.finish()


def ask(
    snapshot: Snapshot, name: str, rtype: str, client: str = "198.51.100.1", draw: int = 0
) -> dns.message.Message:
    """Return the response over TCP, as dnspython reads it; it must be one to this query."""
    query = dns.message.make_query(name, rtype)
    octets = respond(query.to_wire(), client_number(client), snapshot, draw, 65_535)
    assert octets is not None
    response = dns.message.from_wire(octets)
    assert query.is_response(response)
    return response


def section(rrsets: "list[dns.rrset.RRset]") -> list[str]:
    """Return the records of a section as "owner TTL TYPE rdata", sorted."""
    return sorted(
        f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}"
        for rrset in rrsets
        for rdata in rrset
    )


def rcode(response: dns.message.Message) -> str:
    return dns.rcode.to_text(response.rcode())


# A publication, brought to other conditions


def refresh(
    publication: Publication,
    pools: Iterable[str],
    conditions: Conditions,
    held: Callable[[AnswerSpec], Container[str]] = lambda spec: NOT_HELD,
) -> list[Change]:
    """Decide anew what looks at `pools`; keep and return the answers that are different."""
    decider = publication.decider(conditions)
    changes = []
    for number in sorted({number for pool in pools for number in publication.specs_by_pool[pool]}):
        spec = publication.plan.specs[number]
        outcome = decider.decide(spec.target, spec.family, spec.when_all_down, held(spec))
        change = publication.settle(number, outcome)
        if change is not None:
            changes.append(change)
    return changes


# Shares, counted from what a worker holds


def record_text(record: bytes) -> str:
    """Return the address or the name that a record (pointer, type, class, TTL, RDATA) holds."""
    rdata = record[12:]
    if len(rdata) != int.from_bytes(record[10:12]):
        raise ValueError("more than one record")
    if record[2:4] == b"\x00\x05":
        return dns.name.from_wire(rdata, 0)[0].to_text(omit_final_dot=True)
    return inet_ntop(AF_INET if len(rdata) == 4 else AF_INET6, rdata)


def records_of(leaf: Leaf | tuple[bytes, bytes, bytes | None, int]) -> list[str]:
    """Return what an answer's leaf holds, in its order."""
    octets, found = leaf[2] or b"", []
    while octets:
        size = 12 + int.from_bytes(octets[10:12])
        found.append(record_text(octets[:size]))
        octets = octets[size:]
    return found


def ticket_shares(table: AliasTable) -> list[Fraction]:
    """Return the share of each index of an alias table, all of its tickets counted."""
    tickets = [0] * len(table.keep)
    for slot, kept in enumerate(table.keep):
        tickets[slot] += kept
        tickets[table.other[slot]] += table.tickets_per_slot - kept
    return [Fraction(number, table.tickets) for number in tickets]


def shares_held(answer: Answer) -> dict[str, Fraction]:
    """Return how likely each record is in what `answer` gives: every ticket of it counted."""
    shares: dict[str, Fraction] = {}

    def add(texts: list[str], share: Fraction) -> None:
        for text in texts:
            shares[text] = shares.get(text, Fraction(0)) + share

    if isinstance(answer, Fixed):
        add(records_of(answer.leaf), Fraction(1))
    elif isinstance(answer, Weighted):
        table = AliasTable(answer.keep, answer.other, answer.per_slot)
        for leaf, share in zip(answer.leaves, ticket_shares(table), strict=True):
            add(records_of(leaf), share)
    elif isinstance(answer, Shuffled):
        for ticket in range(answer.tickets):
            draw = -(-(ticket << 64) // answer.tickets)  # the smallest that buys this ticket
            add(records_of(answer.choose(draw)), Fraction(1, answer.tickets))
    elif isinstance(answer, Nested):
        for part, share in zip(answer.answers, ticket_shares(answer.table), strict=True):
            for text, inner in shares_held(part).items():
                add([text], share * inner)
    else:  # by weight, without replacement; that hashing does follow its weights is a law of its own
        assert isinstance(answer, (Several, Hashed))
        texts = [record_text(record) for record in answer.records]
        if isinstance(answer, Several):
            assert ticket_shares(answer.table) == [
                Fraction(weight, sum(answer.weights)) for weight in answer.weights
            ]
        for share, index in drawn_shares(answer.weights, answer.take):
            add([texts[index]], share)
    return shares


def drawn_shares(weights: tuple[int, ...], take: int) -> list[tuple[Fraction, int]]:
    """Return (share, index) of `take` draws by weight without replacement, each path walked."""
    shares = [Fraction(0)] * len(weights)

    def walk(left: dict[int, int], take: int, share: Fraction) -> None:
        if not take:
            return
        for index, weight in left.items():
            part = share * weight / sum(left.values())
            shares[index] += part
            walk({i: w for i, w in left.items() if i != index}, take - 1, part)

    walk(dict(enumerate(weights)), take, Fraction(1))
    return [(share, index) for index, share in enumerate(shares)]
