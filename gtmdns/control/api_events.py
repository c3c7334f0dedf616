"""`GET /api/v1/events`: server-sent events (docs/http.md, "Events")."""

import asyncio
from contextlib import suppress

from aiohttp import web

from .events import Event, Events, Listener, TooManyListeners
from .problem import Problem

HEARTBEAT = 15.0  # seconds of silence after which a comment shows that the connection lives
LOOK_EVERY = 1.0  # seconds after which it is seen that a listener went away
PATIENCE = 30.0  # seconds that a listener may take to read what was written
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # for those in between


class Stream:
    """Tells each listener what happens, for as long as it listens."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def events(self, request: web.Request) -> web.StreamResponse:
        try:
            listener = self._events.listen(request.headers.get("Last-Event-ID", ""))
        except TooManyListeners:
            raise Problem(503, "Service Unavailable", "too many listen already") from None
        response = web.StreamResponse(headers=HEADERS)
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        try:
            await response.prepare(request)
            await self._tell(request, response, listener)
        except (ConnectionError, TimeoutError):  # gone, or it does not read
            _hang_up(request)
        finally:
            self._events.leave(listener)
        return response

    async def _tell(
        self, request: web.Request, response: web.StreamResponse, listener: Listener
    ) -> None:
        await _write(response, b": listening\n\n")
        silent = 0.0
        while request.transport is not None:
            events: list[Event] = []
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    events = await listener.take()
            if not events and listener.gone:
                return
            silent = 0.0 if events else silent + LOOK_EVERY
            if events:
                await _write(response, b"".join(map(self._octets, events)))
            elif silent >= HEARTBEAT:
                silent = 0.0
                await _write(response, b": alive\n\n")

    def _octets(self, event: Event) -> bytes:
        lines = f"id: {self._events.id_of(event)}\nevent: {event.kind}\ndata: {event.text}\n\n"
        return lines.encode()


async def _write(response: web.StreamResponse, octets: bytes) -> None:
    async with asyncio.timeout(PATIENCE):
        await response.write(octets)


def _hang_up(request: web.Request) -> None:
    """Close at once: what was written waits for somebody who does not read."""
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        transport.abort()
