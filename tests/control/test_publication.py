"""What is served of one generation: whole for a worker that comes, changes for those that have it."""

from math import inf
from typing import Any

import pytest

from gtmdns.answers.snapshot import Settings, Snapshot, SnapshotBuilder
from gtmdns.compiler.plan import AnswerSpec
from gtmdns.control.publication import Publication
from gtmdns.health.condition import WELL, Condition
from gtmdns.serve.frames import Decoder
from tests.compiler.support import ask, compile_text, rcode, refresh, section, with_records

DOWN = Condition(usable=False)
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


def usable(publication: Publication, *down: str) -> dict[str, tuple[Condition, ...]]:
    return {
        name: tuple(DOWN if e.address in down else WELL for e in pool.endpoints)
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
    refresh(publication, publication.plan.pools, usable(publication, "192.0.2.1"))

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

    changes = refresh(publication, ["home"], usable(publication, "192.0.2.1", "192.0.2.2"))
    snapshot.change(changes)

    assert answers(snapshot, "www") == answers(publication.snapshot, "www") == ["192.0.2.9"]
    assert answers(received(publication)[0], "www") == ["192.0.2.9"]


def test_only_answers_that_are_different_are_sent(publication: Publication) -> None:
    assert refresh(publication, publication.plan.pools, usable(publication)) == []

    down = usable(publication, "192.0.2.9")
    first = refresh(publication, ["away"], down)
    assert len(first) == 1  # of www and fail only fail has lost what it answered
    assert rcode(ask(publication.snapshot, "fail.example.test.", "A")) == "SERVFAIL"

    assert refresh(publication, ["away"], down) == []
    assert len(refresh(publication, ["away"], usable(publication))) == 1


def test_pools_that_no_name_uses_change_nothing() -> None:
    made = compile_text(with_records("www: {pools: home}", SECTIONS))
    publication = Publication.of(made.plan, made.pieces)

    assert refresh(publication, ["plain", "away"], usable(publication, "192.0.2.20")) == []


def test_what_changes_while_a_worker_is_sent_it_does_not_tear_it(publication: Publication) -> None:
    """The frames are those of the moment when they began; changes follow by themselves."""
    frames = publication.frames()
    octets = [next(frames)]
    changes = refresh(publication, ["home"], usable(publication, "192.0.2.1"))
    octets += frames
    builder, decoder = SnapshotBuilder(1, Settings()), Decoder()
    for frame in list(decoder.feed(b"".join(octets)))[1:]:
        builder.add(tuple(frame[1:]))
    snapshot = builder.finish()

    snapshot.change(changes)

    assert answers(snapshot, "www") == ["192.0.2.2"]


FOLLOWING = """
www:  {pools: [home, away], ttl: {min: 5, max: 60}}
back: {pools: [home, away], failback: {delay: 60s}}
"""


@pytest.fixture
def following() -> Publication:
    made = compile_text(with_records(FOLLOWING, SECTIONS))
    return Publication.of(made.plan, made.pieces)


def ttl(publication: Publication, owner: str) -> int:
    [rrset] = ask(publication.snapshot, f"{owner}.example.test.", "A").answer
    return rrset.ttl


def test_a_ttl_that_changed_alone_is_a_change(following: Publication) -> None:
    """Nothing else is different, and a worker must know it all the same."""
    well = usable(following)
    assert refresh(following, ["home"], well) == []
    assert ttl(following, "www") == 60, "compiled as if nothing could change"

    for until, expected in ((15.0, 15), (9.7, 9), (3.0, 5), (100.0, 60)):
        soon = {**well, "home": (Condition(until=until), WELL)}
        [(number, code)] = refresh(following, ["home"], soon)
        assert following.answers[number] == code
        assert ttl(following, "www") == expected
        assert refresh(following, ["home"], soon) == []
    assert ttl(following, "back") == 60, "a number is the TTL, whatever happens"


def test_what_is_held_back_is_asked_for_by_spec(following: Publication) -> None:
    asked = []

    def held(spec: AnswerSpec) -> dict[str, float]:
        asked.append((spec.hold, spec.failback))
        return {"home": 20.0} if spec.hold else {}

    changes = refresh(following, ["home"], usable(following), held)

    assert sorted(asked) == [("", None), ("back.example.test", 60.0)]
    assert len(changes) == 1
    assert answers(following.snapshot, "back") == ["192.0.2.9"]
    assert answers(following.snapshot, "www") == ["192.0.2.1", "192.0.2.2"]


def test_records_with_failback_have_specs_of_their_own() -> None:
    """One may be held back where the other is not: they cannot share an answer."""
    records = "".join(
        f"{owner}: {{pools: [home, away]{more}}}\n"
        for owner, more in (
            ("a", ""),
            ("b", ""),
            ("c", ", failback: {delay: 60s}"),
            ("d", ", failback: {delay: never}"),
        )
    )
    plan = compile_text(with_records(records, SECTIONS)).plan

    assert sorted((spec.hold, spec.failback) for spec in plan.specs.values()) == [
        ("", None), ("c.example.test", 60.0), ("d.example.test", inf),
    ]  # fmt: skip
    assert {s.owner: (s.hold, s.failback) for s in plan.steered.values()} == {
        "a": ("", None), "b": ("", None),
        "c": ("c.example.test", 60.0), "d": ("d.example.test", inf),
    }  # fmt: skip


def test_a_fallback_hangs_on_its_own_pools_too() -> None:
    made = compile_text(with_records("www: {pools: home, when_all_down: {pools: away}}", SECTIONS))
    publication = Publication.of(made.plan, made.pieces)
    refresh(publication, ["home"], usable(publication, "192.0.2.1", "192.0.2.2"))
    assert answers(publication.snapshot, "www") == ["192.0.2.9"]

    conditions = usable(publication, "192.0.2.1", "192.0.2.2")
    conditions["away"] = (Condition(usable=False, barred=True, overridden=True),)
    assert len(refresh(publication, ["away"], conditions)) == 1
    assert rcode(ask(publication.snapshot, "www.example.test.", "A")) == "SERVFAIL"
