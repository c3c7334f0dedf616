"""Crowds of TCP connections beside a prober of 400 queries/s over UDP, which must not notice.

Each drill runs a server of its own, holds it to its figures, and returns what was measured.
"""

import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.edns
import dns.message

from tests.conformance.load import Load, Outcome, Plan, run_load
from tests.conformance.server import Server, serving
from tests.conformance.waiting import Late, eventually

RATE = 400.0  # queries per second of the prober
WATCHED = 5.0  # seconds for which it asks while the crowd is there
QUIET = (
    0.002  # seconds: a p99 below this is none to compare with, on a machine that others share too
)
NAME, LONG = "www.gtm.test", "long.gtm.test"
CONFIG = f"""
server:
  tcp: {{max_connections: CONNECTIONS, max_per_client: PER_CLIENT, idle_timeout: IDLE}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{A: [192.0.2.1]}}
      long: {{TXT: ["{"x" * 220}", "{"y" * 220}", "{"z" * 200}"]}}
"""


def config(connections: int = 1000, per_client: int = 50, idle: str = "10s") -> str:
    text = CONFIG.replace("CONNECTIONS", str(connections)).replace("PER_CLIENT", str(per_client))
    return text.replace("IDLE", idle)


def framed(name: str = NAME, rdtype: str = "A", number: int = 0) -> bytes:
    packet = dns.message.make_query(name, rdtype, id=number).to_wire()
    return len(packet).to_bytes(2) + packet


@contextmanager
def connections(
    server: Server, number: int, source: str = "127.0.0.1"
) -> Iterator[list[socket.socket]]:
    """Open so many; a server that is busy or full makes each wait for its handshake at most."""
    with ExitStack() as stack:
        opened = []
        for _ in range(number):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(10)
            sock.bind((source, 0))
            sock.connect((server.host, server.port))
            opened.append(sock)
        yield opened


