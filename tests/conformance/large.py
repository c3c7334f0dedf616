"""Answers as large as they get: TC over UDP, all of it over TCP, and what they cost their neighbours."""

from pathlib import Path

import dns.flags
import dns.message

from tests.conformance.load import Plan, run_load
from tests.conformance.server import Server, serving
from tests.conformance.waiting import Late

ADDRESSES, ENDPOINTS, NAMES = 1000, 5000, 1000
SMALL = "small.gtm.test"


def addresses(number: int, first: int = 0) -> list[str]:
    return [f"10.{first + n // 62500}.{n // 250 % 250}.{1 + n % 250}" for n in range(number)]


CONFIG = f"""
pools:
  members: {{endpoints: [{", ".join(addresses(ENDPOINTS))}]}}
  most: {{endpoints: [{", ".join(addresses(ENDPOINTS))}], max_answers: 255}}
zones:
  gtm.test:
    nameservers: {{ns1: [127.0.0.1]}}
    contact: hostmaster@example.com
    records:
      small: {{A: [192.0.2.1]}}
      addresses: {{A: [{", ".join(addresses(ADDRESSES))}]}}
      members: {{pools: members}}
      most: {{pools: most}}
      mail: {{MX: [{", ".join(f'"{n} mx{n}"' for n in range(NAMES))}]}}
      many-links: {{CNAME: mail}}
""" + "".join(f"      mx{n}: {{A: [{address}]}}\n" for n, address in enumerate(addresses(NAMES, 9)))

# name, type -> records over TCP, and whether UDP can carry them
EXPECTED = {
    ("addresses", "A"): (ADDRESSES, False),
    ("members", "A"): (8, True),
    ("most", "A"): (255, False),
    ("mail", "MX"): (NAMES, False),
    ("many-links", "MX"): (NAMES + 1, False),
}


def assert_whole(server: Server) -> None:
    """Over UDP TC and no record, where it does not fit; over TCP every record."""
    for (name, rdtype), (number, fits) in EXPECTED.items():
        short = server.ask(f"{name}.gtm.test", rdtype)
        whole = server.ask(f"{name}.gtm.test", rdtype, tcp=True)

        assert bool(short.flags & dns.flags.TC) is not fits, name
        assert (sum(map(len, short.answer)) > 0) is fits, name
        assert not whole.flags & dns.flags.TC
        assert sum(map(len, whole.answer)) == number, name
        assert len({str(data) for rrset in whole.answer for data in rrset}) == number


def large(folder: Path, queries: int = 4000) -> str:
    """T15. Queries for large names, over UDP as answered there, beside those for a small one."""
    with serving(folder, CONFIG) as server:
        assert_whole(server)
        names = [f"{name}.gtm.test" for name, _ in EXPECTED]
        normal = run_load(Plan(server.host, server.port, [SMALL], rate=1000, most=queries))
        among = run_load(Plan(server.host, server.port, [SMALL, *names], rate=1000, most=queries))
        sizes = [len(server.ask(f"{n}.gtm.test", t, tcp=True).to_wire()) for n, t in EXPECTED]
    normal.assert_none_lost()
    among.assert_none_lost()
    told = (
        f"small answers alone: {normal}\nlarge ones too:      {among}\n"
        f"octets over TCP: {dict(zip([n for n, _ in EXPECTED], sizes, strict=True))}"
    )
    if among.latency(0.99) > 5 * max(normal.latency(0.99), 0.001):
        raise Late(told)
    return told
