"""What the tests of the serving side share: packets, a small snapshot, a server to run."""

import asyncio
import json
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gtmdns.answers.answer import STATIC, Fixed, leaf
from gtmdns.answers.snapshot import Settings, SnapshotBuilder
from gtmdns.serve.frames import encode
from gtmdns.serve.served import Served
from gtmdns.wire.name import from_text
from tests.conformance.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
APEX = from_text("example.test.")
WWW, BIG = "www.example.test.", "big.example.test."
A, TXT = 1, 16


def query(name: str = WWW, qtype: int = A, number: int = 1) -> bytes:
    """Return a query without EDNS. `number`: its id."""
    return (
        struct.pack("!HHHHHH", number, 0, 1, 0, 0, 0)
        + from_text(name)
        + struct.pack("!HH", qtype, 1)
    )


def framed(packet: bytes) -> bytes:
    """Return a message as TCP carries it."""
    return len(packet).to_bytes(2, "big") + packet


def unframed(octets: bytes) -> list[bytes]:
    """Return the messages in a TCP stream that ends with a whole one."""
    messages = []
    while octets:
        end = 2 + int.from_bytes(octets[:2], "big")
        assert len(octets) >= end, "the stream ends within a message"
        messages.append(octets[2:end])
        octets = octets[end:]
    return messages


def address_in(response: bytes) -> str:
    """Return the IPv4 address that a response with one A record ends in."""
    assert response[3] & 0x0F == 0, f"rcode {response[3] & 0x0F}"
    assert response[6:8] == b"\x00\x01"
    return socket.inet_ntoa(response[-4:])


def record(qtype: int, data: bytes) -> bytes:
    return b"\xc0\x0c" + struct.pack("!HHIH", qtype, 1, 60, len(data)) + data


def encoded_answer(address: str) -> tuple[Any, ...]:
    return Fixed(leaf(record(A, socket.inet_aton(address)), STATIC, 1)).encoded()


def pieces(address: str) -> list[tuple[Any, ...]]:
    """Return a snapshot: `address` at WWW as answer 0, a TXT of about 700 octets at BIG."""
    text = b"".join(b"\xe8" + bytes(232) for _ in range(3))
    big = Fixed(leaf(record(TXT, text), STATIC, 1)).encoded()
    soa = struct.pack("!HHIH", 6, 1, 30, 22) + b"\x00\x00" + struct.pack("!IIIII", 1, 2, 3, 4, 5)
    return [
        ("answers", (encoded_answer(address), big)),
        ("zone", APEX, 0, soa),
        (
            "nodes",
            0,
            (
                (APEX, 0, (), None, None),
                (from_text(WWW), 0, ((A, 0),), None, None),
                (from_text(BIG), 0, ((TXT, 1),), None, None),
            ),
        ),
    ]


def snapshot_frames(generation: int, address: str, settings: dict[str, Any] | None = None) -> bytes:
    """Return the frames that publish `pieces`."""
    frames: list[tuple[Any, ...]] = [("begin", generation, settings or {})]
    frames += [("piece", *piece) for piece in pieces(address)]
    frames.append(("commit", generation))
    return b"".join(map(encode, frames))


async def until(
    condition: Callable[[], Any], what: str = "the condition", seconds: float = 5.0
) -> Any:
    """As `eventually`, inside a loop."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"after {seconds:g} s still not: {what}"
        await asyncio.sleep(0.001)
    return value


def ask(port: int, packet: bytes | None = None, timeout: float = 5.0) -> bytes:
    """Ask over UDP from a new socket and return the response."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.sendto(packet or query(), ("127.0.0.1", port))
        return sock.recv(4096)


