"""What changes answers without a verdict: TTLs by health, ramps, failback, addresses of names."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gtmdns.control import steering as steering_module
from gtmdns.control.control import Control
from gtmdns.health.names import NameState
from tests.compiler.support import ask
from tests.control.asking import Client, check_problem
from tests.control.asking import run as run_api
from tests.control.running import HOME, answers, run
from tests.control.support import QUICK, Endpoints, controlled, has_followed, until, write

HEAD = QUICK[: QUICK.index("      www:")]
FOLLOWING = (
    HEAD.replace("interval: 50ms, timeout: 50ms, fall: 1, rise: 1", "interval: 500ms, fall: 8")
    + "      www: {pools: [home, away], ttl: {min: 1, max: 30}}\n"
    + "      calm: {pools: away, ttl: {min: 1, max: 30}}\n"
)


def ttl(control: Control, owner: str = "www") -> int:
    assert control.publication is not None
    response = ask(control.publication.snapshot, f"{owner}.example.test.", "A")
    return int(response.answer[0].ttl)


def test_a_ttl_follows_the_results_that_are_needed(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        assert ttl(control) == 4  # 8 failures, half a second apart
        assert ttl(control, "calm") == 30  # no check
        endpoints.dead.add("192.0.2.1")
        await until(lambda: ttl(control) == 3, "one failure is counted")
        await until(lambda: ttl(control) == 2, "others are")
        assert answers(control) == HOME
        endpoints.dead.clear()
        await until(lambda: ttl(control) == 4, "they are wiped")

    run(tmp_path, test, FOLLOWING)


def test_a_ttl_counts_down_to_a_moment_that_is_known(tmp_path: Path) -> None:
    """The end of an override: the TTL is that long until it is shorter, and stops at `min`."""

    async def test(client: Client) -> None:
        said = {"state": "up", "expires_in": 2.5, "reason": "why"}
        for address in ("192.0.2.1", "192.0.2.2"):
            await client.ask(f"/api/v1/overrides/home/{address}", "PUT", said)
        control = client.control
        seen = []
        while len(control.steering.overriding.overrides):
            if not seen or seen[-1] != ttl(control):
                seen.append(ttl(control))
            await asyncio.sleep(0.01)

        assert seen in ([4, 2, 1], [2, 1])  # 4: before the overrides were in the answers

    run_api(tmp_path, test, FOLLOWING)


RAMPING = (
    HEAD.replace(
        'home: {endpoints: [192.0.2.1, 192.0.2.2, "2001:db8::1"]',
        "home: {endpoints: [192.0.2.1, {address: 192.0.2.2, weight: 1}], ramp: 1s",
    )
    + "      www: {pools: home}\n"
)


def test_an_endpoint_that_comes_back_gains_its_weight_step_by_step(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        def parts() -> int:
            return control.steering.moment()["home"][0].parts

        def share() -> float:
            publication = control.publication
            assert publication is not None
            spec = next(s for s in publication.plan.specs.values() if s.family == 4)
            decider = publication.decider(control.steering.moment())
            told = decider.decide(spec.target, spec.family, spec.when_all_down)
            weights = dict(zip(told.choice.addresses, told.choice.weights, strict=True))  # type: ignore[union-attr]
            return weights["192.0.2.1"] / sum(weights.values())

        assert share() == 0.5
        before = control.publication.answers[:]  # type: ignore[union-attr]
        endpoints.dead.add("192.0.2.1")
        await until(lambda: answers(control) == {"192.0.2.2"}, "it is gone")
        endpoints.dead.clear()
        await until(lambda: answers(control) == HOME, "it is back")
        seen: list[tuple[Any, ...]] = []
        while parts() < 10 or not has_followed(control):
            now = control.publication.answers[:]  # type: ignore[union-attr]
            if not seen or seen[-1] != now:
                seen.append(now)
            await asyncio.sleep(0.01)
        await until(lambda: control.publication.answers == before, "it is whole")  # type: ignore[union-attr]

        assert 7 <= len(seen) <= 10  # nine steps, of which a busy machine may merge two
        assert share() == 0.5

    run(tmp_path, test, RAMPING)


RETURNING = (
    HEAD.replace("[192.0.2.9]", '[192.0.2.9, "2001:db8::9"], health_check: web')
    + "      www: {pools: [home, away], failback: {delay: 600ms}}\n"
    + "      stay: {pools: [home, away], failback: {delay: never}}\n"
    + "      plain: {pools: [home, away]}\n"
)
AWAY = {"192.0.2.9"}


async def lose_home(control: Control, endpoints: Endpoints) -> None:
    endpoints.dead |= HOME
    for owner in ("www", "stay", "plain"):
        await until(lambda owner=owner: answers(control, owner) == AWAY, f"{owner} went away")  # type: ignore[misc]
    endpoints.dead.clear()
    await until(lambda: answers(control, "plain") == HOME, "home is back")


def test_a_record_returns_after_its_delay_or_when_it_is_let(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        control = client.control
        await lose_home(control, client.endpoints)
        assert answers(control, "www") == AWAY
        assert answers(control, "stay") == AWAY
        held = (await client.get("/api/v1/status"))["failback"]
        assert [(row["name"], row["pool"]) for row in held] == [
            ("stay.example.test", "home"),
            ("www.example.test", "home"),
        ]
        assert held[0]["seconds"] is None
        assert 0 < held[1]["seconds"] <= 0.6
        told = await client.get("/api/v1/explain?name=stay.example.test")
        assert [answer["data"] for answer in told["answers"]] == ["192.0.2.9"]
        await until(lambda: answers(control, "www") == HOME, "the delay is over")
        assert answers(control, "stay") == AWAY

        status, body, _ = await client.ask("/api/v1/failback/STAY.example.test.", "POST")
        assert (status, body) == (200, {"name": "stay.example.test", "released": ["home"]})
        await until(lambda: answers(control, "stay") == HOME, "it was let")
        assert (await client.get("/api/v1/status"))["failback"] == []
        for name in ("plain.example.test", "none.example.test", "."):
            check_problem(await client.ask(f"/api/v1/failback/{name}", "POST"), 404, "failback")

    run_api(tmp_path, test, RETURNING)


def test_a_record_returns_where_nothing_later_is_left_and_stays(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        await lose_home(control, endpoints)
        listener = control.events.listen()
        endpoints.dead |= {"192.0.2.9", "2001:db8::9"}
        await until(lambda: answers(control, "stay") == HOME, "nothing else is left")
        endpoints.dead.clear()
        await until(lambda: control.usable()["away"] == (True, True), "away is back")
        await until(lambda: has_followed(control), "the answers follow")

        assert answers(control, "stay") == HOME
        told = [
            json.loads(event.text) for event in await listener.take() if event.kind == "failback"
        ]
        assert ("stay.example.test", ["home"]) in [(each["name"], each["pools"]) for each in told]

    run(tmp_path, test, RETURNING)


def test_clocks_and_releases_outlive_control(tmp_path: Path) -> None:
    async def main() -> None:
        async with controlled(tmp_path, RETURNING) as (first, endpoints):
            await lose_home(first, endpoints)
        async with controlled(tmp_path, "") as (second, _):
            await until(lambda: answers(second, "www") == HOME, "the delay is over")
            assert answers(second, "stay") == AWAY
            assert second.steering.release("stay.example.test") == ["home"]
            second.keep_now()
        async with controlled(tmp_path, "") as (third, _):
            assert answers(third, "stay") == HOME

    asyncio.run(main())


def test_who_starts_anew_holds_nothing(tmp_path: Path) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        assert answers(control, "stay") == HOME

    run(tmp_path, test, RETURNING)


RESOLVING = (
    HEAD.replace("[192.0.2.9]", "[{address: back.example.net, resolve: true}]")
    + "      www: {pools: away}\n"
)


def test_addresses_of_names_become_answers_and_outlive_control(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[str, tuple[str, ...]] = {"back.example.net": ("192.0.2.40", "192.0.2.41")}

    async def look_up(names: Any, host: str, kept: Any) -> float:
        """As `Names._look_up`, from a table in place of the network; () is a failure."""
        found = known.get(host, ())
        if found and kept.state.addresses != found:
            kept.state = NameState(found, 1.0)
            names._on_change(host, found)
        return 0.01

    monkeypatch.setattr("gtmdns.health.names.Names._look_up", look_up)

    async def main() -> None:
        async with controlled(tmp_path, RESOLVING) as (control, _):
            assert answers(control) == {"192.0.2.40", "192.0.2.41"}
            known["back.example.net"] = ("192.0.2.42",)
            await until(lambda: answers(control) == {"192.0.2.42"}, "the other address")
        known.clear()
        async with controlled(tmp_path, "") as (again, _):
            assert answers(again) == {"192.0.2.42"}

    asyncio.run(main())


def test_a_reload_waits_for_the_addresses_of_new_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(names: Any, host: str, kept: Any) -> float:
        await asyncio.sleep(0.03)
        kept.state = NameState(("192.0.2.40",), 1.0)
        names._on_change(host, kept.state.addresses)
        return 60.0

    monkeypatch.setattr("gtmdns.health.names.Names._look_up", look_up)

    async def test(control: Control, endpoints: Endpoints) -> None:
        write(tmp_path / "gtmdns.yaml", RESOLVING)
        await control.reload("test")
        assert answers(control) == {"192.0.2.40"}

    run(tmp_path, test)


def test_many_answers_are_decided_in_slices(tmp_path: Path, monkeypatch: Any) -> None:
    """The loop turns while a great many answers follow one verdict."""
    text = HEAD + "".join(
        f"      n{n}: {{pools: [home, away], ttl: {n + 1}}}\n" for n in range(400)
    )
    monkeypatch.setattr(steering_module, "SLICE", 0.0)

    async def test(control: Control, endpoints: Endpoints) -> None:
        sent: list[int] = []
        turns = 0
        steering = control.steering
        steering._send = lambda generation, changes: sent.append(len(changes))

        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += bool(sent)

        turning = asyncio.ensure_future(turn())
        endpoints.dead |= HOME
        await until(lambda: answers(control, "n399") == AWAY, "the last name follows")
        turning.cancel()

        assert len(sent) >= 400
        assert turns >= 400

    run(tmp_path, test, text)


def test_a_mistake_in_deciding_is_logged_and_the_next_change_takes_all_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        look_at: Callable[..., Any] = control.steering._look_at
        broken = [True]

        def sometimes(*args: Any) -> Any:
            if broken:
                broken.clear()
                raise RuntimeError("a mistake of ours")
            return look_at(*args)

        control.steering._look_at = sometimes  # type: ignore[method-assign]
        endpoints.dead |= HOME
        await until(lambda: "a mistake of ours" in caplog.text, "it is logged")
        control.steering.touch(["away"])
        await until(lambda: answers(control) == AWAY, "answers follow")

    run(tmp_path, test)


def test_a_mistake_about_one_answer_leaves_the_others_right(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(control: Control, endpoints: Endpoints) -> None:
        decide: Callable[..., Any] = control.steering._decide
        control.steering._decide = lambda publication, number, *more: (  # type: ignore[method-assign]
            1 / 0 if number == min(publication.plan.specs) else decide(publication, number, *more)
        )
        endpoints.dead |= HOME
        await until(lambda: answers(control, "both") == AWAY, "another name follows")
        assert "ZeroDivisionError" in caplog.text

    run(tmp_path, test)
