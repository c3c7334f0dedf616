"""What a name is, for people: static, steered, an alias, delegated, or not there, and why."""

from typing import Any

from ..answers.pack import Records
from ..answers.snapshot import Snapshot
from ..answers.zone import Node, Routed, Zone
from ..compiler.plan import Plan, SteeredName, name_text
from ..config.rrtypes import type_text
from ..wire.constants import ANY, AXFR, DS, IXFR
from ..wire.name import WireName, labels_of

FAMILY_OF = {1: "IPv4", 28: "IPv6"}


def named(
    qname: WireName, qtype: int, client: int, snapshot: Snapshot, plan: Plan
) -> dict[str, Any]:
    """Return {zone, kind, why, wildcard} of a name and a type. `client`: the transport's."""
    zone = snapshot.zone_of(qname)
    told: dict[str, Any] = {"zone": None, "kind": "refused", "wildcard": None}
    if zone is None:
        return told | {"why": "in no zone of this configuration"}
    told["zone"] = name_text(zone.apex)
    if qtype in (AXFR, IXFR):
        return told | {"kind": "transfer", "why": _transfer(qname, qtype, client, snapshot)}
    node, exists = zone.lookup(qname)
    if node is None:
        return told | {"kind": "nxdomain", "why": _missing(qname, zone)}
    if node.referral is not None and not (exists and qtype == DS):
        return told | {"kind": "referral", "why": f"delegated at {name_text(node.referral.cut)}"}
    if not exists and node.dname is None:
        told["wildcard"] = name_text(_wildcard(qname, zone))
    return told | _at_node(qname, qtype, node, exists, plan)


def _at_node(qname: WireName, qtype: int, node: Node, exists: bool, plan: Plan) -> dict[str, Any]:
    if node.dname is not None and not exists:
        why = f"{name_text(node.dname.owner)} has a DNAME, which renames all below it"
        return {"kind": "alias", "why": why}
    if node.alias is not None:
        return {
            "kind": "alias",
            "why": f"a static CNAME to {name_text(WireName(node.alias.target))}",
        }
    entry = node.entry(qtype)
    steered = plan.steered_name(qname)
    if isinstance(entry, (bytes, Records)):
        return {"kind": "static", "why": "records of the configuration"}
    if entry is not None:
        number = entry.numbers[0] if isinstance(entry, Routed) else entry
        if steered is not None and number in plan.specs:
            return {"kind": "steered", "why": f"the record {steered.owner}"}
        return {"kind": "static", "why": "records of the configuration"}
    if qtype == ANY and node.types:
        return {"kind": "static", "why": "ANY gets one record in place of all (RFC 8482)"}
    return {"kind": "nodata", "why": _nodata(qtype, node, steered)}


def _transfer(qname: WireName, qtype: int, client: int, snapshot: Snapshot) -> str:
    """Return what who asks for a whole zone gets, as `answers/axfr.py` has it."""
    zone, transfer = snapshot.zone_of(qname), snapshot.transfers.get(qname)
    if zone is not None and zone.apex != qname:
        return f"zones alone are transferred: {name_text(zone.apex)} is one"
    if transfer is None:
        return "the zone has no transfer_to"
    if not transfer.allows(client):
        return "transfer_to of the zone does not hold the address that asks"
    gets = "the SOA, then all of the zone over TCP" + (
        ", and REFUSED over UDP" if qtype == AXFR else ", unless the asker has it; the SOA over UDP"
    )
    return f"transfer_to of the zone holds the address that asks: {gets}"


def _nodata(qtype: int, node: Node, steered: SteeredName | None) -> str:
    if steered is not None and qtype in FAMILY_OF:
        return f"no pool of the record {steered.owner} has an {FAMILY_OF[qtype]} endpoint"
    if not node.types and node.cname is None:
        return "no records: an empty non-terminal, as names below it exist"
    types = ", ".join(type_text(rtype) for rtype, _ in node.types)
    return f"the name exists, with {types}, and has no such type"


def _encloser(qname: WireName, zone: Zone) -> WireName:
    name = qname
    while zone.get(name) is None:
        name = WireName(name[1 + name[0] :])
    return name


def _wildcard(qname: WireName, zone: Zone) -> WireName:
    return WireName(b"\x01*" + _encloser(qname, zone))


def _missing(qname: WireName, zone: Zone) -> str:
    """Return why a name does not exist: the closest encloser, and that it has no wildcard."""
    encloser = _encloser(qname, zone)
    labels = labels_of(qname)
    under = len(labels) - len(labels_of(encloser)) - 1
    first = WireName(qname[sum(1 + len(label) for label in labels[:under]) :])
    return f"{name_text(encloser)} exists, {name_text(first)} does not, and there is no wildcard"
