"""Who reads whose sockets, and how long a process that dies has to wait: no processes here."""

import asyncio
import signal

import pytest

from gtmdns.serve import child as child_module
from gtmdns.serve.child import LAST_DELAY, QUICK, Child, describe_end
from gtmdns.serve.supervisor import HOPELESS, SILENT, WATCH, Supervisor
from tests.serve.support import until


class Workers:
    """A supervisor whose workers only note what they are told."""

    def __init__(self, number):
        self.lines = []
        self.said = []
        self.supervisor = Supervisor(
            lambda lifeline: ([], []),
            [lambda lifeline: ([], [])] * number,
            lambda level, text: self.lines.append(text),
            "welcome",
        )
        for index, each in enumerate(self.supervisor.workers):
            each.say = lambda line, index=index: self.said.append((index, line))
            each.signal = lambda sign, index=index: self.said.append((index, sign))
            each.start = lambda: None

    def told(self):
        told, self.said = self.said, []
        return told

    def ready(self, index):
        self.supervisor.workers[index]._hear("ready")

    def dead(self, index):
        self.supervisor._on_death(self.supervisor.workers[index], signal.SIGKILL)

    def silent(self, index, seconds):
        self.supervisor.workers[index]._hear("alive")
        for _ in range(int(seconds / WATCH)):
            for other, worker in enumerate(self.supervisor.workers):
                if other != index:
                    worker.silence = 0.0
            self.supervisor._watch()


def run(test):
    async def inside():
        return test()

    return asyncio.run(inside())


def test_what_is_not_served_yet_is_read_by_the_first_that_serves():
    def test():
        workers = Workers(3)
        workers.ready(1)
        assert workers.told() == [(1, "adopt 0"), (1, "adopt 2")]
        workers.ready(0)
        assert workers.told() == [(1, "release 0")]
        workers.ready(2)
        assert workers.told() == [(1, "release 2")]
        assert workers.lines == ["welcome"]

    run(test)


def test_the_dead_are_spread_over_the_living_and_move_on_when_those_die():
    def test():
        workers = Workers(4)
        for index in range(4):
            workers.ready(index)
        workers.told()
        workers.dead(0)
        assert workers.told() == [(1, "adopt 0")]
        workers.dead(2)
        assert workers.told() == [(3, "adopt 2")]
        workers.dead(1)
        assert workers.told() == [(1, "release 0"), (3, "adopt 0"), (3, "adopt 1")]
        workers.ready(1)
        assert workers.told() == [(3, "release 1")]
        assert workers.lines.count("welcome") == 1

    run(test)


def test_with_nobody_to_read_them_they_wait():
    def test():
        workers = Workers(1)
        workers.ready(0)
        workers.dead(0)
        assert workers.told() == []

    run(test)


def test_a_silent_worker_is_covered_then_killed_and_one_that_speaks_again_is_not():
    def test():
        workers = Workers(2)
        for index in range(2):
            workers.ready(index)
        workers.told()
        workers.silent(0, SILENT)
        assert workers.told() == [(1, "adopt 0")]
        workers.supervisor.workers[0]._hear("alive")
        workers.supervisor._watch()
        assert workers.told() == [(1, "release 0")]
        workers.silent(0, HOPELESS + 1)
        assert workers.told() == [(1, "adopt 0"), (0, signal.SIGKILL)]

    run(test)


def test_who_has_never_said_that_it_lives_is_not_held_to_be_stuck():
    def test():
        workers = Workers(2)
        for _ in range(100):
            workers.supervisor._watch()
        assert workers.told() == []
        assert workers.lines == []

    run(test)


def test_who_dies_again_and_again_waits_longer_up_to_a_bound(monkeypatch):
    async def inside():
        child = Child("x", lambda lifeline: ([], []), lambda child, line: None)
        now = asyncio.get_running_loop().time()
        delays = []
        for _ in range(8):
            child._started_at = now
            delays.append(child.reaped())
        child._started_at = now - QUICK - 1
        delays.append(child.reaped())
        child._started_at = now
        delays.append(child.reaped())
        return delays

    delays = asyncio.run(inside())

    assert delays == [0.0, 0.05, 0.1, 0.2, 0.4, LAST_DELAY, LAST_DELAY, LAST_DELAY, 0.0, 0.0]
    assert child_module.LAST_DELAY <= 1


def test_what_cannot_be_started_now_is_started_later(monkeypatch):
    async def inside():
        workers = Workers(1)
        tries = []
        monkeypatch.setattr("gtmdns.serve.supervisor.LAST_DELAY", 0.01)
        supervisor = workers.supervisor

        def start():
            tries.append(True)
            if len(tries) < 3:
                raise BlockingIOError(11, "Resource temporarily unavailable")

        supervisor.workers[0].start = start
        supervisor._start(supervisor.workers[0])
        await until(lambda: len(tries) == 3, "tried again")
        return workers.lines

    lines = asyncio.run(inside())

    assert len(lines) == 2
    assert "cannot start worker 0" in lines[0]


def test_a_program_that_is_not_there_leaves_no_descriptor_open():
    async def inside():
        Child(
            "x", lambda lifeline: (["/nonexistent/program"], []), lambda child, line: None
        ).start()

    with pytest.raises(FileNotFoundError):
        asyncio.run(inside())


@pytest.mark.parametrize(
    ("status", "text"),
    [(0, "exit status 0"), (256, "exit status 1"), (9, "SIGKILL"), (40, "signal 40")],
)
def test_the_end_of_a_process_is_said_in_words(status, text):
    assert describe_end(status) == text
