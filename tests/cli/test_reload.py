"""`gtmdns reload`: prints the outcome, and ends with it."""

from tests.cli.support import answering, run

GOOD = {
    "ok": True,
    "generation": 7,
    "seconds": 0.25,
    "mistakes": [],
    "warnings": ["a.yaml:1:2: hm"],
}
BAD = {
    "title": "Configuration Refused",
    "status": 422,
    "detail": "refused, still serving generation 6",
    "ok": False,
    "generation": 6,
    "mistakes": [
        {"file": "a.yaml", "line": 1, "column": 2, "text": "a.yaml:1:2: pools: wrong"},
        {"file": "a.yaml", "line": 3, "column": 4, "text": "a.yaml:3:4: zones: wrong, too"},
    ],
}


def test_taken_over() -> None:
    with answering(200, GOOD) as server:
        result = run("reload", "--admin", server.url)

    assert result.exit_code == 0
    assert result.stdout == "serving generation 7, loaded in 0.25 s\n"
    assert result.stderr == "warning: a.yaml:1:2: hm\n"
    assert server.requests == [("POST", "/api/v1/reload", None)]


def test_refused() -> None:
    with answering(422, BAD, "application/problem+json") as server:
        result = run("reload", "--admin", server.url)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "a.yaml:1:2: pools: wrong",
        "a.yaml:3:4: zones: wrong, too",
        "refused, still serving generation 6",
    ]


def test_not_allowed() -> None:
    problem = {"title": "Unauthorized", "status": 401, "detail": "expected the header X"}
    with answering(401, problem, "application/problem+json") as server:
        result = run("reload", "--admin", server.url)

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "expected the header X",
        "give the token by --token-file FILE, or in $GTMDNS_TOKEN",
    ]


def test_an_error_that_is_not_ours() -> None:
    with answering(502, b"<html>Bad Gateway</html>", "text/html") as server:
        result = run("reload", "--admin", server.url)

    assert (result.exit_code, result.stderr) == (1, "status 502 Bad Gateway\n")
