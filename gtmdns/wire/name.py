"""Domain names as octets: RFC 1035 sections 3.1, 4.1.4 and 5.1, RFC 4343 (case).

Everywhere inside gtmdns a name is one `WireName`: uncompressed wire format,
ASCII letters in lower case, final zero octet included, 1 to 255 octets.
`www.Example.com` is `b"\\x03www\\x07example\\x03com\\x00"`; the root is `b"\\x00"`.
Text exists only at the edges: configuration, admin API, logs.
"""

from collections.abc import Iterator
from typing import NewType

WireName = NewType("WireName", bytes)

ROOT = WireName(b"\x00")
MAX_NAME = 255  # octets, with length octets and final zero (RFC 1035 section 2.3.4)
MAX_LABEL = 63  # octets, without the length octet

_UNESCAPED = (
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/+=@:#%&~!?,'<>[]{}|^`"
)


class BadName(ValueError):
    """The text or the octets are not a legal domain name."""


def from_text(text: str, origin: WireName | None = None) -> WireName:
    """Return the wire form of a name in presentation format, letters in lower case.

    Without a final dot the name is relative to `origin`, where one is given, else
    absolute all the same; "@" is the origin and "." the root. `\\.` and `\\DDD` are
    escapes (RFC 1035 section 5.1). IDNA is the caller's concern: pass "xn--..." labels.

    Raises BadName: empty label, label over 63 octets, name over 255 octets, a
    character outside ASCII, a broken escape.
    """
    if text == ".":
        return ROOT
    if text == "@" and origin is not None:
        return origin
    if not text.isascii():
        raise BadName(f"{text!r}: only ASCII in names; write other scripts as xn--...")
    labels, absolute = _split(text)
    wire = bytearray()
    for label in labels:
        if not 1 <= len(label) <= MAX_LABEL:
            what = "an empty label" if not label else f"a label of {len(label)} octets"
            raise BadName(f"{text!r} has {what}, allowed are 1 to {MAX_LABEL}")
        wire.append(len(label))
        wire += label
    wire += ROOT if absolute or origin is None else origin
    if len(wire) > MAX_NAME:
        raise BadName(f"{text!r} has {len(wire)} octets in wire format, allowed are {MAX_NAME}")
    return WireName(bytes(wire).lower())


def _split(text: str) -> tuple[list[bytes], bool]:
    """Return the labels, escapes resolved, and whether the text ends in an unescaped dot."""
    labels = [bytearray()]
    characters = iter(text)
    for character in characters:
        if character == ".":
            labels.append(bytearray())
        elif character == "\\":
            labels[-1].append(_escaped(text, characters))
        else:
            labels[-1].append(ord(character))
    absolute = len(labels) > 1 and not labels[-1]
    if absolute:
        labels.pop()
    return [bytes(label) for label in labels], absolute


def _escaped(text: str, characters: Iterator[str]) -> int:
    """Return the octet that a backslash stands for; its characters are consumed."""
    first = next(characters, "")
    if not first:
        raise BadName(f"{text!r} ends in a backslash")
    if not first.isdigit():
        return ord(first)
    digits = first + next(characters, "") + next(characters, "")
    if len(digits) != 3 or not digits.isdigit() or int(digits) > 255:
        raise BadName(f"{text!r}: \\{digits} is no escape, expected \\000 to \\255")
    return int(digits)


def to_text(name: bytes) -> str:
    """Return the presentation form with a final dot; octets that need it are escaped."""
    if name == ROOT:
        return "."
    return "".join(_label_text(label) + "." for label in labels_of(name))


def _label_text(label: bytes) -> str:
    if not label.translate(None, _UNESCAPED):
        return label.decode("ascii")
    text = ""
    for octet in label:
        if octet in _UNESCAPED:
            text += chr(octet)
        else:
            text += f"\\{chr(octet)}" if 33 <= octet <= 126 else f"\\{octet:03}"
    return text


def labels_of(name: bytes) -> list[bytes]:
    """Return the labels of an uncompressed name, leftmost first, the root's left out."""
    labels = []
    at = 0
    while name[at]:
        labels.append(name[at + 1 : at + 1 + name[at]])
        at += 1 + name[at]
    return labels


def parent(name: WireName) -> WireName:
    """Return `name` without its leftmost label. The root has no parent: ValueError."""
    if name == ROOT:
        raise ValueError("the root has no parent")
    return WireName(name[1 + name[0] :])


def ancestors(name: WireName) -> Iterator[WireName]:
    """Yield the parent, its parent and so on, the root last; nothing for the root."""
    while name != ROOT:
        name = parent(name)
        yield name


def is_below(name: WireName, ancestor: WireName) -> bool:
    """Return whether `name` is a proper descendant of `ancestor`."""
    return len(name) > len(ancestor) and ancestor in ancestors(name)
