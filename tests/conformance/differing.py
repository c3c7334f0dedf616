"""gtmdns beside NSD and Knot on the same zones: what differs, and by which named rule it may.

gtmdns is asked inside this process, through the answer cache and without it; the others are asked
over loopback. rcode, AA and TC are compared, answer and authority section as sets of RRsets with
TTL, and the glue of referrals. A difference that no rule explains is a failure.
"""

import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from gtmdns.answers.cache import AnswerCache
from gtmdns.answers.responder import respond
from gtmdns.answers.snapshot import Snapshot
from gtmdns.compiler.build import compile_config
from gtmdns.config.load import load
from tests.compiler.support import NOW, snapshot_of
from tests.conformance.generated import (
    GeneratedZone,
    Question,
    generate,
    questions,
    text,
    write_config,
)
from tests.conformance.ports import free_port
from tests.conformance.resolving import running
from tests.conformance.settings import KNOT_SERVER, NSD_SERVER

HOST = "127.0.1.60"
CLIENT = 0xFFFF_7F00_0001

KNOT = (
    KNOT_SERVER
    + """template:
  - id: default
    storage: "{folder}"
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
zone:
"""
)


@dataclass(frozen=True)
class Peer:
    """How another server is run on generated zones."""

    name: str
    program: str
    conf: str
    zone_conf: str
    words: tuple[str, ...]  # of its command line, before the configuration file


NSD_PEER = Peer(
    "NSD", "nsd", NSD_SERVER, 'zone:\n  name: "{apex}"\n  zonefile: {file}\n', ("-d", "-c")
)
KNOT_PEER = Peer("Knot", "knotd", KNOT, '  - domain: "{apex}"\n    file: "{file}"\n', ("-c",))
PEERS = (NSD_PEER, KNOT_PEER)


class Asked:
    """A running peer and a socket to it."""

    def __init__(self, peer: Peer, port: int) -> None:
        self.name, self.port = peer.name, port
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(10)
        self.sock.connect((HOST, port))

    def ask(self, packet: bytes) -> bytes:
        self.sock.send(packet)
        while True:
            response = self.sock.recv(65_535)
            if response[:2] == packet[:2]:
                return response

    def ask_tcp(self, query: dns.message.Message) -> dns.message.Message:
        return dns.query.tcp(query, HOST, timeout=10, port=self.port)


@contextmanager
def peers(folder: Path, zones: Sequence[GeneratedZone]) -> Iterator[list[Asked]]:
    """Run every peer that is installed on these zones."""
    with ExitStack() as stack:
        asked = []
        for peer in PEERS:
            if shutil.which(peer.program) is None:
                continue
            home = folder / peer.program
            home.mkdir()
            port = free_port(HOST)
            conf = peer.conf.format(folder=home, host=HOST, port=port)
            for number, zone in enumerate(zones):
                (home / f"{number}.zone").write_text(zone.master_file())
                conf += peer.zone_conf.format(apex=text(zone.apex), file=f"{number}.zone")
            (home / "conf").write_text(conf)
            command = [peer.program, *peer.words, str(home / "conf")]
            stack.enter_context(running(command, home / "log", (HOST, port)))
            asked.append(Asked(peer, port))
            stack.callback(asked[-1].sock.close)
        yield asked


# What is compared

RRsets = frozenset[tuple[dns.name.Name, int, int, frozenset[bytes]]]


@dataclass(frozen=True)
class Shown:
    """What a response says, as far as it is compared."""

    rcode: int
    aa: bool
    tc: bool
    answer: RRsets
    authority: RRsets
    glue: RRsets  # address records of a referral; empty for other responses

    def differing(self, other: "Shown") -> set[str]:
        return {
            name
            for name in ("rcode", "aa", "tc", "answer", "authority", "glue")
            if getattr(self, name) != getattr(other, name)
        }

    @property
    def types(self) -> set[int]:
        return {rrset[1] for rrset in self.answer}


def shown(message: dns.message.Message) -> Shown:
    aa = bool(message.flags & dns.flags.AA)
    referral = not aa and bool(message.authority)
    return Shown(
        message.rcode(),
        aa,
        bool(message.flags & dns.flags.TC),
        rrsets(message.answer),
        rrsets(message.authority),
        rrsets(message.additional) if referral else frozenset(),
    )