def is_closed(sock: socket.socket) -> bool:
    """Return whether the other side has ended it. Nothing else was to come."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def new_query(server: Server, source: str | None = None) -> float:
    """Ask over a new connection; return the seconds to the answer."""
    begin = time.monotonic()
    assert server.addresses(NAME, tcp=True, source=source, patience=5.0) == ["192.0.2.1"]
    return time.monotonic() - begin


def memory(server: Server) -> int:
    """Return the resident octets of all workers."""
    return sum(p.rss for p in server.processes() if p.role.startswith("worker"))


def counter(server: Server, name: str) -> float:
    return sum(server.metrics().get(name, {}).values())


def prober(server: Server, seconds: float) -> Load:
    return Load(
        Plan(server.host, server.port, [NAME], RATE, seconds=seconds, sources=("127.0.0.9",))
    )


def baseline(server: Server) -> Outcome:
    outcome = run_load(
        Plan(server.host, server.port, [NAME], RATE, most=2000, sources=("127.0.0.9",))
    )
    outcome.assert_none_lost()
    return outcome


def held(outcome: Outcome, most: float) -> str:
    """No query was lost, and the p99 is below `most` seconds; raises Late where it is not."""
    outcome.assert_none_lost()
    if outcome.latency(0.99) > most:
        raise Late(f"{outcome}; the p99 may be {1000 * most:.1f} ms")
    return str(outcome)


def twice(before: Outcome) -> float:
    return 2 * max(QUIET, before.latency(0.99))


def idle(folder: Path, number: int = 10_000) -> str:
    """T17: idle connections cost little memory, and at the limit the oldest one goes."""
    with serving(folder, config(number, number, "5m")) as server:
        before, size = baseline(server), memory(server)
        with connections(server, number) as opened:
            eventually(
                lambda: counter(server, "gtmdns_tcp_connections") == number, "all are accepted"
            )
            with prober(server, 30) as load:
                time.sleep(WATCHED)
                took = [new_query(server) for _ in range(50)]
            each = (memory(server) - size) / number
            told = held(load.outcome, twice(before))
            assert not any(map(is_closed, opened))
            server.write(config(number // 4, number, "5m"))
            server.reload()
            eventually(
                lambda: counter(server, "gtmdns_tcp_connections") <= number // 2, "cut to the limit"
            )
            new_query(server)
            left = [at for at, sock in enumerate(opened) if not is_closed(sock)]
        assert each < 8192, f"{each:.0f} octets for each connection"
        assert len(left) <= number // 2
        assert sum(left) / len(left) > number / 2, "the oldest of each worker go first"
        if sorted(took)[-2] > 0.1:
            raise Late(f"a new query over TCP took {max(took):.3f} s")
        return (
            f"before: {before}\n{number} idle: {told}\nnew TCP query: at most "
            f"{1000 * max(took):.1f} ms; {each:.0f} octets each; {len(left)} left at a limit of "
            f"{number // 4} in each of 2 workers"
        )


def one_byte(folder: Path, number: int = 2000, timeout: float = 5.0) -> str:
    """T18: a first octet of a length, and no more."""
    with serving(folder, config(number, number, f"{timeout:g}s")) as server:
        before = baseline(server)
        with connections(server, number) as opened, prober(server, 60) as load:
            for sock in opened:
                sock.sendall(b"\x00")
            began = time.monotonic()
            took = new_query(server)
            eventually(lambda: all(map(is_closed, opened)), "all are closed", 2 * timeout)
            closed = time.monotonic() - began
        told = held(load.outcome, twice(before))
        assert took < 1.0
        return (
            f"{told}\nnew TCP query {1000 * took:.1f} ms; all {number} closed {closed:.1f} s later"
        )


def slow_readers(folder: Path, clients: int = 50, queries: int = 100_000) -> str:
    """T19: each client sends so many queries, or as many as it can, and takes no answer."""
    octets = framed(LONG, "TXT") * queries
    with serving(folder, config(1000, clients + 10, "60s")) as server:
        baseline(server)
        size = memory(server)
        with connections(server, clients) as opened, prober(server, 60) as load:
            sent = pour(opened, octets, seconds=WATCHED)
            time.sleep(WATCHED)
            took = new_query(server)
            more = memory(server) - size
        told = held(load.outcome, 0.010)
        assert sent > clients * 100, "they are read from until their answers wait"
        assert more < 10_000_000, f"{more / 1e6:.1f} MB more"
        assert took < 1.0
        return (
            f"{told}\n{clients} clients sent {sent} of {clients * queries} queries and read nothing: "
            f"{more / 1e6:+.1f} MB, new TCP query {1000 * took:.1f} ms"
        )


def pour(opened: list[socket.socket], octets: bytes, seconds: float) -> int:
    """Send as much of `octets` on each as it takes; return how many queries that were."""
    left = {sock.fileno(): (sock, memoryview(octets)) for sock in opened}
    poll, end = select.poll(), time.monotonic() + seconds
    for descriptor, (sock, _) in left.items():
        sock.setblocking(False)
        poll.register(descriptor, select.POLLOUT)
    while left and time.monotonic() < end:
        for descriptor, _ in poll.poll(100):
            sock, rest = left[descriptor]
            rest = rest[sock.send(rest) :]
            left[descriptor] = sock, rest
            if not rest:
                poll.unregister(descriptor)
                del left[descriptor]
    unsent = sum(len(rest) for _, rest in left.values())
    return (len(opened) * len(octets) - unsent) // len(framed(LONG, "TXT"))


def pipelining(folder: Path, connections_: int = 20, rounds: int = 20) -> str:
    """T20: 100 queries at once on a connection, again and again."""
    numbers = list(range(100))
    octets = b"".join(framed(number=number) for number in numbers)
    with (
        serving(folder, config()) as server,
        prober(server, 60) as load,
        connections(server, connections_) as opened,
    ):
        for _ in range(rounds):
            for sock in opened:
                sock.sendall(octets)
            for sock in opened:
                found = [dns.message.from_wire(each) for each in received(sock, 100)]
                assert sorted(message.id for message in found) == numbers
                assert all(str(m.answer[0][0]) == "192.0.2.1" for m in found)
    told = held(load.outcome, 0.010)
    return f"{told}\n{connections_ * rounds} times 100 of 100 answered with their ids"


def received(sock: socket.socket, number: int) -> list[bytes]:
    with sock.makefile("rb") as stream:
        return [stream.read(int.from_bytes(stream.read(2))) for _ in range(number)]


def fragments(folder: Path) -> str:
    """T21: octet by octet, two in one segment, lengths that lie."""
    with serving(folder, config(idle="2s")) as server, prober(server, 60) as load:
        with connections(server, 4) as (drips, two, zero, long):
            drips.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in framed(number=1):
                drips.sendall(bytes((octet,)))
            assert received(drips, 1)[0][:2] == b"\x00\x01"
            two.sendall(framed(number=2) + framed(number=3))
            assert [each[:2] for each in received(two, 2)] == [b"\x00\x02", b"\x00\x03"]
            zero.sendall(b"\x00\x00")
            eventually(lambda: is_closed(zero), "a length of 0 ends the connection")
            long.sendall(b"\xff\xff" + framed()[2:14])
            eventually(lambda: is_closed(long), "65 535 octets that do not come", 4.0)
        new_query(server)
    return f"{held(load.outcome, 0.010)}\nanswered or closed, each of the four"


def idle_close(folder: Path, timeout: float = 5.0) -> str:
    """T22: closed after the time that keepalive tells."""
    keepalive = dns.edns.GenericOption(11, b"")
    packet = dns.message.make_query(NAME, "A", use_edns=0, options=[keepalive]).to_wire()
    with (
        serving(folder, config(idle=f"{timeout:g}s")) as server,
        connections(server, 1) as (sock,),
    ):
        sock.sendall(len(packet).to_bytes(2) + packet)
        (response,) = received(sock, 1)
        began = time.monotonic()
        (option,) = dns.message.from_wire(response).options
        assert option.to_wire() == round(10 * timeout).to_bytes(2)
        eventually(lambda: is_closed(sock), "closed", timeout + 1)
        taken = time.monotonic() - began
    assert abs(taken - timeout) <= 1, f"closed after {taken:.2f} s"
    return f"keepalive tells {timeout:g} s, closed after {taken:.2f} s"


def per_client(folder: Path, number: int = 300, allowed: int = 100) -> str:
    """T23: who opens too many displaces himself."""
    with serving(folder, config(1000, allowed, "60s")) as server:
        before = baseline(server)
        with connections(server, 20, "127.0.0.2") as others, prober(server, 30) as load:
            with connections(server, number) as opened:
                took = [new_query(server, "127.0.0.3") for _ in range(20)]
                time.sleep(WATCHED)
                eventually(
                    lambda: counter(server, "gtmdns_tcp_connections") <= 2 * allowed + 20,
                    "each worker keeps its limit",
                )
                left = sum(not is_closed(sock) for sock in opened)
            assert not any(map(is_closed, others))
            for sock in others:
                sock.setblocking(True)
                sock.sendall(framed(number=7))
                assert received(sock, 1)[0][:2] == b"\x00\x07"
        told = held(load.outcome, twice(before))
        assert left <= 2 * allowed
        return (
            f"{told}\n{left} of {number} from one address are left at a limit of {allowed} in each "
            f"of 2 workers; others keep theirs, a new query takes {1000 * max(took):.1f} ms at most"
        )


def descriptors(folder: Path, limit: int = 128, number: int = 400) -> str:
    """T25: more connections than a running server has descriptors for, then released."""
    with serving(folder, config(1000, 1000, "60s")) as server:
        for process in server.lasting():
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (limit, hard))
        return _without_descriptors(server, number)


def _without_descriptors(server: Server, number: int) -> str:
    before, lines = baseline(server), len(server.log.splitlines())
    began = time.monotonic()
    with prober(server, 60) as load:
        with connections(server, number) as opened:
            during = new_query(server)
            time.sleep(WATCHED)
            left = sum(not is_closed(sock) for sock in opened)
        after = new_query(server)
    seconds = time.monotonic() - began
    told = held(load.outcome, twice(before))
    logged = server.log.splitlines()[lines:]
    assert after < 1.0, f"TCP is back after {after:.2f} s"
    assert len(logged) <= seconds + 1, logged
    return (
        f"before: {before}\n{told}\n{left} of {number} connections left; a new TCP query takes "
        f"{1000 * during:.1f} ms meanwhile, {1000 * after:.1f} ms after; {len(logged)} log lines"
    )
