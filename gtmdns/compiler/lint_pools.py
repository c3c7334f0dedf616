"""Warnings about pools and health checks: see lint."""

from collections.abc import Iterator, Sequence

from ..config.load import Loaded
from ..config.mistakes import Mistake
from ..config.model import Config, Endpoint, HealthCheck, Pool
from .decide import needed_of
from .draws import Family
from .plan import checks_of

KINDS: tuple[tuple[Family, str], ...] = (
    (4, "IPv4 endpoint"),
    (6, "IPv6 endpoint"),
    (0, "host name"),
)


def pool_warnings(loaded: Loaded, used: frozenset[str]) -> Iterator[Mistake]:
    """Yield every warning about the pools and the health checks of a configuration.

    used: the pools that records name
    """
    for name, pool in loaded.config.pools.items():
        if name not in used:
            yield loaded.mistake(("pools", name), "no record uses this pool")
        yield from _minimum(loaded, name, pool)
        yield from _weights(loaded, name, pool)
        if pool.ramp and not any(checks_of(pool, endpoint) for endpoint in pool.endpoints):
            problem = "no endpoint of this pool has a health check that it could come back by"
            yield loaded.mistake(("pools", name, "ramp"), problem)
    yield from _checks(loaded)


def detection_times(config: Config) -> dict[str, float]:
    """Return, by pool, the longest time in which a failure is noticed, in seconds; 0: never."""
    return {
        pool_name: max(
            (
                _longest(config.health_checks[name])
                for endpoint in pool.endpoints
                for name in checks_of(pool, endpoint)
            ),
            default=0,
        )
        for pool_name, pool in config.pools.items()
    }


def _longest(check: HealthCheck) -> float:
    timeout = 0 if check.type == "push" else check.timeout
    return check.fall * check.interval + timeout


def _minimum(loaded: Loaded, name: str, pool: Pool) -> Iterator[Mistake]:
    """Yield where more endpoints are asked for than there are; names may resolve to any number."""
    if any(endpoint.resolve for endpoint in pool.endpoints):
        return
    for family, label in KINDS:
        total = len(_of_family(pool, family))
        if total and needed_of(pool.min_available, total) > total:
            number = f"{total} {label}{'' if total == 1 else 's'}"
            yield loaded.mistake(
                ("pools", name, "min_available"), f"can never be met: the pool has {number}"
            )


def _weights(loaded: Loaded, name: str, pool: Pool) -> Iterator[Mistake]:
    weights = [endpoint.weight for endpoint in pool.endpoints]
    if pool.select == "all":
        if any(weight is not None for weight in weights):
            yield loaded.mistake(("pools", name, "select"), '"all" leaves the weights unused')
        return
    for family, label in KINDS:
        endpoints = _of_family(pool, family)
        drawn = [index for index in endpoints if weights[index] != 0]
        if len(drawn) == 1 and len(endpoints) > 1:
            yield loaded.mistake(
                ("pools", name, "endpoints", drawn[0], "weight"),
                f"all the weight of {len(endpoints)} {label}s is here: the others are spares alone",
            )


def _of_family(pool: Pool, family: Family) -> Sequence[int]:
    """Return the indexes of the endpoints of a family; names that are resolved have none yet."""
    return [
        index
        for index, endpoint in enumerate(pool.endpoints)
        if endpoint.family == family and not endpoint.resolve
    ]


def _checks(loaded: Loaded) -> Iterator[Mistake]:
    """Yield what is wrong with health checks, with whom they check in mind."""
    checked: dict[str, list[tuple[str, Endpoint]]] = {}
    for name, pool in loaded.config.pools.items():
        for endpoint in pool.endpoints:
            for check_name in checks_of(pool, endpoint):
                checked.setdefault(check_name, []).append((name, endpoint))
    for name, check in loaded.config.health_checks.items():
        if name not in checked:
            yield loaded.mistake(("health_checks", name), "no pool uses this health check")
        if "max" in check.eject.model_fields_set and not check.eject.base:
            problem = "has no effect: base is 0s, so nothing is ejected"
            yield loaded.mistake(("health_checks", name, "eject", "max"), problem)
        bare = next((use for use in checked.get(name, ()) if use[1].family), None)
        if bare is not None and check.host is None and _verifies_a_certificate(check):
            pool_name, endpoint = bare
            yield loaded.mistake(
                ("health_checks", name),
                f"probes {endpoint.address} (pool {pool_name}) over TLS without host: the "
                "certificate has to be for that address; a host says for which name it is",
            )


def _verifies_a_certificate(check: HealthCheck) -> bool:
    over_tls = check.type in ("https", "tls") or (check.type == "grpc" and check.tls)
    return over_tls and check.verify_tls
