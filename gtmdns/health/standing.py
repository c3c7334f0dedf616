"""What is known of one address and check, and what of it outlives the process."""

from dataclasses import dataclass
from hashlib import sha256

from .probes import Check
from .verdict import State, Verdict

CheckKey = tuple[str, str]  # endpoint address or host name; name of the check

UNPROVEN = Verdict()


@dataclass(frozen=True, slots=True)
class LastResult:
    success: bool
    reason: str
    elapsed: float  # seconds
    at: float  # seconds since the epoch
    address: str | None  # what was probed; None: a name without an address


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is known of one key. Counts run since the key was first applied."""

    verdict: Verdict = UNPROVEN
    last: LastResult | None = None
    successes: int = 0
    failures: int = 0

    @property
    def state(self) -> State:
        return self.verdict.state

    @property
    def usable(self) -> bool:
        return self.verdict.usable

    @property
    def since(self) -> float:
        return self.verdict.since


@dataclass(frozen=True, slots=True)
class SavedVerdict:
    """A verdict as it outlives the process: text and one number, fit for JSON."""

    host: str
    check: str
    definition: str  # digest of the check that it was made with
    state: str
    since: float  # seconds since the epoch


def save(key: CheckKey, definition: str, standing: Standing) -> SavedVerdict:
    return SavedVerdict(*key, definition, standing.state.value, standing.since)


def recall(saved: SavedVerdict | None, definition: str) -> Standing:
    """Return the standing to begin with: unknown where nothing was saved for this definition.

    Counts begin at zero: a restored verdict needs as many results against it as any other.
    """
    if saved is None or saved.definition != definition:
        return Standing()
    return Standing(Verdict(State(saved.state), since=saved.since))


def digest(check: Check) -> str:
    """Return a short text that changes with the definition."""
    return sha256(repr(check).encode()).hexdigest()[:16]
