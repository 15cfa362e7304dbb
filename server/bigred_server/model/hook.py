"""The hooks of a deployment: commands of the app's own, each run at most once a deployment."""

from dataclasses import dataclass
from enum import StrEnum


class Hook(StrEnum):
    """When a hook runs.

    BEFORE: once, before any node is touched (expand the schema). AFTER: once, when all nodes serve
    and the last watch is over (contract it). ON_FAILURE: once, when the deployment failed or was
    rolled back. A rollback runs neither of the first two.
    """

    BEFORE = "before"
    AFTER = "after"
    ON_FAILURE = "on_failure"


class HookState(StrEnum):
    """How a hook stands; a hook that is in no state yet was not begun."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    # The server died while it ran: nobody knows what it did, so it is not run again.
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class HookCommand:
    """What a hook runs, as a list of arguments, and for how many seconds it may."""

    line: tuple[str, ...]
    limit_s: float
