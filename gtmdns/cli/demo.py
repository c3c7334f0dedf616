"""`gtmdns demo`: the story of the server in a terminal, on loopback addresses alone."""

import asyncio
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from ipaddress import ip_network
from pathlib import Path
from time import monotonic
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .http import request
from .measure import LOST, Answer, Asker, Unreachable, measure, question

ONE, TWO = "127.0.0.1", "127.0.0.2"  # the two back ends
NAME, NEAR = "www.gtm.example.com", "near.gtm.example.com"
CLIENTS = {"Hangzhou": "101.37.0.0/16", "Beijing": "101.200.0.0/16"}
INTERVAL, TIMEOUT, FALL = 0.5, 0.25, 2  # of the health check: seconds, seconds, results
PATIENCE = 20.0  # seconds for the server to start, to reload, or for answers to move
CALM = 0.5  # seconds without the address until it counts as gone

CONFIG = """\
server:
  listen: ["127.0.0.1:{dns}"]
admin:
  listen: "127.0.0.1:{admin}"
health_checks:
  web: {{type: http, port: {http}, interval: {interval}, timeout: {timeout}, fall: {fall}, rise: 2}}
regions:
  hangzhou: {{networks: ["{hangzhou}"]}}
  beijing: {{networks: ["{beijing}"]}}
pools:
  cluster1: {{endpoints: [{one}], health_check: web}}
  cluster2: {{endpoints: [{two}], health_check: web}}
zones:
  gtm.example.com:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    ttl: 1
    records:
      www: {{pools: {{cluster1: {weight1}, cluster2: {weight2}}}}}
      near:
        route:
          hangzhou: [cluster1, cluster2]
          beijing: [cluster2, cluster1]
          default: {{cluster1: 1, cluster2: 1}}
"""


class Failed(Exception):
    """The story cannot go on. The text says why, for the person at the terminal."""


