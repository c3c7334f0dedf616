"""From a decision to the answer that workers hold: octets and alias tables."""

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

from ..answers.answer import (
    FIRST_TAG,
    Answer,
    Fixed,
    Hashed,
    Leaf,
    Several,
    leaf,
    shuffled,
    weighted,
)
from ..config.model import Ttl, TtlRange
from ..wire.constants import CNAME, NOERROR, SERVFAIL
from ..wire.name import from_text
from .draws import Choice, Drawn, Kind
from .outcome import Outcome
from .plan import AnswerSpec
from .records import TO_QUESTION, address_rdata, rr

HASH_KEY = b"gtmdns hash 1"  # another one would move every client: it never changes


class Tags:
    """Numbers for what an answer is counted as: (rcode, pool, reason). They only grow."""

    def __init__(self, known: list[tuple[int, str, str]]) -> None:
        self.known = known
        self._numbers = {key: FIRST_TAG + at for at, key in enumerate(known)}

    def number(self, rcode: int, pool: str, reason: str) -> int:
        key = (rcode, pool, reason)
        if key not in self._numbers:
            self._numbers[key] = FIRST_TAG + len(self.known)
            self.known.append(key)
        return self._numbers[key]


def answer_of(spec: AnswerSpec, outcome: Outcome, tags: Tags) -> Answer:
    """Return the answer for a decision about `spec`."""
    ttl = ttl_of(spec.ttl, outcome.until)
    if outcome.cname is not None:
        tag = tags.number(NOERROR, "", outcome_reason(outcome, spec))
        return Fixed(leaf(_cname(outcome.cname, ttl), tag, 1))
    if outcome.choice is None:
        rcode = SERVFAIL if outcome.servfail else NOERROR
        tag = tags.number(rcode, "", outcome_reason(outcome, spec))
        return Fixed(_empty(rcode, outcome.all_down, tag))
    return _answer(outcome.choice, spec, outcome, ttl, tags)


def ttl_of(ttl: Ttl, until: float) -> int:
    """Return whole seconds. `until`: those in which what the answer looked at could change."""
    if isinstance(ttl, TtlRange):
        return max(ttl.min, int(min(until, ttl.max)))
    return ttl


def _empty(rcode: int, all_down: bool, tag: int) -> Leaf:
    """Return the leaf without records; its ANCOUNT carries RCODE and reason to the responder."""
    return leaf(None, tag, all_down << 8 | rcode)


def _answer(choice: Choice, spec: AnswerSpec, outcome: Outcome, ttl: int, tags: Tags) -> Answer:
    if isinstance(choice, Drawn):
        return _drawn(choice, spec, outcome, ttl, tags)
    return weighted(
        [(weight, _answer(part, spec, outcome, ttl, tags)) for weight, part in choice.parts]
    )


def _drawn(drawn: Drawn, spec: AnswerSpec, outcome: Outcome, ttl: int, tags: Tags) -> Answer:
    tag = tags.number(NOERROR, "+".join(drawn.pools), reason_of(drawn, spec, outcome))
    record = _cname if spec.family == 0 else _address
    return _made(drawn.addresses, drawn.weights, drawn.take, drawn.kind, record, ttl, tag)


@lru_cache(maxsize=4096)  # when a pool changes, many names get the same new answer
def _made(
    addresses: tuple[str, ...],
    weights: tuple[int, ...],
    take: int,
    kind: Kind,
    record: Callable[[str, int], bytes],
    ttl: int,
    tag: int,
) -> Answer:
    """Return the answer that draws from these addresses. `record`: makes one of an address."""
    records = [record(address, ttl) for address in addresses]
    if kind == "hashed" and len(records) > 1:
        return Hashed(tuple(map(hash_key, addresses)), weights, tuple(records), take, tag)
    if take == 1:
        leaves = (Fixed(leaf(record, tag, 1)) for record in records)
        return weighted(list(zip(weights, leaves, strict=True)))
    if kind == "ordered":
        return Several(weights, tuple(records), take, tag)
    return shuffled(records, take, tag)


@lru_cache(maxsize=65_536)  # an endpoint stands in the answers of many names
def _address(address: str, ttl: int) -> bytes:
    rtype, rdata = address_rdata(address)
    return rr(TO_QUESTION, rtype, ttl, rdata)


def _cname(name: str, ttl: int) -> bytes:
    return rr(TO_QUESTION, CNAME, ttl, from_text(name))


@lru_cache(maxsize=65_536)
def hash_key(address: str) -> int:
    """Return the 64 bits that stand for an endpoint in `select: hash`, the same on every node."""
    return int.from_bytes(blake2b(address.encode(), digest_size=8, key=HASH_KEY).digest())


def reason_of(drawn: Drawn, spec: AnswerSpec, outcome: Outcome) -> str:
    """Return the first reason that holds: override, all_down, failover, then region or default."""
    return outcome_reason(outcome, spec, drawn.failover)


def outcome_reason(outcome: Outcome, spec: AnswerSpec, failover: bool = False) -> str:
    """As `reason_of`, for an outcome without a draw."""
    if outcome.overridden:
        return "override"
    if outcome.all_down:
        return "all_down"
    return "failover" if failover else spec.by
