"""Clocks of pools: when a chain may return."""

from math import inf

from gtmdns.control.failback import Failback, SavedClock

POOLS = ("home", "away")
NOW, WALL = 1_000.0, 1_800_000_000.0


def held(
    clocks: Failback, now: float, delay: float = 60.0, record: str = "www"
) -> dict[str, float]:
    return dict(clocks.held(record, delay, POOLS, 4, now))


def lost_and_found(lost: float = NOW, found: float = NOW + 30) -> Failback:
    clocks = Failback()
    assert clocks.see("home", 4, available=False, now=lost)
    assert clocks.see("home", 4, available=True, now=found)
    return clocks


def test_who_starts_holds_nothing() -> None:
    clocks = Failback()
    assert not clocks.see("home", 4, available=True, now=NOW)
    assert held(clocks, NOW) == {}


def test_a_pool_is_held_while_it_is_away_and_for_the_delay() -> None:
    clocks = Failback()
    clocks.see("home", 4, available=False, now=NOW)
    assert held(clocks, NOW + 5) == {"home": inf}
    clocks.see("home", 4, available=True, now=NOW + 30)
    assert held(clocks, NOW + 30) == {"home": 60.0}
    assert not clocks.see("home", 4, available=True, now=NOW + 50)
    assert held(clocks, NOW + 50) == {"home": 40.0}
    assert held(clocks, NOW + 90) == {}


def test_each_record_has_its_delay_and_never_is_never() -> None:
    clocks = lost_and_found()

    assert held(clocks, NOW + 40, delay=5.0) == {}
    assert held(clocks, NOW + 1e9, delay=inf) == {"home": inf}


def test_a_flap_begins_anew() -> None:
    clocks = lost_and_found()
    assert clocks.see("home", 4, available=False, now=NOW + 80)
    assert not clocks.see("home", 4, available=False, now=NOW + 81)
    clocks.see("home", 4, available=True, now=NOW + 85)

    assert held(clocks, NOW + 95) == {"home": 50.0}


def test_a_release_is_of_one_record_and_until_the_next_time() -> None:
    clocks = lost_and_found()

    assert clocks.release("www", POOLS) == ["home"]
    assert clocks.release("www", POOLS) == []
    assert held(clocks, NOW + 30) == {}
    assert held(clocks, NOW + 30, record="api") == {"home": 60.0}
    clocks.see("home", 4, available=False, now=NOW + 40)
    clocks.see("home", 4, available=True, now=NOW + 41)
    assert held(clocks, NOW + 41) == {"home": 60.0}


def test_dead_ipv6_holds_nothing_back_from_ipv4() -> None:
    clocks = Failback()
    clocks.see("home", 6, available=False, now=NOW)
    clocks.see("home", 4, available=True, now=NOW)

    assert held(clocks, NOW) == {}
    assert dict(clocks.held("www", 60.0, POOLS, 6, NOW)) == {"home": inf}


def test_a_release_for_one_family_leaves_the_other_held() -> None:
    clocks = lost_and_found()
    clocks.see("home", 6, available=False, now=NOW)
    clocks.see("home", 6, available=True, now=NOW + 30)

    assert clocks.release("www", POOLS, [6]) == ["home"]
    assert held(clocks, NOW + 30) == {"home": 60.0}
    assert clocks.release("www", POOLS) == ["home"]
    assert held(clocks, NOW + 30) == {}


def test_what_is_away_cannot_be_released() -> None:
    clocks = Failback()
    clocks.see("home", 4, available=False, now=NOW)

    assert clocks.release("www", POOLS) == []
    clocks.see("home", 4, available=True, now=NOW + 1)
    assert held(clocks, NOW + 1) == {"home": 60.0}


def test_what_is_saved_goes_on_by_the_time_of_day() -> None:
    clocks = lost_and_found()
    clocks.see("away", 4, available=False, now=NOW)
    clocks.see("third", 4, available=False, now=NOW)
    clocks.see("third", 4, available=True, now=NOW + 1)
    clocks.release("api", ["third"])
    saved, released = clocks.saved(NOW + 40, WALL)
    assert saved[:2] == [SavedClock("away", 4, None), SavedClock("home", 4, WALL - 10)]
    assert released == [("api", "third", 4)]

    again = Failback()
    again.restore(saved, released, now=7.0, wall=WALL + 20)

    assert held(again, 7.0) == {"home": 30.0, "away": inf}
    assert dict(again.held("api", inf, ["third"], 4, 7.0)) == {}


def test_a_clock_that_was_set_back_holds_for_the_delay_at_most() -> None:
    again = Failback()
    again.restore([SavedClock("home", 4, WALL + 86_400)], [], now=7.0, wall=WALL)

    assert held(again, 7.0) == {"home": 60.0}


def test_what_is_not_configured_is_forgotten() -> None:
    clocks = lost_and_found()
    clocks.release("www", ["home"])
    clocks.keep_only({"home"}, {"api"})
    assert held(clocks, NOW + 30) == {"home": 60.0}
    clocks.keep_only({"away"}, {"api"})
    assert clocks.saved(NOW, WALL) == ([], [])