class BackEnd:
    """A web server that says ok to everything, and can be killed and brought back."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._answer, self.address, self.port)

    async def kill(self) -> None:
        if self.server is not None:
            self.server.close()
            await self.server.wait_closed()
            self.server = None

    @staticmethod
    async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return  # a probe that left early has had its answer
        finally:
            writer.close()


class Server:
    """`gtmdns serve` as a child, with the file it serves."""

    def __init__(self, folder: Path, back_end_port: int) -> None:
        self.file = folder / "gtmdns.yaml"
        self.log = folder / "log"
        self.back_end_port = back_end_port
        self.dns, self.admin = free_port(ONE), free_port(ONE)

    def write(self, weight1: int, weight2: int) -> None:
        text = CONFIG.format(
            dns=self.dns, admin=self.admin, http=self.back_end_port,
            interval=INTERVAL, timeout=TIMEOUT, fall=FALL,
            hangzhou=CLIENTS["Hangzhou"], beijing=CLIENTS["Beijing"],
            one=ONE, two=TWO, weight1=weight1, weight2=weight2,
        )  # fmt: skip
        self.file.write_text(text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the server, wait until it is ready, and stop it whatever happens.

        It gets a session of its own, so that Ctrl-C is this program's to handle.
        """
        with self.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gtmdns", "serve", str(self.file),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            await self._ready(process)
            yield
        finally:
            await _stop(process)

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        """Ask until an answer comes: the workers read nothing before they have one to give."""
        deadline = monotonic() + PATIENCE
        asker, asked = Asker((ONE, self.dns), 0.1), question(NAME, "A", None)
        with closing(asker.open()) as sock:
            while await asker.ask(sock, asked) is LOST:
                if process.returncode is not None or monotonic() > deadline:
                    raise Failed(f"the server did not start:\n{self.log.read_text()[-2000:]}")

    async def request(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """Return status and body of a request to the HTTP API."""
        return await asyncio.to_thread(request, f"http://{ONE}:{self.admin}", path, method=method)

    async def reload(self, weight1: int, weight2: int) -> None:
        """Serve other weights, and return when every worker does."""
        self.write(weight1, weight2)
        status, outcome = await self.request("/api/v1/reload", "POST")
        if status != 200:
            raise Failed(f"the reload was refused: {outcome}")
        deadline = monotonic() + PATIENCE
        while True:
            _, shown = await self.request("/api/v1/status")
            if all(w["generation"] >= outcome["generation"] for w in shown["workers"]):
                return
            if monotonic() > deadline:
                raise Failed("a worker does not serve the new configuration")
            await asyncio.sleep(0.02)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(5):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


class Story:
    """The steps, in the order they are told."""

    def __init__(self, console: Console, server: Server, queries: int) -> None:
        self.console = console
        self.server = server
        self.queries = queries

    async def count(self, name: str, subnet: str | None = None) -> Counter[str]:
        """Ask for `name` as often as asked for, and count the first addresses."""
        network = ip_network(subnet) if subnet else None
        (answers,) = await measure(
            [question(name, "A", network, first_only=True)], (ONE, self.server.dns), self.queries
        )
        return Counter({str(answer): times for answer, times in answers.items()})

    def show(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for place, word in enumerate(head):
            table.add_column(word, justify="right" if place else "left")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    async def weights(self) -> None:
        self.console.print(
            f"[bold]1  By weight.[/] {self.queries} queries for {NAME}; "
            "between the rows the file is rewritten and reloaded."
        )
        rows = []
        for weight1, weight2 in ((1, 1), (1, 3), (1, 99)):
            await self.server.reload(weight1, weight2)
            counts = await self.count(NAME)
            rows.append([f"{weight1}:{weight2}", str(counts[ONE]), str(counts[TWO])])
        self.show(["weights", f"{ONE} (cluster1)", f"{TWO} (cluster2)"], rows)

    async def regions(self) -> None:
        self.console.print(
            f"[bold]2  By place.[/] {self.queries} queries for {NEAR} as clients of two cities."
        )
        rows = []
        for city, subnet in CLIENTS.items():
            counts = await self.count(NEAR, subnet)
            rows.append([f"{city}, {subnet}", str(counts[ONE]), str(counts[TWO])])
        self.show(["client", f"{ONE} (cluster1)", f"{TWO} (cluster2)"], rows)

    async def health(self, back_end: BackEnd) -> None:
        at_most = FALL * INTERVAL + TIMEOUT + 0.2
        self.console.print(
            f"[bold]3  By health.[/] Each back end is probed every {INTERVAL:g} s; "
            f"{FALL} failures take it out: at most {at_most:.2f} s."
        )
        await self.server.reload(1, 1)
        await back_end.kill()
        seconds = await self.last_answer_with(back_end.address)
        counts = await self.count(NAME)
        self.console.print(
            f"   {back_end.address} is killed. The last answer with it came {seconds:.2f} s later; "
            f"of the next {self.queries}, {counts[ONE]} are {ONE}."
        )
        await back_end.start()
        seconds = await self.first_answer_with(back_end.address)
        counts = await self.count(NAME)
        self.console.print(
            f"   {back_end.address} is back. The first answer with it came {seconds:.2f} s later; "
            f"of the next {self.queries}, {counts[TWO]} are {TWO}."
        )

    async def last_answer_with(self, address: str) -> float:
        """Ask until `address` has been gone for a while; return when it was last seen."""
        started = last = monotonic()
        async for answer in self._asking():
            if address in answer.data:
                last = monotonic()
            if monotonic() - last > CALM:
                return last - started
            if monotonic() - started > PATIENCE:
                break
        raise Failed(f"{address} is still answered {PATIENCE:g} s after its end")

    async def first_answer_with(self, address: str) -> float:
        started = monotonic()
        async for answer in self._asking():
            if address in answer.data:
                return monotonic() - started
            if monotonic() - started > PATIENCE:
                break
        raise Failed(f"{address} is not answered {PATIENCE:g} s after its return")

    async def _asking(self) -> AsyncIterator[Answer]:
        """Ask for NAME without end, about 300 times a second."""
        asker = Asker((ONE, self.server.dns), 1.0)
        asked = question(NAME, "A", None)
        with closing(asker.open()) as sock:
            while True:
                yield await asker.ask(sock, asked)
                await asyncio.sleep(0.003)


def free_port(*addresses: str) -> int:
    """Return a port that is free for TCP on every address, and for UDP on the first."""
    for _ in range(50):
        with socket.create_server((addresses[0], 0)) as first:
            port: int = first.getsockname()[1]
            try:
                for address in addresses[1:]:
                    socket.create_server((address, port)).close()
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                    udp.bind((addresses[0], port))
            except OSError:
                continue
            return port
    raise Failed(f"no port is free on {' and '.join(addresses)}")


async def tell(console: Console, queries: int) -> None:
    """Tell the whole story. Raises Failed; leaves no process, socket or file behind."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gtmdns-demo-")))
        port = free_port(ONE, TWO)
        back_ends = [BackEnd(ONE, port), BackEnd(TWO, port)]
        for back_end in back_ends:
            await back_end.start()
            stack.push_async_callback(back_end.kill)
        server = Server(folder, port)
        server.write(1, 1)
        console.print(
            f"Two back ends listen on {ONE} and {TWO}, port {port}; gtmdns serves on {ONE}, "
            f"port {server.dns}."
        )
        await stack.enter_async_context(server.running())
        story = Story(console, server, queries)
        await story.weights()
        await story.regions()
        await story.health(back_ends[1])


async def _until_told_to_stop(console: Console, queries: int) -> None:
    """Tell the story; SIGINT, SIGTERM and SIGHUP cancel it, so that what was started is ended."""
    loop = asyncio.get_running_loop()
    story = asyncio.create_task(tell(console, queries))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, story.cancel)
    await story


@click.command("demo")
@click.option("-n", "queries", type=click.IntRange(10, 100_000), default=1000, show_default=True,
              help="How many queries for each line.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, queries: int) -> None:
    """Show weights, regions and health checks at work, with two small back ends on loopback.

    Starts a server on free ports of 127.0.0.1 and ends it again; takes about ten seconds.
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        asyncio.run(_until_told_to_stop(console, queries))
    except asyncio.CancelledError:
        raise click.Abort from None
    except (Failed, Unreachable, OSError) as error:
        click.echo(f"gtmdns demo: {error}", err=True)
        ctx.exit(1)
