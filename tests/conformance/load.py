"""A steady source of DNS queries in a process of its own, and what came of each of them.

    python -m tests.conformance.load < (a line of JSON: the fields of Plan; then the end of input)

Queries leave on a schedule, whatever the server does: a late answer makes nothing wait. Each
leaves from one of many sockets, which are replaced one after the other, so that every worker
is met all the time and no source port stays for long. What arrives is stamped by the kernel,
so a load that is kept waiting itself does not make answers look late.
"""

import json
import pickle
import select
import socket
import struct
import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self

import dns.message
import dns.rcode

from tests.conformance.server import PYTHON, ROOT
from tests.conformance.waiting import Late

SO_TIMESTAMPNS = 35  # Linux, asm-generic/socket.h; Python has no name for it
STAMP = struct.Struct("qq")
LINGER = 1.5  # seconds after the last query in which its answer may come
BURST = 100  # queries in one go at most, when the process itself was kept waiting
RECEIVE_BUFFER = 1 << 20
REACHED = 0.9  # of the rate asked for; a load that was slower shows nothing about it


@dataclass(frozen=True)
class Plan:
    """What to send.

    names:    asked in turn from each socket, type A
    rate:     queries per second
    most:     queries at most; the source ends then
    seconds:  it ends after this time at the latest
    sockets:  in use at the same time
    lifetime: queries that one socket sends before it is replaced
    sources:  addresses to send from, in turn
    """

    host: str
    port: int
    names: Sequence[str]
    rate: float = 1000.0
    most: int = 1_000_000
    seconds: float = 300.0
    sockets: int = 32
    lifetime: int = 250
    sources: Sequence[str] = ("127.0.0.1",)


@dataclass(frozen=True, slots=True)
class Asked:
    """One query. Times are seconds since the epoch."""

    sent: float
    received: float | None  # None: lost
    name: str
    flow: int  # number of the socket; one source port is one flow, and one flow is one worker
    answer: str  # "10.0.0.1 10.0.0.2" as ordered, or an rcode; "" where lost

    @property
    def latency(self) -> float:
        assert self.received is not None
        return self.received - self.sent


@dataclass
class Outcome:
    """All queries in the order they were sent."""

    sent: "array[float]"
    received: "array[float]"  # 0.0: lost
    flows: "array[int]"
    answers: "array[int]"  # index of `texts`
    names: Sequence[str]
    name_of: "array[int]"
    texts: list[str]
    stray: int  # answers to no query of ours, or second answers

    def __iter__(self) -> Iterator[Asked]:
        for k in range(len(self.sent)):
            yield Asked(
                self.sent[k],
                self.received[k] or None,
                self.names[self.name_of[k]],
                self.flows[k],
                self.texts[self.answers[k]],
            )

    def __len__(self) -> int:
        return len(self.sent)

    @property
    def lost(self) -> list[Asked]:
        return [asked for asked in self if asked.received is None]

    def assert_none_lost(self) -> None:
        lost = self.lost
        assert not lost, f"{len(lost)} of {len(self)} lost, the first: {lost[:3]}"

    @property
    def rate(self) -> float:
        """Queries per second that were really sent."""
        return (len(self) - 1) / (self.sent[-1] - self.sent[0])

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.texts[number] for number in self.answers)

    def latency(self, share: float) -> float:
        """Return the latency in seconds that this share of the answers stayed below."""
        all_of_them = sorted(r - s for s, r in zip(self.sent, self.received, strict=True) if r)
        return all_of_them[min(len(all_of_them) - 1, int(share * len(all_of_them)))]

    def __str__(self) -> str:
        return (
            f"{len(self)} queries at {self.rate:.0f}/s, {len(self.lost)} lost, latency p50 "
            f"{1000 * self.latency(0.5):.2f} ms, p99 {1000 * self.latency(0.99):.2f} ms, "
            f"most {1000 * self.latency(1):.1f} ms"
        )


