"""A control process for tests: publishes one small snapshot and notes what it is told.

    python fake_control.py JOURNAL [--exit 78] --channel PATH --lifeline FD ...

Each start and each SIGHUP publishes the next generation, whose address is
192.0.2.GENERATION. The journal gets one JSON line per event. Where the file exit-78
lies beside the journal, it does not start.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from gtmdns.serve.frames import Decoder
from gtmdns.serve.lifeline import Lifeline
from tests.serve.support import snapshot_frames


class FakeControl:
    def __init__(self, journal: Path, options: dict[str, str]) -> None:
        self.journal = journal
        self.options = options
        text = journal.read_text()
        self.generation = 1 + text.count('["start"') + text.count('["reload"')
        self.writers: set[asyncio.StreamWriter] = set()
        self.stop = asyncio.Event()

    def note(self, *entry: Any) -> None:
        with self.journal.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def publish(self, writer: asyncio.StreamWriter) -> None:
        writer.write(snapshot_frames(self.generation, f"192.0.2.{self.generation}"))

    async def on_worker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        self.publish(writer)
        decoder = Decoder()
        try:
            while octets := await reader.read(65_536):
                for kind, *rest in decoder.feed(octets):
                    self.note(kind, *rest)
        except ConnectionError:
            self.note("reset")
        finally:
            self.writers.discard(writer)
            writer.close()

    def reload(self) -> None:
        self.note("reload", self.generation)
        self.generation += 1
        for writer in self.writers:
            self.publish(writer)

    def on_gone(self) -> None:
        self.note("parent gone")
        shutil.rmtree(self.options["--runtime"], ignore_errors=True)
        self.stop.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self.note("start", os.getpid(), self.options)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        loop.add_signal_handler(signal.SIGTERM, self.stop.set)
        lifeline = Lifeline.inherited(
            int(self.options["--lifeline"]), lambda line: self.note("line", line), self.on_gone
        )
        server = await asyncio.start_unix_server(self.on_worker, self.options["--channel"])
        lifeline.beat()
        lifeline.say("ready")
        await self.stop.wait()
        server.close()
        os._exit(0)  # connections of workers are still open, and nobody cares


def main() -> None:
    words = sys.argv[2:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    if "--exit" in options or Path(sys.argv[1]).with_name("exit-78").exists():
        sys.exit(78)

    asyncio.run(FakeControl(Path(sys.argv[1]), options).run())


if __name__ == "__main__":
    main()
