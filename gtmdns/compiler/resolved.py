"""Endpoints that are resolved: each host name stands for its addresses, before anything is decided.

A host name of which no address is known yet stays as it is: it reaches both families, and is no
endpoint of either.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence

from ..config.model import Endpoint, Pool
from ..health.condition import Condition, Conditions


def with_addresses(
    pools: Mapping[str, Pool], conditions: Conditions, resolved: Mapping[str, Sequence[str]]
) -> tuple[Mapping[str, Pool], Conditions]:
    """Return the pools with addresses in place of host names that are resolved.

    resolved: by host name. Each address has the weight and the condition of its host name; one
    that is in the pool already stands there once, as it was first.
    """
    found_pools: dict[str, Pool] = {}
    found_conditions: dict[str, Sequence[Condition]] = {}
    for name, pool in pools.items() if resolved else ():
        if any(endpoint.resolve and resolved.get(endpoint.address) for endpoint in pool.endpoints):
            found_pools[name], found_conditions[name] = _expanded(pool, conditions[name], resolved)
    if not found_pools:
        return pools, conditions
    return ChainMap(found_pools, dict(pools)), ChainMap(found_conditions, conditions)  # type: ignore[arg-type]  # the second is only read


def _expanded(
    pool: Pool, conditions: Sequence[Condition], resolved: Mapping[str, Sequence[str]]
) -> tuple[Pool, tuple[Condition, ...]]:
    found: dict[str, tuple[Endpoint, Condition]] = {}
    for endpoint, condition in zip(pool.endpoints, conditions, strict=True):
        addresses = resolved.get(endpoint.address, ()) if endpoint.resolve else ()
        for address in addresses or (endpoint.address,):
            own = endpoint
            if addresses:
                own = endpoint.model_copy(update={"address": address, "resolve": False})
            found.setdefault(address, (own, condition))
    endpoints, theirs = zip(*found.values(), strict=True)
    return pool.model_copy(update={"endpoints": endpoints}), theirs
