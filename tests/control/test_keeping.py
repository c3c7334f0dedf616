"""Writing the state: what was taken later wins, whoever is quicker."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from gtmdns.control import keeping
from gtmdns.control.keeping import Keeper
from gtmdns.control.state import State, read_state
from tests.control.support import until


def test_what_was_taken_before_does_not_overwrite_what_was_taken_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generation's number must never be given twice: a slow thread must not take it back."""
    slow, let_go = threading.Event(), threading.Event()
    render: Any = keeping.state_text

    def rendering(state: State) -> str:
        if threading.current_thread() is not threading.main_thread():
            slow.set()
            assert let_go.wait(20)
        return str(render(state))

    monkeypatch.setattr(keeping, "state_text", rendering)
    monkeypatch.setattr(keeping, "SAVE_EVERY", 0.001)

    async def main() -> None:
        keeper = Keeper([tmp_path], lambda state: None)
        keeper.state.generation = 1
        running = asyncio.ensure_future(keeper.run())
        keeper.soon()
        await until(slow.is_set, "the thread has the state of generation 1")
        keeper.state.generation = 2
        assert keeper.write() == {tmp_path}
        let_go.set()
        keeper.soon()
        slow.clear()
        await until(slow.is_set, "the thread is done, and writes again")
        assert read_state(tmp_path).generation == 2
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
