"""How long an answer is good, and for whom else: the TTL and the scope, each with its reason."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import inf

from ..answers.choice import network_scope
from ..answers.route import RouteTable
from ..answers.steps import EVERYONE
from ..compiler.draws import has_family
from ..compiler.plan import AnswerSpec, checks_of
from ..compiler.trace import Traced
from ..config.model import Endpoint, FallbackCname, Pool, TtlRange
from ..health.condition import FULL, Condition
from .asker import Asker, address_text
from .witness import Witness

NEAR = 0.01  # seconds: times that are computed apart and differ by less are one


def ttl_reason(spec: AnswerSpec, found: Traced, witness: Witness, held: Mapping[str, float]) -> str:
    """Return why a steered answer has its TTL."""
    if not isinstance(spec.ttl, TtlRange):
        return "as configured"
    until = found.outcome.until
    span = f"between min {spec.ttl.min} and max {spec.ttl.max}"
    if until == inf:
        return f"max of {spec.ttl.max}: nothing that was looked at can change by itself"
    cause = next(_causes(spec, found, witness, held), "what was looked at could change")
    clamp = f"kept {span}"
    if until < spec.ttl.min:
        clamp = f"raised to min {spec.ttl.min}"
    elif until > spec.ttl.max:
        clamp = f"lowered to max {spec.ttl.max}"
    return f"{cause} in {seconds(until)}; {clamp}"


def seconds(number: float) -> str:
    """Return a time as words, to a tenth of a second below ten."""
    return f"{number:.1f} s" if number < 10 and number != int(number) else f"{number:.0f} s"


def _causes(
    spec: AnswerSpec, found: Traced, witness: Witness, held: Mapping[str, float]
) -> Iterator[str]:
    """Yield what can change at the very moment that the answer is good until."""
    until = found.outcome.until
    for name in found.looked:
        if name in held and abs(held[name] - until) < NEAR:
            yield f"failback could return to {name}"
        pool = witness.plan.pools[name]
        for endpoint, condition in zip(pool.endpoints, witness.conditions[name], strict=True):
            asked = has_family(endpoint, spec.family) or isinstance(
                spec.when_all_down, FallbackCname
            )
            if asked and abs(condition.until - until) < NEAR:
                yield _cause(name, pool, endpoint, condition, witness)


def _cause(
    name: str, pool: Pool, endpoint: Endpoint, condition: Condition, witness: Witness
) -> str:
    address = endpoint.address
    if condition.overridden:
        return f"the override of {address} in {name} ends"
    assumed = witness.assumed(name, address)
    if assumed is not None:
        return f"{address}, assumed {assumed}, could change"
    for check in checks_of(pool, endpoint):
        if abs(witness.could_change(address, check) - condition.until) < NEAR:
            return f"check {check} of {address} could change"
    return (
        f"{address} in {name} gains weight (ramp)"
        if condition.parts < FULL
        else (f"{address} could change")
    )


def scope_told(scope: int, asker: Asker) -> int:
    """Return a scope of 128 bits as one of the family of the option."""
    return max(0, scope - 96) if asker.option and asker.option.family == 1 else scope


def scope_reason(
    route: RouteTable,
    asker: Asker,
    scope: int,
    region: str | None,
    *,
    hashed: bool,
    ordered: bool,
    private: bool,
) -> str:
    """Return why an answer has its scope.

    scope:   of 128 bits
    hashed:  the client's network decides within the rule
    ordered: so does where the client is (`nearest`)
    private: the option's address does not count
    """
    if asker.option is None:
        return "server.client_subnet is off"
    if route is EVERYONE and not hashed:
        return "every client gets this"
    if asker.option.source == 0:
        return "a subnet of /0 wants nothing that depends on it"
    there = network_text(asker.option.client, scope)
    if private:
        return f"{there} says nothing in the option: it is private, and in no region's networks"
    if hashed and scope == network_scope(asker.option.client):
        return f"all of {there} are one network to the hash"
    if route is EVERYONE or (scope_told(scope, asker) == 0 and not hashed):
        return "every client of this family gets this"
    what = f"the rule {region}" if region is not None else "this"
    if ordered:
        what += " with this order of distance" if region is not None else " order of distance"
    return f"every address in {there} gets {what}"


def network_text(client: int, scope: int) -> str:
    """Return the network of this scope around a client, both of 128 bits."""
    is_ipv4 = client >> 32 == 0xFFFF and scope >= 96
    text = f"{address_text(client)}/{scope - 96 if is_ipv4 else scope}"
    network: IPv4Network | IPv6Network = ip_network(text, strict=False)
    return str(network)
