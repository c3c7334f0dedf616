"""Entries of steered names: when the client's network counts, and what they share."""

from typing import Any

import pytest

from gtmdns.answers.cache import client_number
from gtmdns.answers.responder import respond
from gtmdns.config.model import TtlRange
from gtmdns.control.publication import Publication
from gtmdns.health.condition import WELL, Condition
from tests.compiler.support import (
    ask,
    compile_text,
    mistakes_in,
    refresh,
    snapshot_of,
    with_records,
)

SECTIONS = """
regions: {east: {networks: [203.0.113.0/24]}}
pools:
  hash:  {endpoints: [192.0.2.1, 192.0.2.2, 192.0.2.3, "2001:db8::1"], select: hash}
  plain: {endpoints: [192.0.2.9, "2001:db8::9", "2001:db8::a"]}
"""
RECORDS = """
hash:    {pools: hash}
spare:   {pools: [plain, hash]}
last:    {pools: plain, when_all_down: {pools: hash}}
plain:   {pools: plain}
joined:  {pools: {all: [hash, plain]}}
route:   {route: {east: hash, default: plain}}
other:   {route: {east: hash, default: plain}}
simple:  {route: {east: plain, default: [plain]}}
"""


@pytest.fixture(scope="module")
def compiled() -> Any:
    return compile_text(with_records(RECORDS, SECTIONS))


def entries(compiled: Any, owner: str) -> dict[int, Any]:
    """Return by type the entry of a name: an answer's number, or (route, numbers, hashed)."""
    routed = [row for piece in compiled.pieces if piece[0] == "routed" for row in piece[1]]
    nodes = [row for piece in compiled.pieces if piece[0] == "nodes" for row in piece[2]]
    [types] = [row[2] for row in nodes if row[0].startswith(bytes([len(owner)]) + owner.encode())]
    return {rtype: entry if entry >= 0 else routed[~entry] for rtype, entry in types}


# fmt: off
HASHED = [
    # owner -> whether the client's network may count for A
    ("hash", True), ("spare", True), ("last", True), ("plain", False), ("joined", True),
    ("route", True), ("simple", False),
]
# fmt: on


@pytest.mark.parametrize(("owner", "hashed"), HASHED)
def test_a_network_counts_where_any_pool_that_may_answer_is_hashed(
    compiled: Any, owner: str, hashed: bool
) -> None:
    entry = entries(compiled, owner)[1]

    assert (isinstance(entry, tuple) and entry[2]) == hashed


def test_equal_routes_share_what_is_routed(compiled: Any) -> None:
    assert entries(compiled, "route") == entries(compiled, "other")
    assert entries(compiled, "hash")[1][0] != entries(compiled, "route")[1][0], (
        "one table is all alike"
    )


def test_each_network_has_its_endpoint_and_keeps_it(compiled: Any) -> None:
    snapshot = snapshot_of(compiled)

    def told(client: str, draw: int) -> str:
        [rrset] = ask(snapshot, "hash.example.test.", "A", client, draw).answer
        return str(rrset[0])

    seen = {}
    for third in range(64):
        answers = {
            told(f"198.51.{third}.{last}", draw)
            for last, draw in ((1, 0), (77, 1 << 63), (254, (1 << 64) - 1))
        }
        assert len(answers) == 1
        seen[third] = answers.pop()
    assert set(seen.values()) == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}


def test_an_answer_by_network_is_kept_for_the_network_alone(compiled: Any) -> None:
    """Scope 24 and 56 (RFC 7871 section 7.2.1); 0 as soon as one endpoint is all there is."""
    publication = Publication.of(compiled.plan, compiled.pieces)

    def scope(owner: str, subnet: str) -> int:
        family = 2 if ":" in subnet else 1
        octets = client_number(subnet).to_bytes(16)
        octets, source = (octets, 64) if family == 2 else (octets[12:], 24)
        option = bytes((0, family, source, 0)) + octets[: source // 8]
        option = b"\0\x08" + len(option).to_bytes(2) + option
        opt = b"\0\0\x29\x10\0\0\0\0\0" + len(option).to_bytes(2) + option
        name = bytes([len(owner)]) + owner.encode() + b"\7example\4test\0\0\1\0\1"
        query = b"\0\1\0\0\0\1\0\0\0\0\0\1" + name + opt
        response = respond(query, 0xFFFF << 32, publication.snapshot, 7, 65_535)
        assert response is not None
        return response[response.rindex(b"\0\x08" + option[2:4]) + 7]

    assert scope("hash", "198.51.100.0") == 24
    assert scope("hash", "2001:db8:7::") == 56
    assert scope("plain", "198.51.100.0") == 0
    assert scope("spare", "198.51.100.0") == 0
    down = Condition(usable=False)
    refresh(publication, ["hash"], {"hash": (down, WELL, down, WELL), "plain": (WELL,) * 3})
    assert scope("hash", "198.51.100.0") == 0


def test_a_ttl_is_of_the_record_or_the_zone() -> None:
    records = "own: {pools: plain, ttl: {min: 5, max: 20}}\nzone: {pools: plain}\nnumber: {pools: plain, ttl: 7}"
    text = with_records(records, SECTIONS).replace("ttl: 60", "ttl: {min: 10, max: 30}")

    plan = compile_text(text).plan

    assert {s.owner: s.ttl for s in plan.steered.values()} == {
        "own": TtlRange(5, 20), "zone": TtlRange(10, 30), "number": 7,
    }  # fmt: skip
    assert {spec.ttl for spec in plan.specs.values()} == {TtlRange(5, 20), TtlRange(10, 30), 7}


def test_each_record_is_told_that_it_joins_too_much() -> None:
    halves = "[" + ", ".join(["{plain: 1, hash: 1}"] * 11) + "]"
    records = f"a: {{pools: {{all: {halves}}}}}\nb: {{pools: plain, when_all_down: {{pools: {{all: {halves}}}}}}}"

    found = mistakes_in(with_records(records, SECTIONS))

    assert {line.split(":")[0].split(".")[-1] for line in found} == {"a", "b"}
    assert all("more weighted members than 1024 answers can hold" in line for line in found)
