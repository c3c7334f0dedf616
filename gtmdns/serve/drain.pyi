from collections.abc import Callable

from .served import Cache

class Batch:
    error: int
    unsent: int
    portless: int

    def __init__(self, descriptor: int, wildcard: bool) -> None: ...
    def turn(self, cache: Cache, failed: Callable[[bytes], bytes | None]) -> int: ...
