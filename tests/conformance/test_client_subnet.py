"""Client Subnet (RFC 7871) of a running server: eighteen questions, each with the octets of its answer.

The option is written and read as octets, so that no library hides a mistake. Laws of scopes are in
tests/answers/test_client_subnet.py.
"""

from collections.abc import Iterator

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.conformance.server import Server, serving

FAR, NEAR = "10.0.0.1", "10.0.0.2"
CONFIG = f"""
regions:
  hangzhou: {{networks: [101.37.0.0/16, "2400:3200::/32"]}}
pools:
  near: {{endpoints: [{NEAR}]}}
  far: {{endpoints: [{FAR}]}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      region: {{route: {{hangzhou: near, default: far}}}}
      static: {{A: [{FAR}]}}
      alias: {{CNAME: region}}
      sub: {{NS: [ns.elsewhere.example.]}}
"""

# family, source, scope, address: in hexadecimal
# fmt: off
CASES = [
    # id                              name       option asked          option answered       what is answered
    ("a region",                      "region",  "0001 18 00 652507",  "0001 18 10 652507",  NEAR),
    ("one address",                   "region",  "0001 20 00 65250709", "0001 20 10 65250709", NEAR),
    ("exactly the region",            "region",  "0001 10 00 6525",    "0001 10 10 6525",    NEAR),
    ("shorter than the region",       "region",  "0001 08 00 65",      "0001 08 0b 65",      FAR),
    ("beside the region",             "region",  "0001 18 00 652407",  "0001 18 10 652407",  FAR),
    ("an odd length",                 "region",  "0001 17 00 652506",  "0001 17 10 652506",  NEAR),
    ("IPv6, a region",                "region",  "0002 38 00 24003200000000", "0002 38 20 24003200000000", NEAR),
    ("IPv6, beside it",               "region",  "0002 20 00 24003201", "0002 20 20 24003201", FAR),
    ("static: scope 0",               "static",  "0001 18 00 652507",  "0001 18 00 652507",  FAR),
    ("/0: the transport, scope 0",    "region",  "0001 00 00",         "0001 00 00",         FAR),
    ("IPv6 /0",                       "region",  "0002 00 00",         "0002 00 00",         FAR),
    ("behind an alias",               "alias",   "0001 18 00 652507",  "0001 18 10 652507",  NEAR),
    ("NXDOMAIN: scope 0",             "no",      "0001 18 00 652507",  "0001 18 00 652507",  "NXDOMAIN"),
    ("referral: scope 0",             "a.sub",   "0001 18 00 652507",  "0001 18 00 652507",  "NOERROR"),
    ("no option, none back",          "region",  None,                 None,                 FAR),
    ("bits behind the prefix",        "region",  "0001 17 00 652507",  None,                 "FORMERR"),
    ("an address too long",           "region",  "0001 10 00 652507",  None,                 "FORMERR"),
    ("an address too short",          "region",  "0001 18 00 6525",    None,                 "FORMERR"),
    ("a prefix longer than IPv4",     "region",  "0001 21 00 6525070900", None,              "FORMERR"),
    ("a prefix longer than IPv6",     "region",  "0002 81 00" + "24" * 17, None,             "FORMERR"),
    ("a scope in the question",       "region",  "0001 18 18 652507",  None,                 "FORMERR"),
    ("an unknown family",             "region",  "0003 08 00 01",      None,                 "FORMERR"),
    ("three octets",                  "region",  "000118",             None,                 "FORMERR"),
]
# fmt: on


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("subnet"), CONFIG, workers=1) as running:
        yield running


@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
@pytest.mark.parametrize(
    ("name", "asked", "answered", "outcome"), [row[1:] for row in CASES], ids=[r[0] for r in CASES]
)
def test_client_subnet(
    server: Server, name: str, asked: str | None, answered: str | None, outcome: str, tcp: bool
) -> None:
    options = [] if asked is None else [dns.edns.GenericOption(8, bytes.fromhex(asked))]
    query = dns.message.make_query(f"{name}.gtm.test", "A", use_edns=0, options=options)
    send = dns.query.tcp if tcp else dns.query.udp
    response = send(query, server.host, port=server.port, timeout=10)

    echoed = [option.to_wire() for option in response.options if option.otype == 8]
    assert echoed == ([] if answered is None else [bytes.fromhex(answered)])
    told = [str(data) for data in response.answer[-1]] if response.answer else []
    assert told == ([outcome] if outcome in (NEAR, FAR) else [])
    if not told:
        assert dns.rcode.to_text(response.rcode()) == outcome
