"""A compiled zone comes out of a transfer as it went in; dnspython receives it."""

from pathlib import Path

import dns.message
import dns.name
import dns.rdatatype
import dns.xfr
import dns.zone
import pytest

from gtmdns.answers.axfr import whole_zone
from gtmdns.answers.cache import client_number
from gtmdns.answers.snapshot import Snapshot
from gtmdns.compiler import transfer
from gtmdns.compiler.build import compile_config
from gtmdns.compiler.records import MAX_RDATA
from gtmdns.compiler.transfer import MESSAGE
from gtmdns.config.load import load
from gtmdns.wire.constants import MAX_TCP
from tests.compiler.support import NOW, compile_text, mistakes_in, snapshot_of, with_records

CLIENT = client_number("192.0.2.77")
ALLOWED = "    transfer_to: [192.0.2.0/24, 2001:db8::/32]\n    records:\n"
RECORDS = """
    www: {A: [192.0.2.1, 192.0.2.2], AAAA: ["2001:db8::1"]}
    UPPER.Case: {TXT: [Text]}
    alias: {CNAME: WWW.Example.Test.}
    mail: {MX: ["10 Mail.www", "20 mail.elsewhere.test."]}
    service: {SRV: ["1 2 443 www"], PTR: [www.example.test.]}
    "*.wild": {A: [192.0.2.3]}
    sub: {NS: [ns.sub, ns.elsewhere.test.]}
    ns.sub: {A: [192.0.2.7]}
    below.sub: {TXT: [occluded]}
    other: {TYPE65400: ['\\# 3 0a0b0c']}
"""


def with_transfer(records: str) -> str:
    return with_records(records).replace("    records:\n", ALLOWED)


def sent(
    snapshot: Snapshot, name: str = "example.test", qtype: str = "AXFR", edns: bool = False
) -> list[bytes]:
    query = dns.message.make_query(name, qtype, use_edns=0 if edns else False)
    messages = whole_zone(query.to_wire(), CLIENT, snapshot, NOW, 100)
    assert messages is not None
    return list(messages)


def received(messages: list[bytes], name: str = "example.test") -> dns.zone.Zone:
    """Return the zone as a secondary has it after these messages, of which it needs all."""
    zone = dns.zone.Zone(dns.name.from_text(name))
    with dns.xfr.Inbound(zone, dns.rdatatype.AXFR) as inbound:
        for number, octets in enumerate(messages):
            message = dns.message.from_wire(octets, xfr=True, origin=zone.origin, one_rr_per_rrset=True)  # fmt: skip
            assert [str(question.name) for question in message.question] == ["@"], "origin"
            assert message.flags & 0x0400, "AA"
            assert inbound.process_message(message) == (number == len(messages) - 1)
    return zone


def test_a_secondary_gets_every_record() -> None:
    (message,) = sent(snapshot_of(compile_text(with_transfer(RECORDS))))

    zone = received([message])

    lines = [
        f"{name} {dns.rdatatype.to_text(rdata.rdtype)} {rdata.to_text(zone.origin, False)}"
        for name, ttl, rdata in zone.iterate_rdatas()
        if rdata.rdtype != dns.rdatatype.SOA and ttl == 60
    ]
    assert sorted(lines) == sorted(
        f"{name} {rest}"
        for name, rest in [
            ("@", "NS ns1.example.test."),
            ("ns1", "A 192.0.2.53"),
            ("www", "A 192.0.2.1"),
            ("www", "A 192.0.2.2"),
            ("www", "AAAA 2001:db8::1"),
            ("upper.case", 'TXT "Text"'),
            ("alias", "CNAME WWW.example.test."),
            ("mail", "MX 10 Mail.www.example.test."),
            ("mail", "MX 20 mail.elsewhere.test."),
            ("service", "SRV 1 2 443 www.example.test."),
            ("service", "PTR www.example.test."),
            ("*.wild", "A 192.0.2.3"),
            ("sub", "NS ns.sub.example.test."),
            ("sub", "NS ns.elsewhere.test."),
            ("ns.sub", "A 192.0.2.7"),
            ("below.sub", 'TXT "occluded"'),
            ("other", "TYPE65400 \\# 3 0a0b0c"),
        ]
    )  # fmt: skip
    soa = zone.get_soa()
    assert (soa.serial, str(soa.mname)) == (NOW, "ns1")


def test_names_are_compressed_where_they_may_be() -> None:
    (message,) = sent(snapshot_of(compile_text(with_transfer(RECORDS))))

    assert message.count(b"\x04test\x00") == 1 + 1, "in the question, and in SRV (RFC 2782)"
    assert message.count(b"\x04Test\x00") == 1, "another case is not the same name"
    assert b"\x09elsewhere\xc0" in message, "RDATA of NS and MX"


