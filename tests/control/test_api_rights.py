"""What the HTTP API refuses: foreign pages, changes without the right to them, nonsense."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from gtmdns.control.api import application
from gtmdns.control.guard import CHANGES, OWN_RIGHT
from tests.control.asking import Client, check_problem, run
from tests.control.support import QUICK

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


def test_every_change_needs_the_right_to_it(tmp_path: Path) -> None:
    """Whatever routes there will be: but for pushes, whose checks have tokens of their own."""

    async def test(client: Client) -> None:
        seen = set()
        for route in application(client.control, loopback=False).router.routes():
            if route.method not in CHANGES or route.name == OWN_RIGHT:
                continue
            path = re.sub(r"\{\w+\}", "x", route.resource.canonical)  # type: ignore[union-attr]
            seen.add((route.method, path))
            check_problem(await client.ask(path, route.method), 403, "read-only")
        assert len(seen) == 6

    run(tmp_path, test, loopback=False)


def test_overrides_take_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open sesame")
    text = QUICK.replace("admin: {listen: null}", "admin: {listen: null, token_file: token}")
    said = {"state": "down", "expires_in": "1h", "reason": "why"}

    async def test(client: Client) -> None:
        path = "/api/v1/overrides/home/192.0.2.1"
        check_problem(await client.ask(path, "PUT", said), 401)
        answer = await client.ask(path, "PUT", said, Authorization="Bearer open sesame")
        assert answer[0] == 200
        check_problem(await client.ask(path, "DELETE"), 401)

    run(tmp_path, test, text)
