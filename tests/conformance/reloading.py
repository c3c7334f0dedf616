"""Reloads under load: configurations that name themselves in every answer.

Configuration number g answers 10.1.g.g and 10.2.g.g (g as two octets), so each answer tells
which configuration it came from, and an answer from two of them is seen at once.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.conformance.load import Asked, Load, Outcome, Plan
from tests.conformance.processes import Process
from tests.conformance.server import Server
from tests.conformance.waiting import Late, eventually

NAMES = ["one.gtm.test", "both.gtm.test", "fixed.gtm.test", "drawn.gtm.test"]
ADDRESSES_OF = {"one.gtm.test": 1, "both.gtm.test": 2, "fixed.gtm.test": 2, "drawn.gtm.test": 1}
AGREE_IN = 1.0  # seconds after a reload in which every worker has to answer the new

CONFIG = """
pools:
  first: {{endpoints: [{first}]}}
  second: {{endpoints: [{second}]}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      one: {{pools: first}}
      both: {{pools: {{all: [first, second]}}}}
      fixed: {{A: [{first}, {second}]}}
      drawn: {{pools: {{first: 1, second: 1}}}}
"""


def config(number: int) -> str:
    """Return configuration `number`, 0 to 65535."""
    high, low = divmod(number, 256)
    return CONFIG.format(first=f"10.1.{high}.{low}", second=f"10.2.{high}.{low}")


def number_of(asked: Asked) -> int:
    """Return the configuration that an answer is from. It is from one, and whole."""
    octets = [list(map(int, address.split("."))) for address in asked.answer.split()]
    numbers = {256 * high + low for _, _, high, low in octets}
    assert len(numbers) == 1, f"an answer from a mixture: {asked}"
    assert len(octets) == ADDRESSES_OF[asked.name], f"not a whole answer: {asked}"
    return numbers.pop()


@dataclass
class Reloads:
    """What was written and served when. Moments are seconds since the epoch.

    written: by number of the configuration, before the file was there
    served:  by number, after every worker said that it serves it; not every number is in here
    """

    written: dict[int, float] = field(default_factory=dict)
    returned: dict[int, float] = field(default_factory=dict)
    served: dict[int, float] = field(default_factory=dict)

    def write(self, server: Server, number: int) -> None:
        self.written[number] = time.time()
        server.write(config(number))

    def write_and_reload(self, server: Server, number: int) -> None:
        self.write(server, number)
        status, outcome = server.request("/api/v1/reload", "POST")
        assert status == 200, outcome
        self.returned[number] = time.time()
        eventually(lambda: server.all_serve(outcome["generation"]), f"all serve {number}")
        self.served[number] = time.time()

    def judge(self, outcome: Outcome) -> float:
        """Check every answer; return the longest time from a reload's return to an old answer.

        Nothing is lost. No flow, which is one worker's, goes back to an older configuration,
        whichever names it asks for. Nothing is answered before it was written, and nothing
        old after every worker said that it serves the new.
        """
        outcome.assert_none_lost()
        assert outcome.stray == 0
        newest: dict[int, int] = {}
        slowest = 0.0
        for asked in outcome:
            number = number_of(asked)
            assert number >= newest.get(asked.flow, 0), f"a worker went back: {asked}"
            newest[asked.flow] = number
            assert asked.received is not None
            assert number == 0 or asked.received >= self.written[number], f"from nowhere: {asked}"
            if number + 1 in self.served:
                assert asked.sent <= self.served[number + 1], f"old though served: {asked}"
                slowest = max(slowest, asked.received - self.returned[number + 1])
        return slowest


def at_zero(server: Server) -> Reloads:
    """Begin with configuration 0, whatever was served before."""
    server.write(config(0))
    server.reload()
    return Reloads()


def reload_often(server: Server, *, reloads: int, rate: float) -> str:
    """Reload so many times under load, one after the other; return a line of figures."""
    story = at_zero(server)
    begun = time.monotonic()
    plan = Plan("127.0.0.1", server.port, NAMES, rate=rate, seconds=60 + 5 * reloads)
    with Load(plan) as load:
        for number in range(1, reloads + 1):
            story.write_and_reload(server, number)
        outcome = load.finish()
    seconds = time.monotonic() - begun
    slowest = story.judge(outcome)
    if slowest > AGREE_IN:
        raise Late(f"a worker answered the old configuration {slowest:.2f} s after the reload")
    assert set(map(number_of, outcome)) >= set(range(1, reloads)), "a configuration never served"
    return (
        f"{reloads} reloads in {seconds:.1f} s: {outcome}; last old answer "
        f"{1000 * slowest:.0f} ms after a reload returned"
    )


def hang_up_often(server: Server, *, times: int, every: float, rate: float, p99: float) -> str:
    """SIGHUP at a steady rate, faster than loads can follow, each with a new file."""
    story = at_zero(server)
    with Load(Plan("127.0.0.1", server.port, NAMES, rate=rate, seconds=120)) as load:
        due = time.monotonic()
        for number in range(1, times + 1):
            story.write(server, number)
            server.signal(signal.SIGHUP)
            due += every
            time.sleep(max(0.0, due - time.monotonic()))
        eventually(lambda: serves(server, times), "the last file is served")
        time.sleep(0.5)
        outcome = load.finish()
    story.judge(outcome)
    assert number_of(list(outcome)[-1]) == times
    if outcome.latency(0.99) > p99:
        raise Late(f"{times} reloads: {outcome}, p99 above {1000 * p99:g} ms")
    return f"{times} times SIGHUP, one each {1000 * every:g} ms: {outcome}"


def serves(server: Server, number: int) -> bool:
    high, low = divmod(number, 256)
    return server.addresses("one.gtm.test") == [f"10.1.{high}.{low}"]


@dataclass(frozen=True)
class Size:
    """What a process holds."""

    rss: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, process: Process) -> "Size":
        return cls(process.rss, process.descriptors, process.threads)


def sizes(server: Server) -> dict[str, Size]:
    """Return the size of parent, control and each worker, by role and process id."""
    return {f"{p.role} ({p.pid})": Size.of(p) for p in server.lasting()}


def assert_same_size(before: dict[str, Size], after: dict[str, Size], share: float) -> str:
    """The same processes hold the same: descriptors and threads exactly, memory within a share."""
    lines = []
    assert before.keys() == after.keys()
    for role, then in before.items():
        now = after[role]
        grown = now.rss / then.rss - 1
        lines.append(f"{role}: {then} -> {now}, memory {grown:+.1%}")
        assert now.descriptors == then.descriptors, lines[-1]
        assert now.threads == then.threads, lines[-1]
        assert grown <= share, lines[-1]
    return "\n".join(lines)


def settled(server: Server, read: Callable[[], dict[str, Size]] | None = None) -> dict[str, Size]:
    """Return the sizes once no loader runs and descriptors have stopped changing."""
    read = read or (lambda: sizes(server))
    last = read()

    def same() -> bool:
        nonlocal last
        time.sleep(0.3)
        before, last = last, read()
        return [s.descriptors for s in before.values()] == [s.descriptors for s in last.values()]

    eventually(lambda: all(p.role != "loader" for p in server.processes()) and same(), "calm")
    return last
