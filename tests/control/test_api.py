"""The HTTP API over a real listener on loopback: every request and its answer."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gtmdns import __version__
from tests.control.asking import Client, check_problem, run
from tests.control.running import HOME, answers
from tests.control.support import QUICK, FakeWorker, until, write


def test_status(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: worker.snapshot.generation, "a generation")
        worker.count({"tcp_connections": 3, "compiled": 1}, {})
        await until(client.control.is_ready, "readiness")

        told = await client.get("/api/v1/status")

        assert told["version"] == __version__
        assert told["uptime"] >= 0
        configuration = told["configuration"]
        assert configuration["path"] == str(tmp_path / "gtmdns.yaml")
        assert len(configuration["hash"]) == 64
        assert configuration["loaded_at"].endswith("+00:00")
        assert configuration["generation"] == 1
        assert configuration["last_error"] is None
        (row,) = told["workers"]
        assert (row["number"], row["pid"], row["generation"], row["tcp_connections"]) == (
            0,
            100,
            1,
            3,
        )
        assert row["path"] == "compiled"
        await worker.close()

    run(tmp_path, test)


def test_pools(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        client.endpoints.dead.add("192.0.2.2")
        await until(lambda: not client.control.usable()["home"][1], "192.0.2.2 is down")

        told = await client.get("/api/v1/pools")

        home, away = told["pools"]
        assert (home["name"], away["name"]) == ("home", "away")
        assert home["families"] == {
            "ipv4": {"available": True, "usable": 1, "total": 2, "needed": 1},
            "ipv6": {"available": True, "usable": 1, "total": 1, "needed": 1},
        }
        up, down, _ = home["endpoints"]
        assert (up["address"], up["verdict"], up["usable"], up["weight"]) == (
            "192.0.2.1",
            "up",
            True,
            None,
        )
        assert (down["address"], down["verdict"], down["usable"]) == ("192.0.2.2", "down", False)
        (check,) = down["checks"]
        assert check["check"] == "web"
        assert check["since"] == down["since"]
        assert check["last_result"]["success"] is False
        assert check["last_result"]["reason"] == "connection refused"
        assert away["endpoints"][0] == {
            "address": "192.0.2.9",
            "weight": None,
            "verdict": "up",
            "usable": True,
            "ramp": 1.0,
            "since": None,
            "checks": [],
            "override": None,
        }
        assert (await client.get("/api/v1/pools/away")) == away

    run(tmp_path, test)


def test_zones(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        told = await client.get("/api/v1/zones")

        (zone,) = told["zones"]
        assert zone["name"] == "example.test"
        assert zone["serial"] > 1_700_000_000
        assert zone["names"] == {
            "example.test": ["NS", "SOA"],
            "ns1.example.test": ["A"],
            "www.example.test": ["pools"],
            "both.example.test": ["pools"],
            "static.example.test": ["A", "TXT"],
        }
        assert (await client.get("/api/v1/zones/example.test")) == zone

    run(tmp_path, test)


def test_explain(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        client.endpoints.dead |= {"192.0.2.1", "192.0.2.2"}
        await until(lambda: not any(client.control.usable()["home"][:2]), "home is down")

        told = await client.get("/api/v1/explain?name=www.example.test&type=A&client=203.0.113.1")

        assert told["reason"] == "failover"
        assert told["client"] == "203.0.113.1"
        assert [(each["data"], each["exact"]) for each in told["answers"]] == [("192.0.2.9", "1")]
        assert [pool["name"] for pool in told["pools"]] == ["home", "away"]
        defaults = await client.get("/api/v1/explain?name=WWW.example.test.")
        assert defaults["client"] == "127.0.0.1"
        assert defaults["answers"] == told["answers"]

    run(tmp_path, test)


def test_explain_with_assumptions_changes_nothing(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        before = await client.get("/api/v1/pools")
        path = "/api/v1/explain?name=www.example.test&subnet=203.0.113.0/24"

        told = await client.get(f"{path}&down=192.0.2.1&down=home/192.0.2.2")

        assert [each["data"] for each in told["answers"]] == ["192.0.2.9"]
        assert told["assumed"] == {"down": ["192.0.2.1", "home/192.0.2.2"], "up": []}
        assert (told["subnet"], told["live"]) == ("203.0.113.0/24", True)
        home, _ = told["pools"]
        assert {each["verdict"] for each in home["endpoints"]} == {"up"}
        assert home["endpoints"][0]["checks"][0]["last_result"]["success"]
        free = await client.get(path)
        assert {each["data"] for each in free["answers"]} == {"192.0.2.1", "192.0.2.2"}
        after = await client.get("/api/v1/pools")
        assert [pool["families"] for pool in after["pools"]] == [
            pool["families"] for pool in before["pools"]
        ]
        assert answers(client.control) == HOME

    run(tmp_path, test)


# fmt: off
BAD_QUESTIONS = [
    ("",                                       "expected ?name=NAME"),
    ("?type=A",                                "expected ?name=NAME"),
    ("?name=",                                 "empty label"),
    ("?name=a..b",                             "empty label"),
    ("?name=www.example.test&type=NONSENSE",   "is no record type"),
    ("?name=www.example.test&client=nobody",   "is no address"),
    ("?name=%FF",                              "only ASCII"),
    ("?name=www.example.test&subnet=203.0.113.7/24", "is no subnet"),
    ("?name=www.example.test&down=nobody",     "is no pool and no address"),
]
# fmt: on


def test_bad_questions_of_explain(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        for query, words in BAD_QUESTIONS:
            check_problem(await client.ask(f"/api/v1/explain{query}"), 400, words)

    run(tmp_path, test)


def test_reload_and_its_outcome(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        write(tmp_path / "gtmdns.yaml", QUICK.replace("192.0.2.9", "192.0.2.10"))
        status, body, _ = await client.ask("/api/v1/reload", "POST")

        assert status == 200
        assert body == {
            "ok": True,
            "generation": 2,
            "seconds": body["seconds"],
            "mistakes": [],
            "warnings": body["warnings"],
        }

        write(tmp_path / "gtmdns.yaml", QUICK.replace("A: 192.0.2.77", "A: nonsense, MX: x"))
        refused = await client.ask("/api/v1/reload", "POST")

        check_problem(refused, 422, "refused, still serving generation 2")
        body = refused[1]
        assert (body["ok"], body["generation"]) == (False, 2)
        assert [(m["line"], m["key"]) for m in body["mistakes"]] == [
            (16, "zones.example.test.records.static.A"),
            (16, "zones.example.test.records.static.MX"),
        ]
        error = (await client.get("/api/v1/status"))["configuration"]["last_error"]
        assert error["mistakes"] == body["mistakes"]
        assert error["mistakes"][0]["text"].startswith(f"{tmp_path}/gtmdns.yaml:16:")
        pools = (await client.get("/api/v1/pools"))["pools"]
        assert pools[1]["endpoints"][0]["address"] == "192.0.2.10"

    run(tmp_path, test)


def test_alive_and_ready(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        assert await client.get("/livez") == "alive\n"
        check_problem(await client.ask("/readyz"), 503, "no worker answers")

        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: worker.snapshot.generation, "a generation")
        worker.count({}, {})
        await until(client.control.is_ready, "readiness")
        assert await client.get("/readyz") == "ready\n"

        await worker.close()
        await until(lambda: not client.control.workers.links, "the worker is gone")
        check_problem(await client.ask("/readyz"), 503)

    run(tmp_path, test)


def test_before_there_is_a_configuration(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        for path in ("pools", "pools/home", "zones", "zones/x", "explain?name=a.test"):
            check_problem(await client.ask(f"/api/v1/{path}"), 503, "no configuration is loaded")
        check_problem(await client.ask("/api/v1/reload", "POST"), 503, "no configuration is loaded")
        assert await client.get("/livez") == "alive\n"
        check_problem(await client.ask("/readyz"), 503)
        status = await client.get("/api/v1/status")
        assert status["configuration"]["generation"] == 0
        assert status["configuration"]["hash"] is None
        assert "gtmdns_config_generation 0.0" in await client.get("/metrics")

    run(tmp_path, test, start=False)


def test_what_is_not_there(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        check_problem(await client.ask("/api/v1/pools/none"), 404, "no pool 'none'")
        check_problem(await client.ask("/api/v1/zones/none"), 404, "no zone 'none'")
        check_problem(await client.ask("/api/v2/status"), 404, "nothing is at /api/v2/status")
        check_problem(await client.ask("/"), 404)

    run(tmp_path, test)


def test_other_methods_are_told_which_are_allowed(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        answer = await client.ask("/api/v1/reload")
        check_problem(answer, 405)
        assert answer[2]["Allow"] == "POST"
        answer = await client.ask("/api/v1/status", "POST")
        check_problem(answer, 405)
        assert set(answer[2]["Allow"].split(",")) == {"GET", "HEAD"}
        async with client.session.head(client.url + "/livez") as response:
            assert (response.status, await response.read()) == (200, b"")

    run(tmp_path, test)


def test_a_mistake_of_the_server_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("gtmdns.control.api.server_status", broken)

    async def test(client: Client) -> None:
        answer = await client.ask("/api/v1/status")
        check_problem(answer, 500)
        assert "secret" not in json.dumps(answer[1])

    run(tmp_path, test)

    assert "a secret detail" in caplog.text


def test_explaining_much_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    """Shares of many draws take a while to add up: probes and heartbeats must go on meanwhile."""
    endpoints = ", ".join(f"{{address: 192.0.2.{n + 100}, weight: {n + 1}}}" for n in range(20))
    text = QUICK.replace("[192.0.2.9]", f"[{endpoints}], max_answers: 9")

    async def test(client: Client) -> None:
        client.endpoints.dead |= {"192.0.2.1", "192.0.2.2"}
        await until(lambda: not any(client.control.usable()["home"][:2]), "home is down")
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.001)
                turns += 1

        turning = asyncio.create_task(turn())
        told = await client.get("/api/v1/explain?name=www.example.test")
        turning.cancel()

        assert abs(sum(answer["probability"] for answer in told["answers"]) - 9) < 1e-6
        assert turns > 5

    run(tmp_path, test, text)
