"""Frames: whole, octet by octet, several at once, and what is refused."""

import marshal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtmdns.serve.frames import MAX_FRAME, BadFrame, Decoder, decode, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text() | st.binary(),
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FRAMES = st.lists(st.tuples(st.text(), VALUES), max_size=5)


@given(FRAMES, st.integers(1, 40))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(frames, size):
    octets = b"".join(map(encode, frames))
    decoder = Decoder()

    found = [
        frame
        for start in range(0, len(octets), size)
        for frame in decoder.feed(octets[start : start + size])
    ]

    assert found == frames


def test_what_the_iterator_leaves_comes_with_the_next_call():
    decoder = Decoder()
    for frame in decoder.feed(encode(("a",)) + encode(("b",)) + encode(("c",))[:3]):
        assert frame == ("a",)
        break

    assert list(decoder.feed(encode(("c",))[3:])) == [("b",), ("c",)]


def test_the_longest_frame_passes_and_one_octet_more_does_not():
    room = MAX_FRAME - len(marshal.dumps(("a", b"")))

    assert next(Decoder().feed(encode(("a", bytes(room))))) == ("a", bytes(room))
    with pytest.raises(BadFrame, match="allowed "):
        encode(("a", bytes(room + 1)))


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ((MAX_FRAME + 1).to_bytes(4, "big"), f"allowed {MAX_FRAME}"),
        (b"\xff\xff\xff\xff", "allowed "),
        (b"\x00\x00\x00\x00", "cannot be read"),
        (b"\x00\x00\x00\x01?", "cannot be read"),
        (encode(("a", 1))[:3] + b"\x04" + encode(("a", 1))[4:8], "cannot be read"),
        (b"\x00\x00\x00\x01N", "not a tuple"),
        (b"\x00\x00\x00\x02" + marshal.dumps(()), "not a tuple"),
    ],
    ids=["too long", "far too long", "empty", "unknown type", "cut", "None", "empty tuple"],
)
def test_what_is_no_frame_is_refused(octets, reason):
    with pytest.raises(BadFrame, match=reason):
        list(Decoder().feed(octets))


def test_the_octets_of_one_frame_are_read_at_once() -> None:
    frame = ("piece", "nodes", 0, ((b"\x01a\x00", 1, ((1, b"octets"),), None, None),))

    assert decode(encode(frame)) == frame
    with pytest.raises(BadFrame):
        decode(encode(frame)[:-1])
