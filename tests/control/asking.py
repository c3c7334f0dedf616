"""A client of the HTTP API, for tests: over a real listener on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from yarl import URL

from gtmdns.control.api import application
from gtmdns.control.control import Control
from tests.control.support import QUICK, Endpoints, controlled

Answer = tuple[int, Any, dict[str, str]]


class Client:
    """Asks one API. `control`, `endpoints`: what stands behind it."""

    def __init__(self, control: Control, endpoints: Endpoints, session: ClientSession, url: str):
        self.control = control
        self.endpoints = endpoints
        self.session = session
        self.url = url

    async def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """Return (status, JSON or text, headers). A header X_Y is sent as X-Y.

        body: octets as they are, or what is sent as JSON
        """
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        octets = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, headers=sent, data=octets) as response:
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
    folder: Path, text: str = QUICK, *, loopback: bool = True, **options: Any
) -> AsyncIterator[Client]:
    async with controlled(folder, text, **options) as (control, endpoints):
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
