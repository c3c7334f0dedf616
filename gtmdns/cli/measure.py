"""`gtmdns measure`: ask the same question many times and count the answers."""

import asyncio
import ipaddress
import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic

import click
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from .output import console

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = tuple[str, int]  # as sockets want it; further fields of an IPv6 address are left out

IN_FLIGHT = 50  # queries waiting at one time; each lane has its own socket, so all workers are met
TRIES = 3  # one query and two repeats
PAUSE = 0.1  # seconds before a repeat where the host says that nobody listens: it may be restarting
MAX_UDP = 4096  # octets read; nothing larger was offered


class Unreachable(Exception):
    """The server gave no answer to the very first query, whatever was tried. The text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one response said. Equal answers are counted together, so `data` is sorted."""

    rcode: str  # "NOERROR", "NXDOMAIN", ...; "LOST" where nothing came back
    data: tuple[str, ...] = ()  # presentation format; empty at NODATA

    @property
    def bad(self) -> bool:
        return self.rcode not in ("NOERROR", "NXDOMAIN")

    def __str__(self) -> str:
        if self.rcode == "LOST":
            return "no answer"
        return "\n".join(self.data) or ("NODATA" if self.rcode == "NOERROR" else self.rcode)


LOST = Answer("LOST")


@dataclass(frozen=True, slots=True)
class Question:
    """One question as one client: what is sent, and what a response is held against."""

    query: dns.message.Message
    wire: bytes
    subnet: Subnet | None = None
    first_only: bool = False
    seen: dict[bytes, Answer] = field(default_factory=dict)  # responses less their ID, read once

    def read(self, response: bytes) -> Answer:
        """Return what `response` says. Repeated octets are parsed once."""
        answer = self.seen.get(response[2:])
        if answer is None:
            answer = self.seen[response[2:]] = self._parse(response)
        return answer

    def _parse(self, response: bytes) -> Answer:
        try:
            message = dns.message.from_wire(response, ignore_trailing=True)
        except dns.exception.DNSException:
            return Answer("malformed")
        rcode = dns.rcode.to_text(message.rcode())
        if message.question != self.query.question and (message.question or rcode == "NOERROR"):
            return Answer("other question")  # an error may come without one
        question = self.query.question[0]
        asked = [r for r in message.answer if r.rdtype == question.rdtype]
        if question.rdtype == dns.rdatatype.ANY:
            asked = message.answer
        data = [rdata.to_text() for rrset in asked for rdata in rrset]
        if not asked:
            data = [f"{dns.rdatatype.to_text(r.rdtype)} {d}" for r in message.answer for d in r]
        return Answer(rcode, tuple(data[:1] if self.first_only else sorted(data)))


def question(name: str, rdtype: str, subnet: Subnet | None, first_only: bool = False) -> Question:
    """Build the question. Raises dns.exception.DNSException where name or type are none."""
    options: list[dns.edns.Option] = []
    if subnet is not None:
        options = [dns.edns.ECSOption(str(subnet.network_address), subnet.prefixlen, 0)]
    query = dns.message.make_query(name, rdtype, use_edns=0, payload=1232, options=options)
    return Question(query, query.to_wire(), subnet, first_only)


