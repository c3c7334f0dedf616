"""When this machine doubts itself: a monitor on made-up time, at the end a real one."""

import asyncio
import logging
import re
from typing import Any

import pytest

from gtmdns.health import isolation as module
from gtmdns.health.check import Check, Exhausted, ProbeResult
from gtmdns.health.monitor import Monitor
from gtmdns.health.resolve import Unresolved
from gtmdns.health.verdict import State
from tests.health.scene import WEB, A
from tests.health.stage import CANARY, KEYS, SECOND, Isolation, Stage, act
from tests.health.support import Definition, Eject, until


def test_a_partition_of_this_machine_takes_nothing_down() -> None:
    async def story(scene: Stage) -> None:
        scene.monitor.apply(KEYS, 3.0, Isolation())
        await asyncio.sleep(60)
        before = {key: s.since for key, s in scene.monitor.standings().items()}
        scene.cut = True
        await asyncio.sleep(120)
        assert scene.monitor.frozen
        assert scene.states() == ["up"] * 20
        assert {key: s.since for key, s in scene.monitor.standings().items()} == before
        standing = scene.monitor.standing(next(iter(KEYS)))
        assert standing.failures > 20  # results are shown and counted all the same
        assert standing.last is not None
        assert not standing.last.success
        scene.cut = False
        await asyncio.sleep(60)
        assert not scene.monitor.frozen

    scene = act(story)
    (began, _), (ended, _) = scene.told
    downs = [at for at, _, state in scene.changes if state is State.DOWN]

    assert [frozen for _, frozen in scene.told] == [True, False]
    assert len(downs) <= 10  # no more than the share were down, and only for a moment
    assert all(60 < at < began <= at + 30 for at in downs)
    assert 180 < ended < 184.1  # the look under way, then two with an answer, a second apart
    assert not [state for at, _, state in scene.changes if at > began]


def test_with_a_canary_that_answers_all_goes_down() -> None:
    async def story(scene: Stage) -> None:
        scene.monitor.apply(KEYS, 3.0, Isolation((f"{SECOND}:80", f"{CANARY}:443")))
        await asyncio.sleep(60)
        scene.targets.up = lambda _address: False
        await asyncio.sleep(30)
        assert scene.states() == ["down"] * 20
        assert len(scene.looks) > 20  # one each second for as long as it is doubtful

    scene = act(story)
    downs = [at for at, _, state in scene.changes if state is State.DOWN]

    assert scene.told == []
    assert len(downs) == 20
    assert 60 + 9 < min(downs) < max(downs) < 60 + 15.1


def test_downs_wait_for_the_canaries_at_most_two_seconds() -> None:
    """The canary hangs, and another one answers only then: all that went down is shown."""

    async def story(scene: Stage) -> None:
        async def probe(address: str, host: str, check: Check) -> ProbeResult:
            if address == CANARY:
                await asyncio.sleep(1.9)
                return ProbeResult(True, "connected", 1.9)
            return await scene.targets.probe(address, host, check)

        scene.monitor._probe = probe
        scene.monitor.apply(KEYS, 0.0, Isolation())
        await asyncio.sleep(60)
        scene.targets.up = lambda _address: False
        await until(lambda: scene.states().count("down") >= 10, within=60)
        tenth = scene.now()
        await asyncio.sleep(1.8)
        assert scene.states().count("down") == 10
        judged = [watch.judged.state for watch in scene.monitor._watches.values()]
        assert judged.count(State.DOWN) > 11
        await asyncio.sleep(5)
        assert scene.states() == ["down"] * 20
        later = [at for at, _, state in scene.changes if state is State.DOWN and at > tenth]
        assert len(later) == 10

    scene = act(story)

    assert scene.told == []


def test_what_comes_back_while_held_was_never_down() -> None:
    flapping = next(iter(KEYS))[0]

    async def story(scene: Stage) -> None:
        check = Definition(fall=1, rise=1, interval=0.5, timeout=0.2)

        async def probe(address: str, host: str, check: Check) -> ProbeResult:
            if address == CANARY:
                await asyncio.sleep(2.0)
                return ProbeResult(True, "connected", 2.0)
            return await scene.targets.probe(address, host, check)

        scene.monitor._probe = probe
        scene.monitor.apply(dict.fromkeys(KEYS, check), 0.0, Isolation(share=1))
        await asyncio.sleep(10)
        scene.targets.up = lambda address: address != flapping
        await asyncio.sleep(0.6)
        scene.targets.up = lambda _address: True
        await asyncio.sleep(10)

    scene = act(story)

    assert {state for _, _, state in scene.changes} == {State.UP}


