"""The control process: its log, for people or one JSON object each, and its runtime folder."""

import asyncio
import json
import logging
import re
import sys
from pathlib import Path

import pytest

from gtmdns.control.__main__ import JsonLines, TextLines, is_ours, own_folder
from tests.control.asking import Client, run


def record(level: int, text: str, *arguments: object, error: bool = False) -> logging.LogRecord:
    trouble = None
    if error:
        try:
            raise ValueError("the cause")
        except ValueError:
            trouble = sys.exc_info()
    return logging.LogRecord("gtmdns.control", level, __file__, 1, text, arguments, trouble)


def test_text() -> None:
    line = TextLines().format(record(logging.WARNING, "pool %s", "home"))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ warning control: pool home", line)


def test_a_traceback_follows_on_its_own_lines() -> None:
    first, *rest = TextLines().format(record(logging.ERROR, "failed", error=True)).splitlines()

    assert first.endswith("error control: failed")
    assert rest[-1] == "ValueError: the cause"


@pytest.mark.parametrize("error", [False, True])
def test_json_is_one_line_whatever_it_says(error: bool) -> None:
    line = JsonLines().format(record(logging.ERROR, 'two\nlines "%s"', "ü", error=error))

    assert "\n" not in line
    entry = json.loads(line)
    assert set(entry) == {"time", "level", "process", "message"}
    assert (entry["level"], entry["process"]) == ("error", "control")
    assert entry["message"].startswith('two\nlines "ü"')
    assert ("ValueError: the cause" in entry["message"]) == error


def test_a_runtime_folder_that_was_cleaned_away_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "gtmdns-1"

    own_folder(folder)
    (folder / "channel").touch()
    own_folder(folder)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "channel").exists()


@pytest.mark.parametrize("kind", ["open to others", "a link", "a file"])
def test_a_runtime_folder_that_others_may_write_is_refused(tmp_path: Path, kind: str) -> None:
    """What lies in it is unpickled: whoever could write there would run what he likes."""
    folder = tmp_path / "gtmdns-1"
    if kind == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    elif kind == "a link":
        (tmp_path / "other").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "other")
    else:
        folder.touch(mode=0o600)

    with pytest.raises(PermissionError, match="not a folder of this user alone"):
        own_folder(folder)


# fmt: off
NO_HTTP = [
    ("another protocol",        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"),
    ("no length",               b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"),
    ("a header without a name", b"GET / HTTP/1.1\r\n: x\r\n\r\n"),
    ("a long line",             b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n"),
]
# fmt: on


def test_what_is_no_http_gets_its_answer_and_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reaches the listener could fill the disk with tracebacks."""

    async def test(client: Client) -> None:
        port = int(client.url.rpartition(":")[2])
        for name, octets in NO_HTTP:
            for before in (b"", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(before + octets + b"\r\n\r\n")
                answer = await asyncio.wait_for(reader.read(), 10)
                assert b"HTTP/1.1 400" in answer or b"HTTP/1.0 400" in answer, name
                writer.close()
                await writer.wait_closed()

    server = logging.getLogger("aiohttp.server")
    server.addFilter(is_ours)
    try:
        run(tmp_path, test)
    finally:
        server.removeFilter(is_ours)
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


def test_faults_of_our_own_are_told() -> None:
    assert is_ours(record(logging.ERROR, "failed", error=True))
    assert is_ours(record(logging.ERROR, "failed"))