class Asker:
    """Asks one server over UDP, each query up to TRIES times, and over TCP where it says TC.

    server: an address that `connect` takes. timeout: seconds for each try.
    """

    def __init__(self, server: Address, timeout: float) -> None:
        self.server = server
        self.timeout = timeout
        self.trouble = f"no answer within {timeout:g} s, {TRIES} times"

    def open(self) -> socket.socket:
        """Return a connected UDP socket. Raises OSError where there is no way to the server."""
        family = socket.AF_INET6 if ":" in self.server[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.connect(self.server)
        except OSError:
            sock.close()
            raise
        return sock

    async def ask(self, sock: socket.socket, question: Question) -> Answer:
        """Return the answer, or LOST. Never raises for what the server does."""
        number = random.getrandbits(16).to_bytes(2)
        wire = number + question.wire[2:]
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(self.timeout):
                    response = await self._udp(sock, wire)
                    if response[2] & 2:  # TC, RFC 1035 section 4.1.1
                        response = await self._tcp(wire)
                return question.read(response)
            except TimeoutError:
                continue
            except (OSError, asyncio.IncompleteReadError) as error:
                self.trouble = getattr(error, "strerror", None) or "the connection was closed"
                await asyncio.sleep(PAUSE)
        return LOST

    async def _udp(self, sock: socket.socket, wire: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, wire)
        while True:
            response = await loop.sock_recv(sock, MAX_UDP)
            if len(response) >= 12 and response[:2] == wire[:2] and response[2] & 0x80:
                return response

    async def _tcp(self, wire: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self.server)
        try:
            writer.write(len(wire).to_bytes(2) + wire)
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        finally:
            writer.close()


async def measure(
    questions: Sequence[Question],
    server: Address,
    count: int,
    timeout: float = 1.0,
    in_flight: int = IN_FLIGHT,
    advance: Callable[[], object] = lambda: None,
) -> list[Counter[Answer]]:
    """Ask each question `count` times and return how often each answer came, in their order.

    advance: called after each answer. Raises Unreachable where the first query of all stays
    without an answer, so that a wrong address is told at once.
    """
    asker = Asker(server, timeout)
    counts: list[Counter[Answer]] = [Counter() for _ in questions]
    jobs = iter([number for number in range(len(questions)) for _ in range(count)])

    async def ask_all(jobs: Iterator[int]) -> None:
        with closing(asker.open()) as sock:
            for number in jobs:
                counts[number][await asker.ask(sock, questions[number])] += 1
                advance()

    try:
        await ask_all(iter([next(jobs)]))
    except OSError as error:
        raise Unreachable(error.strerror) from None
    if LOST in counts[0]:
        raise Unreachable(asker.trouble)
    async with asyncio.TaskGroup() as lanes:
        for _ in range(min(in_flight, len(questions) * count - 1)):
            lanes.create_task(ask_all(jobs))
    return counts


def _server(ctx: click.Context, param: click.Parameter, value: str) -> Address:
    """Read ADDRESS, ADDRESS:PORT, [IPv6]:PORT, or the same with a host name; 53 if no port.

    A number alone is a port that lacks its address, though the resolver knows it as 0.0.x.y.
    """
    host, colon, port = value.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # no port, or a bare IPv6 address
        host, port = value, "53"
    name = host.strip("[]")
    if not name or name.isdecimal() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{value!r} is not ADDRESS or ADDRESS:PORT")
    return name, int(port)


def _subnets(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[Subnet, ...]:
    """Read networks; bits after the prefix are dropped, as the option must not carry any."""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("measure")
@click.argument("name")
@click.argument("rdtype", metavar="[TYPE]", default="A")
@click.option("--server", metavar="ADDR:PORT", callback=_server, default="127.0.0.1:5300",
              show_default=True, help="The server to ask.")  # fmt: skip
@click.option("-n", "count", type=click.IntRange(1, 10_000_000), default=1000, show_default=True,
              help="How many times to ask, for each subnet.")  # fmt: skip
@click.option("--subnet", "subnets", metavar="CIDR", callback=_subnets, multiple=True,
              help="Ask as a client of this network (EDNS Client Subnet). Repeatable.")  # fmt: skip
@click.option("--first", "first_only", is_flag=True,
              help="Count the first record of each answer alone.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0.01, 60), default=1.0, show_default=True,
              help="Seconds to wait for an answer, three times.")  # fmt: skip
@click.option("--in-flight", type=click.IntRange(1, 500), default=IN_FLIGHT, show_default=True,
              help="Queries that wait for an answer at one time.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    rdtype: str,
    server: Address,
    count: int,
    subnets: tuple[Subnet, ...],
    first_only: bool,
    timeout: float,
    in_flight: int,
    as_json: bool,
) -> None:
    """Ask a DNS server for NAME many times; print a table of answers, counts and shares.

    Exit status 1: an answer was an error (SERVFAIL, REFUSED, ...) or did not come. 3: the server
    could not be reached. NXDOMAIN and NODATA are answers.
    """
    try:
        questions = [question(name, rdtype, subnet, first_only) for subnet in subnets or (None,)]
    except dns.exception.DNSException as error:
        raise click.UsageError(f"{name} {rdtype}: {error}") from None
    started = monotonic()
    try:
        address = _resolve(server)
        counts = _with_progress(questions, address, count, timeout, in_flight)
    except Unreachable as error:
        click.echo(f"{server[0]} port {server[1]}: {error}", err=True)
        ctx.exit(3)
    seconds = monotonic() - started
    if as_json:
        click.echo(json.dumps(_report(questions, counts, server, seconds), indent=2))
    else:
        name, rdtype = _asked(questions)
        total = sum(counter.total() for counter in counts)
        click.echo(f"{name} {rdtype}, {total} queries to {server[0]} port {server[1]}")
        console().print(_table(questions, counts))
        click.echo(f"in {seconds:.2f} s, {total / seconds:.0f} queries/s")
    if any(answer.bad for counter in counts for answer in counter):
        ctx.exit(1)


def _resolve(server: Address) -> Address:
    try:
        found = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise Unreachable(error.strerror) from None
    return str(found[0][4][0]), server[1]


def _with_progress(
    questions: Sequence[Question], server: Address, count: int, timeout: float, in_flight: int
) -> list[Counter[Answer]]:
    """Measure below a progress bar, which is drawn on standard error and only on a terminal."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=screen, transient=True, disable=not screen.is_terminal
    ) as progress:
        task = progress.add_task("asking", total=len(questions) * count)
        return asyncio.run(
            measure(questions, server, count, timeout, in_flight, lambda: progress.advance(task))
        )


def _asked(questions: Sequence[Question]) -> tuple[str, str]:
    rrset = questions[0].query.question[0]
    return str(rrset.name), dns.rdatatype.to_text(rrset.rdtype)


def _table(questions: Sequence[Question], counts: Sequence[Counter[Answer]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    with_subnets = questions[0].subnet is not None
    if with_subnets:
        table.add_column("client subnet")
    table.add_column("answer", overflow="fold")
    table.add_column("count", justify="right")
    table.add_column("share", justify="right")
    for asked, counter in zip(questions, counts, strict=True):
        for place, (answer, times) in enumerate(counter.most_common()):
            row = [str(answer), str(times), f"{times / counter.total():.1%}"]
            last = place == len(counter) - 1
            subnet = [str(asked.subnet) if place == 0 else ""] if with_subnets else []
            table.add_row(*subnet, *row, end_section=last)
    return table


def _report(
    questions: Sequence[Question],
    counts: Sequence[Counter[Answer]],
    server: Address,
    seconds: float,
) -> dict[str, object]:
    name, rdtype = _asked(questions)
    results = [
        {
            "subnet": str(asked.subnet) if asked.subnet else None,
            "queries": counter.total(),
            "lost": counter[LOST],
            "answers": [
                {
                    "rcode": answer.rcode,
                    "data": list(answer.data),
                    "count": times,
                    "share": times / counter.total(),
                }
                for answer, times in counter.most_common()
                if answer is not LOST
            ],
        }
        for asked, counter in zip(questions, counts, strict=True)
    ]
    return {
        "name": name,
        "type": rdtype,
        "server": f"[{server[0]}]:{server[1]}" if ":" in server[0] else f"{server[0]}:{server[1]}",
        "seconds": round(seconds, 3),
        "results": results,
    }
