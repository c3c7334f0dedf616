"""DNS over TCP against real sockets: framing, limits, who has to wait, and who does not."""

import errno
import os
import resource
import socket
import struct
import time
from contextlib import suppress
from threading import Thread

import pytest

from gtmdns.answers.cache import AnswerCache
from gtmdns.serve import tcp
from gtmdns.serve.connection import HIGH_WATER, READ_SIZE
from gtmdns.serve.tcp import QUERIES_PER_TURN, client_key
from tests.serve.support import (
    BIG,
    TXT,
    address_in,
    eventually,
    framed,
    query,
)
from tests.serve.tcp_clients import Running, closed, numbers, receive, receive_all, running


def test_a_hundred_pipelined_queries_are_answered_with_their_ids():
    with running() as server, server.connect() as sock:
        sock.sendall(b"".join(framed(query(number=number)) for number in range(100)))
        answers = receive(sock, 100)

    assert numbers(answers) == list(range(100))
    assert {address_in(answer) for answer in answers} == {"192.0.2.1"}
    assert server.served.counters["queries_tcp_ipv4"] == 100
    assert server.served.counters["tcp_accepted"] == 1


def test_a_query_may_come_octet_by_octet():
    with running() as server, server.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in framed(query(number=7)) + framed(query(number=8)):
            sock.sendall(bytes([octet]))

        assert numbers(receive(sock, 2)) == [7, 8]


def test_a_large_answer_comes_whole_where_udp_would_truncate():
    with running() as server, server.connect() as sock:
        sock.sendall(framed(query(BIG, TXT)))
        (answer,) = receive(sock, 1)

    assert len(answer) > 700
    assert answer[2] & 0x02 == 0, "TC is clear"


@pytest.mark.parametrize("length", [0, 1, 11])
def test_a_message_too_short_for_a_header_ends_the_connection_after_the_answers(length):
    with running() as server, server.connect() as sock:
        sock.sendall(framed(query(number=1)) + framed(bytes(length)) + framed(query(number=2)))

        assert numbers(receive_all(sock)) == [1]
        eventually(lambda: server.connections() == 0, "closed")


def test_a_client_that_has_said_all_gets_its_answers_and_then_the_end():
    with running() as server, server.connect() as sock:
        sock.sendall(b"".join(framed(query(number=number)) for number in range(50)) + b"\x00")
        sock.shutdown(socket.SHUT_WR)

        assert numbers(receive_all(sock)) == list(range(50))


def test_keepalive_tells_the_idle_timeout():
    """RFC 7828, in 100 milliseconds."""
    packet = query()[:11] + b"\x01" + query()[12:]
    opt = b"\x00\x00\x29\x04\xd0" + bytes(4)
    asked, plain = opt + b"\x00\x04\x00\x0b\x00\x00", opt + b"\x00\x00"
    with running(idle_timeout=2.5) as server, server.connect() as sock:
        sock.sendall(framed(packet + asked) + framed(packet + plain))
        first, second = receive(sock, 2)

    assert first.endswith(b"\x00\x06\x00\x0b\x00\x02\x00\x19")
    assert second.endswith(plain)


def test_silence_to_one_query_does_not_end_the_connection():
    response = bytearray(query(number=1))
    response[2] |= 0x80  # a response, which is never answered
    with running() as server, server.connect() as sock:
        sock.sendall(framed(bytes(response)) + framed(query(number=2)))

        assert numbers(receive(sock, 1)) == [2]


def test_an_exception_in_answering_costs_that_query_only(monkeypatch, caplog):
    """T63: SERVFAIL for it, a counter, one line for many; the connection goes on."""
    real = AnswerCache.respond

    def respond(cache, packet, *rest):
        if packet[0] == 0xFF:
            raise ZeroDivisionError("a mistake")
        return real(cache, packet, *rest)

    monkeypatch.setattr(AnswerCache, "respond", respond)
    with running() as server, server.connect() as sock:
        sock.sendall(
            framed(query(number=0xFF01)) + framed(query(number=2)) + framed(query(number=0xFF03))
        )
        first, second, third = receive(sock, 3)

    assert [first[3] & 15, second[3] & 15, third[3] & 15] == [2, 0, 2]
    assert server.served.counters["dropped_failed"] == 2
    assert len(caplog.messages) == 1
    assert "ZeroDivisionError" in caplog.messages[0]