def rrsets(section: list[dns.rrset.RRset]) -> RRsets:
    """Return a section without order and letter case."""
    return frozenset(
        (rrset.name, rrset.rdtype, rrset.ttl, frozenset(data.to_digestable() for data in rrset))
        for rrset in section
    )


# The rules

Holds = Callable[[Question, Shown, Shown], bool]


@dataclass(frozen=True)
class Rule:
    """A difference that is known and meant. `explains`: fields that may differ where it holds."""

    name: str
    explains: frozenset[str]
    holds: Holds


def _any_is_minimal(question: Question, ours: Shown, theirs: Shown) -> bool:
    """RFC 8482 section 4.2: one HINFO in place of everything."""
    return question.rdtype == "ANY" and ours.types <= {
        dns.rdatatype.HINFO,
        dns.rdatatype.CNAME,
        dns.rdatatype.DNAME,
    }


def _stays_in_one_zone(question: Question, ours: Shown, theirs: Shown) -> bool:
    """Knot ends a chain where it enters a child zone, with a referral to that, though it has it."""
    types = {rrset[1] for rrset in theirs.authority}
    return (
        theirs.rcode == 0
        and _is_a_part(theirs, ours)
        and {rrset[0].labels[0].lower() for rrset in theirs.authority} == {b"kid"}
        # A DS at the apex of the child is the parent's to answer (RFC 4035 section 3.1.4.1).
        and (
            types == {dns.rdatatype.NS}
            or (question.rdtype == "DS" and types == {dns.rdatatype.SOA})
        )
    )


def _one_dname_once(question: Question, ours: Shown, theirs: Shown) -> bool:
    """NSD does not apply a DNAME to a name that it made itself: a name that grows stops growing.

    RFC 6672 section 3.2 says to go on, until the name is too long.
    """
    aliases = [rrset[0] for rrset in theirs.answer if rrset[1] == dns.rdatatype.CNAME]
    dnames = {rrset[0] for rrset in theirs.answer if rrset[1] == dns.rdatatype.DNAME}
    led = [name for name in aliases for dname in dnames if name.is_subdomain(dname)]
    again = [name for name in _targets(theirs) for dname in dnames if name.is_subdomain(dname)]
    return (
        theirs.rcode == 0
        and not theirs.authority
        and _is_a_part(theirs, ours)
        and len(led) == 1
        and len(again) == 1
    )


def _more_than_yxdomain(question: Question, ours: Shown, theirs: Shown) -> bool:
    """Knot adds CNAMEs of shorter names where a DNAME makes a name that is too long."""
    yxdomain = ours.rcode == theirs.rcode == dns.rcode.YXDOMAIN
    return yxdomain and ours.types == {dns.rdatatype.DNAME} and ours.answer < theirs.answer


def _five_links(question: Question, ours: Shown, theirs: Shown) -> bool:
    """Knot follows five CNAMEs, gtmdns 16: RFC 1034 leaves the number open."""
    return _is_a_part(theirs, ours) and len(_targets(theirs)) == 5


def _is_a_part(theirs: Shown, ours: Shown) -> bool:
    """Return whether theirs are the first links of ours, and nothing else."""
    return (
        theirs.types <= {dns.rdatatype.CNAME, dns.rdatatype.DNAME} and theirs.answer <= ours.answer
    )


def _targets(shown: Shown) -> list[dns.name.Name]:
    aliases = [rrset for rrset in shown.answer if rrset[1] == dns.rdatatype.CNAME]
    return [dns.name.from_wire(data, 0)[0] for rrset in aliases for data in rrset[3]]


def _nsec_beside_alias(question: Question, ours: Shown, theirs: Shown) -> bool:
    """RFC 4035 section 2.5 lets NSEC stand beside a CNAME: Knot looks for one, NSD does not."""
    return (
        question.rdtype == "NSEC"
        and dns.rdatatype.CNAME in ours.types
        and theirs.answer < ours.answer
    )


def _target_in_lower_case(question: Question, ours: Shown, theirs: Shown) -> bool:
    """NSD lowers the target of SVCB; case is preserved (RFC 4343 section 4.1) by the others."""
    return question.rdtype == "HTTPS" and lower_data(ours.answer) == lower_data(theirs.answer)


