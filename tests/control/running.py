"""Running a control in a test, and asking what it would have answered."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gtmdns.control.control import Control
from gtmdns.health.probes import ProbeResult
from tests.compiler.support import ask
from tests.control.support import (
    QUICK,
    Endpoints,
    controlled,
)

Test = Callable[[Control, Endpoints], Awaitable[None]]


def run(folder: Path, test: Test, text: str = QUICK, **options: Any) -> None:
    async def main() -> None:
        async with controlled(folder, text, **options) as (control, endpoints):
            await test(control, endpoints)

    asyncio.run(main())


def answers(control: Control, owner: str = "www") -> set[str]:
    """Return the addresses that are given for a name now."""
    assert control.publication is not None
    snapshot = control.publication.snapshot
    draws = range(0, 1 << 64, 1 << 60)
    found = (ask(snapshot, f"{owner}.example.test.", "A", draw=draw) for draw in draws)
    return {str(rdata) for response in found for rrset in response.answer for rdata in rrset}


async def hanging(address: str, host: str, check: Any) -> ProbeResult:
    """A probe without an end."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


HOME = {"192.0.2.1", "192.0.2.2"}
