"""The `dns` probe against a server whose octets dnspython makes."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from gtmdns.health.dns import answers, question
from gtmdns.health.probes import ProbeResult
from tests.health.asking import MOMENT, PATIENT, SHORT, probe_once
from tests.health.resolvers import Reply, answer_to, resolving
from tests.health.support import Definition


def ask_dns(reply: Reply, address: str = "127.0.0.1", **fields: Any) -> ProbeResult:
    async def run() -> ProbeResult:
        async with resolving(reply, address) as port:
            check = Definition(**{"type": "dns", "port": port, "timeout": PATIENT, **fields})
            return await probe_once(check, address)

    return asyncio.run(run())


def once(*rrsets: str, **more: Any) -> Reply:
    return lambda query, _: [answer_to(query, *rrsets, **more)]


def changed(change: Callable[[bytes], bytes]) -> Reply:
    """Answer rightly but for one change of the octets."""
    return lambda query, _: [change(answer_to(query))]


def without_question(rcode: int) -> Reply:
    """Answer with a header alone."""
    return lambda _, octets: [octets[:2] + bytes([0x80, rcode]) + bytes(8)]


NS = "example. 60 IN NS a.example.; b.example."
ALIAS = "www.example. 60 IN CNAME a.example."
ADDRESSES = "a.example. 60 IN A 192.0.2.1; 192.0.2.2"
TEXT = 'example. 60 IN TXT "a b" "c"'
A = {"query": "www.example", "query_type": "A"}
# fmt: off
CASES = [
    # id                             server                                       check                                    expected
    ("NOERROR",                      once(),                                      {},                                      (True, "NOERROR")),
    ("any answer will do",           once(NS),                                    {"query": "example", "query_type": "NS"}, (True, "NOERROR")),
    ("SERVFAIL",                     once(rcode=dns.rcode.SERVFAIL),              {},                                      (False, "SERVFAIL, expected NOERROR")),
    ("REFUSED is expected",          once(rcode=dns.rcode.REFUSED),               {"expect_rcode": ("NOERROR", "REFUSED")}, (True, "REFUSED")),
    ("NXDOMAIN",                     once(rcode=dns.rcode.NXDOMAIN),              {"expect_rcode": ("NOERROR", "REFUSED")}, (False, "NXDOMAIN, expected NOERROR or REFUSED")),
    ("one of the answers",           once(ADDRESSES),                             A | {"expect_answer": ("192.0.2.2",)},   (True, "NOERROR")),
    ("behind an alias",              once(ALIAS, ADDRESSES),                      A | {"expect_answer": ("192.0.2.1",)},   (True, "NOERROR")),
    ("any of the expected",          once(ADDRESSES),                             A | {"expect_answer": ("198.51.100.1", "192.0.2.1")}, (True, "NOERROR")),
    ("another answer",               once(ADDRESSES),                             A | {"expect_answer": ("192.0.2.3",)},   (False, "NOERROR, but another answer than expected")),
    ("no answer",                    once(),                                      A | {"expect_answer": ("192.0.2.3",)},   (False, "NOERROR, but another answer than expected")),
    ("names in any case",            once(NS),                                    {"query": "example", "query_type": "NS", "expect_answer": ("B.Example",)}, (True, "NOERROR")),
    ("text in any spelling",         once(TEXT),                                  {"query": "example", "query_type": "TXT", "expect_answer": ('a\\032b "c"',)}, (True, "NOERROR")),
    ("truncated, by its rcode",      once(truncated=True),                        {},                                      (True, "NOERROR")),
    ("truncated, answer missing",    once(truncated=True),                        A | {"expect_answer": ("192.0.2.3",)},   (False, "NOERROR, but another answer than expected (truncated)")),
    ("malformed, not looked at",     changed(lambda a: a[:7] + b"\x09" + a[8:]),  {},                                      (True, "NOERROR")),
    ("malformed",                    changed(lambda a: a[:7] + b"\x09" + a[8:]),  A | {"expect_answer": ("192.0.2.3",)},   (False, "NOERROR, malformed answer")),
    ("expectation of another type",  once(),                                      A | {"expect_answer": ("a.example",)},   (False, "expect_answer is no text of A records")),
    ("a type by its number",         once(),                                      {"query_type": "TYPE65280"},             (True, "NOERROR")),
    ("header alone",                 without_question(4),                         {},                                      (False, "NOTIMP, expected NOERROR")),
    ("case of the question changed", changed(lambda a: a.replace(b"www", b"wWw")), A,                                      (True, "NOERROR")),
    ("header alone says nothing",    without_question(0),                         {"timeout": SHORT},                      (False, "timeout after 0.3 s")),
    ("another id",                   changed(lambda a: bytes([a[0] ^ 1]) + a[1:]), {"timeout": SHORT},                     (False, "timeout after 0.3 s")),
    ("another question",             changed(lambda a: a.replace(b"www", b"wwx")), A | {"timeout": SHORT},                 (False, "timeout after 0.3 s")),
    ("another type",                 changed(lambda a: a[:-4] + b"\0\x61\0\x01"), A | {"timeout": SHORT},                  (False, "timeout after 0.3 s")),
    ("the query itself",             lambda _, octets: [octets],                  {"timeout": SHORT},                      (False, "timeout after 0.3 s")),
    ("too short",                    lambda _, octets: [b"", octets[:11]],        {"timeout": SHORT},                      (False, "timeout after 0.3 s")),
    ("silence",                      lambda *_: [],                               {"timeout": SHORT},                      (False, "timeout after 0.3 s")),
]
# fmt: on


@pytest.mark.parametrize(
    ("reply", "fields", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_result(reply: Reply, fields: dict[str, Any], expected: tuple[bool, str]) -> None:
    result = ask_dns(reply, **fields)

    assert (result.success, result.reason) == expected
    if "timeout" in fields:
        assert SHORT * 0.99 <= result.elapsed < SHORT + MOMENT
    else:
        assert result.elapsed < PATIENT


def test_a_forged_answer_is_passed_over() -> None:
    def reply(query: dns.message.QueryMessage, octets: bytes) -> list[bytes]:
        right = answer_to(query)
        return [bytes([right[0] ^ 1]) + right[1:], b"\xff" * 40, right]

    assert ask_dns(reply).success


def test_an_answer_from_elsewhere_is_not_seen() -> None:
    """Right in every octet, but from another address than was asked."""

    def reply(query: dns.message.QueryMessage, octets: bytes) -> list[bytes]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.2", 0))
            for port in asked_from():
                sock.sendto(answer_to(query), ("127.0.0.1", port))
                forged.append(port)
        return []

    def asked_from() -> list[int]:
        """Return the local ports of UDP sockets on 127.0.0.1 that are connected."""
        lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
        ports = [line[1].split(":") for line in lines if not line[2].startswith("00000000")]
        return [int(port, 16) for address, port in ports if address == "0100007F"]

    forged: list[int] = []
    result = ask_dns(reply, timeout=SHORT)

    assert forged
    assert (result.success, result.reason) == (False, "timeout after 0.3 s")


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

    result = asyncio.run(probe_once(Definition("dns", port, timeout=PATIENT)))

    assert (result.success, result.reason) == (False, "connection refused")


def test_ipv6() -> None:
    assert ask_dns(once(), "::1").success


def test_query_on_the_wire() -> None:
    """Another id each time, recursion desired, no EDNS."""
    seen = []

    def reply(query: dns.message.QueryMessage, octets: bytes) -> list[bytes]:
        seen.append(query)
        return [answer_to(query)]

    for _ in range(4):
        assert ask_dns(reply, query="www.example", query_type="AAAA").success

    assert len({query.id for query in seen}) > 1
    assert {str(query.question[0]) for query in seen} == {"www.example. IN AAAA"}
    assert {(int(query.flags), query.edns) for query in seen} == {(0x0100, -1)}


def test_an_answer_to_another_opcode_is_none() -> None:
    asked = question(".", "SOA", 7)
    response = answer_to(dns.message.from_wire(asked))

    assert answers(response, asked)
    assert not answers(response[:2] + bytes([response[2] | 0x20]) + response[3:], asked)
