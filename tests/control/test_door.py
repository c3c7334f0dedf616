"""The HTTP API under connections that come and do not go."""

import asyncio
import socket

from aiohttp import web

from gtmdns.control.door import Door

MOST = 4


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def large(request: web.Request) -> web.Response:
    return web.Response(body=bytes(8 << 20))


async def begin() -> tuple[web.AppRunner, asyncio.Server, int]:
    """Serve behind a door; return what to close, and the port."""
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/large", large)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    listener = socket.create_server(("127.0.0.1", 0))
    door = Door(runner.server, MOST)
    server = await asyncio.get_running_loop().create_server(door, sock=listener)
    return runner, server, listener.getsockname()[1]


async def end(runner: web.AppRunner, server: asyncio.Server) -> None:
    server.close()
    await runner.cleanup()


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def hold(port: int, said: bytes) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open three times as many connections as there may be; each says this and then nothing."""
    held = []
    for _ in range(3 * MOST):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(said)
        held.append((reader, writer))
    return held


async def serve_beside(said: bytes) -> None:
    runner, server, port = await begin()
    held = await hold(port, said)
    async with asyncio.timeout(10):
        assert (await ask(port)).endswith(b"hello")
        # The first was hung up on: its stream has an end, or was reset.
        reader, _ = held[0]
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionResetError:
            pass
    assert runner.server is not None
    assert sum(each.transport is not None for each in runner.server.connections) <= MOST
    for _, writer in held:
        writer.transport.abort()
    await end(runner, server)


def test_connections_without_a_request_make_room() -> None:
    asyncio.run(serve_beside(b"GET / HTTP/1.1\r\nHost: loc"))


def test_connections_that_do_not_read_make_room() -> None:
    asyncio.run(serve_beside(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"))


def test_who_is_within_the_bound_keeps_the_connection() -> None:
    async def run() -> None:
        runner, server, port = await begin()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            assert (await ask(port)).endswith(b"hello")
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"hello")
        writer.close()
        await end(runner, server)

    asyncio.run(run())
