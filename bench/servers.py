"""The servers that are compared, each in the foreground on a loopback port with the same zone.

One UDP thread or worker each, because CPU time per query is compared, not the number of cores used.
A server whose program is not on this machine is left out, and the table says so.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ZONE = "bench.example"
STATIC_NAMES = 1000  # n0 to n999, an address each
STEERED_NAMES = 100  # w0 to w99 by weight, r0 to r99 by the client's network
WEIGHTS = {"192.0.2.1": 1, "192.0.2.2": 3}
NEAR, FAR = "192.0.2.1", "192.0.2.2"  # what r0 to r99 answer to 127.0.0.0/9, and to all others
START_WAIT = 30.0  # seconds until a server has to answer


def static_address(number: int) -> str:
    return f"198.51.{number >> 8}.{number & 255}"


@dataclass(frozen=True)
class Running:
    """A server that answers, and the process group it runs in."""

    name: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return the user and system time that the server's processes have used so far."""
        ticks = 0
        for pid in [self.pid, *descendants(self.pid)]:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime and stime, see proc(5)
        return ticks / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def gdnsd(folder: Path, port: int) -> list[str]:
    weighted = " ".join(f"i{n} => [ {a}, {w} ]" for n, (a, w) in enumerate(WEIGHTS.items()))
    (folder / "config").write_text(f"""
options => {{ listen => {{ 127.0.0.1:{port} => {{ udp_threads => 1, tcp_threads => 1 }} }}
              run_dir => {folder}/run, state_dir => {folder}/state }}
plugins => {{
  weighted => {{ w => {{ {weighted} }} }}
  geoip => {{
    maps => {{ m => {{
      datacenters => [near, far]
      nets => {{ 0.0.0.0/0 => [far, near], 127.0.0.0/9 => [near, far] }}
    }} }}
    resources => {{ r => {{ map => m, dcmap => {{ near => {NEAR}, far => {FAR} }} }} }}
  }}
}}
""")
    (folder / "zones").mkdir()
    steered = [f"w{n} DYNA weighted!w\nr{n} DYNA geoip!r" for n in range(STEERED_NAMES)]
    (folder / "zones" / ZONE).write_text(master_file(steered))
    return ["gdnsd", "-c", str(folder), "start"]


def nsd(folder: Path, port: int) -> list[str]:
    """NSD steers nothing: the names that others steer are static here."""
    steered = [f"w{n} A {FAR}\nr{n} A {NEAR}" for n in range(STEERED_NAMES)]
    (folder / "zone").write_text(master_file(steered))
    (folder / "nsd.conf").write_text(f"""
server:
  ip-address: 127.0.0.1
  port: {port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  database: ""
  xfrdfile: "{folder}/xfrd"
  zonelistfile: "{folder}/zonelist"
  logfile: "{folder}/log"
  rrl-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: no
zone:
  name: {ZONE}
  zonefile: zone
""")
    return ["nsd", "-d", "-c", str(folder / "nsd.conf")]


def gtmdns(folder: Path, port: int) -> list[str]:
    records = [f'      n{n}: {{A: "{static_address(n)}"}}' for n in range(STATIC_NAMES)]
    for n in range(STEERED_NAMES):
        records += [
            f"      w{n}: {{pools: {{p0: {WEIGHTS[NEAR]}, p1: {WEIGHTS[FAR]}}}}}",
            f"      r{n}: {{route: {{here: p0, default: p1}}}}",
        ]
    (folder / "gtmdns.yaml").write_text(
        f"""
server: {{listen: ["127.0.0.1:{port}"], workers: 1}}
admin: {{listen: null}}
regions: {{here: {{networks: [127.0.0.0/9]}}}}
pools: {{p0: {{endpoints: [{NEAR}]}}, p1: {{endpoints: [{FAR}]}}}}
zones:
  {ZONE}:
    nameservers: {{ns1: [192.0.2.53]}}
    contact: hostmaster@{ZONE}
    records:
"""
        + "\n".join(records)
        + "\n"
    )
    return [sys.executable, "-m", "gtmdns", "serve", str(folder / "gtmdns.yaml")]


def floor(folder: Path, port: int) -> list[str]:
    program = folder / "echo"
    subprocess.run(["gcc", "-O2", "-o", program, HERE / "echo.c"], check=True)
    return [str(program), str(port)]


def master_file(steered: list[str]) -> str:
    static = [f"n{n} A {static_address(n)}" for n in range(STATIC_NAMES)]
    head = [
        f"$ORIGIN {ZONE}.",
        "$TTL 60",
        f"@ SOA ns1 hostmaster.{ZONE}. 1 3600 900 604800 30",
        "@ NS ns1",
        "ns1 A 192.0.2.53",
    ]
    return "\n".join([*head, *static, *steered]) + "\n"


SERVERS = {"floor": floor, "gdnsd": gdnsd, "nsd": nsd, "gtmdns": gtmdns}
PROGRAMS = {"floor": "gcc", "gdnsd": "gdnsd", "nsd": "nsd", "gtmdns": sys.executable}


def available(name: str) -> bool:
    return shutil.which(PROGRAMS[name]) is not None


@contextmanager
def running(name: str, folder: Path, core: int) -> Iterator[Running]:
    """Start a server in `folder`, pinned to one core, and stop it in the end.

    Raises RuntimeError with its last words where it does not answer within START_WAIT.
    """
    folder.mkdir()
    port = free_port()
    command = SERVERS[name](folder, port)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
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
