"""A zone on its way over TCP: slow secondaries, how many at once, and who else is answered."""

import struct

from gtmdns.answers.transfer import Transfer
from gtmdns.serve.connection import HIGH_WATER
from gtmdns.serve.tcp import MAX_TRANSFERS
from tests.serve.support import APEX, address_in, eventually, framed, query, record
from tests.serve.tcp_clients import numbers, receive, receive_all, running

MESSAGES = 400
TEXT = record(16, (b"\xe8" + bytes(232)) * 70)  # 16 322 octets
SOA = record(6, bytes(22))
AXFR = 252
EVERYONE = ((0, (1 << 128) - 1),)
SIZE = 12 + len(APEX) + 4 + len(TEXT)  # of one message


def axfr(number: int = 1) -> bytes:
    return framed(query("example.test.", AXFR, number))


def with_transfer(server) -> None:
    transfer = Transfer(EVERYONE, 5, SOA, 0)
    transfer.add(((1, TEXT),) * MESSAGES)
    server.served.snapshot.transfers[APEX] = transfer


def test_a_zone_comes_whole_and_what_was_asked_behind_it_comes_after():
    with running() as server, server.connect() as sock:
        with_transfer(server)
        sock.sendall(framed(query(number=1)) + axfr(2) + framed(query(number=3)))
        messages = receive(sock, MESSAGES + 2)

    assert numbers(messages) == [1, *[2] * MESSAGES, 3]
    assert all(message.endswith(TEXT) for message in messages[1:-1])
    assert address_in(messages[-1]) == "192.0.2.1"


def test_half_close_ends_the_connection_behind_the_zone():
    with running() as server, server.connect() as sock:
        with_transfer(server)
        sock.sendall(axfr())
        sock.shutdown(1)

        assert len(receive_all(sock)) == MESSAGES
        eventually(lambda: server.connections() == 0, "closed")


def test_a_slow_secondary_holds_two_messages_of_memory_and_nobody_up():
    with (
        running() as server,
        server.connect(receive_buffer=4096) as slow,
        server.connect() as other,
    ):
        with_transfer(server)
        slow.sendall(axfr(7) + framed(query(number=8)))
        waiting = eventually(lambda: server.waiting(HIGH_WATER), "the kernel takes no more")
        assert waiting[0] <= HIGH_WATER + SIZE + 2
        other.sendall(framed(query(number=9)))
        assert numbers(receive(other, 1)) == [9]

        assert numbers(receive(slow, MESSAGES + 1)) == [7] * MESSAGES + [8]


def test_a_secondary_that_reads_nothing_is_closed_and_frees_its_place():
    with running(idle_timeout=0.3) as server, server.connect(receive_buffer=4096) as slow:
        with_transfer(server)
        slow.sendall(axfr())
        eventually(lambda: server.waiting(HIGH_WATER), "the kernel takes no more")

        eventually(lambda: server.connections() == 0, "closed")
        with server.connect() as next_one:
            next_one.sendall(axfr(5))
            assert numbers(receive(next_one, MESSAGES)) == [5] * MESSAGES


def test_one_more_than_allowed_is_told_to_come_again(caplog):
    with running() as server, server.connect() as late:
        with_transfer(server)
        slow = [server.connect(receive_buffer=4096) for _ in range(MAX_TRANSFERS)]
        for sock in slow:
            sock.sendall(axfr())
            assert receive(sock, 1)[0].endswith(TEXT)
        late.sendall(axfr(3))

        (refused,) = receive(late, 1)
        assert struct.unpack("!HBBHHHH", refused[:12]) == (3, 0x80, 2, 1, 0, 0, 0)
        slow[0].close()
        eventually(lambda: server.connections() == MAX_TRANSFERS, "one is gone")
        late.sendall(axfr(4))
        assert numbers(receive(late, MESSAGES)) == [4] * MESSAGES
        slow[1].close()

    assert len(caplog.messages) == 1


def test_a_new_generation_does_not_disturb_a_transfer():
    with running() as server, server.connect(receive_buffer=4096) as sock:
        with_transfer(server)
        sock.sendall(axfr())
        eventually(lambda: server.waiting(HIGH_WATER), "the kernel takes no more")
        old = server.served.snapshot
        server.thread.call(lambda: list(old.release()))

        assert len(receive(sock, MESSAGES)) == MESSAGES
