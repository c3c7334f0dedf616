"""What a record with `federate` needs of its pools: localities that make names, and addresses."""

from collections.abc import Callable, Iterator, Mapping

from .mistakes import Keys
from .model import Pool, Record
from .values import Problem


def federation_problems(
    record: Record,
    owner: str,
    at_apex: bool,
    pools: Mapping[str, Pool],
    missing: Callable[[str], str],
) -> Iterator[Problem]:
    """Yield what is wrong, with keys that begin at the record.

    missing: what to say of a pool that does not exist
    """
    if at_apex:
        yield ("federate",), "federation names can answer a CNAME, which cannot stand at the apex"
    if owner.split(".")[0] == "*":
        yield ("federate",), "a wildcard cannot be federated: other names are made of this one"
    localities = _Localities()
    for index, name in enumerate(record.federate):
        at: Keys = ("federate", index)
        if name not in pools:
            yield at, missing(name)
            continue
        pool = pools[name]
        alias = next((endpoint for endpoint in pool.endpoints if endpoint.is_alias), None)
        if alias is not None:
            problem = f"{alias.address} of pool {name} is a host name; expected addresses"
            yield at, f"{problem}, or resolve: true beside it"
        if pool.locality is None:
            yield at, f"pool {name} has no locality, which federation names are made of"
        else:
            for problem in localities.add(name, pool.locality.region, pool.locality.zone):
                yield at, problem


class _Localities:
    """Labels of one record. A zone lies in one region, and no label is both."""

    def __init__(self) -> None:
        self.regions: dict[str, str] = {}  # label to the pool that has it first
        self.zones: dict[str, tuple[str, str]] = {}  # label to its region, and that pool

    def add(self, pool: str, region: str, zone: str) -> Iterator[str]:
        first_region, first = self.zones.setdefault(zone, (region, pool))
        if first_region != region:
            yield f"zone {zone} is in region {region} here, and in {first_region} by pool {first}"
        self.regions.setdefault(region, pool)
        for label in dict.fromkeys((zone, region)):
            if label in self.zones and label in self.regions:
                yield (
                    f"{label} is both a zone (of pool {self.zones[label][1]}) and a region "
                    f"(of pool {self.regions[label]}): the two names would be one"
                )
