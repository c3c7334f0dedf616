"""What an override would do: which names it would leave without a usable endpoint."""

from collections.abc import Iterator, Mapping, Sequence

from ..compiler.draws import Family, has_family
from ..compiler.plan import Plan, SteeredName, name_text
from ..config.model import FallbackCname, FallbackPools, Pool, Target
from ..config.targets import pools_of
from ..health.condition import Conditions
from ..wire.name import BadName, from_text

FAMILIES: tuple[Family, ...] = (4, 6, 0)


def emptied(
    plan: Plan,
    pools: Mapping[str, Pool],
    pool: str,
    before: Conditions,
    after: Conditions,
) -> Iterator[str]:
    """Yield the names that have a usable endpoint of some family `before`, and none `after`.

    pools: those of `plan` with the addresses of resolved names in them
    pool:  the only one of which the conditions differ

    What answers in place of the record counts: pools, or a CNAME to a steered name of ours, which
    is looked at by itself. Any other CNAME is no endpoint.
    """

    def lost(target: Target) -> list[Family]:
        return [
            family
            for family in FAMILIES
            if _has(target, family, pools, before) and not _has(target, family, pools, after)
        ]

    losing = {
        number: families
        for number, target in enumerate(plan.targets)
        if pool in pools_of(target) and (families := lost(target))
    }
    if not losing:
        return
    for qname, name in plan.steered.items():
        families = [family for _, number in name.rules for family in losing.get(number, ())]
        if families and not _is_helped(plan, name, families, pools, after):
            yield name_text(qname)


def _has(target: Target, family: Family, pools: Mapping[str, Pool], conditions: Conditions) -> bool:
    return any(
        condition.usable and has_family(endpoint, family)
        for name in pools_of(target)
        for endpoint, condition in zip(pools[name].endpoints, conditions[name], strict=True)
    )


def _is_helped(
    plan: Plan,
    name: SteeredName,
    families: Sequence[Family],
    pools: Mapping[str, Pool],
    after: Conditions,
) -> bool:
    instead = name.when_all_down
    if isinstance(instead, FallbackPools):
        return all(_has(instead.target, family, pools, after) for family in families)
    if isinstance(instead, FallbackCname):
        try:
            return plan.steered_name(from_text(instead.name)) is not None
        except BadName:
            return False
    return False
