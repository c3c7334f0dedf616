"""Back ends die, hang and return under load: time from the event to the last wrong answer.

The pools of the scene:

    www   {one: 1, two: 1}
    chain [trio, spare], where trio is one, three and four, two of which must be usable
    among {one: 1, three: 1, two: 0}: two is a spare
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.back_ends import BackEnds
from tests.conformance.load import Load, Outcome, Plan
from tests.conformance.ports import free_port
from tests.conformance.server import Server, fresh, serving
from tests.conformance.waiting import Late, eventually

ONE, TWO, THREE, FOUR, SPARE = (f"127.0.9.{number}" for number in range(1, 6))
WWW, CHAIN, AMONG = "www.gtm.test", "chain.gtm.test", "among.gtm.test"
FALL, RISE = 3, 2
MARGIN = 0.2  # seconds in which answers follow a verdict

CONFIG = """
server: {{startup_wait: 1s}}
health_checks:
  web: {{type: http, port: {port}, interval: {interval}, timeout: {timeout}, fall: 3, rise: 2}}
pools:
  one: {{endpoints: [127.0.9.1], health_check: web}}
  two: {{endpoints: [127.0.9.2], health_check: web}}
  three: {{endpoints: [127.0.9.3], health_check: web}}
  trio: {{endpoints: [127.0.9.1, 127.0.9.3, 127.0.9.4], health_check: web, min_available: 2}}
  spare: {{endpoints: [127.0.9.5]}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      www: {{pools: {{one: 1, two: 1}}}}
      chain: {{pools: [trio, spare]}}
      among: {{pools: {{one: 1, three: 1, two: 0}}}}
"""


@dataclass
class Event:
    """Something that happened at a moment, and what has to follow it.

    gone:   the name must not be answered with the address any more (True), or must again (False)
    bound:  seconds in which that has to be so
    until:  moment of the next event, which ends the time to look at
    """

    what: str
    at: float
    name: str
    address: str
    gone: bool
    bound: float
    until: float = 0.0

    def took(self, outcome: Outcome) -> float:
        """Return the seconds from the event to the last answer with, or the first, the address."""
        with_it = [
            asked.received
            for asked in outcome
            if asked.received is not None
            and asked.name == self.name
            and self.at <= asked.received < self.until
            and self.address in asked.answer.split()
        ]
        if self.gone:
            return max(with_it, default=self.at) - self.at
        assert with_it, f"{self.what}: {self.address} was never answered again"
        return min(with_it) - self.at


def follow(folder: Path, *, rate: float, interval: float, timeout: float) -> list[str]:
    """Run the scene; return lines that tell what was measured. Raises Late where a bound is missed."""
    folder, port = fresh(folder), free_port("0.0.0.0")
    down_bound = FALL * interval + timeout + MARGIN
    up_bound = RISE * interval + timeout + MARGIN
    events: list[Event] = []

    def note(
        what: str,
        at: float,
        bound: float,
        *,
        gone: Sequence[tuple[str, str]] = (),
        back: Sequence[tuple[str, str]] = (),
    ) -> None:
        events.extend(Event(what, at, *pair, True, bound) for pair in gone)
        events.extend(Event(what, at, *pair, False, bound) for pair in back)

    with ExitStack() as stack:
        ends = {
            address: stack.enter_context(BackEnds(folder, [f"{address}:{port}:ok"]))
            for address in (ONE, TWO, THREE, FOUR)
        }
        config = CONFIG.format(port=port, interval=interval, timeout=timeout)
        server = stack.enter_context(serving(folder, config))
        eventually(lambda: _all_are(server, "up", ONE, TWO, THREE, FOUR), "all back ends are up")
        names = [WWW, CHAIN, AMONG]
        load = stack.enter_context(
            Load(Plan("127.0.0.1", server.port, names, rate=rate, seconds=90))
        )
        with _until(server, events, "down", ONE):
            note("one killed", ends[ONE].kill(), down_bound, gone=[(WWW, ONE), (CHAIN, ONE)])
        with _until(server, events, "down", THREE):
            note(
                "three killed: trio is below its minimum, among has only its spare",
                ends[THREE].kill(),
                down_bound,
                gone=[(CHAIN, THREE), (CHAIN, FOUR), (AMONG, THREE)],
                back=[(CHAIN, SPARE), (AMONG, TWO)],
            )
        with _until(server, events, "up", ONE):
            note(
                "one is back",
                ends[ONE].start(),
                up_bound,
                gone=[(CHAIN, SPARE), (AMONG, TWO)],
                back=[(WWW, ONE), (CHAIN, ONE), (CHAIN, FOUR), (AMONG, ONE)],
            )
        with _until(server, events, "down", TWO):
            note("two frozen", ends[TWO].freeze(), down_bound, gone=[(WWW, TWO)])
        with _until(server, events, "up", TWO):
            note("two thawed", ends[TWO].thaw(), up_bound, back=[(WWW, TWO)])
        outcome = load.finish()
        assert_logged(server)
    outcome.assert_none_lost()
    assert_spares_rested(events, outcome)
    return [*judge(events, outcome), f"load: {outcome}"]


@contextmanager
def _until(server: Server, events: list[Event], state: str, address: str) -> Iterator[None]:
    """What happens inside must lead to a verdict; a little later the time for the events ends."""
    before = len(events)
    yield
    eventually(lambda: _all_are(server, state, address), f"{address} is {state}")
    time.sleep(0.5)  # so that a wrong answer after the verdict is seen
    for event in events[before:]:
        event.until = time.time()


def _all_are(server: Server, state: str, *addresses: str) -> bool:
    verdicts = server.verdicts()
    return all(verdicts[address] == state for address in addresses)


def judge(events: list[Event], outcome: Outcome) -> list[str]:
    """Return a line for each event. Raises Late where one took longer than it may."""
    lines, late = [], False
    for event in events:
        took = event.took(outcome)
        late = late or took > event.bound
        last = "last answer with" if event.gone else "first answer with"
        lines.append(
            f"{event.what}: {last} {event.address} for {event.name} after {took:.3f} s, "
            f"at most {event.bound:.2f} s"
        )
    if late:
        raise Late("\n".join(lines))
    return lines


def assert_spares_rested(events: list[Event], outcome: Outcome) -> None:
    """Before anything failed that they stand in for, spares and later members were not answered."""
    needed = next(event.at for event in events if event.address == SPARE)
    early = [
        asked
        for asked in outcome
        if asked.sent < needed and (asked.name, asked.answer) in ((CHAIN, SPARE), (AMONG, TWO))
    ]
    assert early == []


def assert_logged(server: Server) -> None:
    """Each change of a verdict is one line with both times: since when, and how long before."""
    for address, state, before in ((ONE, "down", "up"), (ONE, "up", "down"), (TWO, "down", "up")):
        assert any(
            f"check web: {address} is {state} since 20" in line and f", {before} for " in line
            for line in server.log.splitlines()
        ), server.log
