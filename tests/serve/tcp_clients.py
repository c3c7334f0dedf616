"""A TCP server of ours in a thread, and what its clients do."""

import socket
from contextlib import contextmanager

from gtmdns.serve.sockets import bind
from gtmdns.serve.tcp import TcpLimits, TcpServer
from tests.serve.support import LoopThread, served_pieces, unframed


class Running:
    """A TcpServer on a free port of 127.0.0.1, its loop in a thread."""

    def __init__(self, **limits):
        self.thread = LoopThread()
        bound = bind(["127.0.0.1:0"], workers=0)
        self.listener = bound.tcp[0]
        self.port = self.listener.getsockname()[1]
        self.served = served_pieces()
        self.server = self.thread.call(lambda: TcpServer([self.listener], self.served))
        self.configure(**limits)
        self.thread.call(self.server.start)

    def configure(self, **limits):
        self.thread.call(lambda: self.server.configure(TcpLimits(**limits)))

    def connect(self, source="127.0.0.1", receive_buffer=None):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(10)
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", self.port))
        return sock

    def connections(self):
        return self.thread.call(lambda: self.server.connections)

    def waiting(self, more_than):
        """Return (octets answered and not sent, octets read and not answered) of a connection."""
        connections = self.thread.call(lambda: list(self.server._by_idleness))
        found = [(len(each.outbox), len(each.inbox)) for each in connections]
        return next((pair for pair in found if pair[0] > more_than), None)

    def close(self):
        self.thread.call(self.server.stop)
        self.listener.close()
        self.thread.close()


@contextmanager
def running(**limits):
    server = Running(**limits)
    try:
        yield server
    finally:
        server.close()


def receive(sock, messages):
    """Return this many messages from a connection."""
    with sock.makefile("rb") as stream:
        return [stream.read(int.from_bytes(stream.read(2), "big")) for _ in range(messages)]


def receive_all(sock):
    """Return every message until the server closes."""
    octets = b""
    while more := sock.recv(65_536):
        octets += more
    return unframed(octets)


def closed(sock):
    """Return whether the server has closed the connection, orderly or not. Does not wait."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        sock.settimeout(10)


def numbers(messages):
    return [int.from_bytes(message[:2], "big") for message in messages]
