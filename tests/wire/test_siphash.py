"""SipHash-2-4 by the vectors of its authors."""

import pytest

from gtmdns.wire.siphash import siphash24

KEY = bytes(range(16))

# fmt: off
VECTORS = [
    # octets of data, 00 01 02 ...   hash, as in vectors.h of the reference code
    (0,                              "310e0edd47db6f72"),
    (1,                              "fd67dc93c539f874"),
    (7,                              "37d1018bf50002ab"),
    (8,                              "6224939a79f5f593"),
    (15,                             "e545be4961ca29a1"),
    (63,                             "724506eb4c328a95"),
]
# fmt: on


@pytest.mark.parametrize(("length", "hashed"), VECTORS)
def test_vectors(length, hashed):
    assert siphash24(KEY, bytes(range(length))).hex() == hashed


def test_the_key_and_the_length_count():
    hashes = {siphash24(key, bytes(length)) for key in (KEY, bytes(16)) for length in range(300)}

    assert len(hashes) == 600
