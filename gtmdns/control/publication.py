"""One generation as control holds it: the plan, the pieces for workers, the answers as they are.

Pieces stay the octets that the loader made. Answers alone are kept as tuples, since
verdicts replace them; whoever connects later gets the answers of that moment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..answers.snapshot import Settings, SnapshotBuilder, empty
from ..compiler.build import CHUNK, Piece
from ..compiler.decide import Outcome, Usable, decide
from ..compiler.octets import Tags, answer_of
from ..compiler.plan import AnswerSpec, Plan, checks_of
from ..serve.frames import Frame, encode

Change = tuple[int, tuple[Any, ...]]  # answer number, encoded answer


class Publication:
    """What the loader said about one configuration. `take` its pieces, then `finish`.

    snapshot: control's own, for `explain`: the same octets that workers have
    secrets:  of cookies, where the configuration has none
    """

    def __init__(self, plan: Plan, secrets: tuple[bytes, ...] = ()) -> None:
        self.generation = 0
        self.plan = plan
        self._secrets = plan.cookie_secrets or secrets
        self.tags = Tags(plan.tags)
        self.specs_by_pool = plan.specs_by_pool()
        self.answers: list[tuple[Any, ...]] = []
        self._octets: list[bytes | None] = []  # None: the place of the answers
        self._builder = SnapshotBuilder(0, self._settings())
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
            publication.take(("piece", *piece))
        publication.finish(1)
        return publication

    def take(self, frame: Frame) -> None:
        """Add one ("piece", kind, ...)."""
        kind = frame[1]
        if kind == "answers":
            if not self.answers:
                self._octets.append(None)
            self.answers += frame[2]
        else:
            self._octets.append(encode(frame))
        self._builder.add(frame[1:])

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

    def decide(self, spec: AnswerSpec, usable: Usable) -> Outcome:
        return decide(spec.target, spec.family, self.plan.pools, usable, spec.when_all_down)

    def refresh(self, pools: Iterable[str], usable: Usable) -> list[Change]:
        """Decide anew what looks at `pools`; keep and return the answers that are different."""
        numbers = sorted({number for pool in pools for number in self.specs_by_pool[pool]})
        changes = []
        for number in numbers:
            spec = self.plan.specs[number]
            code = answer_of(spec, self.decide(spec, usable), self.tags).encoded()
            if code != self.answers[number]:
                self.answers[number] = code
                changes.append((number, code))
        self.snapshot.change(changes)
        return changes


def usable_of(plan: Plan, is_usable: Mapping[tuple[str, str], bool]) -> dict[str, Sequence[bool]]:
    """Return which endpoints are usable: those whose checks are all not down.

    is_usable: by (address, check); one that is not there is not known yet, and usable
    """
    return {
        name: tuple(
            all(is_usable.get((endpoint.address, c), True) for c in checks_of(pool, endpoint))
            for endpoint in pool.endpoints
        )
        for name, pool in plan.pools.items()
    }
