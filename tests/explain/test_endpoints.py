"""Reasons for each endpoint: verdicts, overrides, ramps, addresses of names, hashes."""

from dataclasses import replace

from gtmdns.control.comebacks import Comebacks
from tests.explain.scene import EJECTED, NOW, endpoints, overridden, told, witness


def test_an_endpoint_that_is_down_says_which_check_and_why() -> None:
    found = endpoints(told("chain", witness({("192.0.2.2", "slow"): EJECTED})))
    lost = found["192.0.2.2"]

    assert (lost["verdict"], lost["why"], lost["exact"]) == ("down", "down", "0")
    web, slow = lost["checks"]
    assert (web["verdict"], slow["verdict"]) == ("up", "down")
    assert slow["last_result"]["reason"] == "timeout after 2 s"
    assert (slow["could_change_in"], slow["ejected_for"]) == (60.0, 45.0)
    assert web["since"] == "2027-01-15T07:59:00.000+00:00"
    assert (found["192.0.2.1"]["why"], found["192.0.2.1"]["exact"]) == ("answered", "1")


def test_overrides_are_told_with_who_and_why() -> None:
    found = endpoints(told("chain", witness(overrides=overridden("home", "192.0.2.1", "down"))))

    assert found["192.0.2.1"]["why"] == "barred"
    assert found["192.0.2.1"]["override"] == {
        "of": "endpoint",
        "state": "down",
        "owner": "zhang",
        "reason": "a new disk",
        "since": "2027-01-15T08:00:00.000+00:00",
        "expires": "2027-01-15T10:00:00.000+00:00",
    }
    assert found["192.0.2.2"]["override"] is None
    whole = endpoints(told("chain", witness(overrides=overridden("home", None, "down"))))
    assert {each["override"]["of"] for each in whole.values()} == {"pool"}


def test_a_ramp_shows_in_weights_and_probabilities() -> None:
    comebacks = Comebacks()
    comebacks.see("home", "192.0.2.1", False, NOW - 60)
    comebacks.see("home", "192.0.2.1", True, NOW - 30)

    found = endpoints(told("chain", witness(comebacks=comebacks)))

    back, whole = found["192.0.2.1"], found["192.0.2.2"]
    assert (back["ramp"], back["drawn_weight"], back["exact"]) == (0.3, 3, "3/13")
    assert (whole["ramp"], whole["drawn_weight"], whole["exact"]) == (1.0, 10, "10/13")


def test_addresses_of_a_name_are_told_with_the_name() -> None:
    seen = replace(witness(), resolved={"a.example.net": ("192.0.2.51", "2001:db8::51")})

    found = endpoints(told("known", seen), "known")

    assert (found["192.0.2.51"]["host"], found["192.0.2.51"]["exact"]) == ("a.example.net", "1")
    assert found["2001:db8::51"]["why"] == "not asked for: IPv4 is"
    assert found["b.example.net"]["why"] == "no address of it is known yet"


def test_hash_says_whose_network_it_is() -> None:
    said = told("hash", client="203.0.113.200")

    assert said["hash"] == "203.0.113.0/24"
    [answer] = said["answers"]
    assert answer["exact"] == "1"
    whys = [each["why"] for each in endpoints(said, "hash").values()]
    assert sorted(whys) == ["another one has the client's network by hash"] * 2 + ["answered"]
    assert said["scope_reason"] == "all of 203.0.113.0/24 are one network to the hash"
