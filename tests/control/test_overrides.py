"""Overrides by the HTTP API: what they do to answers, what is refused, and how long they last."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gtmdns.control.state import read_state
from tests.control.asking import Client, api, check_problem, run
from tests.control.running import HOME, answers
from tests.control.support import QUICK, until, write, write_state

DOWN = {"state": "down", "expires_in": "2h", "reason": "maintenance", "owner": "ops"}
UP = {**DOWN, "state": "up"}
TWINS = QUICK.replace("[192.0.2.9]", '[192.0.2.9, "2001:db8::9"]')


async def put(client: Client, target: str, said: dict[str, Any]) -> Any:
    status, body, _ = await client.ask(f"/api/v1/overrides/{target}", "PUT", said)
    assert status == 200, body
    return body


def test_a_pool_that_is_overridden_down_answers_no_more(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        told = await put(client, "home", DOWN)
        assert told == {
            "target": "home",
            "pool": "home",
            "address": None,
            "state": "down",
            "owner": "ops",
            "reason": "maintenance",
            "since": told["since"],
            "expires": told["expires"],
            "in_configuration": True,
            "persistent": False,
        }
        await until(lambda: answers(client.control) == {"192.0.2.9"}, "the chain goes on")
        explained = await client.get("/api/v1/explain?name=www.example.test")
        assert explained["reason"] == "override"
        home = await client.get("/api/v1/pools/home")
        assert home["override"]["reason"] == "maintenance"
        assert [endpoint["usable"] for endpoint in home["endpoints"]] == [False] * 3
        assert [endpoint["verdict"] for endpoint in home["endpoints"]] == ["up"] * 3

        status, body, _ = await client.ask("/api/v1/overrides/home", "DELETE")
        assert (status, body["target"]) == (200, "home")
        await until(lambda: answers(client.control) == HOME, "home is back")
        check_problem(await client.ask("/api/v1/overrides/home", "DELETE"), 404, "no override")

    run(tmp_path, test, TWINS)


def test_an_endpoint_that_is_overridden_up_answers_though_its_checks_fail(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        client.endpoints.dead |= HOME
        await until(lambda: answers(client.control) == {"192.0.2.9"}, "home is down")
        await put(client, "home/192.0.2.2", UP)
        await until(lambda: answers(client.control) == {"192.0.2.2"}, "one of them is given")

        row = (await client.get("/api/v1/pools/home"))["endpoints"][1]
        assert (row["verdict"], row["usable"], row["override"]["state"]) == ("down", True, "up")
        (listed,) = (await client.get("/api/v1/overrides"))["overrides"]
        assert (listed["target"], listed["address"]) == ("home/192.0.2.2", "192.0.2.2")

    run(tmp_path, test)


@pytest.mark.parametrize(
    "written",
    [
        "2001:db8::1",
        "2001%3Adb8%3A%3A1",
        "2001:0DB8:0:0:0:0:0:1",
        "[2001:db8::1]",
        "%5B2001:db8::1%5D",
    ],
)
def test_an_ipv6_address_in_the_path_in_any_spelling(tmp_path: Path, written: str) -> None:
    async def test(client: Client) -> None:
        told = await put(client, f"home/{written}", {**DOWN, "force": True})
        assert told["target"] == "home/2001:db8::1"
        assert (await client.ask(f"/api/v1/overrides/home/{written}", "DELETE"))[0] == 200

    run(tmp_path, test)


# fmt: off
BAD = [
    ("no JSON",            b"state=down",                           400, "no JSON"),
    ("no UTF-8",           b"\xff",                                 400, "no JSON"),
    ("nested deeply",      b"[" * 60_000,                           400, "no JSON"),
    ("a list",             ["down"],                                400, "expected a JSON object"),
    ("nothing",            {},                                      422, 'state: expected "up" or "down"; expires_in: expected a duration'),
    ("another state",      {**DOWN, "state": "off"},                422, "state: expected"),
    ("no time",            {**DOWN, "expires_in": None},            422, "expires_in: expected a duration"),
    ("no duration",        {**DOWN, "expires_in": "tomorrow"},      422, "expires_in"),
    ("no time at all",     {**DOWN, "expires_in": 0},               422, "expires_in"),
    ("in the past",        {**DOWN, "expires_in": -5},              422, "expires_in"),
    ("for ages",           {**DOWN, "expires_in": "99999999h"},     422, "expires_in"),
    ("for a mapping",      {**DOWN, "expires_in": {}},              422, "expires_in"),
    ("no reason",          {"state": "down", "expires_in": "1h"},   422, "reason: expected"),
    ("an empty reason",    {**DOWN, "reason": "  "},                422, "reason: expected"),
    ("a long reason",      {**DOWN, "reason": "x" * 501},           422, "reason: expected"),
    ("two lines",          {**DOWN, "reason": "a\nb"},              422, "reason: expected"),
    ("an owner as number", {**DOWN, "owner": 7},                    422, "owner: expected"),
    ("force in words",     {**DOWN, "force": "yes"},                422, "force: expected true or false"),
    ("an unknown key",     {**DOWN, "expire": "2h"},                422, "expire: unknown key, expected state, expires_in"),
]
# fmt: on


def test_bad_bodies_change_nothing(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        for name, body, status, words in BAD:
            answer = await client.ask("/api/v1/overrides/home", "PUT", body)
            assert words in answer[1]["detail"], name
            check_problem(answer, status)
        assert (await client.get("/api/v1/overrides")) == {"overrides": []}
        for target, words in (
            ("nowhere", "no pool 'nowhere'"),
            ("hoem", "no pool 'hoem'; did you mean \"home\"?"),
            (
                "home/192.0.2.77",
                "no endpoint '192.0.2.77' in the pool 'home'; did you mean \"192.0.2.",
            ),
            (
                "home/192.0.2.9",
                "no endpoint '192.0.2.9' in the pool 'home'; it is in the pool 'away'",
            ),
            ("home/[192.0.2.1]", "no endpoint '[192.0.2.1]' in the pool 'home'"),
            ("home/x/y", "nothing is at"),
        ):
            check_problem(await client.ask(f"/api/v1/overrides/{target}", "PUT", DOWN), 404, words)

    run(tmp_path, test)


def test_the_owner_is_the_asker_where_none_is_named(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        said = {"state": "down", "expires_in": 60, "reason": "why"}
        assert (await put(client, "home/192.0.2.1", said))["owner"] == "127.0.0.1"

    run(tmp_path, test)


RECORDS = """
      www: {pools: [home, away]}
      six: {pools: {all: [home, far]}}
      lone: {pools: home}
      spare: {pools: home, when_all_down: {pools: away}}
      alias: {pools: home, when_all_down: {cname: www}}
      out: {pools: home, when_all_down: {cname: www.elsewhere.test.}}