def lower_data(rrsets: RRsets) -> RRsets:
    return frozenset((*rrset[:3], frozenset(map(bytes.lower, rrset[3]))) for rrset in rrsets)


ANSWER, AUTHORITY, RCODE, TC = "answer", "authority", "rcode", "tc"
RULES = (
    Rule("RFC 8482: ANY is one HINFO", frozenset({ANSWER, TC, AUTHORITY}), _any_is_minimal),
    Rule("NSEC beside a CNAME", frozenset({ANSWER, AUTHORITY, RCODE}), _nsec_beside_alias),
    Rule("SVCB target in lower case", frozenset({ANSWER}), _target_in_lower_case),
    Rule("Knot stays in one zone", frozenset({RCODE, ANSWER, AUTHORITY}), _stays_in_one_zone),
    Rule("NSD applies one DNAME once", frozenset({RCODE, ANSWER, AUTHORITY}), _one_dname_once),
    Rule("Knot says more than YXDOMAIN", frozenset({ANSWER}), _more_than_yxdomain),
    Rule("Knot follows five links", frozenset({RCODE, ANSWER, AUTHORITY}), _five_links),
)


class Comparison:
    """Counts questions and what explained their differences."""

    def __init__(self) -> None:
        self.asked = 0
        self.explained: Counter[str] = Counter()
        self.unexplained: list[str] = []

    def compare(self, question: Question, peer: str, ours: Shown, theirs: Shown) -> None:
        self.asked += 1
        left = ours.differing(theirs)
        for rule in RULES:
            if left & rule.explains and rule.holds(question, ours, theirs):
                self.explained[f"{peer}: {rule.name}"] += 1
                left -= rule.explains
        if left:
            told = f"{question}: {peer} differs in {sorted(left)}"
            self.unexplained.append(f"{told}\n  ours   {ours}\n  theirs {theirs}")

    def __str__(self) -> str:
        lines = [f"{self.asked} responses compared, {len(self.unexplained)} unexplained"]
        lines += [f"  {number:7}  {name}" for name, number in sorted(self.explained.items())]
        return "\n".join(lines)


def differences(folder: Path, *, zones: int, asked: int, first: int = 0) -> Comparison:
    """Compare on `zones` seeds from `first`, `asked` questions each, with every peer here."""
    groups = [generate(first + number) for number in range(zones)]
    everything = [zone for group in groups for zone in group]
    snapshot = snapshot_of(compile_config(load(write_config(everything, folder)), {}, NOW))
    cache = AnswerCache(snapshot)
    comparison = Comparison()
    with peers(folder, everything) as others:
        for number, group in enumerate(groups):
            for question in questions(group, first + number, asked):
                _compare_with_all(question, snapshot, cache, others, comparison)
    return comparison


def _compare_with_all(
    question: Question,
    snapshot: Snapshot,
    cache: AnswerCache,
    others: list[Asked],
    comparison: Comparison,
) -> None:
    query = query_of(question, comparison.asked)
    packet = query.to_wire()
    octets = respond(packet, CLIENT, snapshot, 0)
    assert octets is not None, str(question)
    assert cache.respond(packet, "127.0.0.1", 0) == octets, str(question)
    end = 12 + len(query.question[0].name.to_wire() or b"") + 4
    assert octets[12:end] == packet[12:end], f"{question}: the question's case was not kept"
    ours = shown(dns.message.from_wire(octets))
    for other in others:
        theirs = shown(dns.message.from_wire(other.ask(packet)))
        mine = ours
        if ours.tc or theirs.tc:  # what a client asks next: names are compressed differently
            if ours.tc != theirs.tc:
                comparison.explained[f"{other.name}: another size, compared over TCP"] += 1
            whole = respond(packet, CLIENT, snapshot, 0, 65_535)
            assert whole is not None
            mine, theirs = shown(dns.message.from_wire(whole)), shown(other.ask_tcp(query))
        comparison.compare(question, other.name, mine, theirs)


def query_of(question: Question, number: int) -> dns.message.Message:
    return dns.message.make_query(
        dns.name.Name((*question.name, b"")),
        question.rdtype,
        use_edns=False if question.edns is None else 0,
        payload=question.edns or 0,
        want_dnssec=question.dnssec_ok and question.edns is not None,
        id=number & 0xFFFF,
    )
