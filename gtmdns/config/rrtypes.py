"""The RR types that a zone may hold: all that dnspython knows by name, and TYPEnnn (RFC 3597)."""

import re
from functools import cache

import dns.rdatatype

from ..wire.constants import OPT, SOA

TOO_MUCH = re.compile(r"expected EOL or EOF, got \d+ (.*)", re.DOTALL)  # a token is left over
UNKNOWN = re.compile(r"TYPE(0|[1-9][0-9]{0,4})")  # RFC 3597 section 5
SIGNED = "is made by signing a zone, which is not supported yet"
REFUSED = {
    "NSEC": SIGNED,
    "NSEC3": SIGNED,
    "NSEC3PARAM": SIGNED,
    "NXT": SIGNED,
    "RRSIG": SIGNED,
    "SIG": SIGNED,
}


@cache
def type_number(word: str) -> int | None:
    """Return the number of a type by its mnemonic or as TYPEnnn; None: `word` is no type.

    As master files have it, but for case: `a` is no type.
    """
    found = UNKNOWN.fullmatch(word)
    if found:
        return int(found[1]) if int(found[1]) <= 65_535 else None
    member = dns.rdatatype.RdataType.__members__.get(word.replace("-", "_"))
    is_spelled_so = member is not None and dns.rdatatype.to_text(member) == word
    return int(member) if member is not None and is_spelled_so else None


def plainly(error: Exception) -> str:
    """Return what dnspython finds wrong with a presentation format, without words of its parser."""
    said = str(error).rstrip(".") or type(error).__name__
    left_over = TOO_MUCH.fullmatch(said)
    if left_over:
        return f"{left_over[1]} is too much"
    return said.removeprefix("Text input ")


@cache
def type_text(number: int) -> str:
    """Return the mnemonic of a type, or TYPEnnn."""
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(number))


@cache
def refusal(number: int) -> str | None:
    """Return why a record of this type cannot stand in a zone; None: it can."""
    if is_meta(number):
        return "is for queries and messages alone, no record has this type"
    if number == SOA:
        return "a zone's SOA is made from its contact, serial, ttl and negative_ttl"
    return REFUSED.get(type_text(number))


def is_meta(number: int) -> bool:
    """Return whether a type is never that of a record in a zone (RFC 6895 section 3.1)."""
    return number in (0, OPT, 65_535) or 128 <= number <= 255


def _can_stand(word: str) -> bool:
    number = type_number(word)
    return number is not None and refusal(number) is None


RR_TYPES = tuple(
    word
    for member in dns.rdatatype.RdataType
    if (word := dns.rdatatype.to_text(member)) and _can_stand(word)
)
