"""One steered name for one client: its rule, the walk of its target, its pools, TTL and scope."""

from typing import Any

from ..answers.choice import network_scope
from ..answers.route import RouteTable
from ..compiler.draws import draws_of
from ..compiler.octets import outcome_reason, reason_of, ttl_of
from ..compiler.plan import AnswerSpec
from ..compiler.trace import Traced
from ..config.model import Nearest, Target
from ..wire.name import WireName
from .asker import Asker, is_private, rules_told
from .endpoints import Endpoints
from .lifetimes import network_text, scope_reason, scope_told, ttl_reason
from .shares import is_exact, is_hashed
from .viewing import View
from .walked import Telling, all_down_told, fallback_of, members_of, shape_of

REASONS = ("override", "all_down", "failover", "region", "default", "static")
NOTHING: dict[str, Any] = {
    "owner": None,
    "region": None,
    "rules": [],
    "place": None,
    "target": [],
    "all_down": None,
    "hash": None,
    "pools": [],
    "reason": "static",
}


def steered_told(
    view: View,
    asker: Asker,
    name: WireName,
    route: RouteTable,
    number: int,
    rule: int,
    scope: int,
) -> dict[str, Any]:
    """Return what is told of a steered name.

    number: of the answer, whose rule this is; scope: of 128 bits
    """
    plan = view.plan
    spec, found = plan.specs[number], view.traced(number)
    held = view.witness.held(spec)
    steered = plan.steered_name(name)
    assert steered is not None, "an answer with a spec belongs to a steered name"
    region = steered.rules[rule][0] if steered.routed else None
    fallback = fallback_of(steered.when_all_down)
    targets = [plan.targets[steered.written[rule]]] + ([] if fallback is None else [fallback])
    place = None if asker.place is None else asker.place[0]
    shapes = [shape_of(target, place, plan.pools) for target in targets]
    rules = []
    if steered.routed:
        rules = rules_told(_regions(steered.rules), region or "default", asker, plan)
    ordered = any(map(_has_nearest, targets))
    stages = Telling(spec, found, view.decider, held).stages(shapes[0], shapes[-1])
    return {
        "owner": steered.owner,
        "region": region,
        "rules": rules,
        "place": _place(asker, ordered),
        "target": stages,
        "all_down": all_down_told(spec, found),
        **_drawn_told(view, asker, spec, found),
        "own_ttl": ttl_of(spec.ttl, found.outcome.until),
        "ttl_reason": _ttl_reason(view, spec, found),
        "own_scope": scope_told(scope, asker),
        "scope_reason": _scope_reason(view, asker, route, scope, region, found, ordered),
        "reason": _reason(found, spec),
    }


def _drawn_told(view: View, asker: Asker, spec: AnswerSpec, found: Traced) -> dict[str, Any]:
    choice = found.outcome.choice
    exact = choice is None or is_exact(choice, asker.counts)
    network = network_text(asker.looked_up, network_scope(asker.looked_up))
    endpoints = Endpoints(
        view.witness, spec, found, view.pools, view.conditions, asker.counts, exact
    )
    return {"hash": network if _is_hashed(found) else None, "pools": endpoints.told()}


def _is_hashed(found: Traced) -> bool:
    choice = found.outcome.choice
    return choice is not None and any(map(is_hashed, draws_of(choice)))


def _ttl_reason(view: View, spec: AnswerSpec, found: Traced) -> str:
    outcome = found.outcome
    if outcome.choice is None and outcome.cname is None:
        if outcome.servfail:
            return "SERVFAIL is not kept"
        return "that of negative answers: the SOA's (RFC 2308)"
    return ttl_reason(spec, found, view.witness, view.witness.held(spec))


def _scope_reason(
    view: View,
    asker: Asker,
    route: RouteTable,
    scope: int,
    region: str | None,
    found: Traced,
    ordered: bool,
) -> str:
    private = asker.option is not None and is_private(asker.option.client, view.snapshot)
    return scope_reason(
        route, asker, scope, region, hashed=_is_hashed(found), ordered=ordered, private=private
    )


def _regions(rules: tuple[tuple[str, int], ...]) -> list[str]:
    """Return the regions of the rules once each, from the top."""
    return list(dict.fromkeys(region for region, _ in rules))


def _has_nearest(target: Target) -> bool:
    return isinstance(target, Nearest) or any(map(_has_nearest, members_of(target)))


def _place(asker: Asker, ordered: bool) -> dict[str, Any] | None:
    """Return where the client is taken to be, where distances count."""
    if not ordered:
        return None
    if asker.place is None:
        return {"latitude": None, "longitude": None, "by": "not known: the order written counts"}
    (latitude, longitude), by = asker.place
    return {"latitude": latitude, "longitude": longitude, "by": by}


def _reason(found: Traced, spec: AnswerSpec) -> str:
    outcome = found.outcome
    if outcome.choice is None:
        return outcome_reason(outcome, spec)
    reasons = {reason_of(drawn, spec, outcome) for drawn in draws_of(outcome.choice)}
    return next(reason for reason in REASONS if reason in reasons)
