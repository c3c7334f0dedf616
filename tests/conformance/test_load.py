"""The judges of the other tests can say no: a load that loses, and answers that are not whole."""

import socket
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.rrset
import pytest

from tests.conformance.load import Outcome, Plan, run_load
from tests.conformance.reloading import Reloads
from tests.conformance.shares import assert_shares, chi_square_p

NAME = "one.gtm.test"


@contextmanager
def careless_server() -> Iterator[int]:
    """Answer on a port of 127.0.0.1, but lose each tenth query and answer each seventh twice."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            count = 0
            while True:
                packet, peer = sock.recvfrom(4096)
                if not packet:
                    return
                count += 1
                if count % 10 == 0:
                    continue
                response = dns.message.make_response(dns.message.from_wire(packet))
                response.answer = [dns.rrset.from_text(f"{NAME}.", 60, "IN", "A", "10.1.0.1")]
                for _ in range(2 if count % 7 == 0 else 1):
                    sock.sendto(response.to_wire(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", sock.getsockname()[1]))
            thread.join()


def test_every_query_is_accounted_for() -> None:
    with careless_server() as port:
        outcome = run_load(Plan("127.0.0.1", port, [NAME], rate=500, most=700, lifetime=20))

    assert len(outcome) == 700
    assert len(outcome.lost) == 70
    assert outcome.stray == 700 // 7 - 700 // 70
    assert outcome.counts == {"10.1.0.1": 630, "": 70}
    assert len({asked.flow for asked in outcome}) == 32 * 2
    assert all(asked.latency > 0 for asked in outcome if asked.received)


def answered(*texts: str, name: str = NAME) -> Outcome:
    """Return an outcome of one flow, with one answer each second from 1.0 on; "" is a loss."""
    sent = array("d", range(1, len(texts) + 1))
    received = array("d", (at + 0.1 if text else 0.0 for at, text in zip(sent, texts, strict=True)))
    zeros = array("l", [0] * len(texts))
    return Outcome(
        sent, received, zeros, array("l", range(len(texts))), [name], zeros, list(texts), 0
    )


STORY = Reloads(written={1: 1.0, 2: 2.0}, returned={1: 1.05, 2: 2.5}, served={1: 1.6, 2: 2.6})

# fmt: off
BAD = [
    ("lost",                   NAME,            ["10.1.0.0", ""],                      "1 of 2 lost"),
    ("mixed",                  "both.gtm.test", ["10.1.0.0 10.2.0.1"],                 "mixture"),
    ("half",                   "both.gtm.test", ["10.1.0.0"],                          "not a whole"),
    ("going back",             NAME,            ["10.1.0.1", "10.1.0.0"],              "went back"),
    ("not written yet",        NAME,            ["10.1.0.2"],                          "from nowhere"),
    ("old though served",      NAME,            ["10.1.0.0", "10.1.0.1", "10.1.0.1"],  "old though"),
]
# fmt: on


@pytest.mark.parametrize(("name", "texts", "words"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_reloads_are_judged(name: str, texts: list[str], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        STORY.judge(answered(*texts, name=name))


def test_a_good_story_is_let_pass() -> None:
    """An old answer came 50 ms after a reload returned, before all workers served the new."""
    assert STORY.judge(answered("10.1.0.0", "10.1.0.1", "10.1.0.2")) == pytest.approx(0.05)


def test_shares_are_judged() -> None:
    assert_shares({"a": 540, "b": 460}, {"a": 1, "b": 1})
    for counts in ({"a": 570, "b": 430}, {"a": 500, "b": 499, "c": 1}, {"a": 1000}):
        with pytest.raises(AssertionError):
            assert_shares(counts, {"a": 1, "b": 1, "c": 0})

    weights = {"a": 1, "b": 2, "c": 5}
    assert chi_square_p({"a": 1000, "b": 2000, "c": 5000}, weights) == 1
    assert chi_square_p({"a": 1100, "b": 1900, "c": 5000}, weights) == pytest.approx(
        5.5e-4, rel=0.01
    )
