"""One probe of one server, as most tests of probes need it."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from gtmdns.health.probes import Prober, ProbeResult
from tests.health.servers import Handler, serving
from tests.health.support import Definition

PATIENT = 10.0  # seconds; the timeout of probes that are to end before it
MOMENT = 10.0  # seconds; what a busy machine may take for nothing; TLS says goodbye for 30
SHORT = 0.3  # seconds; the timeout of probes that are to run into it

Trust = Callable[[], ssl.SSLContext]


async def probe_once(
    check: Definition,
    address: str = "127.0.0.1",
    endpoint: str | None = None,
    trust: Trust = ssl.create_default_context,
) -> ProbeResult:
    prober = Prober(trust=trust)
    try:
        return await prober.probe(address, endpoint or address, check)
    finally:
        await prober.close()


def ask(
    handler: Handler,
    server_tls: ssl.SSLContext | None = None,
    trust: Trust = ssl.create_default_context,
    endpoint: str = "127.0.0.1",
    **fields: Any,
) -> ProbeResult:
    """Probe `handler` once on 127.0.0.1."""

    async def run() -> ProbeResult:
        async with serving(handler, server_tls) as port:
            check = Definition(**{"timeout": PATIENT, "port": port, **fields})
            return await probe_once(check, endpoint=endpoint, trust=trust)

    return asyncio.run(run())