def test_what_goes_down_again_while_held_counts_again() -> None:
    check = Definition(fall=1, rise=1, interval=0.5, timeout=0.2)

    async def story(scene: Stage) -> None:
        async def probe(address: str, host: str, check: Check) -> ProbeResult:
            if address != CANARY:
                return await scene.targets.probe(address, host, check)
            await asyncio.sleep(2.0 if scene.cut else 0.0)
            return ProbeResult(not scene.cut, "", 0.0)

        scene.monitor._probe = probe
        scene.monitor.apply({A: check}, 0.0, Isolation())
        await asyncio.sleep(9)
        scene.cut = True
        for up in (False, True, False):
            scene.targets.up = {A[0]: up}
            await asyncio.sleep(0.51)
        assert scene.states() == ["up"]
        await asyncio.sleep(2)
        assert scene.monitor.frozen

    scene = act(story)

    assert {state for _, _, state in scene.changes} == {State.UP}


def test_what_was_down_before_stays_down_and_unknown_stays_usable() -> None:
    dead, new = next(iter(KEYS)), ("192.0.2.200", "web")

    async def story(scene: Stage) -> None:
        scene.targets.up = lambda address: address != dead[0]
        scene.monitor.apply(KEYS, 3.0, Isolation())
        await asyncio.sleep(120)
        scene.cut = True
        await asyncio.sleep(30)
        scene.monitor.apply({**KEYS, new: WEB}, 0.0, Isolation())  # the same: it goes on
        await asyncio.sleep(30)
        assert scene.monitor.frozen
        assert scene.monitor.standing(dead).state is State.DOWN
        assert scene.monitor.standing(new).state is State.UNKNOWN
        assert scene.monitor.standing(new).failures > 0
        assert scene.states().count("up") == 19

    act(story)


def test_after_it_counts_begin_at_zero() -> None:
    async def story(scene: Stage) -> None:
        scene.monitor.apply(KEYS, 3.0, Isolation())
        await asyncio.sleep(60)
        scene.cut = True
        await asyncio.sleep(60)
        scene.targets.up = lambda _address: False  # meanwhile they died in truth
        scene.cut = False
        await until(lambda: not scene.monitor.frozen, within=60)
        ended = scene.now()
        assert {s.verdict.counted for s in scene.monitor.standings().values()} == {0}
        await asyncio.sleep(16)
        assert scene.states() == ["down"] * 20
        downs = [at for at, _, state in scene.changes if at > ended and state is State.DOWN]
        assert ended + 2 * 4.5 < min(downs)  # three failures, whatever there was before

    act(story)


def test_an_ejection_by_the_partition_is_taken_back() -> None:
    check = Definition(fall=1, eject=Eject(60.0, 300.0))

    async def story(scene: Stage) -> None:
        scene.monitor.apply(dict.fromkeys(KEYS, check), 3.0, Isolation())
        await asyncio.sleep(60)
        scene.cut = True
        await asyncio.sleep(30)
        assert {(s.ejections, s.ejected_until) for s in scene.monitor.standings().values()} == {
            (0, None)
        }
        assert scene.states() == ["up"] * 20

    act(story)


def test_canaries_that_never_answered_freeze_nothing_and_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(scene: Stage) -> None:
        scene.monitor.apply(KEYS, 3.0, Isolation((f"{SECOND}:443",)))
        await asyncio.sleep(60)
        scene.targets.up = lambda _address: False
        await asyncio.sleep(60)
        assert scene.states() == ["down"] * 20

    scene = act(story)
    lines = [r.getMessage() for r in caplog.records if r.name == module.__name__]

    assert scene.told == []
    assert lines == [
        f"isolation: no canary has answered yet ({SECOND}:443); "
        "verdicts are not frozen before one has"
    ]


def test_freezing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def story(scene: Stage) -> None:
        scene.monitor.apply(KEYS, 3.0, Isolation())
        await asyncio.sleep(60)
        scene.cut = True
        await asyncio.sleep(60)
        scene.cut = False
        await asyncio.sleep(60)

    act(story)
    lines = [r.getMessage() for r in caplog.records if "verdicts are" in r.getMessage()]

    assert lines == [
        "verdicts are frozen: 20 of 20 endpoints went down and no canary answers",
        "verdicts are judged again: a canary answers again",
    ]
    assert re.search(
        r"192\.0\.0\.1 is up since 1970-01-01T00:16:4\dZ \(as before the isolation\), "
        r"down for \d\.\d s before",
        caplog.text,
    )


