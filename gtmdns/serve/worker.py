"""A worker process: answers queries from the sockets that the parent opened.

    python -m gtmdns.serve.worker --number K --channel PATH --lifeline FD
                                  --udp K:FD,FD ... --tcp FD,FD

It inherits the UDP sockets of all workers, reads its own, and those of a sibling
while the parent asks for it: the kernel goes on feeding the socket of a worker that
died. It reads nothing before the first snapshot is there, so that nobody is refused
by a server that does not know its zones yet; what comes earlier waits in the sockets.
"""

import asyncio
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

from . import compiled
from .arguments import Arguments
from .channel import ChannelClient
from .lifeline import Lifeline
from .log import ChannelHandler, Rarely
from .served import Served
from .tcp import TcpLimits, TcpServer

DRAIN = 0.5  # seconds for what was received before SIGTERM; the parent waits three times as long

log = logging.getLogger(__name__)


class Worker:
    """The process: listeners, channel and lifeline around one `Served`."""

    def __init__(self, arguments: Arguments, handler: ChannelHandler) -> None:
        self._loop = asyncio.get_running_loop()
        self._number = arguments.number
        self._served = Served(new_cache=compiled.new_cache)
        self._udp = {
            number: [
                compiled.Listener(socket.socket(fileno=each), self._served) for each in descriptors
            ]
            for number, descriptors in arguments.udp.items()
        }
        self._reading = {self._number}  # whose UDP sockets are to be read
        self._ready = False
        self._stopping = asyncio.Event()
        self._complain = Rarely()
        self._tcp = TcpServer([socket.socket(fileno=each) for each in arguments.tcp], self._served)
        self._channel = ChannelClient(
            arguments.channel,
            arguments.number,
            self._served,
            handler,
            on_commit=self._on_commit,
            gauges=self._gauges,
        )
        self._lifeline = Lifeline.inherited(
            arguments.lifeline, self._on_line, on_gone=self._stopping.set
        )

    async def run(self) -> None:
        """Serve until SIGTERM, or until the parent is gone; then answer what was received."""
        self._loop.set_exception_handler(self._on_loop_error)
        self._loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        self._lifeline.beat()
        channel = asyncio.create_task(self._channel.run())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((channel, stopping), return_when=asyncio.FIRST_COMPLETED)
        if channel.done():
            log.error("the channel ended, a mistake of ours: %r", channel.exception())
        await self._drain()
        channel.cancel()
        counters = self._served.counters
        queries = sum(number for name, number in counters.items() if name.startswith("queries_"))
        self._lifeline.say(f"queries {queries}")

    def _on_commit(self, settings: Mapping[str, Any]) -> None:
        """A new snapshot serves. With the first one the listeners start."""
        self._tcp.configure(TcpLimits(**settings.get("tcp", {})))
        if self._ready:
            return
        self._ready = True
        for number in self._reading:
            self._start_reading(number)
        self._tcp.start()
        log.info("answering by the %s path", compiled.path())
        self._lifeline.say("ready")

    def _gauges(self) -> Mapping[str, int]:
        """What "stats" tells beside the counters; the tally is read right after."""
        compiled.settle_counts(self._served.cache)
        return {
            "tcp_connections": self._tcp.connections,
            "compiled": int(compiled.path() == "compiled"),
        }

    def _on_line(self, line: str) -> None:
        """The parent says whose sockets to read beside our own."""
        word, _, number = line.partition(" ")
        if word == "adopt" and int(number) not in self._reading:
            self._reading.add(int(number))
            if self._ready:
                self._start_reading(int(number))
        elif word == "release" and int(number) != self._number:
            self._reading.discard(int(number))
            for listener in self._udp.get(int(number), ()):
                self._loop.remove_reader(listener.sock)

    def _start_reading(self, number: int) -> None:
        for listener in self._udp.get(number, ()):
            self._loop.add_reader(listener.sock, listener.on_readable)

    async def _drain(self) -> None:
        """Answer what the kernel has already received, TCP and UDP, and stop reading."""
        if not self._ready:
            return
        deadline = self._loop.time() + DRAIN
        for number in self._reading:
            for listener in self._udp.get(number, ()):
                self._loop.remove_reader(listener.sock)
                while _readable(listener.sock) and self._loop.time() < deadline:
                    listener.on_readable()
        await self._tcp.drain(deadline - self._loop.time())

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback raised: that is a mistake of ours, and the others go on."""
        self._served.counters["loop_errors"] += 1
        text = f"{context.get('message')}: {context.get('exception')!r}"
        self._complain.warning(log, text, loop.time())


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


async def _main(arguments: Arguments, handler: ChannelHandler, held: list[Worker]) -> None:
    worker = Worker(arguments, handler)
    held.append(worker)
    await worker.run()


def main() -> None:
    """Run the worker; the process ends here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to see
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    arguments = Arguments.parse(sys.argv[1:])
    handler = ChannelHandler(arguments.number)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    code = 1
    held: list[Worker] = []  # until the process is gone
    try:
        asyncio.run(_main(arguments, handler, held))
        code = 0
    except Exception:
        log.exception("the worker ends")
    finally:
        # Taking a snapshot of a million names apart object by object takes over a second.
        os._exit(code)


if __name__ == "__main__":
    main()
