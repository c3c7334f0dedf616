"""`gtmdns measure` against a small responder of its own: what it counts, prints and returns."""

import itertools
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from click.testing import CliRunner, Result

from gtmdns.cli.main import main

HANGZHOU, BEIJING = "101.37.0.0/24", "101.200.0.0/24"


def udp_and_tcp() -> tuple[socket.socket, socket.socket]:
    """Return two sockets of one port; one that is free for UDP may be taken for TCP."""
    for _ in range(50):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()
    raise AssertionError("no port is free for both")


class Responder:
    """Answers by the first label of the name, over UDP and TCP on one loopback port."""

    def __init__(self) -> None:
        self.udp, self.tcp = udp_and_tcp()
        self.port = self.udp.getsockname()[1]
        self.turn = itertools.count()
        self.asked: list[dns.message.Message] = []
        self.muted = 0  # so many queries are still left without an answer
        self.mute_after: int | None = None  # so many are answered, then none

    def serve_udp(self) -> None:
        while True:
            packet, peer = self.udp.recvfrom(4096)
            if not packet:
                return
            response = self.respond(packet, over_tcp=False)
            if response is not None:
                self.udp.sendto(response, peer)

    def serve_tcp(self) -> None:
        while True:
            connection, _ = self.tcp.accept()
            with connection:
                size = connection.recv(2, socket.MSG_WAITALL)
                if not size:
                    return
                packet = connection.recv(int.from_bytes(size), socket.MSG_WAITALL)
                response = self.respond(packet, over_tcp=True)
                assert response is not None
                connection.sendall(len(response).to_bytes(2) + response)

    def respond(self, packet: bytes, over_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(packet)
        self.asked.append(query)
        if self.muted:
            self.muted -= 1
            return None
        if self.mute_after is not None and len(self.asked) > self.mute_after:
            return None
        response = dns.message.make_response(query)
        name, turn = query.question[0].name, next(self.turn)
        match name.labels[0].decode():
            case "quarter":
                self.add(response, "A", ["192.0.2.1" if turn % 4 else "192.0.2.2"])
            case "both":
                addresses = ["192.0.2.1", "192.0.2.2"]
                self.add(response, "A", addresses if turn % 2 else addresses[::-1])
            case "alias":
                self.add(response, "CNAME", ["target.example."])
            case "nothing":
                response.set_rcode(dns.rcode.NXDOMAIN)
            case "broken":
                response.set_rcode(dns.rcode.SERVFAIL)
            case "subnet":
                option = query.options[0]
                assert isinstance(option, dns.edns.ECSOption)
                self.add(
                    response, "A", ["192.0.2.1" if option.address == "101.37.0.0" else "192.0.2.2"]
                )
            case "large" if not over_tcp:
                response.flags |= dns.flags.TC
            case "large":
                self.add(response, "A", [f"192.0.2.{n}" for n in range(1, 101)])
            case "stranger":
                response.question[0] = dns.rrset.RRset(dns.name.from_text("else."), 1, 1)
            case "garbage":
                return packet[:2] + b"\x80\x00\x00\x01" + bytes(6)  # a question is promised
            case "bare":
                return packet[:2] + b"\x80" + bytes(9)
        return response.to_wire(max_size=65535)

    @staticmethod
    def add(response: dns.message.Message, rdtype: str, texts: list[str]) -> None:
        name = response.question[0].name
        for text in texts:  # an RRset each: dnspython shuffles what is inside one
            response.answer.append(dns.rrset.from_text(name, 60, "IN", rdtype, text))


@contextmanager
def serving() -> Iterator[Responder]:
    responder = Responder()
    threads = [
        threading.Thread(target=responder.serve_udp),
        threading.Thread(target=responder.serve_tcp),
    ]
    for thread in threads:
        thread.start()
    yield responder
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", ("127.0.0.1", responder.port))  # nothing: the end
    socket.create_connection(("127.0.0.1", responder.port)).close()
    for thread in threads:
        thread.join(5)
    responder.udp.close()
    responder.tcp.close()


@pytest.fixture
def responder() -> Iterator[Responder]:
    with serving() as responder:
        yield responder


def run(responder: Responder, *words: str) -> Result:
    return CliRunner().invoke(main, ["measure", *words, "--server", f"127.0.0.1:{responder.port}"])


def results(result: Result) -> list[dict]:
    return json.loads(result.stdout)["results"]


def test_counts_and_shares(responder: Responder) -> None:
    result = run(responder, "quarter.example", "-n", "200", "--json")

    assert result.exit_code == 0
    assert results(result) == [
        {
            "subnet": None,
            "queries": 200,
            "lost": 0,
            "answers": [
                {"rcode": "NOERROR", "data": ["192.0.2.1"], "count": 150, "share": 0.75},
                {"rcode": "NOERROR", "data": ["192.0.2.2"], "count": 50, "share": 0.25},
            ],
        }
    ]
    assert len(responder.asked) == 200


def test_table_shows_what_was_counted(responder: Responder) -> None:
    result = run(responder, "quarter.example", "-n", "40")

    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["192.0.2.1", "30", "75.0%"] in rows
    assert ["192.0.2.2", "10", "25.0%"] in rows
    assert rows[0][:4] == ["quarter.example.", "A,", "40", "queries"]
    assert "\x1b" not in result.output, "no colours and no progress bar where there is no terminal"


# name, type, exit code, rcode, data
# fmt: off
ANSWERS = [
    ("order does not matter",  "both.example",     "A",     0, "NOERROR",   ["192.0.2.1", "192.0.2.2"]),
    ("alias in place",         "alias.example",    "A",     0, "NOERROR",   ["CNAME target.example."]),
    ("alias asked for",        "alias.example",    "cname", 0, "NOERROR",   ["target.example."]),
    ("no such type",           "empty.example",    "TXT",   0, "NOERROR",   []),
    ("no such name",           "nothing.example",  "A",     0, "NXDOMAIN",  []),
    ("an error",               "broken.example",   "A",     1, "SERVFAIL",  []),
    ("cut: asked over TCP",    "large.example",    "A",     0, "NOERROR",   sorted(f"192.0.2.{n}" for n in range(1, 101))),
    ("not what was asked",     "stranger.example", "A",     1, "other question", []),
    ("no question",            "bare.example",     "A",     1, "other question", []),
    ("not a message",          "garbage.example",  "A",     1, "malformed", []),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "rdtype", "code", "rcode", "data"),
    [row[1:] for row in ANSWERS],
    ids=[row[0] for row in ANSWERS],
)
def test_answer(
    responder: Responder, name: str, rdtype: str, code: int, rcode: str, data: list[str]
) -> None:
    result = run(responder, name, rdtype, "-n", "6", "--json")

    assert result.exit_code == code
    (only,) = results(result)
    assert only["answers"] == [{"rcode": rcode, "data": data, "count": 6, "share": 1.0}]


