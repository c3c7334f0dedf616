"""A source of queries over UDP that is faster than a server answers, and counts what comes back.

Many queries leave in one system call: the kernel cuts one buffer into packets (UDP_SEGMENT), so that a
core sends a million in each second. All of a burst have the same id, which tells the age of an answer.
"""

import os
import random
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.server import Server, serving

UDP_SEGMENT = 103  # Linux 4.18, option of level IPPROTO_UDP
SO_RCVBUFFORCE = 33  # for root; others get as much as net.core.rmem_max allows
BURST = 32  # queries in one system call
WINDOW = 8 * BURST  # queries without an answer, where the source waits for answers
SILENCE = 0.05  # seconds after which those count as lost
BUFFER = 8 << 20  # octets
MOST = 1024  # responses that are read before more is sent
LABEL = (
    b"0123456789abcdef"  # what is replaced by another label in each query, where a packet has it
)


@dataclass
class Poured:
    """What was sent and what came back.

    seconds: from the first query to the last
    kinds:   (RCODE, number of answers): responses
    ages:    whole milliseconds from the query: responses
    """

    sent: int = 0
    seconds: float = 0.0
    kinds: Counter[tuple[int, int]] = field(default_factory=Counter)
    ages: Counter[int] = field(default_factory=Counter)

    @property
    def answered(self) -> int:
        return self.kinds.total()

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    def age(self, share: float) -> int:
        """Return the milliseconds within which this share of the answers came, rounded up."""
        left = share * self.answered
        for milliseconds in sorted(self.ages):
            left -= self.ages[milliseconds]
            if left <= 0:
                return milliseconds + 1
        raise AssertionError("nothing was answered")


class Source:
    """Asks one server one question, or, where LABEL is in its name, always another one.

    chance: draws the labels
    """

    def __init__(self, server: Server, packet: bytes, chance: random.Random) -> None:
        self._size, self._chance = len(packet), chance
        self._burst = bytearray(packet * BURST)
        self._label = packet.find(LABEL)
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, self._size)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        except PermissionError:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._sock.connect((server.host, server.port))
        self._left = [0.0] * 65536  # by id, when the burst left
        self._number = 0
        self._room = bytearray(4096)

    def close(self) -> None:
        self._sock.close()

    def closely(self, seconds: float) -> Poured:
        """Keep WINDOW queries without an answer, so that the server is never idle nor flooded."""
        poured, waiting = Poured(), 0
        started = heard = time.perf_counter()
        while (now := time.perf_counter()) < started + seconds:
            while waiting <= WINDOW - BURST:
                self._send(BURST, poured)
                waiting += BURST
            received = self._receive(poured, WINDOW)
            waiting = max(0, waiting - received)
            if received:
                heard = now
            elif now > heard + SILENCE:
                waiting, heard = 0, now
            else:
                select.select([self._sock], [], [], SILENCE)
        return self._end(poured, started)

    def openly(self, seconds: float, rate: float) -> Poured:
        """Send by the clock, whatever comes back; small bursts where the rate is low."""
        poured = Poured()
        burst = max(1, min(BURST, int(rate / 10_000)))
        started = time.perf_counter()
        while (now := time.perf_counter()) < started + seconds:
            due = int((now - started) * rate) - poured.sent
            if due >= burst:
                for _ in range(min(due // burst, 16)):
                    self._send(burst, poured)
            else:
                select.select([self._sock], [], [], (burst - due) / rate)
            self._receive(poured, MOST)
        return self._end(poured, started)

    def _end(self, poured: Poured, started: float) -> Poured:
        """Take the answers that come late too: who waits for them counts them."""
        poured.seconds = time.perf_counter() - started
        while select.select([self._sock], [], [], SILENCE)[0]:
            self._receive(poured, WINDOW)
        return poured

    def _send(self, number: int, poured: Poured) -> None:
        """Send so many queries, all with the next id. Full buffers lose them, as a network may."""
        burst, size, at = self._burst, self._size, self._label
        self._number = self._number + 1 & 0xFFFF
        burst[0::size] = bytes([self._number >> 8]) * BURST
        burst[1::size] = bytes([self._number & 255]) * BURST
        if at >= 0:
            labels = self._chance.randbytes(8 * BURST).hex().encode()
            for place in range(16):
                burst[at + place :: size] = labels[place::16]
        self._left[self._number] = time.perf_counter()
        with memoryview(burst) as octets:
            try:
                self._sock.send(octets[: number * size])
            except BlockingIOError:
                pass
            else:
                poured.sent += number

    def _receive(self, poured: Poured, most: int) -> int:
        """Count up to so many responses; return how many there were."""
        receive, room, left = self._sock.recv_into, self._room, self._left
        kinds, ages, number = poured.kinds, poured.ages, 0
        now = time.perf_counter()
        try:
            while number < most:
                receive(room)
                number += 1
                kinds[room[3] & 15, room[7]] += 1
                ages[int((now - left[room[0] << 8 | room[1]]) * 1000)] += 1
        except BlockingIOError:
            return number
        return number


@contextmanager
def pouring(server: Server, packet: bytes, seed: int) -> Iterator[Source]:
    source = Source(server, packet, random.Random(seed))
    try:
        yield source
    finally:
        source.close()


@contextmanager
def serving_apart(folder: Path, config: str, **how: Any) -> Iterator[Server]:
    """Run a server with one worker on the first core; this process has the last meanwhile."""
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})  # what is started has it too
        with serving(folder, config, workers=1, **how) as server:
            os.sched_setaffinity(0, {max(cores)})
            yield server
    finally:
        os.sched_setaffinity(0, cores)
