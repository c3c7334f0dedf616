"""The servers that are compared, each in the foreground on a loopback port with the same zone.

One UDP thread or worker each unless a setup has more, because CPU time per query is compared, not
the number of cores used. What is set for the others stands in others.py. A server whose program
is not on this machine is left out, and the table says so.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from others import bind, gdnsd, knot, nsd, powerdns
from zone import FAR, NEAR, STEERED_NAMES, USUAL, WEIGHTS, ZONE, Setup, master_file

HERE = Path(__file__).parent
CPUCLOCK_SCHED = 2  # Linux: the lowest bits of the clock of a process, see clock_getcpuclockid(3)
START_WAIT = 120.0  # seconds until a server has to answer


@dataclass(frozen=True)
class Running:
    """A server that answers, and the process group it runs in."""

    name: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server's processes have used so far.

        By each process's own clock, which counts threads that have ended too; the ticks of
        /proc/PID/stat are 10 ms.
        """
        pids = [self.pid, *descendants(self.pid)]
        return sum(time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED) for pid in pids)


def descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def gtmdns(folder: Path, port: int, setup: Setup = USUAL) -> list[str]:
    records = []
    for n in range(STEERED_NAMES):
        records += [
            f"      w{n}: {{pools: {{p0: {WEIGHTS[NEAR]}, p1: {WEIGHTS[FAR]}}}}}",
            f"      r{n}: {{route: {{here: p0, default: p1}}}}",
        ]
    (folder / "zone").write_text(master_file(setup, []))
    (folder / "gtmdns.yaml").write_text(
        f"""
server: {{listen: ["127.0.0.1:{port}"], workers: {setup.workers}}}
admin: {{listen: null}}
regions: {{here: {{networks: [127.0.0.0/9]}}}}
pools: {{p0: {{endpoints: [{NEAR}]}}, p1: {{endpoints: [{FAR}]}}}}
zones:
  {ZONE}:
    zone_file: zone
    records:
"""
        + "\n".join(records)
        + "\n"
    )
    return [sys.executable, "-m", "gtmdns", "serve", str(folder / "gtmdns.yaml")]


def floor(folder: Path, port: int, _setup: Setup = USUAL) -> list[str]:
    program = folder / "echo"
    subprocess.run(["gcc", "-O2", "-o", program, HERE / "echo.c"], check=True)
    return [str(program), str(port)]


Configure = Callable[..., list[str]]  # (folder, port[, setup]) -> command
SERVERS: dict[str, Configure] = {
    "floor": floor, "gdnsd": gdnsd, "nsd": nsd, "knot": knot, "bind": bind,
    "powerdns": powerdns, "gtmdns": gtmdns, "gtmdns-pure": gtmdns,
}  # fmt: skip
PROGRAMS = {
    "floor": "gcc", "gdnsd": "gdnsd", "nsd": "nsd", "knot": "knotd", "bind": "named",
    "powerdns": "pdns_server", "gtmdns": sys.executable, "gtmdns-pure": sys.executable,
}  # fmt: skip
# Of a server, beside ours. "gtmdns" answers by the compiled path, where that was built.
ENVIRONMENT = {"gtmdns-pure": {"GTMDNS_PURE_PYTHON": "1"}}


def available(name: str) -> bool:
    return shutil.which(PROGRAMS[name]) is not None


@contextmanager
def running(
    name: str, folder: Path, cores: int | set[int], setup: Setup = USUAL
) -> Iterator[Running]:
    """Start a server in `folder`, pinned to `cores`, and stop it in the end.

    Raises RuntimeError with its last words where it does not answer within START_WAIT.
    """
    folder.mkdir()
    port = free_port()
    pinned = {cores} if isinstance(cores, int) else cores
    command = SERVERS[name](folder, port, *(() if setup == USUAL else (setup,)))
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, pinned),
            env=os.environ | ENVIRONMENT.get(name, {}),
        )  # fmt: skip
    try:
        if not answers(port, process):
            words = (folder / "output").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{name} does not answer on port {port}:\n{words}")
        yield Running(name, port, process.pid)
    finally:
        stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own: nothing else is in it
        process.wait()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free for UDP and TCP."""
    for _ in range(50):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            contextlib.suppress(OSError),
        ):
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            socket.create_server(("127.0.0.1", port)).close()
            return port
    raise RuntimeError("no port is free for UDP and TCP")


def answers(port: int, process: "subprocess.Popen[bytes]") -> bool:
    """Ask for n0 until an answer comes. False where the process ends or time runs out."""
    query = bytes.fromhex("123401000001000000000000") + wire_name(f"n0.{ZONE}") + b"\0\1\0\1"
    deadline = time.monotonic() + START_WAIT
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        while time.monotonic() < deadline and process.poll() is None:
            try:
                sock.send(query)
                if sock.recv(4096)[3] & 15 == 0:
                    return True
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                time.sleep(0.05)
    return False


def wire_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
