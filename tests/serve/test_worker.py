"""A worker process on its own: the test is its parent and its control."""

import asyncio
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from gtmdns.serve import worker as worker_module
from gtmdns.serve.arguments import Arguments
from gtmdns.serve.frames import Decoder
from gtmdns.serve.log import ChannelHandler
from gtmdns.serve.sockets import bind, parse_address
from tests.serve.support import (
    ROOT,
    address_in,
    eventually,
    framed,
    query,
    snapshot_frames,
    unframed,
    until,
)


class WorkerProcess:
    """Worker 0 of two; the sockets of worker 1 are there for it to adopt."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="gtmdns-test-")
        self.bound = bind(["127.0.0.1:0"], workers=2)
        self.address = parse_address(self.bound.addresses[0])
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.settimeout(20)
        self.control.bind(f"{self.folder}/channel")
        self.control.listen()
        self.lifeline, theirs = socket.socketpair()
        self.lifeline.settimeout(20)
        udp = {
            number: [sock.fileno() for sock in group] for number, group in enumerate(self.bound.udp)
        }
        tcp = [sock.fileno() for sock in self.bound.tcp]
        arguments = Arguments(0, f"{self.folder}/channel", theirs.fileno(), udp, tcp)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gtmdns.serve.worker", *arguments.as_list()],
            pass_fds=(theirs.fileno(), *arguments.descriptors),
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        theirs.close()
        self.channel = None
        self.said = b""

    def accept(self):
        """Take the worker's connection to control; return its first frame."""
        if self.channel is not None:
            self.channel.close()
        self.channel, _ = self.control.accept()
        self.channel.settimeout(20)
        return next(Decoder().feed(self.channel.recv(65_536)))

    def publish(self, generation=1, address="192.0.2.1"):
        self.channel.sendall(snapshot_frames(generation, address))

    def wait_for(self, word):
        """Read the lifeline until the worker has said `word`."""
        while word not in self.said:
            octets = self.lifeline.recv(4096)
            assert octets, "the worker ended"
            self.said += octets

    def client(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(self.address)
        sock.settimeout(20)
        return sock

    def connect(self):
        return socket.create_connection(self.address, timeout=20)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for sock in (self.lifeline, self.control, self.channel, self.process.stderr):
            if sock is not None:
                sock.close()
        self.bound.close()
        shutil.rmtree(self.folder)


@contextmanager
def worker(serving=True):
    process = WorkerProcess()
    try:
        process.accept()
        if serving:
            process.publish()
            process.wait_for(b"ready\n")
        yield process
    finally:
        process.close()


def drain(sock):
    """Return every packet that waits."""
    sock.setblocking(False)
    packets = []
    try:
        while True:
            packets.append(sock.recv(4096))
    except BlockingIOError:
        return packets


def clients_of_both(process):
    """Return a client that the kernel gives to worker 0, and one that it gives to worker 1.

    Worker 0 serves and worker 1 does not exist: its socket is read here.
    """
    found = {}
    sibling = process.bound.udp[1][0]
    while len(found) < 2:
        client = process.client()
        client.send(query())
        client.setblocking(False)

        def arrived(client=client):
            if drain(sibling):
                return 1
            return 2 if drain(client) else None

        found.setdefault(eventually(arrived, "the query arrived at one of them") % 2, client)
        client.settimeout(20)
        if client not in found.values():
            client.close()
    return found[0], found[1]


def test_nothing_is_read_before_the_first_snapshot_and_then_it_is_answered():
    with worker(serving=False) as process:
        clients = [process.client() for _ in range(16)]
        for client in clients:
            client.send(query())
        assert b"ready" not in process.said
        process.publish(1, "192.0.2.1")
        process.wait_for(b"ready\n")
        waiting = len(drain(process.bound.udp[1][0]))
        answered = []

        def received():
            for client in clients:
                answered.extend(drain(client))
            return len(answered) + waiting == 16

        eventually(received, "worker 0 answered its share")
        assert {address_in(answer) for answer in answered} == {"192.0.2.1"}
        for client in clients:
            client.close()


def test_it_is_ready_once_and_goes_on_without_control():
    with worker() as process:
        mine, other = clients_of_both(process)
        process.publish(2, "192.0.2.2")

        def new():
            mine.send(query())
            return address_in(mine.recv(4096)) == "192.0.2.2"

        eventually(new, "the second snapshot serves")
        process.channel.close()
        process.control.close()
        for _ in range(20):
            mine.send(query())
            assert address_in(mine.recv(4096)) == "192.0.2.2"
        process.said += b"".join(drain(process.lifeline))
        assert process.said.count(b"ready") == 1
        assert process.said.count(b"alive") >= 1
        mine.close()
        other.close()


def test_a_siblings_sockets_are_read_from_adopt_to_release():
    with worker() as process:
        mine, other = clients_of_both(process)
        process.lifeline.send(b"adopt 1\nadopt 1\nsomething else\n")
        for _ in range(10):
            other.send(query())
            assert address_in(other.recv(4096)) == "192.0.2.1"
        process.lifeline.send(b"release 1\nrelease 0\n")

        def left_alone():
            other.send(query())
            return drain(process.bound.udp[1][0])

        eventually(left_alone, "the sibling's packets stay in its socket")
        mine.send(query())
        assert address_in(mine.recv(4096)) == "192.0.2.1"
        mine.close()
        other.close()


def test_sockets_adopted_before_the_first_snapshot_are_read_from_then_on():
    with worker(serving=False) as process:
        process.lifeline.send(b"adopt 1\n")
        clients = [process.client() for _ in range(16)]
        for client in clients:
            client.send(query())
        process.publish()
        for client in clients:
            assert address_in(client.recv(4096)) == "192.0.2.1"
            client.close()


def test_sigterm_answers_what_was_received_and_exits_with_0():
    """T37. The worker is stopped while the queries arrive, so that all of them wait."""
    with worker() as process:
        process.lifeline.send(b"adopt 1\n")
        stream = process.connect()
        stream.sendall(framed(query(number=1)))
        assert stream.recv(4096)
        os.kill(process.process.pid, signal.SIGSTOP)
        clients = [process.client() for _ in range(100)]
        for client in clients:
            client.send(query())
        stream.sendall(b"".join(framed(query(number=number)) for number in range(100)))
        late = process.connect()
        late.sendall(framed(query(number=7)))
        os.kill(process.process.pid, signal.SIGTERM)
        os.kill(process.process.pid, signal.SIGCONT)
        started = time.monotonic()

        assert process.process.wait(10) == 0
        assert time.monotonic() - started < 1.5
        assert [address_in(client.recv(4096)) for client in clients] == ["192.0.2.1"] * 100
        for sock, count in ((stream, 100), (late, 1)):
            octets = b""
            while more := sock.recv(65_536):
                octets += more
            assert len(unframed(octets)) == count
            sock.close()
        for client in clients:
            client.close()
        assert process.process.stderr.read() == b""


@pytest.mark.parametrize("serving", [True, False])
def test_it_ends_with_its_parent(serving):
    """T36: no worker stays behind and keeps the port."""
    with worker(serving) as process:
        process.lifeline.close()

        assert process.process.wait(5) == 0


def test_without_descriptors_udp_goes_on_and_tcp_comes_back():
    """T25: 200 connections where there is room for a few dozen descriptors."""
    with worker() as process:
        mine, other = clients_of_both(process)
        used = len(os.listdir(f"/proc/{process.process.pid}/fd"))
        limit = (used + 20, used + 20)
        resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE, limit)
        streams = [process.connect() for _ in range(200)]
        for _ in range(100):
            mine.send(query())
            assert address_in(mine.recv(4096)) == "192.0.2.1"
        during = process.connect()
        during.sendall(framed(query(number=5)))
        assert len(unframed(during.recv(4096))) == 1
        for stream in (*streams, during):
            stream.close()

        started = time.monotonic()
        with process.connect() as after:
            after.sendall(framed(query()))
            assert len(unframed(after.recv(4096))) == 1
        assert time.monotonic() - started < 1
        mine.close()
        other.close()


