"""An event of a deployment, as the journal keeps it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EventRecord:
    """One event; `at` is in seconds of Unix time, `kind` is the value of an AppEventType."""

    id: int
    deployment: str
    at: float
    kind: str
    node: str | None
    text: str
