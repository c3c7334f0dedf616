"""What is behind CNAMEs: followed to its end, in rings and within bounds."""

from typing import Any

from gtmdns.explain.following import MOST_BRANCHES
from tests.explain.scene import told, walk, witness


def test_federation_leads_from_zone_to_region() -> None:
    said = told("fed.z1.r", witness().assuming(["f1"], ()))

    assert [(a["type"], a["data"]) for a in said["answers"]] == [
        ("CNAME", "fed.r.example.test."), ("A", "192.0.2.42"),
    ]  # fmt: skip
    [follow] = said["follows"]
    assert (follow["name"], follow["rcode"], follow["exact"]) == (
        "fed.r.example.test", "NOERROR", "1",
    )  # fmt: skip
    assert walk(follow["target"][0]["target"]) == (
        "federation", [("f1", "0 of 1 endpoints usable, 1 needed"), ("f2", "answers")],
    )  # fmt: skip


def test_a_ring_and_a_name_that_is_not_there() -> None:
    said = told("loop")

    kinds = {follow["name"]: (follow["kind"], follow["rcode"]) for follow in said["follows"]}
    assert kinds == {
        "loop.example.test": ("ring", "NOERROR"),
        "far.example.test": ("nxdomain", "NXDOMAIN"),
    }
    assert [answer["exact"] for answer in said["answers"]] == ["1/2", "1/2"]


def test_branches_are_followed_up_to_a_bound() -> None:
    """Two names that lead to each other in two ways each: 2 ** 16 ways, were there no bound."""
    said = told("c0")

    def count(follows: list[dict[str, Any]]) -> int:
        return sum(1 + count(each.get("follows", [])) for each in follows)

    assert count(said["follows"]) <= 2 * MOST_BRANCHES + 2
    assert sum(answer["probability"] for answer in said["answers"] if answer["name"][1] == "0") == 1
