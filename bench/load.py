"""Load for a server on loopback, bounded in time: dnsperf where it is installed, else our own.

Both keep a number of queries outstanding, so the server is as busy as it can be and never flooded.
"""

import os
import random
import re
import select
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from struct import pack

import dns.edns
import dns.message
import dns.query
from servers import wire_name
from zone import STATIC_NAMES, STEERED_NAMES, TYPED_NAMES, USUAL, ZONE, Setup

OUTSTANDING = 100  # queries
CLIENTS = 4  # sockets
COOKIE = "0123456789abcdef"  # the client's
MAX_SECONDS = 60.0
TYPES = {"A": 1, "MX": 15, "TXT": 16, "AAAA": 28}
SENDERS = ["dnsperf", "own"] if shutil.which("dnsperf") else ["own"]
MISSING_NAMES = 200_000  # different ones, so that no server can keep them all


@dataclass(frozen=True)
class Workload:
    """What is asked, and how.

    words:    for the table
    option:   code and data of an EDNS option, such as "10:0123456789abcdef"
    returned: with the cookie that the server gave before, as who asks often has one
    setup:    of the servers that are asked
    """

    name: str
    words: str
    edns: bool = False
    option: str = ""
    returned: bool = False
    tcp: bool = False
    clients: int = CLIENTS
    setup: Setup = USUAL

    def questions(self, chance: random.Random) -> list[tuple[str, str]]:
        """Return (name, type) in the order in which they are asked."""
        if self.name != "types":
            return [(name, "A") for name in self.qnames(chance)]
        rows = [(f"n{n}", "A") for n in range(TYPED_NAMES)]
        rows += [(f"m{n}", qtype) for n in range(TYPED_NAMES) for qtype in ("AAAA", "MX", "TXT")]
        rows += [(f"n{n}", "AAAA") for n in range(TYPED_NAMES)]  # no such record
        chance.shuffle(rows)
        return [(f"{name}.{ZONE}", qtype) for name, qtype in rows]

    def qnames(self, chance: random.Random) -> list[str]:
        """Return the names in the order in which they are asked."""
        static = [f"n{n}" for n in range(STATIC_NAMES)]
        weighted = [f"w{n}" for n in range(STEERED_NAMES)]
        routed = [f"r{n}" for n in range(STEERED_NAMES)]
        missing = [f"{chance.getrandbits(60):x}" for _ in range(MISSING_NAMES)]
        match self.name:
            case "static" | "edns" | "cookie" | "returned" | "tcp" | "two":
                names = static
            case "weighted":
                names = weighted
            case "network" | "subnet":
                names = routed
            case "million":
                names = [f"n{chance.randrange(self.setup.names)}" for _ in range(MISSING_NAMES)]
            case "missing" | "missing+edns":
                names = missing
            case _:
                names = [
                    chance.choice(kind)
                    for kind in (static, weighted, routed, missing) * (MISSING_NAMES // 20)
                ]
        return [f"{name}.{ZONE}" for name in names]


WORKLOADS = [
    Workload("static", "static A"),
    Workload("weighted", "by weight"),
    Workload("network", "by network"),
    Workload("edns", "static A, EDNS", edns=True),
    Workload("cookie", "static A, EDNS, a new client's cookie", edns=True, option=f"10:{COOKIE}"),
    Workload("returned", "static A, EDNS, a cookie returned", edns=True, returned=True),
    Workload("subnet", "by network, EDNS with a subnet", edns=True, option="8:00011800090909"),
    Workload("types", "A, AAAA, MX, TXT, NODATA, EDNS", edns=True),
    Workload("missing", "NXDOMAIN, random names"),
    Workload("missing+edns", "NXDOMAIN, random names, EDNS", edns=True),
    Workload("mixed", "all four mixed"),
    Workload("tcp", "static A, TCP pipelined", tcp=True),
    Workload("million", "1 000 000 names, EDNS", edns=True, setup=Setup(names=1_000_000)),
    # More sockets, as each is one worker's by its hash.
    Workload("two", "static A, EDNS, two workers", edns=True, clients=32, setup=Setup(workers=2)),
]


@dataclass(frozen=True)
class Result:
    answered: int
    seconds: float


class Load:
    """Sends one workload. `folder` keeps the file of names, written once.

    sender: "dnsperf", or "own", which needs nothing and is slower
    """

    def __init__(self, workload: Workload, folder: Path, sender: str) -> None:
        self.sender = sender
        self.workload = workload
        self.questions = workload.questions(random.Random(1))  # the same for every server
        self.file = folder / f"{workload.name}.queries"
        self.file.write_text("".join(f"{name} {qtype}\n" for name, qtype in self.questions))
        self._options: dict[int, str] = {}  # by port

    def option(self, port: int) -> str:
        """Return the EDNS option for a server, "" for none; asks for a cookie, once."""
        if not self.workload.returned:
            return self.workload.option
        if port not in self._options:
            self._options[port] = f"10:{cookie_of(port).hex()}"
        return self._options[port]

    def send(self, port: int, seconds: float, core: int) -> Result:
        """Ask 127.0.0.1 for so many seconds from one core; return what was answered."""
        seconds = min(seconds, MAX_SECONDS)
        if self.sender == "dnsperf":
            return self._dnsperf(port, seconds, core)
        return self._own(port, seconds, core)

    def _dnsperf(self, port: int, seconds: float, core: int) -> Result:
        command = [
            "dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(self.file), "-l", str(seconds),
            "-c", str(self.workload.clients), "-T", "1", "-q", str(OUTSTANDING), "-t", "1",
        ]  # fmt: skip
        if self.workload.edns:
            command.append("-e")
        if option := self.option(port):
            command += ["-E", option]
        if self.workload.tcp:
            command += ["-m", "tcp"]
        text = subprocess.run(
            command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        ).stdout  # fmt: skip
        wrong = set(re.findall(r"([A-Z]+) \d+ \([\d.]+%\)", _field(text, r"Response codes:(.*)")))
        if wrong - {"NOERROR", "NXDOMAIN"}:
            raise RuntimeError(f"not what the zone says: {wrong}\n{text}")
        return Result(
            int(_field(text, r"Queries completed:\s+(\d+)")),
            float(_field(text, r"Run time \(s\):\s+([\d.]+)")),
        )

    def _own(self, port: int, seconds: float, core: int) -> Result:
        """Keep OUTSTANDING queries in flight; lost ones are made up for after 50 ms of silence."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
        packets = packets_of(self.workload, self.questions, self.option(port))
        sent = answered = 0
        started = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", port))
            due = OUTSTANDING
            while time.monotonic() < started + seconds:
                for _ in range(due):
                    sock.send(packets[sent % len(packets)])
                    sent += 1
                due = _drain(sock)
                answered += due
                if not due and not select.select([sock], [], [], 0.05)[0]:
                    due = OUTSTANDING
        os.sched_setaffinity(0, before)
        return Result(answered, time.monotonic() - started)


def cookie_of(port: int) -> bytes:
    """Return both halves of the cookie that a server gives; the client's alone if it gives none."""
    mine = dns.edns.GenericOption(10, bytes.fromhex(COOKIE))
    query = dns.message.make_query(f"n0.{ZONE}", "A", use_edns=0, options=[mine])
    response = dns.query.udp(query, "127.0.0.1", timeout=5, port=port)
    given = [option.to_wire() for option in response.options if option.otype == 10]
    return bytes(given[0]) if given else bytes.fromhex(COOKIE)


def packets_of(workload: Workload, questions: list[tuple[str, str]], option: str) -> list[bytes]:
    """Return the queries, all with id 0."""
    opt = b""
    if workload.edns:
        code, _, data = option.partition(":")
        octets = bytes.fromhex(data)
        coded = pack("!HH", int(code), len(octets)) + octets if code else b""
        opt = bytes.fromhex("00002904d000000000") + pack("!H", len(coded)) + coded
    head = bytes.fromhex("0000" + ("01000001000000000001" if opt else "01000001000000000000"))
    return [
        head + wire_name(name) + pack("!HH", TYPES[qtype], 1) + opt for name, qtype in questions
    ]


def _drain(sock: socket.socket) -> int:
    count = 0
    try:
        while count < OUTSTANDING:
            if sock.recv(4096)[3] & 15 not in (0, 3):  # NOERROR, NXDOMAIN
                raise RuntimeError("a response is not what the zone says")
            count += 1
    except BlockingIOError:
        return count
    return count


def _field(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"dnsperf did not say {pattern!r}:\n{text}")
    return found[1]
