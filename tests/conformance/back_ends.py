"""Back ends in a process of their own, well or badly behaved, that can be killed and frozen.

    python -m tests.conformance.back_ends JOURNAL HOST:PORT:MANNER ...

MANNER is a key of MANNERS, or tls=FILE: "ok" over TLS with this key and certificate. On 0.0.0.0 one back end answers on all addresses of 127.0.0.0/8. The journal gets a line for
each connection: time, the address that was asked, "open"; and when it ends: time, address,
"closed", octets sent.
"""

import argparse
import asyncio
import signal
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from tests.conformance.server import PYTHON, ROOT

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HUGE = 10_000_000  # octets of body

Manner = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[int]]


@dataclass(frozen=True)
class Connection:
    """One line of the journal. Time is seconds since the epoch."""

    at: float
    address: str
    event: str
    octets: int


class BackEnds:
    """The process. `with BackEnds(folder, ["127.0.2.1:8000:ok"]) as back_ends: ...`"""

    def __init__(self, folder: Path, listeners: Sequence[str]) -> None:
        self._journal = folder / f"journal-{listeners[0].replace(':', '-')}"
        self._listeners = listeners
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()

    def start(self) -> float:
        """Start, and return the moment after which it answers, in seconds since the epoch."""
        assert self._process is None
        command = [PYTHON, "-m", "tests.conformance.back_ends", str(self._journal)]
        self._process = subprocess.Popen(
            [*command, *self._listeners], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, "the back end did not start"
        return float(said)

    def kill(self) -> float:
        """SIGKILL; return the moment before it, in seconds since the epoch."""
        assert self._process is not None
        moment = time.time()
        self._process.kill()
        self._process.communicate()
        self._process = None
        return moment

    def freeze(self) -> float:
        """SIGSTOP: the kernel goes on accepting connections, nobody answers."""
        assert self._process is not None
        moment = time.time()
        self._process.send_signal(signal.SIGSTOP)
        return moment

    def thaw(self) -> float:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        return time.time()

    def connections(self, event: str = "open") -> list[Connection]:
        """Return what the journal says so far, in order."""
        found = []
        for line in self._journal.read_text().splitlines(keepends=True):
            at, address, what, octets = line.split()
            if line.endswith("\n") and what == event:
                found.append(Connection(float(at), address, what, int(octets)))
        return found


# The child's side


async def ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await writer.drain()
    return len(OK)


async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """To itself, for ever."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(REDIRECT)
    await writer.drain()
    return len(REDIRECT)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Read the request and never answer."""
    while await reader.read(4096):
        pass
    return 0


async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """One octet of the head each second."""
    await reader.readuntil(b"\r\n\r\n")
    for place in range(len(OK)):
        writer.write(OK[place : place + 1])
        await writer.drain()
        await asyncio.sleep(1)
    return len(OK)


async def huge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """A body of HUGE octets, as fast as it is taken; return how much was."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % HUGE)
    sent, piece = 0, bytes(10_000)
    try:
        while sent < HUGE:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
    except ConnectionError:
        return sent
    return sent


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Read the request, then RST."""
    await reader.readuntil(b"\r\n\r\n")
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return 0


MANNERS: dict[str, Manner] = {
    "ok": ok, "redirect": redirect, "silent": silent, "dribble": dribble, "huge": huge, "reset": reset,
}  # fmt: skip


async def converse(
    manner: Manner, journal: TextIO, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    address = writer.get_extra_info("sockname")[0]
    journal.write(f"{time.time():.6f} {address} open 0\n")
    octets = 0
    try:
        octets = await manner(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        octets = 0  # a probe that left early
    finally:
        writer.transport.abort() if manner is huge else writer.close()
        journal.write(f"{time.time():.6f} {address} closed {octets}\n")


async def serve(listeners: Sequence[str], journal: TextIO) -> None:
    servers = []
    for each in listeners:
        host, port, manner = each.split(":")
        kind, _, certificate = manner.partition("=")
        context = None
        if kind == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        handler = partial(converse, ok if context else MANNERS[kind], journal)
        servers.append(
            await asyncio.start_server(handler, host, int(port), ssl=context, backlog=1024)
        )
    print(time.time(), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("journal")
    parser.add_argument("listeners", nargs="+")
    arguments = parser.parse_args()
    with open(arguments.journal, "a", buffering=1) as journal:
        asyncio.run(serve(arguments.listeners, journal))


if __name__ == "__main__":
    main()