def running(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


class Server:
    """A parent with its workers and the fake control, as processes of their own."""

    def __init__(self, folder: Path, workers: int = 2, **settings: Any) -> None:
        self.journal = folder / "journal"
        self.journal.touch()
        self.lines: list[str] = []
        python = settings.pop("python", sys.executable)
        control = [python, str(Path(__file__).with_name("fake_control.py")), str(self.journal)]
        control += settings.pop("control_options", [])
        worker = [python, "-m", "gtmdns.serve.worker"]
        prelude = settings.pop("prelude", "")
        settings = {"listen": ("127.0.0.1:0",), "workers": workers, **settings}
        program = (
            f"import sys; from gtmdns.serve.parent import ParentSettings, run_parent; {prelude}\n"
            f"sys.exit(run_parent(ParentSettings(**{settings!r}), {control!r}, {worker!r}))"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def wait_until_serving(self) -> None:
        eventually(lambda: self.serving_line or self.process.poll() is not None, "serving")
        assert self.serving_line, self.lines

    @property
    def serving_line(self) -> str | None:
        return next((line for line in self.lines if "serving on" in line), None)

    @property
    def port(self) -> int:
        match = re.search(r"127\.0\.0\.1:(\d+)", self.serving_line or "")
        assert match, self.lines
        return int(match[1])

    def journaled(self, kind: str) -> list[list[Any]]:
        """Return what the fake control noted of one kind, in order."""
        entries = []
        for line in self.journal.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                entry = json.loads(line)
                if entry[0] == kind:
                    entries.append(entry)
        return entries

    def worker_pids(self) -> dict[int, int]:
        """Return the newest process of each worker, as it said hello to control."""
        return {entry[1]: entry[2] for entry in self.journaled("hello")}

    def control_pid(self) -> int:
        return int(self.journaled("start")[-1][1])

    def pids(self) -> list[int]:
        """Return every process that was started and still runs."""
        seen = {entry[2] for entry in self.journaled("hello")}
        seen |= {entry[1] for entry in self.journaled("start")} | {self.process.pid}
        return [pid for pid in seen if running(pid)]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextmanager
def server(folder: Path, workers: int = 2, **settings: Any) -> Iterator[Server]:
    """Run a server until the block ends; every process is gone then."""
    running_server = Server(folder, workers, **settings)
    try:
        running_server.wait_until_serving()
        yield running_server
    finally:
        running_server.close()
        eventually(lambda: not running_server.pids(), "every process has ended")


class Load:
    """A steady stream of queries, each from a socket of its own, so over all workers."""

    def __init__(self, port: int, rate: int = 1000) -> None:
        self.sent = 0
        self.answers: dict[int, str] = {}  # number of the query -> address
        self._port = port
        self._pause = 1 / rate
        self._sockets = [self._socket() for _ in range(64)]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._send, self._receive)]

    def _socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", self._port))
        sock.setblocking(False)
        return sock

    def _send(self) -> None:
        start = time.monotonic()
        while not self._stop.is_set() and self.sent < 65_000:
            self.sent += 1
            with suppress(ConnectionError):  # nobody listens any more
                self._sockets[self.sent % 64].send(query(number=self.sent))
            ahead = start + self.sent * self._pause - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)

    def _receive(self) -> None:
        with selectors.DefaultSelector() as selector:
            for sock in self._sockets:
                selector.register(sock, selectors.EVENT_READ)
            quiet_since = time.monotonic()
            while not self._stop.is_set() or time.monotonic() < quiet_since + 1:
                for key, _ in selector.select(0.05):
                    try:
                        packet = key.fileobj.recv(4096)  # type: ignore[union-attr]
                    except ConnectionError:
                        continue
                    self.answers[int.from_bytes(packet[:2], "big")] = address_in(packet)
                    quiet_since = time.monotonic()

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Send no more; the block waits for answers that are still on their way."""
        self._stop.set()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for sock in self._sockets:
            sock.close()

    @property
    def lost(self) -> list[int]:
        """The numbers of the queries that were not answered; for use after the block."""
        return [number for number in range(1, self.sent + 1) if number not in self.answers]


class LoopThread:
    """An event loop in a thread, for tests whose other side is plain blocking sockets."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function, or await what it returns, inside the loop."""

        async def run() -> Any:
            value = function()
            return await value if asyncio.iscoroutine(value) else value

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(20)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(20)
        self.loop.close()


def served_pieces(address: str = "192.0.2.1") -> Served:
    """Return what a worker serves after it got `pieces`."""
    builder = SnapshotBuilder(1, Settings())
    for piece in pieces(address):
        builder.add(piece)
    return Served(builder.finish())
