"""One generation as control holds it: the plan, the pieces for workers, the answers as they are.

Pieces stay the octets that the loader made. Answers alone are kept as tuples, since
verdicts replace them; whoever connects later gets the answers of that moment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..answers.snapshot import Settings, SnapshotBuilder, empty
from ..compiler.build import CHUNK, Piece
from ..compiler.decide import Decider
from ..compiler.octets import Tags, answer_of, ttl_of
from ..compiler.outcome import Outcome
from ..compiler.plan import Plan
from ..compiler.resolved import with_addresses
from ..health.condition import Conditions
from ..serve.frames import decode, encode
from ..serve.shared import Shared

Change = tuple[int, tuple[Any, ...]]  # answer number, encoded answer


class Publication:
    """What the loader said about one configuration. `take` its pieces, then `finish`.

    snapshot: control's own, for `explain`: the same octets that workers have
    secrets:  of cookies, where the configuration has none
    shared:   the columns of large routes, which workers map; None: they are pieces, or none
    resolved: the addresses of endpoints with `resolve`, by host name; whoever resolves sets it
    """

    def __init__(
        self, plan: Plan, secrets: tuple[bytes, ...] = (), shared: Shared | None = None
    ) -> None:
        self.generation = 0
        self.shared = shared
        self.plan = plan
        self._secrets = plan.cookie_secrets or secrets
        self.tags = Tags(plan.tags)
        self.specs_by_pool = plan.specs_by_pool()
        self.answers: list[tuple[Any, ...]] = []
        self.resolved: Mapping[str, Sequence[str]] = {}
        self._settled: dict[int, tuple[Any, ...]] = {}  # what each answer was made of
        self._octets: list[bytes | None] = []  # None: the place of the answers
        columns = None if shared is None else shared.view()
        self._builder = SnapshotBuilder(0, self._settings(), columns)
        self.snapshot = empty()

    def _settings(self) -> Settings:
        server = self.plan.server
        return Settings(
            server.client_subnet,
            server.udp_payload,
            None if server.nsid is None else server.nsid.encode(),
            None if server.version is None else server.version.encode(),
            self._secrets,
        )

    @classmethod
    def of(cls, plan: Plan, pieces: Iterable[Piece]) -> "Publication":
        """Return the publication of pieces that are at hand, where nothing waits meanwhile."""
        publication = cls(plan)
        for piece in pieces:
            publication.take(encode(("piece", *piece)))
        publication.finish(1)
        return publication

    def take(self, octets: bytes) -> None:
        """Add the frame of one ("piece", kind, ...)."""
        _, kind, *rest = decode(octets)
        if kind == "answers":
            if not self.answers:
                self._octets.append(None)
            self.answers += rest[0]
        else:
            self._octets.append(octets)
        self._builder.add((kind, *rest))

    def tables(self) -> list[dict[Any, Any] | list[Any]]:
        """Return what is large, for who frees it when this is done with."""
        snapshot, plan = self.snapshot, self.plan
        shards = [shard for zone in snapshot.zones.values() for shard in zone.shards]
        return [*shards, snapshot.answers, snapshot.routed, self.answers, self._octets,
                plan.names, plan.steered]  # fmt: skip

    def frames(self) -> Iterator[bytes]:
        """Yield the octets of all frames before the commit, with the answers as they stand."""
        server = self.plan.server
        settings = {
            **self._settings()._asdict(),
            "tcp": {
                "max_connections": server.tcp.max_connections,
                "max_per_client": server.tcp.max_per_client,
                "idle_timeout": server.tcp.idle_timeout,
            },
        }
        yield encode(("begin", self.generation, settings))
        answers = list(self.answers)  # what changes while this is sent follows as changes
        for octets in self._octets:
            if octets is not None:
                yield octets
                continue
            for at in range(0, len(answers), CHUNK):
                yield encode(("piece", "answers", tuple(answers[at : at + CHUNK])))

    def finish(self, generation: int) -> None:
        """All pieces are there; the number is given by whoever is about to publish."""
        self.generation = generation
        self.snapshot = self._builder.finish()
        self.snapshot.generation = generation

    def decider(self, conditions: Conditions) -> Decider:
        """Return what decides about many specs, as long as the conditions stay as they are."""
        return Decider(*with_addresses(self.plan.pools, conditions, self.resolved))

    def settle(self, number: int, outcome: Outcome) -> Change | None:
        """Make `outcome` what an answer gives; return the change, None where it is none."""
        spec = self.plan.specs[number]
        ttl = ttl_of(spec.ttl, outcome.until)
        made_of = (
            outcome.choice, outcome.cname, outcome.servfail,
            outcome.all_down, outcome.overridden, ttl,
        )  # fmt: skip
        if self._settled.get(number) == made_of:
            return None
        answer = answer_of(spec, outcome, self.tags)
        code = answer.encoded()
        self._settled[number] = made_of
        if code == self.answers[number]:
            return None
        self.answers[number] = code
        self.snapshot.answers[number] = answer
        return number, code
