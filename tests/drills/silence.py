"""What is never answered, in numbers: responses, scraps, and packets that would come back to us."""

import os
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import dns.message

from tests.conformance.server import Server, serving
from tests.drills.connections import NAME, config, connections, framed, prober, received

NUMBER = 100_000
BETWEEN = 100  # packets that are sent before a query shows that all of them were read
SPOOFED = 150


def silence(folder: Path) -> str:
    """T10, T11, T12."""
    with serving(folder, config()) as server:
        with prober(server, 100) as load:
            over_udp = _unanswered(server, _responses(NUMBER, 10))
            chance = random.Random(12)
            scraps = _unanswered(server, (chance.randbytes(n % 12) for n in range(5_000)))
            over_tcp = _over_tcp(server, 2_000)
            before = cpu(server)
            spoofed = _spoofed(server)
            taken = cpu(server) - before
        load.outcome.assert_none_lost()
        assert taken < 0.2, f"{taken:.2f} s"
        assert server.addresses(NAME) == ["192.0.2.1"]
    return (
        f"{load.outcome}\nno reply to {over_udp} responses over UDP, {over_tcp} over TCP, {scraps} packets "
        f"under 12 octets; {spoofed} packets from port 0 and from the server itself: "
        f"{taken:.2f} s of CPU time"
    )


def _responses(number: int, seed: int) -> Iterator[bytes]:
    """Yield packets with QR set: of every opcode, good ones and mutated ones."""
    chance = random.Random(seed)
    good = dns.message.make_query(NAME, "A", use_edns=0).to_wire()
    for at in range(number):
        packet = bytearray(good)
        for _ in range(at % 4):
            packet[chance.randrange(12, len(packet))] = chance.randrange(256)
        packet[2] = 0x80 | at % 16 << 3 | chance.randrange(8)
        packet[3] = chance.randrange(256)
        yield bytes(packet)


def _unanswered(server: Server, packets: Iterator[bytes]) -> int:
    """Send all over UDP; whatever comes back must be the answer to a query in between."""
    number = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((server.host, server.port))
        for packet in packets:
            sock.send(packet)
            number += 1
            if number % BETWEEN == 0:
                _only_this(sock, number & 0xFFFF)
        _only_this(sock, 0xBEEF)
    return number


def _only_this(sock: socket.socket, number: int) -> None:
    query = dns.message.make_query(NAME, "A", id=number)
    sock.send(query.to_wire())
    assert query.is_response(dns.message.from_wire(sock.recv(4096)))


def _over_tcp(server: Server, number: int) -> int:
    packets = [len(packet).to_bytes(2) + packet for packet in _responses(number, 11)]
    with connections(server, 1) as (sock,):
        sock.sendall(b"".join(packets) + framed(number=9))
        assert received(sock, 1)[0][:2] == b"\x00\x09"
    return number


def _spoofed(server: Server) -> int:
    """Send queries from port 0, and from the server's own address and port. 0: it is not allowed."""
    packet = dns.message.make_query(NAME, "A").to_wire()
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError:
        return 0
    with raw:
        raw.bind((server.host, 0))
        for at in range(SPOOFED):
            source = 0 if at % 2 else server.port
            header = struct.pack("!HHHH", source, server.port, 8 + len(packet), 0)
            raw.sendto(header + packet, (server.host, server.port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((server.host, server.port))
        _only_this(sock, 1)
    return SPOOFED


def cpu(server: Server) -> float:
    """Return the seconds of CPU time that the workers have taken."""
    ticks = 0
    for process in server.processes():
        if process.role.startswith("worker"):
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
