"""An action on the fleet, as the journal records it."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How an action ended. UNKNOWN: the server died or got no answer; look again."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ActionRecord:
    """One action; times are in seconds of Unix time."""

    id: int
    deployment: str
    node: str
    kind: str
    digest: str
    begun_at: float
    ended_at: float | None
    outcome: str | None
    evidence: str
    sessions: int | None = None
    token: int = 0
