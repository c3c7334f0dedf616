"""The HTTP API over a real listener on loopback: every request, and everything that is refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from gtmdns import __version__
from gtmdns.control.api import application
from gtmdns.control.control import Control
from tests.control.support import QUICK, Endpoints, FakeWorker, controlled, until, write

Answer = tuple[int, Any, dict[str, str]]


class Client:
    """Asks one API. `control`, `endpoints`: what stands behind it."""

    def __init__(self, control: Control, endpoints: Endpoints, session: ClientSession, url: str):
        self.control = control
        self.endpoints = endpoints
        self.session = session
        self.url = url

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Return (status, JSON or text, headers). A header X_Y is sent as X-Y."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.url + path, headers=sent) as response:
            text = await response.text()
            is_json = response.content_type.endswith("json")
            told = {name: response.headers[name] for name in response.headers}
            return response.status, json.loads(text) if is_json else text, told

    async def get(self, path: str) -> Any:
        status, body, _ = await self.ask(path)
        assert status == 200, body
        return body


@asynccontextmanager
async def api(
    folder: Path, text: str = QUICK, *, loopback: bool = True, start: bool = True
) -> AsyncIterator[Client]:
    async with controlled(folder, text, start=start) as (control, endpoints):
        runner = web.AppRunner(application(control, loopback=loopback), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with ClientSession() as session:
            yield Client(control, endpoints, session, f"http://127.0.0.1:{port}")
        await runner.cleanup()


def run(
    folder: Path, test: Callable[[Client], Awaitable[None]], text: str = QUICK, **options: Any
) -> None:
    async def main() -> None:
        async with api(folder, text, **options) as client:
            await test(client)

    asyncio.run(main())


def check_problem(answer: Answer, status: int, words: str = "") -> None:
    """A problem is RFC 9457: its own content type, and the status in the body too."""
    code, body, headers = answer
    assert code == status, body
    assert headers["Content-Type"].startswith("application/problem+json")
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["title"]
    assert words in body["detail"]


def test_status(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        worker = await FakeWorker(0, 100).connect(tmp_path)
        await until(lambda: worker.snapshot.generation, "a generation")
        worker.count({"tcp_connections": 3}, {})
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
            "since": None,
            "checks": [],
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
        assert told["answers"] == [{"data": "192.0.2.9", "probability": 1.0}]
        assert [pool["name"] for pool in told["pools"]] == ["home", "away"]
        defaults = await client.get("/api/v1/explain?name=WWW.example.test.")
        assert defaults == {**told, "client": "127.0.0.1"}

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
            "warnings": [],
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


HOSTS = QUICK.replace("admin: {listen: null}", "admin: {listen: null, hosts: [GTM.example.net]}")

# fmt: off
HEADERS: list[tuple[dict[str, str], int]] = [
    ({},                                              200),
    ({"Host": "localhost"},                           200),
    ({"Host": "LOCALHOST:8053"},                      200),
    ({"Host": "192.0.2.1"},                           200),
    ({"Host": "192.0.2.1:8053"},                      200),
    ({"Host": "[2001:db8::1]"},                       200),
    ({"Host": "[2001:db8::1]:8053"},                  200),
    ({"Host": "gtm.example.net"},                     200),
    ({"Host": "Gtm.Example.net:443"},                 200),
    ({"Host": "evil.example"},                        403),
    ({"Host": "evil.example:8053"},                   403),
    ({"Host": "localhost.evil.example"},              403),
    ({"Host": "gtm.example.net.evil.example"},        403),
    ({"Host": "192.0.2.1.evil.example"},              403),
    ({"Host": "127.1"},                               403),
    ({"Host": "::1"},                                 403),
    ({"Host": ""},                                    403),
    ({"Host": "localhost", "Origin": "http://localhost"},              200),
    ({"Host": "localhost:8053", "Origin": "http://localhost:8053"},    200),
    ({"Host": "gtm.example.net", "Origin": "https://gtm.example.net"}, 200),
    ({"Host": "localhost:8053", "Origin": "http://localhost:9999"},    403),
    ({"Host": "localhost", "Origin": "http://evil.example"},           403),
    ({"Host": "localhost", "Origin": "null"},                          403),
    ({"Host": "localhost", "Origin": ""},                              403),
    ({"Host": "localhost", "Origin": "http://[broken"},                403),
    ({"Sec-Fetch-Site": "none"},                      200),
    ({"Sec-Fetch-Site": "same-origin"},               200),
    ({"Sec-Fetch-Site": "same-site"},                 403),
    ({"Sec-Fetch-Site": "cross-site"},                403),
    ({"Sec-Fetch-Site": "nonsense"},                  403),
]
# fmt: on


def test_foreign_pages_are_refused_everywhere(tmp_path: Path) -> None:
    """DNS rebinding by Host, forged requests by Origin and Sec-Fetch-Site: reads, too."""

    async def test(client: Client) -> None:
        for headers, expected in HEADERS:
            named = {name.replace("-", "_"): value for name, value in headers.items()}
            answer = await client.ask("/api/v1/status", **named)
            assert answer[0] == expected, headers
            if expected == 403:
                check_problem(answer, 403)
                for path, method in (
                    ("/metrics", "GET"),
                    ("/livez", "GET"),
                    ("/api/v1/reload", "POST"),
                    ("/x", "GET"),
                ):
                    check_problem(await client.ask(path, method, **named), 403)
        assert client.control.generation == 1

    run(tmp_path, test, HOSTS)


async def raw(client: Client, request: bytes) -> bytes:
    host, port = client.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


def test_a_request_without_host_is_refused_without_asking_a_resolver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp would look up the name of this machine, and block the loop meanwhile."""

    def never(*_: Any) -> str:
        raise AssertionError("a resolver was asked")

    monkeypatch.setattr("socket.getfqdn", never)

    async def test(client: Client) -> None:
        answer = await raw(client, b"GET /livez HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.0 403 ")

    run(tmp_path, test)


