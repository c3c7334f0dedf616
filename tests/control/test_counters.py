"""What workers tell is added up once, whatever restarts: workers, generations, control."""

import pytest

from gtmdns.answers import answer as tags
from gtmdns.compiler.build import MAX_COUNTED
from gtmdns.compiler.plan import Plan
from gtmdns.control.counters import KEPT_GENERATIONS, Counters
from tests.compiler.support import compile_text, with_records
from tests.control.support import base_of


@pytest.fixture(scope="module")
def plan() -> Plan:
    sections = "pools: {home: {endpoints: [192.0.2.1]}}"
    return compile_text(with_records("www: {pools: home}\nstatic: {A: 192.0.2.7}", sections)).plan


@pytest.fixture
def counters(plan: Plan) -> Counters:
    counters = Counters()
    counters.know(1, plan)
    return counters


def www(plan: Plan) -> int:
    """Return the tally key of an answer of www from its pool."""
    tag = plan.tags.index((0, "home", "default")) + tags.FIRST_TAG
    return base_of(plan, "www.example.test") + tag


def test_totals_are_differences_added_up(counters: Counters, plan: Plan) -> None:
    key = www(plan)
    counters.add(100, 1, {"queries_udp_ipv4": 10}, {key: 7})
    counters.add(100, 1, {"queries_udp_ipv4": 15}, {key: 9})
    counters.add(101, 1, {"queries_udp_ipv4": 3}, {key: 1})

    assert counters.totals.plain["queries_udp_ipv4"] == 18
    assert counters.totals.answers == {("www.example.test", "home", "default"): 10}
    assert counters.totals.responses == {("example.test", "NOERROR"): 10}


# fmt: off
TAGS = [
    # owner or "" for no zone, tag -> responses, answers, dropped, truncated
    ("",                   tags.REFUSED,   {("", "REFUSED"): 2},  {}, {}, 0),
    ("",                   tags.FORMERR,   {("", "FORMERR"): 2},  {}, {}, 0),
    ("",                   tags.NOTIMP,    {("", "NOTIMP"): 2},   {}, {}, 0),
    ("",                   tags.BADVERS,   {("", "BADVERS"): 2},  {}, {}, 0),
    ("",                   tags.TRUNCATED, {},                    {}, {}, 2),
    ("",                   tags.SHORT,     {},                    {}, {"short": 2}, 0),
    ("",                   tags.RESPONSE,  {},                    {}, {"response": 2}, 0),
    ("example.test",       tags.NXDOMAIN,  {("example.test", "NXDOMAIN"): 2}, {}, {}, 0),
    ("example.test",       tags.NODATA,    {("example.test", "NOERROR"): 2},  {}, {}, 0),
    ("example.test",       tags.REFERRAL,  {("example.test", "NOERROR"): 2},  {}, {}, 0),
    ("static.example.test", tags.STATIC,   {("example.test", "NOERROR"): 2},
        {("static.example.test", "", "static"): 2}, {}, 0),
    ("static.example.test", tags.ANY,      {("example.test", "NOERROR"): 2},
        {("static.example.test", "", "static"): 2}, {}, 0),
]
# fmt: on


@pytest.mark.parametrize(("owner", "tag", "responses", "answers", "dropped", "truncated"), TAGS)
def test_what_each_tag_means(
    counters: Counters,
    plan: Plan,
    owner: str,
    tag: int,
    responses: dict[tuple[str, str], int],
    answers: dict[tuple[str, str, str], int],
    dropped: dict[str, int],
    truncated: int,
) -> None:
    counters.add(100, 1, {}, {base_of(plan, owner) + tag: 2})

    totals = counters.totals
    assert (totals.responses, totals.answers, totals.dropped, totals.truncated) == (
        responses,
        answers,
        dropped,
        truncated,
    )


def test_a_tally_begins_anew_with_each_generation(counters: Counters, plan: Plan) -> None:
    counters.know(2, plan)
    key = www(plan)
    counters.add(100, 1, {"n": 5}, {key: 5})
    counters.add(100, 1, {"n": 6}, {key: 6})  # its last words about generation 1
    counters.add(100, 2, {"n": 8}, {key: 2})

    assert counters.totals.answers["www.example.test", "home", "default"] == 8
    assert counters.totals.plain["n"] == 8


def test_a_worker_that_died_takes_no_count_with_it(counters: Counters, plan: Plan) -> None:
    key = www(plan)
    counters.add(100, 1, {"n": 5}, {key: 5})
    counters.forget(100)
    counters.add(101, 1, {"n": 2}, {key: 1})

    assert counters.totals.plain["n"] == 7
    assert counters.totals.answers["www.example.test", "home", "default"] == 6


def test_a_process_number_may_come_again_after_its_worker_is_forgotten(
    counters: Counters, plan: Plan
) -> None:
    counters.add(100, 1, {"n": 5}, {www(plan): 5})
    counters.forget(100)
    counters.add(100, 1, {"n": 3}, {www(plan): 3})

    assert counters.totals.plain["n"] == 8
    assert counters.totals.responses["example.test", "NOERROR"] == 8


def test_a_generation_that_nobody_knows_cannot_be_read(counters: Counters, plan: Plan) -> None:
    """A worker that serves what an earlier control published: its numbers mean something else."""
    counters.add(100, 77, {"n": 5}, {www(plan): 5, 1 << 40: 1})
    counters.add(100, 1, {"n": 6}, {www(plan): 1})

    assert counters.totals.plain["n"] == 6
    assert counters.totals.answers == {("www.example.test", "home", "default"): 1}


def test_old_generations_are_forgotten_one_by_one(plan: Plan) -> None:
    counters = Counters()
    for generation in range(1, KEPT_GENERATIONS + 2):
        counters.know(generation, plan)

    counters.add(100, 1, {}, {www(plan): 5})
    assert not counters.totals.answers
    counters.add(101, 2, {}, {www(plan): 5})
    assert counters.totals.answers["www.example.test", "home", "default"] == 5


def test_a_gauge_is_not_added_up(counters: Counters) -> None:
    counters.add(100, 1, {"tcp_connections": 9, "compiled": 1, "n": 1}, {})

    assert counters.totals.plain == {"n": 1}


def test_tags_that_verdicts_add_later_are_read_too(counters: Counters, plan: Plan) -> None:
    """A change of health makes new reasons within a generation; the plan grows with them."""
    plan.tags.append((2, "", "all_down"))
    tag = len(plan.tags) - 1 + tags.FIRST_TAG

    counters.add(100, 1, {}, {base_of(plan, "www.example.test") + tag: 4})

    assert counters.totals.responses == {("example.test", "SERVFAIL"): 4}
    assert counters.totals.answers == {("www.example.test", "", "all_down"): 4}


def test_names_of_all_generations_share_the_thousand(plan: Plan) -> None:
    """Names come and go with reloads; their series never go, so they are bounded over all time."""
    counters = Counters()
    for generation in range(1, 4):
        sections = "pools: {home: {endpoints: [192.0.2.1]}}"
        records = "\n".join(f"g{generation}n{n}: {{pools: home}}" for n in range(400))
        plan = compile_text(with_records(records, sections)).plan
        counters.know(generation, plan)
        tag = plan.tags.index((0, "home", "default")) + tags.FIRST_TAG
        tally = {base << 20 | tag: 1 for base in range(3, 403)}
        counters.add(100, generation, {}, tally)

    names = {name for name, _, _ in counters.totals.answers}
    assert len(names) == MAX_COUNTED + 1
    assert counters.totals.answers["other", "home", "default"] == 200
    assert counters.totals.responses["example.test", "NOERROR"] == 1200