def test_a_connection_without_a_whole_query_is_closed_after_the_idle_timeout():
    """T18, T21, T22: nothing said, one octet said, 12 of 65 535 octets said."""
    with running(idle_timeout=0.3) as server:
        socks = [server.connect() for _ in range(3)]
        started = time.monotonic()
        socks[1].sendall(b"\x00")
        socks[2].sendall(b"\xff\xff" + query()[:12])
        for sock in socks:
            assert sock.recv(1) == b""
            sock.close()
        elapsed = time.monotonic() - started

    assert 0.25 <= elapsed < 0.3 + tcp.SWEEP + 1


def test_octets_in_drips_do_not_count_as_use():
    """One octet of a query at a time must not hold a connection for longer than the timeout."""
    with running(idle_timeout=0.4) as server, server.connect() as sock:
        deadline = time.monotonic() + 10
        sock.sendall(b"\x01\x00")
        while not closed(sock):
            assert time.monotonic() < deadline
            try:
                sock.send(b"x")
            except ConnectionError:
                break
            time.sleep(0.02)  # the drip itself


def test_a_connection_in_use_outlives_the_idle_timeout():
    with running(idle_timeout=1.0) as server, server.connect() as sock, server.connect() as idle:
        while not closed(idle):  # ends when the idle one is closed
            sock.sendall(framed(query()))
            receive(sock, 1)
        sock.sendall(framed(query()))

        assert len(receive(sock, 1)) == 1


def test_at_the_limit_the_idlest_connection_makes_room():
    with running(max_connections=3, max_per_client=10) as server:
        first, second, third = (server.connect() for _ in range(3))
        for sock in (second, first, third):
            sock.sendall(framed(query()))
            receive(sock, 1)
        fourth = server.connect()
        fourth.sendall(framed(query()))

        assert len(receive(fourth, 1)) == 1
        eventually(lambda: closed(second), "the idlest is closed")
        assert not closed(first)
        assert not closed(third)
        assert server.connections() == 3
        assert server.served.counters["tcp_shed"] == 1
        for sock in (first, second, third, fourth):
            sock.close()


def test_a_client_at_its_limit_displaces_itself_and_nobody_else():
    with running(max_connections=100, max_per_client=2) as server:
        other = server.connect(source="127.0.0.2")
        other.sendall(framed(query()))
        receive(other, 1)
        socks = [server.connect() for _ in range(5)]
        socks[-1].sendall(framed(query()))

        assert len(receive(socks[-1], 1)) == 1
        eventually(lambda: sum(map(closed, socks)) == 3, "three displaced")
        assert not closed(other)
        assert server.connections() == 3
        for sock in (other, *socks):
            sock.close()
        eventually(lambda: server.connections() == 0, "all forgotten")
        assert server.thread.call(lambda: dict(server.server._by_client)) == {}


def test_new_limits_hold_at_once():
    with running() as server:
        socks = [server.connect() for _ in range(4)]
        eventually(lambda: server.connections() == 4, "accepted")
        server.configure(max_connections=1)

        eventually(lambda: sum(map(closed, socks)) == 3, "three closed")
        for sock in socks:
            sock.close()


def test_the_limit_leaves_descriptors_for_the_rest():
    with running() as server:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 100, hard))
        try:
            server.configure(max_connections=1000)
            limit = server.server.limits.max_connections
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert 60 <= limit <= 70


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (0xFFFF_C000_0201, 0xFFFF_C000_0201),
        (0x20010DB8_00000001_00000000_00000001, 0x20010DB8_00000001_00000000_00000000),
        (0x20010DB8_00000001_FFFFFFFF_FFFFFFFF, 0x20010DB8_00000001_00000000_00000000),
    ],
)
def test_one_host_of_ipv6_has_a_whole_64(client, key):
    assert client_key(client) == key


def test_who_does_not_read_is_not_read_from_and_gets_everything_later():
    """T19: what waits is bounded, others are answered, nothing is lost."""
    count = 2000
    octets = b"".join(framed(query(BIG, TXT, number)) for number in range(count))
    with (
        running() as server,
        server.connect(receive_buffer=4096) as slow,
        server.connect() as other,
    ):
        sender = Thread(target=slow.sendall, args=(octets,))
        sender.start()
        waiting = eventually(lambda: server.waiting(HIGH_WATER), "answers wait for the client")
        other.sendall(framed(query(number=9)))
        assert numbers(receive(other, 1)) == [9]
        assert waiting[0] < HIGH_WATER + 1024
        assert waiting[1] <= 2 * READ_SIZE

        assert numbers(receive(slow, count)) == list(range(count))
        sender.join()


