"""`gtmdns demo` from outside: what it tells without a terminal, and that it leaves nothing behind."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

COMMAND = [sys.executable, "-m", "gtmdns", "demo", "-n", "100"]


@contextmanager
def demo() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def nobody_listens(port: int) -> bool:
    """Binding without SO_REUSEPORT fails as long as any process of the server has the socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def server_port(line: str) -> int:
    found = re.search(r"gtmdns serves on 127\.0\.0\.1, port (\d+)", line)
    assert found, line
    return int(found[1])


@pytest.fixture(scope="module")
def told() -> str:
    with demo() as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return output


def numbers(told: str, row: str) -> list[int]:
    found = re.search(rf"^ *{re.escape(row)} +(\d+) +(\d+)", told, re.M)
    assert found, f"no row {row!r} in:\n{told}"
    return [int(found[1]), int(found[2])]


# The draws are the server's own, so exact numbers cannot be asked for: outside of these bounds a binomial
# of 100 draws falls less than once in ten million runs.
@pytest.mark.parametrize(
    ("weights", "least", "most"), [("1:1", 22, 78), ("1:3", 4, 50), ("1:99", 0, 12)]
)
def test_weights(told: str, weights: str, least: int, most: int) -> None:
    one, two = numbers(told, weights)

    assert one + two == 100
    assert least <= one <= most


def test_regions(told: str) -> None:
    assert numbers(told, "Hangzhou, 101.37.0.0/16") == [100, 0]
    assert numbers(told, "Beijing, 101.200.0.0/16") == [0, 100]


def test_health(told: str) -> None:
    gone = re.search(
        r"127\.0\.0\.2 is killed\. The last answer with it came ([\d.]+) s later; of the next 100, 100 are 127\.0\.0\.1",
        told,
    )
    back = re.search(r"127\.0\.0\.2 is back\. The first answer with it came ([\d.]+) s later", told)

    assert gone, told
    assert back, told
    assert float(gone[1]) <= 1.45, "fall x interval + timeout + 0.2 s"


def test_nothing_is_left(told: str) -> None:
    assert nobody_listens(server_port(told))
    assert "\x1b" not in told, "no colours where there is no terminal"


def test_interrupted() -> None:
    with demo() as process:
        assert process.stdout is not None
        port = server_port(process.stdout.readline())
        assert "By weight" in process.stdout.readline(), "told when the server runs"
        process.send_signal(signal.SIGINT)
        process.wait(20)

        assert process.returncode == 1
        assert nobody_listens(port)