def test_other_rules_end_a_freeze_and_none_end_the_looks() -> None:
    async def story(scene: Stage) -> None:
        scene.monitor.apply(KEYS, 3.0, Isolation())
        await asyncio.sleep(60)
        scene.cut = True
        await asyncio.sleep(60)
        assert scene.monitor.frozen
        scene.monitor.apply(KEYS, 0.0, Isolation(window=60.0))
        assert not scene.monitor.frozen
        await asyncio.sleep(30)
        assert scene.states() == ["down"] * 20  # the new canaries have not answered yet
        scene.monitor.apply(KEYS, 0.0)
        await asyncio.sleep(3)
        count = len(scene.looks)
        await asyncio.sleep(60)
        assert len(scene.looks) == count

    scene = act(story)

    assert [frozen for _, frozen in scene.told] == [True, False]


def test_looks_are_seldom_while_all_is_well() -> None:
    async def story(scene: Stage) -> None:
        scene.monitor.apply(KEYS, 3.0, Isolation())
        await asyncio.sleep(600)

    assert len(act(story).looks) == 61


def test_listeners_that_raise_and_want_of_descriptors() -> None:
    """Neither ends the looks; a look that could not be made freezes nothing."""

    async def story(scene: Stage) -> None:
        async def probe(address: str, host: str, check: Check) -> ProbeResult:
            if address != CANARY:
                return await scene.targets.probe(address, host, check)
            scene.looks.append(scene.now())
            if scene.now() < 5:
                return ProbeResult(True, "connected", 0.0)
            if scene.cut:
                raise Exhausted("too many open files")
            return ProbeResult(False, "connection refused", 0.0)

        def fail(frozen: bool, why: str) -> None:
            raise RuntimeError("out of order")

        scene.monitor._probe = probe
        scene.monitor._on_isolation = fail
        scene.monitor.apply(KEYS, 3.0, Isolation())
        await asyncio.sleep(60)
        scene.targets.up, scene.cut = (lambda _address: False), True
        await asyncio.sleep(30)
        assert scene.states() == ["down"] * 20
        assert not scene.monitor.frozen
        scene.targets.up = lambda _address: True
        await asyncio.sleep(60)
        scene.targets.up, scene.cut = (lambda _address: False), False
        await asyncio.sleep(30)
        assert scene.monitor.frozen
        assert scene.monitor.errors == 1
        assert scene.looks[-1] > scene.now() - 1.1

    act(story)


def test_canaries_by_name_are_looked_up() -> None:
    async def story(scene: Stage) -> None:
        class Names:
            def __init__(self) -> None:
                self.kept: set[str] = set()

            async def addresses(self, name: str, patience: float) -> tuple[str, ...]:
                if name == "gone.example":
                    raise Unresolved("name has no address")
                return (CANARY,)

            def keep_only(self, names: set[str]) -> None:
                self.kept = set(names)

            async def close(self) -> None:
                return

        names = Names()
        scene.monitor._resolver = scene.monitor._rounds._resolver = names  # type: ignore[assignment]
        both = Isolation(("gone.example:443", "canary.example:443"))
        scene.monitor.apply({A: WEB}, 0.0, both)
        assert names.kept == {A[0], "gone.example", "canary.example"}
        await asyncio.sleep(25)
        assert len(scene.looks) == 3
        assert scene.monitor._ledger._doubt is not None
        assert scene.monitor._ledger._doubt.proven

    act(story)


def test_the_real_thing() -> None:
    """A real canary, real time: it goes away together with the endpoints, and comes back."""
    pushed = Definition(type="push", interval=60.0, fall=1)

    async def run() -> None:
        accept: Any = lambda _reader, writer: writer.close()  # noqa: E731
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        told: list[bool] = []
        monitor = Monitor(
            on_change=lambda *_: None, on_isolation=lambda frozen, _why: told.append(frozen)
        )
        monitor.apply(dict.fromkeys(KEYS, pushed), 0.0, Isolation((f"127.0.0.1:{port}",)))
        for key in KEYS:
            monitor.push(key, True)
        assert monitor._ledger._doubt is not None
        await until(lambda: monitor._ledger._doubt.proven)
        server.close()
        await server.wait_closed()
        for key in KEYS:
            monitor.push(key, False)
        await until(lambda: told == [True])
        assert {standing.state for standing in monitor.standings().values()} == {State.UP}
        server = await asyncio.start_server(accept, "127.0.0.1", port)
        await until(lambda: told == [True, False])
        server.close()
        await server.wait_closed()
        await monitor.close()

    asyncio.run(run())
