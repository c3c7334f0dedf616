"""The commands' side of the HTTP API: what cannot be asked is told in words, with its exit status."""

import socket
from pathlib import Path

import click
import pytest

from gtmdns.cli.http import request
from tests.cli.support import run

CONFIG = """\
pools: {one: {endpoints: [192.0.2.1]}}
zones:
  example.com:
    nameservers: {ns1: [192.0.2.53]}
    contact: hostmaster@example.com
    records: {www: {pools: one, when_all_down: servfail}}
"""


@pytest.mark.parametrize(
    "admin",
    [
        "ftp://127.0.0.1",
        "http://",
        "http://[::1",
        "http://127.0.0.1:x",
        "http://127.0.0.1:99999",
        "http://a b",
    ],
)
def test_what_is_no_url_is_wrong_usage(admin: str) -> None:
    done = run("reload", "--admin", admin)

    assert done.exit_code == 2
    assert "is no URL of an HTTP API" in done.output


def test_nobody_there_is_status_3_in_plain_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        admin = f"http://127.0.0.1:{closed.getsockname()[1]}"

    done = run("reload", "--admin", admin)

    assert done.exit_code == 3
    assert (
        done.output
        == f"{admin}/api/v1/reload: the server could not be reached: Connection refused\n"
    )


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\xff\xfe", "cannot be read"),
        (b"two\nlines", "is not one line of ASCII"),
        ("schlüssel".encode(), "is not one line of ASCII"),
    ],
)
def test_a_token_that_no_header_can_carry_is_wrong_usage(
    tmp_path: Path, octets: bytes, words: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(octets)

    with pytest.raises(click.UsageError, match=words):
        request("127.0.0.1:1", "/", token_file=file)


def test_a_number_alone_is_no_server_to_measure() -> None:
    done = run("measure", "www.example.com", "--server", "5300")

    assert done.exit_code == 2
    assert "'5300' is not ADDRESS or ADDRESS:PORT" in done.output


def test_explain_of_servfail_tells_no_ttl(tmp_path: Path) -> None:
    file = tmp_path / "gtmdns.yaml"
    file.write_text(CONFIG)

    done = run("explain", str(file), "www.example.com", "--from", "192.0.2.9", "--down", "one")

    assert done.exit_code == 1
    assert "SERVFAIL, scope /0, because of: all_down" in done.output
