"""What is left out of a response that is too long, with dnspython as the judge."""

import dns.message
import dns.rrset
import pytest

from gtmdns.answers.short import without_additional

QUESTION_END = 12 + len(b"\x01m\x04test\x00") + 4
MX = dns.rrset.from_text("m.test.", 60, "IN", "MX", "10 a.test.", "20 b.test.")
NS = dns.rrset.from_text("test.", 60, "IN", "NS", "a.test.")
ADDRESS = dns.rrset.from_text("a.test.", 60, "IN", "A", "192.0.2.1")


def response(
    answer: list[dns.rrset.RRset],
    authority: list[dns.rrset.RRset],
    additional: list[dns.rrset.RRset],
    *,
    edns: bool,
) -> tuple[bytes, bytes]:
    """Return a response and its OPT record."""
    query = dns.message.make_query("m.test.", "MX", use_edns=0 if edns else False)
    made = dns.message.make_response(query)
    made.answer, made.authority, made.additional = answer, authority, additional
    octets = made.to_wire()
    return octets, octets[-11:] if edns else b""


@pytest.mark.parametrize("edns", [False, True])
def test_the_addresses_go_and_all_else_stays(edns: bool) -> None:
    octets, opt = response([MX], [], [ADDRESS], edns=edns)

    short = without_additional(octets, QUESTION_END, opt)

    assert short is not None
    read = dns.message.from_wire(short)
    assert (read.answer, read.authority, read.additional) == ([MX], [], [])
    assert read.edns == (0 if edns else -1)
    assert read.id == dns.message.from_wire(octets).id


@pytest.mark.parametrize(
    ("answer", "additional"),
    [([], [ADDRESS]), ([MX], [ADDRESS]), ([MX], [])],
    ids=["a referral", "a referral behind links", "nothing to leave"],
)
@pytest.mark.parametrize("edns", [False, True])
def test_nothing_can_be_left_out(
    answer: list[dns.rrset.RRset], additional: list[dns.rrset.RRset], edns: bool
) -> None:
    octets, opt = response(answer, [NS], additional, edns=edns)

    assert without_additional(octets, QUESTION_END, opt) is None


def test_a_name_that_is_written_out() -> None:
    other = dns.rrset.from_text("elsewhere.example.", 60, "IN", "TXT", "x")
    octets, opt = response([other], [], [ADDRESS], edns=True)

    short = without_additional(octets, QUESTION_END, opt)

    assert short is not None
    assert dns.message.from_wire(short).answer == [other]
