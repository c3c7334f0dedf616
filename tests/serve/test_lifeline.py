"""The lifeline: lines both ways, the end of the other side, and nobody waiting for anybody."""

import asyncio
import socket

from gtmdns.serve.lifeline import MAX_LINE, Lifeline
from tests.serve.support import until


def test_lines_arrive_however_they_are_cut():
    async def run():
        ours, theirs = socket.socketpair()
        lines = []
        lifeline = Lifeline(ours, lines.append, lambda: None)
        with theirs:
            for octet in b"adopt 1\nrelease 1\nhalf":
                theirs.send(bytes([octet]))
                await asyncio.sleep(0)
            await until(lambda: len(lines) == 2)
        lifeline.close()
        lifeline.close()
        return lines

    assert asyncio.run(run()) == ["adopt 1", "release 1"]


def test_the_end_of_the_other_side_is_told_once():
    async def run():
        ours, theirs = socket.socketpair()
        gone = []
        lifeline = Lifeline(ours, lambda line: None, lambda: gone.append(True))
        lifeline.beat()
        theirs.close()
        await until(lambda: gone)
        lifeline.say("into the void")
        return gone

    assert asyncio.run(run()) == [True]


def test_a_side_that_does_not_read_holds_nobody_up_and_garbage_does_not_grow():
    async def run():
        ours, theirs = socket.socketpair()
        lifeline = Lifeline(ours, lambda line: None, lambda: None)
        with theirs:
            for _ in range(100_000):
                lifeline.say("ready")
            theirs.send(b"x" * 4000)
            await asyncio.sleep(0)
            await until(lambda: len(lifeline._partial) > 0)
            kept = len(lifeline._partial)
        lifeline.close()
        return kept

    assert asyncio.run(run()) == MAX_LINE


def test_it_beats_until_it_is_closed():
    async def run():
        ours, theirs = socket.socketpair()
        lifeline = Lifeline.inherited(ours.detach(), lambda line: None, lambda: None)
        theirs.settimeout(5)
        lifeline.beat()
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            received = b""
            theirs.setblocking(False)
            while received.count(b"alive\n") < 2:
                received += await asyncio.get_running_loop().sock_recv(theirs, 100)
        lifeline.close()
        rest = await asyncio.get_running_loop().sock_recv(theirs, 100)
        theirs.close()
        return rest

    assert asyncio.run(run()) == b""
