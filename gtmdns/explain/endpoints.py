"""The pools of a decision, endpoint by endpoint: how each stands, and how often it is answered."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from ..compiler.draws import Drawn, Family, draws_of, has_family
from ..compiler.outcome import Outcome, PoolTrace
from ..compiler.plan import AnswerSpec
from ..compiler.trace import Traced
from ..config.model import Endpoint, Pool
from ..health.condition import FULL, Condition, Conditions
from .shares import is_hashed, shares_drawn, weighted_draws
from .witness import Witness

FAMILIES = {4: "ipv4", 6: "ipv6", 0: "name"}
ASKED = {4: "IPv4", 6: "IPv6", 0: "a name"}


class Endpoints:
    """Tells the pools of one decision.

    pools, conditions: with addresses in place of names that are resolved
    exact: whether shares are
    """

    def __init__(
        self,
        witness: Witness,
        spec: AnswerSpec,
        found: Traced,
        pools: Mapping[str, Pool],
        conditions: Conditions,
        client: int,
        exact: bool,
    ) -> None:
        self._witness = witness
        self._family: Family = spec.family
        self._outcome: Outcome = found.outcome
        self._pools, self._conditions = pools, conditions
        self._client = client
        self._exact = exact
        choice = self._outcome.choice
        self._draws: list[tuple[Fraction, Drawn]] = (
            [] if choice is None else list(weighted_draws(choice))
        )
        self._shares = list(self._by_pool())

    def _by_pool(self) -> Iterator[tuple[str, str, Fraction]]:
        for chance, drawn in self._draws:
            shares = shares_drawn(drawn, self._client)
            for address, share in zip(drawn.addresses, shares, strict=True):
                for name in drawn.pools:
                    yield name, address, chance * share

    def told(self) -> list[dict[str, Any]]:
        """Return each pool that was looked at, in the order in which it was."""
        return [
            {
                "name": seen.name,
                "available": seen.available,
                "usable": seen.usable,
                "total": seen.total,
                "needed": seen.needed,
                "reason": self._reason(seen),
                "select": self._pools[seen.name].select,
                "endpoints": list(self._endpoints(seen.name)),
            }
            for seen in self._outcome.trace
        ]

    def _reason(self, seen: PoolTrace) -> str:
        choice = self._outcome.choice
        if choice is not None and any(seen.name in drawn.pools for drawn in draws_of(choice)):
            return f"answers: {seen.reason}"
        drawable = seen.available and not seen.held and choice is not None
        return f"{'not drawn' if drawable else 'passed over'}: {seen.reason}"

    def _endpoints(self, name: str) -> Iterator[dict[str, Any]]:
        written = self._witness.plan.pools[name]
        pool = self._pools[name]
        hosts = _hosts(written, self._witness.resolved)
        for endpoint, condition in zip(pool.endpoints, self._conditions[name], strict=True):
            host = hosts.get(endpoint.address)
            yield {
                "address": endpoint.address,
                "host": None if host is None else host.address,
                "weight": endpoint.weight,
                "usable": condition.usable,
                "ramp": condition.parts / FULL,
                **self._drawn(name, endpoint, condition),
                **self._witness.endpoint(name, written, host or endpoint),
            }

    def _drawn(self, name: str, endpoint: Endpoint, condition: Condition) -> dict[str, Any]:
        """Return the weight with which an endpoint is drawn, how often, and why not."""
        each = [drawn for _, drawn in self._draws if name in drawn.pools]
        weights = {
            drawn.weights[drawn.addresses.index(endpoint.address)]
            for drawn in each
            if endpoint.address in drawn.addresses
        }
        share = sum(
            (s for n, a, s in self._shares if (n, a) == (name, endpoint.address)), Fraction(0)
        )
        return {
            "drawn_weight": max(weights, default=0),
            "probability": float(share),
            "exact": str(share) if self._exact else None,
            "why": self._why(endpoint, condition, each, bool(weights), share),
        }

    def _why(
        self,
        endpoint: Endpoint,
        condition: Condition,
        each: Sequence[Drawn],
        drawn: bool,
        share: Fraction,
    ) -> str:
        if not has_family(endpoint, self._family):
            return f"not asked for: {ASKED[self._family]} is"
        if endpoint.resolve:
            return "no address of it is known yet"
        if condition.barred:
            return "barred"
        if share:
            return "answered" if condition.usable else "answered all the same, as all are down"
        if not condition.usable:
            return "down"
        if not each:
            return "its pool does not answer"
        if drawn and any(map(is_hashed, each)):
            return "another one has the client's network by hash"
        return "spare: weight 0" if not drawn else "never drawn"


def _hosts(pool: Pool, resolved: Mapping[str, Sequence[str]]) -> dict[str, Endpoint]:
    """Return which endpoint each resolved address of a pool is of."""
    own = {endpoint.address for endpoint in pool.endpoints}
    return {
        address: endpoint
        for endpoint in reversed(pool.endpoints)
        if endpoint.resolve
        for address in resolved.get(endpoint.address, ())
        if address not in own
    }
