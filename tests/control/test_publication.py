"""What is served of one generation: whole for a worker that comes, changes for those that have it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.control.publication import Publication, usable_of
from gtmdns.serve.frames import Decoder
from tests.compiler.support import ask, compile_text, rcode, section, with_records

SECTIONS = """
server: {udp_payload: 4096, nsid: edge-1, client_subnet: false, tcp: {max_connections: 7, max_per_client: 3, idle_timeout: 2s}}
health_checks: {web: {type: http}, ssh: {type: tcp, port: 22}}
pools:
  home: {endpoints: [192.0.2.1, 192.0.2.2], health_check: web, max_answers: 1}
  away: {endpoints: [192.0.2.9], health_check: [web, ssh]}
  plain: {endpoints: [192.0.2.20]}
"""
RECORDS = """
www:   {pools: [home, away]}
fail:  {pools: away, when_all_down: servfail}
plain: {pools: plain}
text:  {TXT: static}
"""


@pytest.fixture
def publication() -> Publication:
    made = compile_text(with_records(RECORDS, SECTIONS))
    return Publication.of(made.plan, made.pieces)


def usable(publication: Publication, *down: str) -> Mapping[str, Sequence[bool]]:
    return {
        name: tuple(endpoint.address not in down for endpoint in pool.endpoints)
        for name, pool in publication.plan.pools.items()
    }


def received(publication: Publication) -> tuple[Snapshot, dict[str, Any]]:
    """Return what a worker makes of the frames, and the settings that came with them."""
    decoder = Decoder()
    frames = [frame for octets in publication.frames() for frame in decoder.feed(octets)]
    assert frames[0][:2] == ("begin", publication.generation)
    assert {frame[0] for frame in frames[1:]} == {"piece"}
    builder = SnapshotBuilder(1, Settings())
    for frame in frames[1:]:
        builder.add(tuple(frame[1:]))
    return builder.finish(), frames[0][2]


def answers(snapshot: Snapshot, owner: str) -> list[str]:
    draws = range(0, 1 << 64, 1 << 61)
    found = {
        str(rdata)
        for draw in draws
        for rrset in ask(snapshot, f"{owner}.example.test.", "A", draw=draw).answer
        for rdata in rrset
    }
    return sorted(found)


def test_a_worker_gets_the_answers_as_they_stand(publication: Publication) -> None:
    publication.refresh(publication.plan.pools, usable(publication, "192.0.2.1"))

    snapshot, _ = received(publication)

    assert answers(snapshot, "www") == ["192.0.2.2"]
    assert answers(snapshot, "plain") == ["192.0.2.20"]
    assert section(ask(snapshot, "text.example.test.", "TXT").answer) == [
        'text.example.test. 60 TXT "static"'
    ]


def test_settings_of_the_server_come_first(publication: Publication) -> None:
    _, settings = received(publication)

    assert settings == {
        "client_subnet": False,
        "udp_payload": 4096,
        "nsid": b"edge-1",
        "version": None,
        "cookie_secrets": (),
        "tcp": {"max_connections": 7, "max_per_client": 3, "idle_timeout": 2.0},
    }


def test_the_secrets_of_the_configuration_go_before_those_of_the_start(
    publication: Publication,
) -> None:
    plan = publication.plan

    def secrets() -> Any:
        begin = next(Publication(plan, (b"0123456789abcdef",)).frames())
        ((_, _, settings),) = Decoder().feed(begin)
        return settings["cookie_secrets"]

    assert secrets() == (b"0123456789abcdef",)
    plan.cookie_secrets = (bytes(16), bytes(range(16)))
    assert secrets() == plan.cookie_secrets


def test_changes_bring_a_worker_to_the_same_answers(publication: Publication) -> None:
    snapshot, _ = received(publication)

    changes = publication.refresh(["home"], usable(publication, "192.0.2.1", "192.0.2.2"))
    snapshot.change(changes)

    assert answers(snapshot, "www") == answers(publication.snapshot, "www") == ["192.0.2.9"]
    assert answers(received(publication)[0], "www") == ["192.0.2.9"]


def test_only_answers_that_are_different_are_sent(publication: Publication) -> None:
    assert publication.refresh(publication.plan.pools, usable(publication)) == []

    down = usable(publication, "192.0.2.9")
    first = publication.refresh(["away"], down)
    assert len(first) == 1  # of www and fail only fail has lost what it answered
    assert rcode(ask(publication.snapshot, "fail.example.test.", "A")) == "SERVFAIL"

    assert publication.refresh(["away"], down) == []
    assert len(publication.refresh(["away"], usable(publication))) == 1


def test_pools_that_no_name_uses_change_nothing() -> None:
    made = compile_text(with_records("www: {pools: home}", SECTIONS))
    publication = Publication.of(made.plan, made.pieces)

    assert publication.refresh(["plain", "away"], usable(publication, "192.0.2.20")) == []


def test_what_changes_while_a_worker_is_sent_it_does_not_tear_it(publication: Publication) -> None:
    """The frames are those of the moment when they began; changes follow by themselves."""
    frames = publication.frames()
    octets = [next(frames)]
    changes = publication.refresh(["home"], usable(publication, "192.0.2.1"))
    octets += frames
    builder, decoder = SnapshotBuilder(1, Settings()), Decoder()
    for frame in list(decoder.feed(b"".join(octets)))[1:]:
        builder.add(tuple(frame[1:]))
    snapshot = builder.finish()

    snapshot.change(changes)

    assert answers(snapshot, "www") == ["192.0.2.2"]


# fmt: off
USABLE = [
    # verdicts -> home, away
    ({},                                                              (True, True),   (True,)),
    ({("192.0.2.1", "web"): False},                                   (False, True),  (True,)),
    ({("192.0.2.1", "ssh"): False},                                   (True, True),   (True,)),
    ({("192.0.2.9", "web"): True, ("192.0.2.9", "ssh"): False},       (True, True),   (False,)),
    ({("192.0.2.9", "web"): True, ("192.0.2.9", "ssh"): True},        (True, True),   (True,)),
]
# fmt: on


@pytest.mark.parametrize(("verdicts", "home", "away"), USABLE)
def test_usable_is_what_no_check_holds_down(
    publication: Publication,
    verdicts: dict[tuple[str, str], bool],
    home: tuple[bool, ...],
    away: tuple[bool, ...],
) -> None:
    """What is not known yet is usable, and so is what has no check."""
    assert usable_of(publication.plan, verdicts) == {"home": home, "away": away, "plain": (True,)}
