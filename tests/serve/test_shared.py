"""Memory files: written once, sealed, passed over a socket, mapped by whoever gets one."""

import asyncio
import errno
import fcntl
import gc
import os
import socket

import pytest

from gtmdns.serve.shared import Shared, receive, send

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no memory files here")


def filled(octets: bytes = b"octets of tables") -> Shared:
    shared = Shared.new()
    assert shared is not None
    shared.append(octets)
    return shared


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_what_was_appended_is_there_and_sealed_for_good() -> None:
    shared = filled(b"one ")
    shared.append(memoryview(b"two"))
    shared.seal()

    assert len(shared) == 7
    assert bytes(shared.view()) == b"one two"
    assert shared.view().readonly
    for change in (
        lambda: os.pwrite(shared.descriptor, b"x", 0),
        lambda: os.ftruncate(shared.descriptor, 0),
        lambda: os.ftruncate(shared.descriptor, 100),
        lambda: fcntl.fcntl(shared.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE),
    ):
        with pytest.raises(PermissionError):
            change()


def test_an_empty_one_has_an_empty_view() -> None:
    assert bytes(filled(b"").view()) == b""


def test_the_octets_stay_as_long_as_a_view_of_them() -> None:
    shared = filled()
    descriptor = shared.descriptor
    part = shared.view()[10:]
    del shared
    gc.collect()

    assert not is_open(descriptor)
    assert bytes(part) == b"tables"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EMFILE, errno.EPERM])
def test_none_where_the_system_gives_none(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def memfd_create(name: str, flags: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "memfd_create", memfd_create)

    assert Shared.new() is None


def test_none_where_python_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")

    assert Shared.new() is None


def pair() -> tuple[socket.socket, socket.socket]:
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    return ends


def test_a_file_comes_with_its_octets_and_not_before() -> None:
    async def run() -> tuple[bytes, list[bytes]]:
        one, other = pair()
        with one, other:
            one.send(b"before ")
            await send(one, b"with", filled(b"first"))
            one.send(b" between ")
            await send(one, b"and with", filled(b"second"))
            one.shutdown(socket.SHUT_WR)
            files: list[Shared] = []
            said = b""
            while octets := await receive(other, 3, files):
                said += octets
                assert len(files) == (len(said) > 7) + (len(said) > 20)
            return said, [bytes(file.view()) for file in files]

    said, contents = asyncio.run(run())

    assert said == b"before with between and with"
    assert contents == [b"first", b"second"]


def test_both_ends_wait_for_the_other() -> None:
    async def run() -> tuple[int, bytes]:
        one, other = pair()
        with one, other:
            waiting = 0
            try:
                while True:
                    waiting += one.send(bytes(4096))
            except BlockingIOError:
                sending = asyncio.create_task(send(one, b"last", filled()))
            await asyncio.sleep(0)
            assert not sending.done()
            files: list[Shared] = []
            got = 0
            while not files:
                got += len(await receive(other, 65_536, files))
            await sending
            idle = asyncio.create_task(receive(other, 10, files))
            await asyncio.sleep(0)
            assert not idle.done()
            one.close()
            assert await idle == b""
            return got - waiting, bytes(files[0].view())

    assert asyncio.run(run()) == (4, b"octets of tables")


def test_a_reader_that_is_cancelled_leaves_the_loop_clean() -> None:
    async def run() -> bytes:
        one, other = pair()
        with one, other:
            reading = asyncio.create_task(receive(other, 10, []))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            one.send(b"later")
            return await receive(other, 10, [])

    assert asyncio.run(run()) == b"later"