@pytest.mark.parametrize(
    "request_octets",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/v1/status HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        b"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
    ],
)
def test_nonsense_is_answered_with_an_error_and_harms_nobody(
    tmp_path: Path, request_octets: bytes
) -> None:
    async def test(client: Client) -> None:
        status = (await raw(client, request_octets)).split(b" ")[1]
        assert status in (b"400", b"403")
        assert await client.get("/livez") == "alive\n"
        assert client.control.generation == 1

    run(tmp_path, test)


TOKEN = QUICK.replace("admin: {listen: null}", "admin: {listen: null, token_file: secret/token}")

# fmt: off
RIGHTS: list[tuple[str | None, int]] = [
    (None,                     401),
    ("Bearer wrong",           401),
    ("Bearer s3cret-and-more", 401),
    ("Bearer ",                401),
    ("Basic s3cret",           401),
    ("s3cret",                 401),
    ("Bearer s3cret",          200),
    ("bearer  s3cret",         200),
]
# fmt: on


@pytest.mark.parametrize("loopback", [True, False])
def test_changes_need_the_token(tmp_path: Path, loopback: bool) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "token").write_text("s3cret\n")

    async def test(client: Client) -> None:
        for value, expected in RIGHTS:
            headers = {} if value is None else {"Authorization": value}
            answer = await client.ask("/api/v1/reload", "POST", **headers)
            assert answer[0] == expected, value
            if expected == 401:
                check_problem(answer, 401, "Authorization: Bearer TOKEN")
                assert answer[2]["WWW-Authenticate"] == "Bearer"
        assert client.control.generation == 3
        await client.get("/api/v1/status")  # reading needs none

    run(tmp_path, test, TOKEN, loopback=loopback)


def test_a_token_may_be_changed_while_the_server_runs_and_must_be_there(tmp_path: Path) -> None:
    folder = tmp_path / "secret"
    folder.mkdir()

    async def test(client: Client) -> None:
        async def status(token: str) -> int:
            answer = await client.ask("/api/v1/reload", "POST", Authorization=f"Bearer {token}")
            return answer[0]

        assert await status("one") == 503
        for content, token, expected in (
            (b"one", "one", 200),
            (b"two", "one", 401),
            (b"two", "two", 200),
            (b"", "", 401),
            (b"\xff\xfe", "two", 503),
            ("tö".encode(), "tö", 200),
        ):
            (folder / "token").write_bytes(content)
            assert await status(token) == expected, content

    run(tmp_path, test, TOKEN)


def test_octets_that_are_no_text_are_no_token(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "token").write_text("s3cret")

    async def test(client: Client) -> None:
        request = b"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        answer = await raw(client, request + b"Authorization: Bearer \xff\xfe\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 401 ")

    run(tmp_path, test, TOKEN)


def test_without_a_token_only_loopback_may_change(tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        check_problem(await client.ask("/api/v1/reload", "POST"), 403, "read-only")
        for method in ("PUT", "DELETE", "PATCH"):
            check_problem(await client.ask("/api/v1/overrides/home", method), 403, "read-only")
        await client.get("/api/v1/status")
        assert client.control.generation == 1

    run(tmp_path, test, loopback=False)


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