def test_no_turn_of_the_loop_answers_more_than_its_allowance(monkeypatch):
    """Eight clients with much to ask: UDP gets its turn between, and each client its share."""
    turns, real = [0], AnswerCache.respond

    def respond(*arguments):
        turns[-1] += 1
        return real(*arguments)

    monkeypatch.setattr(AnswerCache, "respond", respond)
    with running() as server:

        def next_turn():
            turns.append(0)
            server.thread.loop.call_soon(next_turn)

        server.thread.call(next_turn)
        socks = [server.connect() for _ in range(8)]
        for sock in socks:
            sock.sendall(b"".join(framed(query(number=number)) for number in range(500)))
        for sock in socks:
            assert numbers(receive(sock, 500)) == list(range(500))
            sock.close()

    assert sum(turns) == 4000
    assert max(turns) <= QUERIES_PER_TURN


def test_resets_are_quiet_and_forgotten(caplog):
    with running() as server:
        for index in range(20):
            sock = server.connect()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(framed(query(BIG, TXT)) * (index * 50))
            sock.close()
        with server.connect() as sock:
            sock.sendall(framed(query()))
            assert len(receive(sock, 1)) == 1
        eventually(lambda: server.connections() == 0, "all forgotten")

    assert caplog.messages == []


class NoDescriptors:
    """A listening socket whose accept fails as the kernel makes it fail."""

    def __init__(self, sock, errors):
        self.sock = sock
        self.errors = errors
        self.fileno = sock.fileno

    def accept(self):
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return self.sock.accept()


def accept_with(errors, prepare=lambda server: None):
    """Run a server whose listener fails with `errors`; return it after it answered."""
    server = Running()
    try:
        fake = NoDescriptors(server.listener, errors)
        prepare(server)
        server.thread.call(lambda: server.thread.loop.remove_reader(server.listener))
        server.server._listeners = [fake]
        server.thread.call(server.server._resume_accepting)
        with server.connect() as sock:
            sock.sendall(framed(query()))
            assert len(receive(sock, 1)) == 1
    finally:
        server.close()
    return server


def test_without_descriptors_accepting_pauses_without_a_busy_loop(caplog):
    """T25: each failure is one attempt and a pause; one line a second."""
    started = time.monotonic()
    server = accept_with([errno.EMFILE] * 3)

    assert time.monotonic() - started >= 3 * tcp.PAUSE
    assert server.served.counters["tcp_shed"] == 0
    assert caplog.messages == ["cannot accept over TCP: Too many open files"]


def test_without_descriptors_the_idlest_connection_makes_room():
    idle = []

    def prepare(server):
        idle.append(server.connect())
        eventually(lambda: server.connections() == 1, "accepted")

    server = accept_with([errno.EMFILE], prepare)

    assert server.served.counters["tcp_shed"] == 1
    idle[0].close()


def test_a_connection_that_broke_while_it_waited_is_passed_over(caplog):
    accept_with([errno.ECONNABORTED, errno.ENETUNREACH])

    assert caplog.messages == []


def test_the_end_answers_what_was_received_and_closes():
    """T37: queries in the sockets' buffers, and connections not accepted yet, are served."""
    with running() as server:
        busy, idle = server.connect(), server.connect()
        eventually(lambda: server.connections() == 2, "accepted")

        async def stop():
            busy.sendall(b"".join(framed(query(number=number)) for number in range(300)))
            late = server.connect()
            late.sendall(framed(query(number=7)))
            await server.server.drain(5.0)
            return late

        started = time.monotonic()
        late = server.thread.call(stop)

        assert time.monotonic() - started < 2
        assert numbers(receive_all(busy)) == list(range(300))
        assert numbers(receive_all(late)) == [7]
        assert receive_all(idle) == []
        for sock in (busy, idle, late):
            sock.close()


def test_the_end_does_not_wait_for_who_does_not_read():
    with running() as server, server.connect(receive_buffer=4096) as slow:
        slow.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                slow.send(framed(query(BIG, TXT)) * 100)
        started = time.monotonic()
        server.thread.call(lambda: server.server.drain(0.2))

        assert 0.1 < time.monotonic() - started < 2
        assert server.connections() == 0