def test_first_record_alone(responder: Responder) -> None:
    result = run(responder, "both.example", "-n", "10", "--first", "--json")

    counts = {answer["data"][0]: answer["count"] for answer in results(result)[0]["answers"]}
    assert counts == {"192.0.2.1": 5, "192.0.2.2": 5}


def test_each_subnet_is_counted_for_itself(responder: Responder) -> None:
    result = run(
        responder, "subnet.example", "-n", "20", "--subnet", HANGZHOU, "--subnet", BEIJING, "--json"
    )

    assert [(r["subnet"], r["answers"][0]["data"], r["queries"]) for r in results(result)] == [
        (HANGZHOU, ["192.0.2.1"], 20),
        (BEIJING, ["192.0.2.2"], 20),
    ]


def test_subnet_stands_once_in_the_table(responder: Responder) -> None:
    result = run(responder, "quarter.example", "-n", "8", "--subnet", "101.37.0.9/24")

    assert result.stdout.count(HANGZHOU) == 1, "bits after the prefix are not sent, nor shown"
    option = responder.asked[0].options[0]
    assert isinstance(option, dns.edns.ECSOption)
    assert (option.address, option.srclen, option.scopelen) == ("101.37.0.0", 24, 0)


def test_a_lost_query_is_repeated(responder: Responder) -> None:
    responder.muted = 2

    result = run(responder, "quarter.example", "-n", "5", "--timeout", "0.05", "--json")

    assert result.exit_code == 0
    assert results(result)[0]["lost"] == 0
    assert len(responder.asked) == 7


def test_lost_queries_are_a_bad_answer(responder: Responder) -> None:
    responder.mute_after = 4

    result = run(responder, "both.example", "-n", "10", "--timeout", "0.05", "--json")

    assert result.exit_code == 1
    (only,) = results(result)
    assert (only["lost"], only["answers"][0]["count"], only["answers"][0]["share"]) == (6, 4, 0.4)


def test_silence_from_the_start_is_unreachable(responder: Responder) -> None:
    responder.mute_after = 0

    result = run(responder, "both.example", "--timeout", "0.05")

    assert result.exit_code == 3
    assert "no answer within 0.05 s, 3 times" in result.stderr
    assert len(responder.asked) == 3, "a thousand queries are not sent to nobody"


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    result = CliRunner().invoke(main, ["measure", "a.example", "--server", f"127.0.0.1:{port}"])

    assert result.exit_code == 3
    assert result.stderr == f"127.0.0.1 port {port}: Connection refused\n"


@pytest.mark.parametrize(
    "words",
    [
        ["a..b"],
        ["a.example", "NOSUCHTYPE"],
        ["a.example", "-n", "0"],
        ["a.example", "--subnet", "300.0.0.0/8"],
        ["a.example", "--server", "127.0.0.1:0"],
        ["a.example", "--server", ":53"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage(words: list[str]) -> None:
    result = CliRunner().invoke(main, ["measure", *words])

    assert result.exit_code == 2
    assert result.stderr.startswith("Usage:")
