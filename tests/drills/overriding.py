"""An override through deaths: it holds while control is away, after it, and after a restart."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.conformance.server import Server, run, serving
from tests.conformance.waiting import eventually

HOME, AWAY = "192.0.2.1", "192.0.2.9"
NAME = "www.gtm.test"
CONFIG = """
geoip: {{databases: []}}
server: {{state_dir: {folder}, startup_wait: 100ms}}
pools:
  home: {{endpoints: [192.0.2.1]}}
  away: {{endpoints: [192.0.2.9]}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: [home, away]}}
"""


def override(server: Server, *words: str) -> None:
    done = run("override", *words, "--admin", f"http://127.0.0.1:{server.admin_port}")
    assert done.returncode == 0, done.stderr


def listed(server: Server) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = server.api("overrides")["overrides"]
    return rows


def overrides(folder: Path) -> str:
    """Put by the command, kept over SIGKILL of control and a restart of the server, then ended."""
    state = folder / "state"
    state.mkdir()
    text = CONFIG.format(folder=state)
    with serving(folder, text) as server:
        assert server.addresses(NAME) == [HOME]
        override(server, "home", "down", "--for", "1h", "--reason", "a drill")
        eventually(lambda: server.addresses(NAME) == [AWAY], "the override is in the answers")
        (before,) = listed(server)
        control = server.process("control").pid
        os.kill(control, signal.SIGKILL)
        assert server.addresses(NAME) == [AWAY], "while control is away"
        eventually(lambda: _is_back(server, control), "another control")
        assert listed(server) == [before]
    kept = json.loads((state / "state.json").read_text())["overrides"]
    assert [row["reason"] for row in kept] == ["a drill"]
    server = Server(folder, text)
    try:
        server.start()
        eventually(lambda: server.is_ready() and server.all_serve(2), "the second generation")
        assert server.addresses(NAME) == [AWAY], "from the first answer on"
        assert listed(server) == [before]
        override(server, "home", "--clear")
        eventually(lambda: server.addresses(NAME) == [HOME], "home answers again")
        server.stop()
    finally:
        server.discard()
    return f"{before['target']} was {before['state']} over a death of control and a restart"


def _is_back(server: Server, dead: int) -> bool:
    try:
        return server.process("control").pid != dead and server.is_ready()
    except (OSError, AssertionError, LookupError, ValueError):  # not yet
        return False