def test_lines_reach_standard_error_while_there_is_no_control():
    with worker() as process:
        process.channel.sendall(b"\xff\xff\xff\xff")
        process.accept()
        process.lifeline.close()
        process.process.wait(5)
        line = process.process.stderr.read().decode()

    assert "error worker 0: control sent a frame of" in line


def test_a_callback_that_raises_does_not_end_the_worker(monkeypatch, caplog):
    """T63, for mistakes in the listeners themselves: counted, said, and the loop goes on."""
    real, failures = worker_module.compiled.Listener.on_readable, [True]

    def on_readable(self):
        if failures:
            failures.clear()
            raise ZeroDivisionError("a mistake")
        return real(self)

    monkeypatch.setattr(worker_module.compiled.Listener, "on_readable", on_readable)
    bound = bind(["127.0.0.1:0"], workers=1)
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory() as folder, ours:
        path = str(Path(folder) / "channel")
        udp = {0: [os.dup(bound.udp[0][0].fileno())]}
        arguments = Arguments(0, path, theirs.detach(), udp, [os.dup(bound.tcp[0].fileno())])

        async def publish(reader, writer):
            writer.write(snapshot_frames(1, "192.0.2.1"))
            await reader.read()
            writer.close()

        async def run():
            control = await asyncio.start_unix_server(publish, path)
            process = worker_module.Worker(arguments, ChannelHandler(0))
            task = asyncio.create_task(process.run())
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.setblocking(False)
                client.connect(parse_address(bound.addresses[0]))
                client.send(query())
                answer = await asyncio.get_running_loop().sock_recv(client, 4096)
            counters = dict(process._served.counters)
            ours.close()
            await task
            control.close()
            await until(lambda: len(asyncio.all_tasks()) == 1, "control's connections have ended")
            for listener in process._udp[0]:
                listener.sock.close()
            for listener in process._tcp._listeners:
                listener.close()
            return answer, counters

        answer, counters = asyncio.run(run())
    bound.close()

    assert address_in(answer) == "192.0.2.1"
    assert counters["loop_errors"] == 1
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("module", ["gtmdns.serve.worker", "gtmdns.serve.parent"])
def test_the_process_carries_nothing_heavy(module):
    """What reads strangers' packets, and what may not die, has no use for these."""
    heavy = "yaml pydantic aiohttp maxminddb geoip2 dnslib dns click rich prometheus_client"
    program = f"import sys, {module}; print(sorted(set({heavy.split()}) & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, cwd=ROOT, check=True
    )

    assert done.stdout == b"[]\n"
