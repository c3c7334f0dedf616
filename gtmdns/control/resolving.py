"""The addresses of endpoints that are resolved, across restarts of control."""

from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address

from ..compiler.plan import Plan
from ..health.names import Names


class Addresses:
    """Writes what is known of each host name into `known`, beginning with what was saved.

    on_change: called with the name whose addresses are others now
    """

    def __init__(self, known: dict[str, tuple[str, ...]], on_change: Callable[[str], None]) -> None:
        self._known = known
        self._saved: dict[str, tuple[str, ...]] = {}
        self._on_change = on_change
        self.names = Names(self._note)

    def restore(self, saved: Mapping[str, tuple[str, ...]]) -> None:
        """Begin with these where the next `apply` names them: the last good ones."""
        self._saved = dict(saved)

    def apply(self, hosts: Collection[str]) -> None:
        """Keep exactly these names from now on."""
        for host in self._known.keys() - set(hosts):
            del self._known[host]
        for host in hosts:
            if host not in self._known:
                self._known[host] = self._saved.get(host, ())
        self.names.apply(hosts)

    async def learn(self, hosts: Collection[str], timeout: float) -> None:
        """Look `hosts` up beside those that are kept; wait for it, at most `timeout` seconds."""
        if hosts:
            self.apply({*hosts, *self._known})
            await self.names.first_answers(timeout)

    def _note(self, host: str, addresses: tuple[str, ...]) -> None:
        """Take new addresses; of a family that never was answered, those saved stay."""
        if self.names.state(host).last_success is None:
            found = {ip_address(address).version for address in addresses}
            old = [a for a in self._saved.get(host, ()) if ip_address(a).version not in found]
            addresses = (*addresses, *old)
        if self._known.get(host) != addresses:
            self._known[host] = addresses
            self._on_change(host)


def resolved_hosts(plan: Plan) -> set[str]:
    """Return the host names of which the addresses are answered."""
    return {e.address for pool in plan.pools.values() for e in pool.endpoints if e.resolve}
