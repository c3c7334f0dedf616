"""One key under watch: what the parts of a monitor share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from .check import Check
from .history import History
from .standing import UNPROVEN, CheckKey, Standing
from .verdict import Verdict

OnStanding = Callable[[CheckKey, Standing], None]
Complain = Callable[[str, Exception | None], None]  # (what is wrong, with its traceback)


@dataclass(slots=True, eq=False)
class Watch:
    """definition: digest of `check`. Each other part of it has one owner, named here."""

    key: CheckKey
    check: Check
    definition: str
    is_name: bool
    standing: Standing  # Ledger: what others see
    judged: Verdict = UNPROVEN  # Ledger: what results make of it; another while held back
    before: Verdict = UNPROVEN  # Ledger: what it was until it went down last
    counts: bool = False  # Ledger: it has had a verdict
    history: History = field(default_factory=History)  # Ledger
    timer: asyncio.TimerHandle | None = None  # Ledger: the end of an ejection
    task: asyncio.Task[None] | None = None  # Rounds
    address: str | None = None  # Rounds: what was probed last
