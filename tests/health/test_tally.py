"""Counts of results for metrics."""

from gtmdns.health.tally import BUCKETS, CheckTally


def test_results_and_durations_are_counted() -> None:
    tally = CheckTally()

    for success, elapsed in [(True, 0.005), (True, 0.0051), (False, 2.0), (False, 60.0)]:
        tally.add(success, elapsed)

    counted = dict(zip([*BUCKETS, "above"], tally.buckets, strict=True))
    assert (tally.successes, tally.failures) == (2, 2)
    assert tally.seconds == 0.005 + 0.0051 + 2.0 + 60.0
    assert {bound: n for bound, n in counted.items() if n} == {
        0.005: 1,
        0.01: 1,
        2.5: 1,
        "above": 1,
    }
