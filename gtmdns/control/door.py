"""A bound on the connections of the HTTP API, which has none of its own.

A client that opens connections and says nothing, or never reads, is not told apart from a
slow one: where there are too many, the oldest makes room. So nobody can take the descriptors
that probes, the loader and the workers' channels need, nor shut the API for others.
"""

import asyncio
import resource

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

MAX_CONNECTIONS = 256


class Door:
    """Makes the protocol of each connection, for `loop.create_server`."""

    def __init__(self, server: web.Server, most: int | None = None) -> None:
        """most: connections at once; None: MAX_CONNECTIONS, or what the descriptors allow."""
        self._server = server
        self._most = affordable(MAX_CONNECTIONS) if most is None else most

    def __call__(self) -> RequestHandler:
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._make_room)  # when the server knows of this one
        return self._server()

    def _make_room(self) -> None:
        # The server lists one that ends for a moment longer, without a transport.
        open_ones = [each for each in self._server.connections if each.transport is not None]
        for oldest in open_ones[: max(0, len(open_ones) - self._most)]:
            _hang_up(oldest)


def affordable(wanted: int) -> int:
    """Return `wanted`, or a quarter of the descriptors that this process may open if less."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft // 4))


def _hang_up(connection: RequestHandler) -> None:
    """Close at once: a polite end waits for a client that does not read."""
    transport = connection.transport
    connection.force_close()
    if isinstance(transport, asyncio.Transport):
        transport.abort()
