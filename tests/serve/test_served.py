"""What a worker serves: a new snapshot comes with an answer cache of its own."""

from gtmdns.serve.served import Served
from tests.example_zone import EU, example
from tests.serve.support import query


def test_at_first_nothing_is_known():
    served = Served()

    assert served.snapshot is served.cache.snapshot
    assert served.snapshot.generation == 0
    assert served.counters == {}


def test_a_new_snapshot_has_a_cache_of_its_own_and_the_counters_go_on():
    old, new = example(), example()
    served = Served(old)
    served.counters["queries_udp_ipv4"] += 3
    served.cache.respond(query("www.example.com."), EU, 0)
    before = served.cache

    served.snapshot = new

    assert served.snapshot is served.cache.snapshot is new
    assert (len(before), len(served.cache)) == (1, 0)
    assert before.snapshot is old
    assert served.counters == {"queries_udp_ipv4": 3}
