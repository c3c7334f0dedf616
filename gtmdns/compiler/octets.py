"""From a decision to the answer that workers hold: octets and alias tables."""

from ..answers.answer import FIRST_TAG, Answer, Fixed, Leaf, Several, leaf, shuffled, weighted
from ..wire.constants import CNAME, NOERROR, SERVFAIL
from ..wire.name import from_text
from .decide import Choice, Drawn, Outcome
from .plan import AnswerSpec
from .records import TO_QUESTION, address_rdata, rr


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
    if outcome.choice is None:
        rcode = SERVFAIL if outcome.servfail else NOERROR
        reason = "all_down" if outcome.all_down else spec.by
        return Fixed(_empty(rcode, tags.number(rcode, "", reason)))
    return _answer(outcome.choice, spec, outcome.all_down, tags)


def _empty(rcode: int, tag: int) -> Leaf:
    """Return the leaf without records; its ANCOUNT carries the RCODE to the responder."""
    return leaf(None, tag, rcode)


def _answer(choice: Choice, spec: AnswerSpec, all_down: bool, tags: Tags) -> Answer:
    if isinstance(choice, Drawn):
        return _drawn(choice, spec, all_down, tags)
    return weighted(
        [(weight, _answer(part, spec, all_down, tags)) for weight, part in choice.parts]
    )


def _drawn(drawn: Drawn, spec: AnswerSpec, all_down: bool, tags: Tags) -> Answer:
    tag = tags.number(NOERROR, "+".join(drawn.pools), reason_of(drawn, spec, all_down))
    records = [_record(address, spec) for address in drawn.addresses]
    if drawn.take == 1:
        return weighted(
            [
                (weight, Fixed(leaf(record, tag, 1)))
                for weight, record in zip(drawn.weights, records, strict=True)
            ]
        )
    if drawn.ordered:
        return Several(drawn.weights, tuple(records), drawn.take, tag)
    return shuffled(records, drawn.take, tag)


def _record(address: str, spec: AnswerSpec) -> bytes:
    if spec.family == 0:
        return rr(TO_QUESTION, CNAME, spec.ttl, from_text(address))
    rtype, rdata = address_rdata(address)
    return rr(TO_QUESTION, rtype, spec.ttl, rdata)


def reason_of(drawn: Drawn, spec: AnswerSpec, all_down: bool) -> str:
    """Return the first reason that holds: all_down, failover, then region or default."""
    if all_down:
        return "all_down"
    return "failover" if drawn.failover else spec.by
