"""A running `gtmdns serve` on loopback: started, asked, looked at, stopped, and proved gone.

Every process of a server carries a mark in its environment, so that none is overlooked:
parent, control, workers, loaders, whichever of them started which.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rdatatype
from prometheus_client.parser import text_string_to_metric_families

from tests.conformance.ports import free_port, is_free
from tests.conformance.processes import MARK, Process, processes_of
from tests.conformance.waiting import PATIENCE, eventually

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
STOPS_IN = 2.0  # seconds from SIGTERM to the end, at most


def fresh(folder: Path) -> Path:
    """Return a new folder inside `folder`, so that a second try finds nothing of the first."""
    return Path(tempfile.mkdtemp(dir=folder))


class Server:
    """`gtmdns serve` with a configuration file of its own.

    folder: for the file, the log and the runtime folder. Listeners are given on the command line,
    so that a configuration in a test says only what the test is about.
    """

    def __init__(
        self,
        folder: Path,
        config: str,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        workers: int = 2,
        also: Sequence[str] = (),
        path: Path | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.host, self.port = host, port or free_port(host)
        self.admin_port = free_port()
        self.workers = workers
        self._listen = [f"{host}:{self.port}", *also]
        self.file = path or folder / "gtmdns.yaml"
        self.log_file = folder / "log"
        self.status: int | None = None
        self._environment = environment
        self._mark = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None
        self._runtime = Path(tempfile.mkdtemp(prefix="gtmdns-test-"))
        if path is None:
            self.write(config)

    # Starting and stopping

    def start(self) -> None:
        """Start the parent; it may refuse, see `wait`."""
        command = [
            PYTHON, "-m", "gtmdns", "serve", str(self.file),
            "--admin", f"127.0.0.1:{self.admin_port}", "--workers", str(self.workers),
        ]  # fmt: skip
        command += [word for address in self._listen for word in ("--listen", address)]
        environment = {**os.environ, **self._environment}
        environment |= {MARK: self._mark, "TMPDIR": str(self._runtime)}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                env=environment, start_new_session=True,
            )  # fmt: skip

    def wait_until_ready(self) -> None:
        """Wait for /readyz, and for every worker to serve what control published."""

        def ready() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"the server ended:\n{self.log}"
            return self.is_ready() and self.all_serve(1)

        eventually(ready, f"ready; the log:\n{self.log_file}")

    def is_ready(self) -> bool:
        try:
            return self.request("/readyz")[0] == 200
        except OSError:
            return False

    def wait(self, seconds: float) -> int:
        """Wait for the parent to end by itself; return its exit status."""
        assert self._process is not None
        self.status = self._process.wait(seconds)
        return self.status

    def process_status(self) -> int | None:
        """Return the exit status of the parent, None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send a signal to the parent."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> float:
        """SIGTERM; return the seconds to the end. What it leaves behind is a failure."""
        assert self._process is not None
        started = time.monotonic()
        self.signal(signal.SIGTERM)
        self.wait(PATIENCE)
        taken = time.monotonic() - started
        self.assert_gone()
        return taken

    def assert_gone(self) -> None:
        """No process, no listening socket and no file of the server is left."""
        assert self.processes() == []
        assert is_free(self.host, self.port), f"port {self.port} is still taken"
        assert is_free("127.0.0.1", self.admin_port), f"port {self.admin_port} is still taken"
        assert list(self._runtime.iterdir()) == []

    def discard(self) -> None:
        """End whatever still runs, whatever happened before; for the end of a test."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for process in self.processes():
            os.kill(process.pid, signal.SIGKILL)
        shutil.rmtree(self._runtime)

    # Looking at it

    def processes(self) -> list[Process]:
        """Return every living process of this server."""
        return processes_of(self._mark)

    def process(self, role: str) -> Process:
        """Return the living process of a role; wait for one that is being started again."""
        return eventually(
            lambda: next((p for p in self.processes() if p.role == role), None), f"{role} runs"
        )

    def lasting(self) -> list[Process]:
        """Return parent, control and workers."""
        return [process for process in self.processes() if process.role not in ("loader", "other")]

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    # The configuration

    def write(self, config: str) -> None:
        """Replace the file in one step, so that no half of it is ever read."""
        new = self.file.with_name(f".{self.file.name}.new")
        new.write_text(config)
        new.replace(self.file)

    def reload(self) -> dict[str, Any]:
        """POST reload; return the outcome when every worker serves it. Fails where it is refused."""
        status, outcome = self.request("/api/v1/reload", "POST")
        assert status == 200, outcome
        eventually(lambda: self.all_serve(outcome["generation"]), "all workers serve the new one")
        return outcome

    def all_serve(self, generation: int) -> bool:
        """Return whether all workers say that they serve this generation or a later one."""
        shown = self.api("status")["workers"]
        return len(shown) == self.workers and all(w["generation"] >= generation for w in shown)

    # The HTTP API

    def request(self, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
        """Return (status, decoded JSON or text). Raises OSError where nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            response = opener.open(
                urllib.request.Request(url, data, method=method), timeout=PATIENCE
            )
        except urllib.error.HTTPError as error:
            response = error
        with response:
            text = response.read().decode()
            kind = response.headers.get_content_type()
        return response.status, json.loads(text) if kind.endswith("json") else text

    def api(self, path: str) -> Any:
        status, body = self.request(f"/api/v1/{path}")
        assert status == 200, body
        return body

    def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Return name -> label values in the order of the labels' names -> value."""
        status, text = self.request("/metrics")
        assert status == 200, text
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = tuple(sample.labels[label] for label in sorted(sample.labels))
                found.setdefault(sample.name, {})[key] = sample.value
        return found

    def verdicts(self) -> dict[str, str]:
        """Return address -> verdict over all pools."""
        return {
            e["address"]: e["verdict"] for p in self.api("pools")["pools"] for e in p["endpoints"]
        }

    # Queries

    def ask(
        self,
        name: str,
        rdtype: str = "A",
        *,
        subnet: str | None = None,
        source: str | None = None,
        tcp: bool = False,
        patience: float = PATIENCE,
    ) -> dns.message.Message:
        """Ask once from a new source port and return the response; it must come in time."""
        options: list[dns.edns.Option] = [dns.edns.ECSOption.from_text(subnet)] if subnet else []
        query = dns.message.make_query(
            name, rdtype, use_edns=0 if subnet else False, options=options
        )
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, self.host, port=self.port, timeout=patience, source=source)

    def addresses(self, name: str, rdtype: str = "A", **how: Any) -> list[str]:
        """Return the data of the answer section, as ordered."""
        return [str(data) for rrset in self.ask(name, rdtype, **how).answer for data in rrset]


@contextmanager
def serving(folder: Path, config: str, **how: Any) -> Iterator[Server]:
    """Run a server that is ready; at the end it stops in time and leaves nothing."""
    server = Server(folder, config, **how)
    try:
        server.start()
        server.wait_until_ready()
        yield server
        if server.status is None:
            server.stop()
            assert server.status == 0, server.log
        assert "Traceback" not in server.log, server.log
    finally:
        server.discard()


def run(*words: str, timeout: float = 60.0) -> "subprocess.CompletedProcess[str]":
    """Run a `gtmdns` command to its end."""
    return subprocess.run(
        [PYTHON, "-m", "gtmdns", *words], capture_output=True, text=True, timeout=timeout, cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