def test_a_large_zone_comes_in_messages_that_point_within_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of 4 labels, so that each message fills up; one record needs a message of its own."""
    monkeypatch.setattr(transfer, "TOGETHER", 4)
    lines = [f"n{number}.a.very-long-label-{number % 7}.deep 300 IN A 192.0.2.{number % 250}" for number in range(8_000)]  # fmt: skip
    lines.append(f"huge IN TYPE65400 \\# {MAX_RDATA} " + "ab" * MAX_RDATA)
    head = "$ORIGIN example.test.\n$TTL 60\n@ SOA ns1 hostmaster 5 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.53\n"
    (tmp_path / "zone").write_text(head + "\n".join(lines) + "\n")
    config = tmp_path / "gtmdns.yaml"
    config.write_text(
        "geoip: {databases: []}\nzones:\n  example.test:\n    zone_file: zone\n    transfer_to: 192.0.2.77\n"
    )
    compiled = compile_config(load(config), {}, NOW)

    messages = sent(snapshot_of(compiled))

    assert max(map(len, messages)) <= MAX_TCP
    assert sum(len(message) > MESSAGE for message in messages) == 1
    assert len(messages) > 2 * transfer.TOGETHER, "more than one piece has them"
    assert sum(map(len, messages)) < 45 * 8_000 + MAX_TCP, "a name takes few octets"
    counts = sum(int.from_bytes(message[6:8]) for message in messages)
    assert counts == 8_001 + 3 + 1
    seen = {
        (str(rrset.name), rrset.rdtype)
        for message in (messages[0], messages[1], messages[len(messages) // 2], messages[-1])
        for rrset in dns.message.from_wire(message).answer
    }
    assert ("n0.a.very-long-label-0.deep.example.test.", 1) in seen
    assert ("example.test.", 6) in seen
    assert all(name.endswith("example.test.") for name, _ in seen)


def test_the_longest_record_fits_behind_the_longest_names() -> None:
    apex = ".".join(["a" * 63, "b" * 63, "c" * 50, "test"])
    name = "n" * 63 + ".x"
    text = with_transfer(f"{name}: {{TYPE65400: ['\\# {MAX_RDATA} {'ab' * MAX_RDATA}']}}")

    messages = sent(snapshot_of(compile_text(text.replace("example.test:", f"{apex}:"))), apex)

    assert [len(message) <= MAX_TCP for message in messages] == [True, True, True]
    assert max(map(len, messages)) > MAX_RDATA
    assert received(messages, apex).get_node(name) is not None


def test_a_zone_of_one_label_goes_too() -> None:
    text = with_transfer("com: {NS: [ns1.example.]}").replace("example.test:", "test:")

    zone = received(sent(snapshot_of(compile_text(text)), "test"), "test")

    assert {str(name) for name in zone.nodes} == {"@", "ns1", "com"}


# fmt: off
CLIENTS = [
    # client           allowed
    ("192.0.2.0",      True),
    ("192.0.2.255",    True),
    ("192.0.3.0",      False),
    ("192.0.1.255",    False),
    ("2001:db8::1",    True),
    ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", True),
    ("2001:db9::",     False),
    ("::c000:201",     False),
]
# fmt: on


@pytest.mark.parametrize(("client", "allowed"), CLIENTS)
def test_the_networks_are_those_of_the_configuration(client: str, allowed: bool) -> None:
    snapshot = snapshot_of(compile_text(with_transfer("www: {A: [192.0.2.1]}")))

    (known,) = snapshot.transfers.values()
    assert known.allows(client_number(client)) == allowed


def test_without_the_key_nothing_is_kept() -> None:
    compiled = compile_text(with_records("www: {A: [192.0.2.1]}"))

    assert not {"transfer", "messages"} & {piece[0] for piece in compiled.pieces}
    assert snapshot_of(compiled).transfers == {}


def test_a_steered_name_forbids_it() -> None:
    text = with_transfer("www: {pools: web}\nother: {pools: web}\nstatic: {A: [192.0.2.1]}")
    pools = "pools:\n  web: {endpoints: [192.0.2.1]}\n"

    (mistake,) = mistakes_in(pools + text)

    line = 1 + (pools + text).splitlines().index(ALLOWED.splitlines()[0])
    assert mistake.startswith(f"{line} zones.example.test.transfer_to: ")
    assert '"www" is steered' in mistake
