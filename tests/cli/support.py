"""What the tests of commands share: running one in this process, and a server that answers it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from click.testing import CliRunner, Result

from gtmdns.cli.main import main

CONFIG = """
geoip: {databases: []}
server: {listen: ["127.0.0.1:5399"], workers: 2}
regions:
  east: {networks: [203.0.113.0/24]}
health_checks:
  web: {type: http}
pools:
  home: {endpoints: [192.0.2.1, 192.0.2.2], health_check: web, max_answers: 1}
  away: {endpoints: [192.0.2.9, "2001:db8::9"]}
  names: {endpoints: [n1.example.net, n2.example.net]}
zones:
  example.test:
    nameservers: {ns1: [192.0.2.53]}
    contact: hostmaster@example.test
    records:
      www: {route: {east: [home, away], default: away}, ttl: 17}
      fail: {pools: home, when_all_down: servfail}
      alias: {pools: names}
      text: {TXT: "[bold]brackets[/] and [/]"}
      sub: {NS: ns.other.test.}
"""


def run(*words: str, **environment: str) -> Result:
    """Run `gtmdns WORDS`. A traceback fails the test."""
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


class Asked:
    """The requests that a small server got: (method, path, Authorization header).

    bodies: what came with them, decoded JSON
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[Any] = []
        self.requests: list[tuple[str, str, str | None]] = []


@contextmanager
def answering(status: int, body: Any, kind: str = "application/json") -> Iterator[Asked]:
    """Serve one answer to every request. `body`: JSON data, or octets as they are."""
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            asked.requests.append((self.command, self.path, self.headers["Authorization"]))
            length = int(self.headers["Content-Length"] or 0)
            if length:
                asked.bodies.append(json.loads(self.rfile.read(length)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    asked = Asked(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
