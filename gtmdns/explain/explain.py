"""What a client is told, and why: from the same table and the same decision as the answers.

question ─▶ asker.py      which address counts, its regions and rules
         ─▶ naming.py     what the name is
         ─▶ following.py  every way that the answer can go, along CNAMEs
              └─▶ deciding.py   one steered name: walked.py, endpoints.py, lifetimes.py

Health, and what is assumed of it, comes from a Witness (witness.py).
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import dns.rdatatype

from ..answers.snapshot import Snapshot
from ..compiler.plan import name_text
from ..wire.constants import RCODES
from ..wire.name import BadName, from_text
from ..wire.query import Query, parse_query
from .asker import address_text, asker_of, regions_told, told_facts
from .following import Follower, Path, Told
from .naming import named
from .viewing import View
from .witness import BadQuestion, Witness

__all__ = ["BadQuestion", "explain"]


def explain(
    snapshot: Snapshot,
    witness: Witness,
    name: str,
    rtype: str,
    client: str | None = None,
    subnet: str | None = None,
) -> dict[str, Any]:
    """Return the explanation as plain data (docs/http.md). Raises BadQuestion.

    snapshot: the answers as they were made from the plan of `witness`; it is only read
    client: an address, taken as the source of the query; None: the first one of `subnet`
    subnet: that of EDNS Client Subnet; None: the scope is told as if `client` were in it
    """
    query, packet = _question(name, rtype)
    view = View(snapshot, witness)
    asker = asker_of(client, subnet, view.snapshot, witness.plan)
    told: dict[str, Any] = {
        "name": name_text(query.qname),
        "type": rtype.upper(),
        "client": asker.address,
        "subnet": asker.subnet,
        "counts": {
            "address": address_text(asker.looked_up),
            "because": asker.because,
            "facts": told_facts(asker.facts),
            "problem": asker.problem,
        },
        "regions": regions_told(asker, witness.plan),
        "live": witness.live,
        "assumed": {"down": list(witness.down), "up": list(witness.up)},
        **named(query.qname, query.qtype, asker.client, view.snapshot, witness.plan),
    }
    found, paths = Follower(view, asker, query, packet).first()
    told |= found
    told |= _in_all(paths, asker.option is not None and asker.option.family == 1)
    if told["answers"] and told.get("own_ttl", told["ttl"]) != told["ttl"]:
        told["ttl_reason"] = "the least of its records"
    if told.get("own_scope", told["scope"]) != told["scope"]:
        told["scope_reason"] = "that of the name behind a CNAME, which depends on the client"
    return told


def _question(name: str, rtype: str) -> tuple[Query, bytes]:
    try:
        qname = from_text(name)
        qtype = dns.rdatatype.from_text(rtype)
    except BadName as error:
        raise BadQuestion(str(error)) from None
    except (dns.rdatatype.UnknownRdatatype, ValueError):
        raise BadQuestion(f"{rtype!r} is no record type, expected A, AAAA, TXT ...") from None
    packet = b"\0\0\0\0\0\1" + bytes(6) + qname + int(qtype).to_bytes(2) + b"\0\1"
    return parse_query(packet), packet


def _in_all(paths: Iterable[Path], is_ipv4: bool) -> dict[str, Any]:
    """Return what all ways together give: answers with their probability, RCODE, TTL and scope."""
    shares: dict[Told, Fraction] = {}
    rcodes: dict[int, Fraction] = {}
    negative: list[int] = []
    scope, exact = 0, True
    for path in paths:
        rcodes[path.rcode] = rcodes.get(path.rcode, Fraction(0)) + path.chance
        scope, exact = max(scope, path.scope), exact and path.exact
        if path.negative is not None:
            negative.append(path.negative)
        for record, share in path.records:
            shares[record] = shares.get(record, Fraction(0)) + path.chance * share
    answers = [
        {
            **record.told(),
            "probability": float(share),
            "exact": str(share) if exact else None,
        }
        for record, share in shares.items()
        if share
    ]
    ttls = [record.ttl for record, share in shares.items() if share] or negative
    return {
        "rcode": RCODES[max(rcodes, key=rcodes.__getitem__)],
        "answers": answers,
        "ttl": min(ttls, default=None),
        "scope": max(0, scope - 96) if is_ipv4 else scope,
    }
