"""The hooks of a deployment: an app's own commands, each run at most once per deployment."""

from dataclasses import dataclass
from enum import StrEnum


class Hook(StrEnum):
    """When a hook runs.

    BEFORE: once, before any node is touched (expand the schema). AFTER: once, when all nodes serve
    and the last bake is over (contract it). ON_FAILURE: once, when the deployment has failed or was
    rolled back. A rollback runs neither BEFORE nor AFTER.
    """

    BEFORE = "before"
    AFTER = "after"
    ON_FAILURE = "on_failure"


class HookState(StrEnum):
    """The state of a hook that was begun."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    # The server died while the hook ran: what it did is unknown, so it is not run again.
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class HookCommand:
    """The command line of a hook, as a list of arguments, and its time limit in seconds."""

    line: tuple[str, ...]
    limit_s: float
