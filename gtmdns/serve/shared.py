"""Octets that all workers read from one place in memory: the tables of routes.

They lie in a memory file (memfd_create), which has no name and no folder, and lasts as long as
somebody has it open or mapped. The loader writes it, control seals it, so that its pages never
change again, and each worker gets its descriptor over the channel and maps it. Where the system
has no such files, tables travel in frames like all else, and each process has its own.
"""

import asyncio
import fcntl
import mmap
import os
import socket
import weakref
from array import array
from collections.abc import Callable, Iterator
from typing import Any

_ROOM = socket.CMSG_SPACE(4 * 4)  # octets for descriptors that come with one read: mostly one


class Shared:
    """A memory file. Its descriptor is closed with the last reference to this."""

    def __init__(self, descriptor: int) -> None:
        """Own the descriptor of a memory file."""
        self.descriptor = descriptor
        self._view: memoryview | None = None
        self._close = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def new(cls) -> "Shared | None":
        """Return an empty one; None where there cannot be one."""
        if not hasattr(os, "memfd_create"):
            return None
        try:
            return cls(os.memfd_create("gtmdns", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
        except OSError:  # no descriptor is left, or a kernel or a sandbox that has none of these
            return None

    def __len__(self) -> int:
        return os.fstat(self.descriptor).st_size

    def append(self, octets: bytes | memoryview) -> None:
        """Write octets at the end. Raises OSError where there is no memory left for it."""
        rest = memoryview(octets)
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]

    def seal(self) -> None:
        """From now on nobody can write, shorten or lengthen it, by any descriptor."""
        fcntl.fcntl(
            self.descriptor,
            fcntl.F_ADD_SEALS,
            fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL,
        )

    def close(self) -> None:
        """Close the descriptor now; views that others have stay good.

        Who lets go of it last frees the memory, 40 ms for 300 MB: that is for a thread.
        """
        self._view = None
        self.descriptor = -1  # its number may be another file's from now on
        self._close()

    def parts(self, size: int) -> Iterator[bytes]:
        """Yield copies of its octets, so many at once. Does not touch the pages of a view."""
        at = 0
        while octets := os.pread(self.descriptor, size, at):
            yield octets
            at += len(octets)

    def view(self) -> memoryview:
        """Return its octets, which stay there for as long as a view of them does."""
        if self._view is None:
            self._view = mapped(self.descriptor)
        return self._view


def mapped(descriptor: int) -> memoryview:
    """Return the octets behind a descriptor, to be read only. Raises OSError.

    A private mapping: it reads the same pages, and older kernels allow no other of a sealed file.
    """
    size = os.fstat(descriptor).st_size
    if not size:
        return memoryview(b"")
    return memoryview(mmap.mmap(descriptor, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))


async def send(sock: socket.socket, octets: bytes, shared: Shared) -> None:
    """Send a few octets, and the memory file with them. Raises OSError.

    sock: does not block; nothing that was sent on it before still waits in this process
    """
    while True:
        try:
            sent = socket.send_fds(sock, [octets], [shared.descriptor])
            break
        except BlockingIOError:
            loop = asyncio.get_running_loop()
            await _called(sock, loop.add_writer, loop.remove_writer)
    if sent < len(octets):  # a Unix socket splits at 32 KiB or more
        raise OSError("a frame with a descriptor was not sent whole")


async def receive(sock: socket.socket, size: int, files: list[Shared]) -> bytes:
    """Return octets as `loop.sock_recv` does; adds memory files that came with them to `files`."""
    while True:
        try:
            octets, ancillary, _, _ = sock.recvmsg(size, _ROOM, socket.MSG_CMSG_CLOEXEC)
            break
        except BlockingIOError:
            loop = asyncio.get_running_loop()
            await _called(sock, loop.add_reader, loop.remove_reader)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            files += map(Shared, array("i", data[: len(data) // 4 * 4]))
    return octets


async def _called(
    sock: socket.socket, add: Callable[..., None], remove: Callable[..., Any]
) -> None:
    """Wait until the loop calls back about a socket."""
    called = asyncio.get_running_loop().create_future()
    add(sock, _settle, called)
    try:
        await called
    finally:
        remove(sock)


def _settle(called: "asyncio.Future[None]") -> None:
    if not called.done():
        called.set_result(None)
