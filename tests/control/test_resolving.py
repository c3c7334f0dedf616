"""The addresses of resolved names: what was saved stands in until a resolver has spoken."""

import asyncio
from typing import Any

import pytest

from gtmdns.control.resolving import Addresses
from gtmdns.health import names as names_module
from gtmdns.health.names import NameState
from tests.control.support import until

HOST = "back.example.net"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is ever looked up."""

    async def never(*_: Any) -> float:
        return 3600.0

    monkeypatch.setattr(names_module.Names, "_look_up", never)


def run(saved: dict[str, tuple[str, ...]], state: NameState | None, found: tuple[str, ...]) -> Any:
    """Return (known, told) after a look that found addresses; `state`: what Names knows then."""

    async def main() -> Any:
        known: dict[str, tuple[str, ...]] = {"old.example.net": ("192.0.2.7",)}
        told: list[str] = []
        addresses = Addresses(known, told.append)
        addresses.restore(saved)
        addresses.apply({HOST})
        if state is not None:
            addresses.names._kept[HOST].state = state
            addresses._note(HOST, found)
        await addresses.names.close()
        return known, told

    return asyncio.run(main())


SAVED = {HOST: ("192.0.2.1", "2001:db8::1"), "other.test": ("192.0.2.9",)}


@pytest.mark.usefixtures("silent")
def test_saved_ones_stand_in_at_first() -> None:
    assert run(SAVED, None, ()) == ({HOST: SAVED[HOST]}, [])
    assert run({}, None, ()) == ({HOST: ()}, [])


@pytest.mark.usefixtures("silent")
def test_a_family_that_was_not_answered_keeps_those_saved() -> None:
    failing = NameState(("192.0.2.2",), None, "AAAA: timeout", 1)
    known, told = run(SAVED, failing, ("192.0.2.2",))

    assert known == {HOST: ("192.0.2.2", "2001:db8::1")}
    assert told == [HOST]


@pytest.mark.usefixtures("silent")
def test_what_a_resolver_says_of_both_holds() -> None:
    whole = NameState(("192.0.2.2",), 1_800_000_000.0)

    assert run(SAVED, whole, ("192.0.2.2",))[0] == {HOST: ("192.0.2.2",)}
    assert run(SAVED, whole, ())[0] == {HOST: ()}


def test_what_was_saved_ends_when_a_resolver_has_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the addresses that the resolver gave are the same before and after."""
    silent = {"AAAA"}

    async def resolve(_: Any, __: str, rdtype: str) -> names_module._Found:
        if rdtype in silent:
            raise TimeoutError
        return names_module._Found(("192.0.2.1",) if rdtype == "A" else (), 60.0)

    async def brief(_: float) -> None:
        await asyncio.sleep(0.001)

    monkeypatch.setattr(names_module, "_resolve", resolve)
    monkeypatch.setattr(names_module, "sleep", brief)

    async def main() -> None:
        known: dict[str, tuple[str, ...]] = {}
        told: list[str] = []
        addresses = Addresses(known, told.append)
        addresses.names._make_resolver = object  # type: ignore[assignment]
        addresses.restore(SAVED)
        await addresses.learn({HOST}, 5.0)
        assert known == {HOST: SAVED[HOST]}
        silent.clear()
        await until(lambda: known[HOST] == ("192.0.2.1",), "both families are answered")
        assert told == [HOST]
        await addresses.names.close()

    asyncio.run(main())
