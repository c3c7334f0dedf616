"""Server-sent events over HTTP, and results that endpoints push."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from gtmdns.control import api_events, events
from tests.control.asking import Client, check_problem, run
from tests.control.support import QUICK, FakeWorker, until, write

EVENTS = "/api/v1/events"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_events, "LOOK_EVERY", 0.01)


async def block(response: ClientResponse) -> dict[str, str]:
    """Return the fields of the next event; a comment is under ""."""
    fields = {}
    async with asyncio.timeout(10):
        while line := (await response.content.readline()).decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
    return fields


async def event(response: ClientResponse, kind: str) -> dict[str, str]:
    """Return the next event of a kind."""
    while (fields := await block(response)).get("event") != kind:
        assert fields, "the stream ended"
    return fields


def test_what_happens_is_told(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        async with client.session.get(client.url + EVENTS) as response:
            assert response.status == 200
            assert response.content_type == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-store"
            assert await block(response) == {"": "listening"}

            client.endpoints.dead.add("192.0.2.1")
            told = await event(response, "verdict")
            assert '"address": "192.0.2.1"' in told["data"]
            assert '"verdict": "down"' in told["data"]
            assert '"pools": ["home"]' in told["data"]
            worker = await FakeWorker(3, 77).connect(tmp_path)
            assert '"change": "connected", "number": 3' in (await event(response, "worker"))["data"]
            await worker.close()
            assert '"change": "gone"' in (await event(response, "worker"))["data"]
            write(tmp_path / "gtmdns.yaml", "zones: {}")
            await client.control.reload("test")
            assert '"ok": false' in (await event(response, "reload"))["data"]
            client.control._on_isolation(True, "no canary answers")
            told = await event(response, "isolation")
            assert '"isolated": true' in told["data"]
            last = told["id"]

        client.control._on_isolation(False, "canaries answer")
        headers = {"Last-Event-ID": last}
        async with client.session.get(client.url + EVENTS, headers=headers) as response:
            assert '"isolated": false' in (await event(response, "isolation"))["data"]

    run(tmp_path, test)


def test_silence_is_broken_by_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_events, "HEARTBEAT", 0.01)

    async def test(client: Client) -> None:
        async with client.session.get(client.url + EVENTS) as response:
            seen = [await block(response) for _ in range(4)]
        assert seen[1:] == [{"": "alive"}] * 3 or any("event" in each for each in seen)

    run(tmp_path, test)


def test_only_so_many_listen_and_their_places_come_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "MAX_LISTENERS", 1)
    monkeypatch.setattr(api_events, "HEARTBEAT", 0.01)

    async def test(client: Client) -> None:
        async with client.session.get(client.url + EVENTS) as response:
            await block(response)
            check_problem(await client.ask(EVENTS), 503, "too many listen")
        listeners = client.control.events._listeners
        await until(lambda: not listeners, "the place is free")
        async with client.session.get(client.url + EVENTS) as response:
            assert response.status == 200

    run(tmp_path, test)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_who_does_not_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(api_events, "PATIENCE", 0.05)

    async def test(client: Client) -> None:
        port = int(client.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        listeners = client.control.events._listeners
        await until(lambda: listeners, "it listens")
        while listeners:
            client.control.events.tell("verdict", text="x" * 100_000)
            await asyncio.sleep(0.005)
        writer.transport.abort()
        assert (await client.get("/livez")) == "alive\n"

    run(tmp_path, test)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_listeners_are_told_when_the_server_stops(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        async with client.session.get(client.url + EVENTS) as response:
            await block(response)
            client.control.events.close()
            async with asyncio.timeout(10):
                await response.content.read()

    run(tmp_path, test)


# Pushed results

PUSHED = QUICK.replace(
    "pools:\n",
    "  told: {type: push, token_file: token, interval: 60s, fall: 1, rise: 1}\npools:\n",
    1,
).replace("[192.0.2.9]}", '[192.0.2.9, "2001:db8::9"], health_check: told}')


def push(client: Client, address: str, body: Any, token: str = "open sesame") -> Any:
    path = f"/api/v1/push/told/{address}"
    return client.ask(path, "PUT", body, Authorization=f"Bearer {token}")


def test_a_pushed_result_is_a_result(tmp_path: Path) -> None:
    """It has a token of its own, and neither the admin token nor a loopback listener matters."""
    (tmp_path / "token").write_text("open sesame\n")

    async def test(client: Client) -> None:
        status, body, _ = await push(client, "192.0.2.9", {"up": False})
        assert (status, body) == (200, {"check": "told", "address": "192.0.2.9", "up": False})
        assert client.control.usable()["away"] == (False, True)
        assert (await push(client, "2001:db8:0::9", {"up": False}))[0] == 200
        assert client.control.usable()["away"] == (False, False)
        await push(client, "192.0.2.9", {"up": True})
        assert client.control.usable()["away"] == (True, False)

    run(tmp_path, test, PUSHED, loopback=False)


# fmt: off
REFUSED: list[Any] = [
    ("told/192.0.2.9",   {"up": True},              "wrong",       401, "expected the header"),
    ("told/192.0.2.9",   {"up": True},              "",            401, "expected the header"),
    ("told/192.0.2.9",   {"up": 1},                 "open sesame", 422, 'expected {"up": true}'),
    ("told/192.0.2.9",   {"up": True, "x": 1},      "open sesame", 422, 'expected {"up": true}'),
    ("told/192.0.2.9",   {},                        "open sesame", 422, 'expected {"up": true}'),
    ("told/192.0.2.9",   [],                        "open sesame", 400, "expected a JSON object"),
    ("told/192.0.2.9",   b"up",                     "open sesame", 400, "no JSON"),
    ("told/192.0.2.1",   {"up": True},              "open sesame", 404, "no endpoint '192.0.2.1' has the check 'told'"),
    ("web/192.0.2.1",    {"up": True},              "open sesame", 404, "no check 'web' of type push"),
    ("none/192.0.2.9",   {"up": True},              "open sesame", 404, "no check 'none' of type push"),
]
# fmt: on


def test_pushes_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open sesame\n")

    async def test(client: Client) -> None:
        for path, body, token, status, words in REFUSED:
            answer = await client.ask(
                f"/api/v1/push/{path}", "PUT", body, Authorization=f"Bearer {token}"
            )
            check_problem(answer, status, words)
        assert client.control.usable()["away"] == (True, True)
        (tmp_path / "token").write_text("")
        check_problem(await push(client, "192.0.2.9", {"up": True}, ""), 401)
        (tmp_path / "token").unlink()
        check_problem(await push(client, "192.0.2.9", {"up": True}), 503, "cannot be read")

    run(tmp_path, test, PUSHED)