"""


def test_what_would_leave_a_record_without_an_endpoint_needs_force(tmp_path: Path) -> None:
    """Both families count; what answers in place of the record counts where it is ours."""
    head = QUICK[: QUICK.index("      www:")]
    text = head.replace("[192.0.2.9]", '[192.0.2.9, "2001:db8::9"]').replace(
        "  away:", "  far: {endpoints: [192.0.2.8]}\n  away:"
    )

    async def test(client: Client) -> None:
        answer = await client.ask("/api/v1/overrides/home", "PUT", DOWN)
        check_problem(answer, 409, "would leave without a usable endpoint: ")
        assert set(answer[1]["names"]) == {
            f"{name}.example.test" for name in ("six", "lone", "out")
        }
        assert (await client.get("/api/v1/overrides"))["overrides"] == []

        answer = await client.ask("/api/v1/overrides/home/2001:db8::1", "PUT", DOWN)
        assert set(answer[1]["names"]) == {
            f"{name}.example.test" for name in ("six", "lone", "out")
        }
        await put(client, "home/192.0.2.1", DOWN)
        check_problem(await client.ask("/api/v1/overrides/home/192.0.2.2", "PUT", DOWN), 409)
        await put(client, "home/192.0.2.2", {**DOWN, "force": True})
        await put(client, "home/192.0.2.2", DOWN)  # it takes nothing away that is there

    run(tmp_path, test, text + RECORDS)


def test_an_override_ends_in_its_time_and_that_is_an_event(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        listener = client.control.events.listen()
        await put(client, "home", {**DOWN, "expires_in": "300ms"})
        await until(lambda: answers(client.control) == {"192.0.2.9"}, "home is out")
        await until(lambda: answers(client.control) == HOME, "home is back by itself")

        assert (await client.get("/api/v1/overrides")) == {"overrides": []}
        told = [json.loads(e.text) for e in await listener.take() if e.kind == "override"]
        assert [(each["change"], each["target"]) for each in told] == [
            ("set", "home"),
            ("expired", "home"),
        ]

    run(tmp_path, test, TWINS)


def test_overrides_survive_a_restart_with_the_state_folder(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    state_dir.mkdir()

    async def main() -> None:
        async with api(tmp_path, TWINS, state_dir=state_dir) as client:
            told = await put(client, "home", DOWN)
            assert told["persistent"]
            (saved,) = read_state(state_dir).overrides  # at once, not at the next write
            assert saved.owner == "ops"
            await put(client, "home/192.0.2.1", {**UP, "expires_in": "never"})
            await put(client, "away", {**UP, "expires_in": "1h"})
        for leftover in (tmp_path / "runtime").iterdir():
            leftover.unlink()  # a new server has a new runtime folder
        state = read_state(state_dir)
        state.overrides = [  # an hour passed for one of them
            replace(each, expires=time.time() - 1) if each.pool == "away" else each
            for each in state.overrides
        ]
        write_state(state_dir, state)
        async with api(tmp_path, "", state_dir=state_dir) as client:
            assert answers(client.control) == {"192.0.2.9"}
            rows = (await client.get("/api/v1/overrides"))["overrides"]
            assert [row["target"] for row in rows] == ["home", "home/192.0.2.1"]
            assert rows[0]["expires"] == told["expires"]
            assert rows[1]["expires"] is None

    asyncio.run(main())


def test_what_a_reload_removes_keeps_its_override_and_says_so(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        await put(client, "home/192.0.2.2", DOWN)
        write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.2,", ""))
        await client.control.reload("test")

        (row,) = (await client.get("/api/v1/overrides"))["overrides"]
        assert (row["in_configuration"], row["note"]) == (False, "not in the configuration")

        write(tmp_path / "gtmdns.yaml", QUICK)
        await client.control.reload("test")
        assert answers(client.control) == {"192.0.2.1"}
        write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.2,", ""))
        await client.control.reload("test")
        assert (await client.ask("/api/v1/overrides/home/192.0.2.2", "DELETE"))[0] == 200

    run(tmp_path, test)
