"""Counting answers: how far shares are from what the weights say, and asking over kept flows."""

import math
import os
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dns.message

from tests.conformance.load import read
from tests.conformance.server import Server

SIGMAS = 4.0  # one honest count in 15 787 lies outside
CHI_SQUARE_P = 0.001


def sigmas(count: int, total: int, share: float) -> float:
    """Return how many standard deviations of the binomial a count lies from what is expected."""
    return abs(count - total * share) / math.sqrt(total * share * (1 - share))


def assert_shares(counts: Mapping[str, int], weights: Mapping[str, int]) -> None:
    """Nothing but what has a weight was answered, each within SIGMAS of its share."""
    assert set(counts) <= {answer for answer, weight in weights.items() if weight}, counts
    total, whole = sum(counts.values()), sum(weights.values())
    far = {
        answer: sigmas(counts.get(answer, 0), total, weight / whole)
        for answer, weight in weights.items()
        if weight
    }
    assert max(far.values()) <= SIGMAS, f"{dict(counts)} for {dict(weights)}: {far} sigmas"


def chi_square_p(counts: Mapping[str, int], weights: Mapping[str, int]) -> float:
    """Return how likely counts at least this far from three weights are (Pearson).

    Three answers are two degrees of freedom, where the tail is exp(-x / 2) exactly.
    """
    assert len(weights) == 3
    total, whole = sum(counts.values()), sum(weights.values())
    distance = 0.0
    for answer, weight in weights.items():
        expected = total * weight / whole
        distance += (counts.get(answer, 0) - expected) ** 2 / expected
    return math.exp(-distance / 2)


class Flows:
    """Sockets that are kept, each a flow of its own, so each is wholly one worker's."""

    def __init__(
        self, server: Server, name: str, number: int = 64, source: str = "127.0.0.1"
    ) -> None:
        self._packet = dns.message.make_query(name, "A", id=0).to_wire()
        self._seen: dict[bytes, str] = {}
        self.sockets = []
        for _ in range(number):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((source, 0))
            sock.connect((server.host, server.port))
            self.sockets.append(sock)

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()

    def ask(self, rounds: int) -> list[Counter[str]]:
        """Ask once from every socket, and again when all have their answer; count by socket."""
        counts: list[Counter[str]] = [Counter() for _ in self.sockets]
        for _ in range(rounds):
            for sock in self.sockets:
                sock.send(self._packet)
            for sock, count in zip(self.sockets, counts, strict=True):
                sock.settimeout(5)
                count[self._read(sock.recv(4096))] += 1
        return counts

    def answers(self, seconds: float) -> list[str | None]:
        """Ask once from every socket; return what each was told within that time, None: nothing.

        An answer that comes later than that counts for the next time.
        """
        waiting = dict(enumerate(self.sockets))
        told: list[str | None] = [None] * len(self.sockets)
        for sock in self.sockets:
            sock.send(self._packet)
        end = time.monotonic() + seconds
        while waiting and (left := end - time.monotonic()) > 0:
            ready = select.select(list(waiting.values()), [], [], left)[0]
            for place in [place for place, sock in waiting.items() if sock in ready]:
                told[place] = self._read(waiting.pop(place).recv(4096))
        return told

    def of_worker(self, server: Server, role: str) -> list[bool]:
        """Return for each socket whether this worker serves it: while it is stopped it is mute.

        It is stopped for less than the second after which a sibling would answer for it.
        """
        worker = server.process(role)
        waiting = {sock.fileno() for sock in self.sockets}
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            end = time.monotonic() + 0.4
            for sock in self.sockets:
                sock.send(self._packet)
            while waiting and time.monotonic() < end:
                for descriptor in select.select(list(waiting), [], [], 0.02)[0]:
                    waiting.discard(descriptor)
        finally:
            os.kill(worker.pid, signal.SIGCONT)
        for sock in self.sockets:
            sock.settimeout(5)
            sock.recv(4096)
        return [sock.fileno() in waiting for sock in self.sockets]

    def _read(self, packet: bytes) -> str:
        text = self._seen.get(packet)
        if text is None:
            text = self._seen[packet] = read(packet)
        return text


@contextmanager
def flows(
    server: Server, name: str, number: int = 64, source: str = "127.0.0.1"
) -> Iterator[Flows]:
    opened = Flows(server, name, number, source)
    try:
        yield opened
    finally:
        opened.close()


def summed(counts: Sequence[Counter[str]]) -> Counter[str]:
    return sum(counts, Counter())
