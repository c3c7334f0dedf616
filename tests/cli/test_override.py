"""`gtmdns override`: what it asks for, what it prints, and how it ends."""

import pytest

from gtmdns.cli import http
from tests.cli.support import answering, run

SET = {
    "target": "home/192.0.2.1",
    "state": "down",
    "expires": "2026-11-22T02:00:00.000+00:00",
    "persistent": True,
}
WORDS = ("home/192.0.2.1", "down", "--for", "2h", "--reason", "a new disk")


def test_it_holds() -> None:
    with answering(200, SET) as server:
        result = run("override", *WORDS, "--owner", "me", "--force", "--admin", server.url)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "home/192.0.2.1 is down until 2026-11-22T02:00:00Z\n"
    assert server.requests == [("PUT", "/api/v1/overrides/home/192.0.2.1", None)]
    assert server.bodies == [
        {
            "state": "down",
            "expires_in": "2h",
            "reason": "a new disk",
            "owner": "me",
            "force": True,
        }
    ]


def test_never_and_what_a_restart_forgets() -> None:
    answer = {**SET, "target": "home", "state": "up", "expires": None, "persistent": False}
    with answering(200, answer) as server:
        result = run(
            "override", "home", "up", "--for", "never", "--reason", "x", "--admin", server.url
        )

    assert result.exit_code == 0
    assert result.stdout.startswith("home is up until somebody ends it (a restart of the server ")
    (body,) = server.bodies
    assert body["expires_in"] == "never"
    user, _, host = body["owner"].partition("@")
    assert user
    assert host


def test_an_ipv6_address_is_quoted() -> None:
    with answering(200, SET) as server:
        run("override", "home/2001:db8::1", *WORDS[1:], "--admin", server.url)

    assert server.requests == [("PUT", "/api/v1/overrides/home/2001%3Adb8%3A%3A1", None)]


def test_clear() -> None:
    with answering(200, SET) as server:
        result = run("override", "home/192.0.2.1", "--clear", "--admin", server.url)

    assert (result.exit_code, result.stdout) == (
        0,
        "home/192.0.2.1: the override to down was ended\n",
    )
    assert server.requests == [("DELETE", "/api/v1/overrides/home/192.0.2.1", None)]


# fmt: off
REFUSED = [
    (409, "would leave without a usable endpoint: www.a.test; \"force\": true does it all the same",
     "would leave without a usable endpoint: www.a.test; --force does it all the same\n"),
    (404, "no pool 'x'",                             "no pool 'x'\n"),
    (401, "expected the header X",
     f"expected the header X\ngive the token by --token-file FILE, or in ${http.TOKEN}\n"),
]
# fmt: on


@pytest.mark.parametrize(("status", "detail", "told"), REFUSED)
def test_refused(status: int, detail: str, told: str) -> None:
    problem = {"title": "No", "status": status, "detail": detail}
    with answering(status, problem, "application/problem+json") as server:
        result = run("override", *WORDS, "--admin", server.url)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", told)


def test_a_duration_that_is_none_is_wrong_usage() -> None:
    with answering(422, {"detail": "expires_in: expected a duration"}) as server:
        result = run("override", *WORDS, "--admin", server.url)

    assert result.exit_code == 2
    assert "--for: expected a duration" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("home",),
        ("home", "down"),
        ("home", "down", "--for", "2h"),
        ("home", "down", "--reason", "x"),
        ("home", "sideways", "--for", "2h", "--reason", "x"),
        ("home", "down", "--clear"),
        ("home", "--clear", "--for", "2h"),
    ],
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    assert run("override", *words, "--admin", "http://127.0.0.1:1").exit_code == 2


def test_nobody_there() -> None:
    assert run("override", *WORDS, "--admin", "http://127.0.0.1:1").exit_code == 3
