"""The framing of the channel between control and a worker.

A frame is 4 octets of length, big-endian, then `marshal` of one tuple, at most
MAX_FRAME octets. Element 0 of the tuple says what it is; see `channel`.

marshal, because it is the fastest decoder in the standard library and both ends
run the same interpreter. It is not safe against a hostile peer: the socket lies
in a folder of mode 0700.
"""

import marshal
from collections.abc import Iterator
from typing import Any

Frame = tuple[Any, ...]

LENGTH_OCTETS = 4
MAX_FRAME = 32 << 20  # octets after the length; a table of a million intervals has 18 million


class BadFrame(Exception):
    """The octets are not a frame, or the frame is too long. The connection is of no more use."""


def encode(frame: Frame) -> bytes:
    """Return the octets of a frame. Raises BadFrame where it is longer than MAX_FRAME."""
    body = marshal.dumps(frame)
    if len(body) > MAX_FRAME:
        raise BadFrame(f"a {frame[0]!r} frame of {len(body)} octets, allowed {MAX_FRAME}")
    return len(body).to_bytes(LENGTH_OCTETS, "big") + body


def decode(octets: bytes) -> Frame:
    """Return what `encode` was given. Raises BadFrame."""
    return _decode(memoryview(octets)[LENGTH_OCTETS:])


class Decoder:
    """Takes octets as they come and gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, octets: bytes) -> Iterator[Frame]:
        """Take octets and iterate over the frames that are whole now.

        The iterator decodes as it goes, so a caller may do other work between two
        frames; what it leaves is given by the next call. Raises BadFrame, at once
        where the length alone is too much.
        """
        self._buffer += octets
        return self._frames()

    def _frames(self) -> Iterator[Frame]:
        buffer = self._buffer
        start = 0
        try:
            while len(buffer) - start >= LENGTH_OCTETS:
                length = int.from_bytes(buffer[start : start + LENGTH_OCTETS], "big")
                if length > MAX_FRAME:
                    raise BadFrame(f"a frame of {length} octets, allowed {MAX_FRAME}")
                end = start + LENGTH_OCTETS + length
                if len(buffer) < end:
                    return
                with memoryview(buffer)[start + LENGTH_OCTETS : end] as body:
                    frame = _decode(body)
                start = end
                yield frame
        finally:
            del buffer[:start]


def _decode(body: memoryview) -> Frame:
    try:
        frame = marshal.loads(body)  # noqa: S302  # from the other end of a private socket
    except (ValueError, EOFError, TypeError) as error:
        raise BadFrame(f"a frame that cannot be read: {error}") from None
    if not isinstance(frame, tuple) or not frame:
        raise BadFrame("a frame that is not a tuple with a kind")
    return frame
