"""One configuration of explanations and its health at a moment, for tests of the reasons."""

from collections.abc import Callable
from functools import cache
from typing import Any

from gtmdns.control.comebacks import Comebacks
from gtmdns.control.conditions import Moment
from gtmdns.control.publication import Publication
from gtmdns.explain.explain import explain
from gtmdns.explain.witness import Witness
from gtmdns.health.overrides import Override, Overrides
from gtmdns.health.standing import LastResult, Standing
from gtmdns.health.verdict import State, Verdict
from tests.compiler.support import compile_text, with_records

NOW, WALL = 1_000.0, 1_800_000_000.0
SECTIONS = """
health_checks:
  web: {type: http, interval: 5s, fall: 3, rise: 2}
  slow: {type: tcp, port: 9, interval: 60s, fall: 1, rise: 1}
regions:
  east: {networks: [203.0.113.0/24, "2001:db8:e::/48"]}
pools:
  home: {endpoints: [192.0.2.1, {address: 192.0.2.2, health_check: [web, slow]}], health_check: web, ramp: 100s,
         select: weighted}
  away: {endpoints: [192.0.2.9], health_check: slow}
  none: {endpoints: ["2001:db8::9"]}
  hash: {endpoints: [192.0.2.31, 192.0.2.32, 192.0.2.33], select: hash}
  known: {endpoints: [{address: a.example.net, resolve: true, weight: 3}, {address: b.example.net, resolve: true}]}
  loop: {endpoints: [loop.example.test, far.example.test]}
  wide: {endpoints: [c1.example.test, c2.example.test]}
  f1: {endpoints: [192.0.2.41], locality: {region: r, zone: z1}}
  f2: {endpoints: [192.0.2.42], locality: {region: r, zone: z2}}
"""
RECORDS = """
chain: {pools: [home, away], ttl: {min: 8, max: 20}, failback: {delay: 1m}}
never: {pools: [home, away], failback: {delay: never}}
mesh:  {pools: {in: {weight: 9, to: [home, away]}, out: {weight: 1, to: away}, spare: {weight: 0, to: hash}}}
near:  {route: {east: [home, away], default: away}}
hash:  {pools: hash}
known: {pools: known}
loop:  {pools: loop}
cname: {CNAME: near}
other: {pools: home, when_all_down: {pools: away}}
empty: {pools: home, when_all_down: empty}
sorry: {pools: home, when_all_down: {cname: near}}
fed:   {federate: [f1, f2]}
a.ent: {TXT: below}
"*.wild": {pools: away}
sub:   {NS: ns.other.test.}
old:   {DNAME: other.test.}
c0:    {pools: wide}
"""
LAST = LastResult(False, "timeout after 2 s", 2.0, WALL - 3, "192.0.2.1")
UP = Standing(Verdict(State.UP, since=WALL - 60))
SHAKEN = Standing(Verdict(State.UP, counted=1, since=WALL - 60), LAST)
DOWN = Standing(Verdict(State.DOWN, since=WALL - 60), LAST)
EJECTED = Standing(Verdict(State.DOWN, ejections=1, ejected_until=NOW + 45.0), LAST)


@cache
def compiled() -> Any:
    wide = "".join(f"c{n}: {{pools: wide}}\n" for n in range(1, 3))
    return compile_text(with_records(RECORDS + wide, SECTIONS))


def witness(
    standings: dict[tuple[str, str], Standing] | None = None,
    overrides: Overrides | None = None,
    comebacks: Comebacks | None = None,
    held: dict[str, float] | None = None,
) -> Witness:
    """Return a witness of a server where every other check is up."""
    plan = compiled().plan
    known = standings or {}
    standing_of: Callable[[tuple[str, str]], Standing | None] = lambda key: known.get(key, UP)  # noqa: E731
    said = overrides or Overrides()
    moment = Moment(plan, standing_of, said, comebacks or Comebacks(), NOW)
    holding = held or {}
    return Witness(
        plan, moment, standing_of, said, lambda spec: holding if spec.hold else {},
        NOW, WALL, live=True,
    )  # fmt: skip


def told(
    name: str, seen: Witness | None = None, rtype: str = "A", client: str = "198.51.100.1"
) -> dict[str, Any]:
    made = compiled()
    publication = Publication.of(made.plan, made.pieces)
    return explain(publication.snapshot, seen or witness(), f"{name}.example.test", rtype, client)


def walk(node: dict[str, Any]) -> Any:
    """Return a target as nested (what, state) pairs."""
    state = "answers" if node.get("taken") else node["why"] if node["kind"] == "pool" else ""
    if not node.get("reached", True):
        state = "not needed"
    if node["kind"] == "pool":
        return node["pool"], state
    return node["kind"], [walk(member) for member in node["members"]]


def endpoints(said: dict[str, Any], pool: str = "home") -> dict[str, dict[str, Any]]:
    [found] = [each for each in said["pools"] if each["name"] == pool]
    return {endpoint["address"]: endpoint for endpoint in found["endpoints"]}


def overridden(pool: str, address: str | None, state: Any) -> Overrides:
    said = Overrides()
    override = Override(pool, address, state, "zhang", "a new disk", WALL, WALL + 7200)
    said.put(override, NOW, WALL)
    return said
