"""`gtmdns explain`: as text and as JSON, from a file and from a server, with what is down."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import CONFIG, answering, run

EAST = "203.0.113.7"


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "gtmdns.yaml"
    path.write_text(CONFIG)
    return str(path)


def told(*words: str) -> dict[str, Any]:
    result = run("explain", *words, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_text(config: str) -> None:
    result = run("explain", config, "www.example.test", "A", "--from", EAST, "--down", "192.0.2.1")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"www.example.test A for {EAST}",
        "NOERROR, TTL 17, scope /24, because of: region",
        "  of answers  record",
        "        100%  192.0.2.2",
        "why",
        f"├── client {EAST}: the address that asks; nothing is known of it",
        "│   └── in east: network 203.0.113.0/24",
        "├── health: not known from a file: all counts as up",
        "├── assumed down: 192.0.2.1",
        "├── name: the record www, in the zone example.test",
        "├── rules: tried from the top",
        "│   ├── matched east: network 203.0.113.0/24",
        "│   └── not tried: default",
        "├── target: a chain, the first that is available answers",
        "│   ├── answers: home, 1 of 2 endpoints usable",
        "│   │   ├── 192.0.2.1: down, assumed down",
        "│   │   └── 192.0.2.2: 100%",
        "│   └── not needed: away, 1 of 1 endpoints usable",
        "├── TTL 17: as configured",
        "└── scope /24: every address in 203.0.113.0/24 gets the rule east",
    ]


def test_80_columns_hold_every_line(config: str) -> None:
    """Also where a sentence is longer: it goes on under its own branch."""
    name = f"{'long-label-of-a-name.' * 5}example.test"

    lines = run("explain", config, name, "--from", EAST, COLUMNS="80").stdout.splitlines()

    assert max(map(len, lines)) <= 80
    assert any(line.startswith("│   ") and "wildcard" in line for line in lines)


# fmt: off
TEXTS = [
    # name and type, client, words that the text must have
    (("www.example.test",), "198.51.100.1", "matched default: what no other rule holds"),
    (("www.example.test", "TXT"), EAST, "NODATA, TTL 30"),
    (("no.example.test",), EAST, "NXDOMAIN, TTL 30, because of: static"),
    (("ns1.example.test",), EAST, "scope /0: the answer does not depend on the client"),
    (("x.sub.example.test",), EAST, "a referral to ns.other.test., TTL 60"),
    (("text.example.test", "TXT"), EAST, '"[bold]brackets[/] and [/]"'),
    (("[/].example.test",), EAST, "[/].example.test A for"),
    (("alias.example.test", "MX"), EAST, "n1.example.net."),
]
# fmt: on


@pytest.mark.parametrize(("question", "client", "words"), TEXTS)
def test_what_the_text_says(
    config: str, question: tuple[str, ...], client: str, words: str
) -> None:
    result = run("explain", config, *question, "--from", client)

    assert result.exit_code == 0
    assert words in result.stdout


def test_json_is_all_of_it(config: str) -> None:
    answer = told(config, "www.example.test", "--from", "198.51.100.1")

    assert answer["region"] == "default"
    assert answer["answers"] == [
        {
            "name": "www.example.test",
            "type": "A",
            "ttl": 17,
            "data": "192.0.2.9",
            "probability": 1.0,
            "exact": "1",
        }
    ]
    assert set(answer) >= {"region", "pools", "answers", "ttl", "scope", "reason"}


# fmt: off
DOWN = [
    # what is assumed -> answers, reason
    (("192.0.2.1",),                       {"192.0.2.2"}, "region"),
    (("home",),                            {"192.0.2.9"}, "failover"),
    (("192.0.2.1", "192.0.2.2"),           {"192.0.2.9"}, "failover"),
    (("home", "away"),                     {"192.0.2.1", "192.0.2.2"}, "all_down"),
    (("home", "192.0.2.9"),                {"192.0.2.1", "192.0.2.2"}, "all_down"),
    (("home/192.0.2.2",),                  {"192.0.2.1"}, "region"),
    (("2001:DB8:0::9",),                   {"192.0.2.1", "192.0.2.2"}, "region"),
    (("N1.example.net.",),                 {"192.0.2.1", "192.0.2.2"}, "region"),
]
# fmt: on


@pytest.mark.parametrize(("down", "answers", "reason"), DOWN)
def test_down(config: str, down: tuple[str, ...], answers: set[str], reason: str) -> None:
    options = [word for what in down for word in ("--down", what)]

    answer = told(config, "www.example.test", "--from", EAST, *options)

    assert {one["data"] for one in answer["answers"]} == answers
    assert answer["reason"] == reason


# fmt: off
ENDS = [
    # words after the configuration -> exit status, words of the error
    (("www.example.test", "--from", EAST, "--down", "nobody"),  2, "'nobody' is no pool and no address"),
    (("www.example.test", "--from", "nowhere"),                 2, "is no address"),
    (("www.example.test", "NONSENSE", "--from", EAST),          2, "is no record type"),
    (("a..b", "--from", EAST),                                  2, "empty label"),
    (("www.example.test",),                                     2, "Missing option '--from'"),
    (("www.example.test", "--subnet", "203.0.113.7/24"),        2, "is no subnet"),
    (("www.example.test", "--from", EAST, "--up", "away/192.0.2.1"), 2, "to be assumed up"),
    (("www.example.test", "A", "more", "--from", EAST),         2, "expected CONFIG NAME [TYPE]"),
    (("www.example.net", "--from", EAST),                       1, ""),  # REFUSED
    (("fail.example.test", "--from", EAST, "--down", "home"),   1, ""),  # SERVFAIL
    (("no.example.test", "--from", EAST),                       0, ""),
]
# fmt: on


@pytest.mark.parametrize(("words", "status", "said"), ENDS)
def test_exit_status(config: str, words: tuple[str, ...], status: int, said: str) -> None:
    result = run("explain", config, *words)

    assert result.exit_code == status
    assert said in result.stderr


def test_a_bad_configuration_is_told_as_by_check(tmp_path: Path) -> None:
    path = tmp_path / "gtmdns.yaml"
    path.write_text(CONFIG.replace("NS: ns.other.test.", "A: x"))

    result = run("explain", str(path), "www.example.test", "--from", EAST)

    assert result.exit_code == 1
    assert "records.sub.A" in result.stderr


def test_a_running_server_is_asked(config: str) -> None:
    answer = told(config, "www.example.test", "--from", EAST)
    with answering(200, answer) as server:
        result = run("explain", "www.example.test", "AAAA", "--from", EAST, "--admin", server.url)

    assert result.exit_code == 0
    assert server.requests == [
        ("GET", f"/api/v1/explain?name=www.example.test&type=AAAA&client={EAST}", None)
    ]
    assert "because of: region" in result.stdout


@pytest.mark.parametrize(("status", "code"), [(400, 2), (403, 1), (503, 1), (500, 1)])
def test_a_server_that_says_no(status: int, code: int) -> None:
    problem = {"title": "No", "status": status, "detail": "because of this"}
    with answering(status, problem, "application/problem+json") as server:
        result = run("explain", "www.example.test", "--from", EAST, "--admin", server.url)

    assert result.exit_code == code
    assert "because of this" in result.stderr


def test_a_running_server_is_told_what_to_assume(config: str) -> None:
    answer = told(config, "www.example.test", "--from", EAST)
    with answering(200, answer) as server:
        run(
            "explain", "www.example.test", "--subnet", "203.0.113.0/24", "--admin", server.url,
            "--down", "home/192.0.2.1", "--down", "away", "--up", "2001:db8::9",
        )  # fmt: skip

    [(_, path, _)] = server.requests
    assert path.endswith(
        "type=A&subnet=203.0.113.0%2F24&down=home%2F192.0.2.1&down=away&up=2001%3Adb8%3A%3A9"
    )


def test_where_nobody_says_how_wide_no_line_is_wrapped(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a sentence is lost to grep."""
    monkeypatch.delenv("COLUMNS", raising=False)
    name = f"{'long-label-of-a-name.' * 5}example.test"

    lines = run("explain", config, name, "--from", EAST).stdout.splitlines()

    assert max(map(len, lines)) > 80
