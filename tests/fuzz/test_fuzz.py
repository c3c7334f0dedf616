"""A short form of `make fuzz`, and that the laws it holds are not empty."""

import pytest

import tests.fuzz.laws as laws_module
from gtmdns.answers.cache import AnswerCache
from gtmdns.serve.connection import Connection
from tests.fuzz.laws import Laws
from tests.fuzz.mutation import fuzz
from tests.fuzz.seeds import CORPUS, inputs, packets

WWW = next(packet for packet in packets() if b"\x03www" in packet and packet[11:12] == b"\x00")
STREAM = b"\x13" + 2 * (len(WWW).to_bytes(2) + WWW)


def test_seeds_and_mutations_hold() -> None:
    assert len(inputs()) > 500
    print(fuzz(runs=20_000, seconds=30, seed=1))


def test_every_type_is_answered() -> None:
    laws = Laws(judge=50)
    for qtype in range(65_536):
        laws.check(b"\x00" + WWW[:-4] + qtype.to_bytes(2) + WWW[-2:])
    assert laws.tried == 65_536


def test_the_corpus_is_small() -> None:
    files = list(CORPUS.iterdir())

    assert 0 < len(files) < 500
    assert sum(file.stat().st_size for file in files) < 100_000


# fmt: off
BROKEN = [
    # id                    what respond says in place of its response
    ("silence",             lambda response: None),
    ("another id",          lambda response: b"\xff\xff" + response[2:]),
    ("a query",             lambda response: response[:2] + b"\x00" + response[3:]),
    ("RA",                  lambda response: response[:3] + bytes((response[3] | 0x80,)) + response[4:]),
    ("another question",    lambda response: response[:13] + b"\x7a" + response[14:]),
    ("longer than allowed", lambda response: response + bytes(600)),
    ("a count too high",    lambda response: response[:7] + b"\x09" + response[8:]),
]
# fmt: on


@pytest.mark.parametrize("breaking", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_response_is_found(monkeypatch: pytest.MonkeyPatch, breaking: object) -> None:
    right = laws_module.respond
    monkeypatch.setattr(laws_module, "respond", lambda *given: breaking(right(*given)))  # type: ignore[operator]

    with pytest.raises(Exception, match=r".") as caught:
        Laws().check(b"\x01" + WWW)
    assert not isinstance(caught.value, TypeError)


def test_a_cache_that_says_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnswerCache, "respond", lambda self, packet, *_: packet)

    with pytest.raises(AssertionError, match="the cache"):
        Laws().check(b"\x00" + WWW)


def test_a_stream_that_loses_a_response_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    Laws().check(STREAM)
    work = Connection.work

    def forget(self: Connection, allowance: int) -> int:
        if len(self.inbox) > len(STREAM) // 2:
            del self.inbox[: 2 + len(WWW)]
        return work(self, allowance)

    monkeypatch.setattr(Connection, "work", forget)
    with pytest.raises(AssertionError):
        Laws().check(STREAM)
