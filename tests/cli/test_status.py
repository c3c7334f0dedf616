"""`gtmdns status`: one look at a running server."""

import json
from typing import Any

from tests.cli.support import answering, run

CHECK = {"check": "web", "verdict": "down", "last_result": {"success": False, "reason": "timeout"}}
WHOLE: dict[str, Any] = {
    # One answer for every path: each part is read from its own.
    "version": "0.1.0",
    "uptime": 61.2,
    "configuration": {"path": "/etc/[gtmdns].yaml", "generation": 4, "last_error": None},
    "workers": [
        {"number": 0, "pid": 77, "generation": 4, "tcp_connections": 2, "path": "compiled"},
        {"number": 1, "pid": 78, "generation": 4, "tcp_connections": 0, "path": "pure"},
    ],
    "isolated": False,
    "isolated_because": None,
    "failback": [{"name": "www.example.test", "pool": "home", "seconds": None}],
    "pools": [
        {
            "name": "home",
            "override": None,
            "families": {"ipv4": {"available": False, "usable": 1, "total": 2, "needed": 2}},
            "endpoints": [
                {
                    "address": "192.0.2.1", "verdict": "down", "usable": False, "ramp": 1.0,
                    "since": "2026-11-22T00:00:01.000+00:00", "checks": [CHECK], "override": None,
                },
                {
                    "address": "192.0.2.2", "verdict": "up", "usable": True, "ramp": 0.3,
                    "since": None, "checks": [], "override": None,
                },
            ],
        }
    ],
    "overrides": [
        {
            "target": "away", "state": "up", "expires": None, "owner": "me", "reason": "[why]",
            "note": "not in the configuration",
        }
    ],
}  # fmt: skip


def lines(text: str) -> str:
    return " ".join(text.split())


def test_people_see_all_of_it() -> None:
    with answering(200, WHOLE) as server:
        result = run("status", "--admin", server.url, COLUMNS="200")

    assert result.exit_code == 0
    assert [path for _, path, _ in server.requests] == [
        "/api/v1/status", "/api/v1/pools", "/api/v1/overrides",
    ]  # fmt: skip
    told = lines(result.stdout)
    for words in (
        "gtmdns 0.1.0, up 61 s, generation 4 of /etc/[gtmdns].yaml",
        "worker 0: process 77, generation 4, 2 TCP connections, answering by the compiled path",
        "worker 1: process 78, generation 4, 0 TCP connections, answering by the pure path",
        "home ipv4 1/2 2 needed",
        "192.0.2.1 down no 11-22 00:00:01 timeout",
        "192.0.2.2 up yes (30% of its weight)",
        "away (not in the configuration) up it is ended me [why]",
        "failback: www.example.test does not return to home until it is let",
    ):
        assert words in told


def test_moments_and_mistakes_stay_whole_on_a_narrow_terminal() -> None:
    text = "/etc/gtmdns/gtmdns.yaml:13:36: pools.home.healthcheck: unknown key; " * 2
    error = {"at": "2026-11-22T00:00:01.000+00:00", "mistakes": [{"text": text}]}
    bad = {**WHOLE, "configuration": {**WHOLE["configuration"], "last_error": error}}
    with answering(200, bad) as server:
        result = run("status", "--admin", server.url, COLUMNS="60")

    assert f"  {text}".rstrip() in [line.rstrip() for line in result.stdout.splitlines()]
    assert "the last reload, at 2026-11-22T00:00:01Z, was refused:" in result.stdout
    assert "11-22 00:00:01" in result.stdout


def test_programs_get_json() -> None:
    with answering(200, WHOLE) as server:
        result = run("status", "--admin", server.url, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == WHOLE


def test_a_refused_reload_and_a_frozen_monitor_are_told() -> None:
    error = {"at": "2026-11-22T00:00:01Z", "mistakes": [{"text": "a.yaml:1:2: zones: wrong"}]}
    bad = {
        **WHOLE,
        "configuration": {**WHOLE["configuration"], "last_error": error},
        "isolated": True,
        "isolated_because": "no canary answers",
    }
    with answering(200, bad) as server:
        result = run("status", "--admin", server.url, COLUMNS="200")

    assert result.exit_code == 1
    assert "was refused: a.yaml:1:2: zones: wrong" in lines(result.stdout)
    assert "verdicts are frozen: no canary answers" in result.stdout


def test_before_there_is_a_configuration() -> None:
    empty = {**WHOLE, "configuration": {**WHOLE["configuration"], "generation": 0}}
    with answering(200, empty) as server:
        result = run("status", "--admin", server.url)

    assert result.exit_code == 1
    assert [path for _, path, _ in server.requests] == ["/api/v1/status"]


def test_an_error_and_nobody_there() -> None:
    with answering(403, {"detail": "refused"}, "application/problem+json") as server:
        result = run("status", "--admin", server.url)
    assert (result.exit_code, result.stderr) == (1, "refused\n")
    assert run("status", "--admin", "http://127.0.0.1:1").exit_code == 3
