"""A fuzzer of our own: seeded mutations of good packets. The same seed tries the same packets."""

import time
from random import Random

from tests.fuzz.laws import Laws
from tests.fuzz.seeds import inputs

MAX_LENGTH = 4096
INTERESTING = (0, 1, 2, 8, 10, 11, 12, 28, 41, 63, 64, 127, 128, 191, 192, 193, 254, 255)
JUDGED = 10  # one response in this many is read by dnspython too


def mutate(random: Random, octets: bytes, others: list[bytes]) -> bytes:
    """Return `octets` changed in one to eight places."""
    changed = bytearray(octets)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        at = random.randrange(len(changed) + 1)
        kind = random.randrange(8)
        if kind <= 1 and at < len(changed):
            changed[at] = random.choice(INTERESTING)
        elif kind == 2 and at < len(changed):
            changed[at] ^= 1 << random.randrange(8)
        elif kind == 3:
            changed[at:at] = bytes(random.choices(INTERESTING, k=random.randint(1, 12)))
        elif kind == 4:
            del changed[at : at + random.randint(1, 8)]
        elif kind == 5:  # the end of another one
            other = random.choice(others)
            changed[at:] = other[random.randrange(len(other)) :]
        elif kind == 6:  # a part of it twice
            part = changed[at : at + random.randint(1, 60)]
            changed[at:at] = part * random.choice((1, 1, 20))
        else:
            del changed[at:]
    return bytes(changed[:MAX_LENGTH])


def fuzz(*, runs: int, seconds: float, seed: int) -> str:
    """Try up to `runs` inputs for up to `seconds`; return a line of figures.

    Raises AssertionError with the input in it where a law is broken.
    """
    random, laws, seeds = Random(seed), Laws(JUDGED), inputs()
    for octets in seeds:
        attempt(laws, octets)
    deadline = time.monotonic() + seconds
    began = time.monotonic()
    for number in range(runs):
        if number % 1000 == 0 and time.monotonic() > deadline:
            break
        attempt(laws, mutate(random, random.choice(seeds), seeds))
    taken = time.monotonic() - began
    return f"{laws.tried} inputs from {len(seeds)} seeds, seed {seed}, in {taken:.0f} s: every law held"


def attempt(laws: Laws, octets: bytes) -> None:
    try:
        laws.check(octets)
    except Exception as error:
        raise AssertionError(f"{error!r} at input {octets.hex()}") from error