class Load:
    """The source as a child: `with Load(Plan(...)) as load: ...`, then `load.outcome`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._outcome: Outcome | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [PYTHON, "-m", "tests.conformance.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(self.plan)).encode() + b"\n")
        self._process.stdin.flush()
        assert self._process.stdout.read(1) == b"!", "the load did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                self._process.communicate()

    def finish(self) -> Outcome:
        """Stop sending, wait for the last answers, and return what came of it all."""
        if self._outcome is None:
            said, _ = self._process.communicate(timeout=self.plan.seconds + 30)
            assert self._process.returncode == 0, "the load failed"
            self._outcome = self._read(said)
        return self._outcome

    def wait(self) -> Outcome:
        """Let it send all that the plan says, and return what came of it."""
        assert self._process.stdout is not None
        said = self._process.stdout.read()
        self._process.communicate()
        self._outcome = self._read(said)
        return self._outcome

    def _read(self, said: bytes) -> Outcome:
        """Return what came of it. Raises Late where the load itself was kept from its rate."""
        outcome = Outcome(**pickle.loads(said))
        if outcome.rate < REACHED * self.plan.rate:
            raise Late(f"of {self.plan.rate:g} queries/s only {outcome.rate:.0f} could be sent")
        return outcome

    @property
    def outcome(self) -> Outcome:
        assert self._outcome is not None, "the load still runs"
        return self._outcome


def run_load(plan: Plan) -> Outcome:
    """Send `plan.most` queries and return what came of them."""
    with Load(plan) as load:
        return load.wait()


# The child's side


@dataclass(eq=False)
class Flow:
    """One socket. `numbers`: of its queries, by their DNS ids."""

    number: int
    sock: socket.socket
    numbers: list[int] = field(default_factory=list)
    open: int = 0  # queries without an answer yet


class Source:
    """Sends what the plan says."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.packets = [
            dns.message.make_query(name, "A", id=0).to_wire()[2:] for name in plan.names
        ]
        self.poll = select.epoll()
        self.flows: dict[int, Flow] = {}  # by descriptor; all that are still read
        self.made = 0
        self.ring = [self.new_flow() for _ in range(plan.sockets)]
        self.texts: dict[bytes, int] = {}
        self.outcome = Outcome(
            array("d"), array("d"), array("l"), array("l"), plan.names, array("l"), [""], 0
        )

    def new_flow(self) -> Flow:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind((self.plan.sources[self.made % len(self.plan.sources)], 0))
        sock.connect((self.plan.host, self.plan.port))
        flow = Flow(self.made, sock)
        self.made += 1
        self.flows[sock.fileno()] = flow
        self.poll.register(sock, select.EPOLLIN)
        return flow

    def run(self) -> Outcome:
        begin = time.monotonic()
        end, sent = begin + self.plan.seconds, 0
        while sent < self.plan.most and time.monotonic() < end:
            due = min(self.plan.most, int((time.monotonic() - begin) * self.plan.rate) + 1)
            if due - sent > BURST:  # we were kept waiting: the schedule moves, nothing is made up
                begin += (due - sent - BURST) / self.plan.rate
                due = sent + BURST
            while sent < due:
                self.send(sent)
                sent += 1
            ahead = begin + sent / self.plan.rate - time.monotonic()
            if self.receive(max(0.0, ahead)):
                break
        self.poll.unregister(sys.stdin)
        quiet = time.monotonic() + LINGER
        while time.monotonic() < quiet and any(flow.open for flow in self.flows.values()):
            self.receive(0.05)
        return self.outcome

    def send(self, number: int) -> None:
        place = number % len(self.ring)
        flow = self.ring[place]
        if len(flow.numbers) >= self.plan.lifetime:
            if flow.open == 0:
                self.close(flow)
            flow = self.ring[place] = self.new_flow()
        which = len(flow.numbers) % len(self.packets)
        packet = len(flow.numbers).to_bytes(2, "big") + self.packets[which]
        flow.numbers.append(number)
        flow.open += 1
        outcome = self.outcome
        outcome.sent.append(time.time())
        outcome.received.append(0.0)
        outcome.flows.append(flow.number)
        outcome.answers.append(0)
        outcome.name_of.append(which)
        try:
            flow.sock.send(packet)
        except ConnectionRefusedError:  # an ICMP error of an earlier query: this one was not sent
            try:
                flow.sock.send(packet)
            except ConnectionRefusedError:
                return

    def receive(self, seconds: float) -> bool:
        """Take what comes in so many seconds; return whether we are told to stop."""
        for descriptor, _ in self.poll.poll(seconds):
            if descriptor == sys.stdin.fileno():
                return True
            flow = self.flows[descriptor]
            try:
                while True:
                    packet, ancillary, _, _ = flow.sock.recvmsg(4096, 64)
                    self.note(flow, packet, ancillary)
            except (BlockingIOError, ConnectionRefusedError):
                pass
            if flow.open == 0 and flow not in self.ring:
                self.close(flow)
        return False

    def close(self, flow: Flow) -> None:
        """A flow that is replaced ends with its last answer; one that lost a query stays open."""
        self.poll.unregister(flow.sock)
        del self.flows[flow.sock.fileno()]
        flow.sock.close()

    def note(self, flow: Flow, packet: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        key = int.from_bytes(packet[:2], "big")
        outcome = self.outcome
        if key >= len(flow.numbers) or outcome.received[flow.numbers[key]]:
            outcome.stray += 1
            return
        number = flow.numbers[key]
        flow.open -= 1
        seconds, nanoseconds = STAMP.unpack(ancillary[0][2])
        outcome.received[number] = seconds + nanoseconds / 1e9
        text = self.texts.get(packet[2:])
        if text is None:
            text = self.texts[packet[2:]] = len(outcome.texts)
            outcome.texts.append(read(packet))
        outcome.answers[number] = text


def read(packet: bytes) -> str:
    """Return the data of the answer section as ordered, or the rcode."""
    message = dns.message.from_wire(packet)
    if message.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(message.rcode())
    return " ".join(str(data) for rrset in message.answer for data in rrset) or "NODATA"


def main() -> None:
    plan: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    source = Source(Plan(**plan))
    source.poll.register(sys.stdin, select.EPOLLHUP | select.EPOLLIN)
    sys.stdout.buffer.write(b"!")
    sys.stdout.buffer.flush()
    outcome = source.run()
    sys.stdout.buffer.write(pickle.dumps(vars(outcome)))


if __name__ == "__main__":
    main()
