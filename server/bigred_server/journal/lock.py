"""One server a journal: a lock on a file beside it, which dies with the process that holds it."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from bigred_server.errors import NotRunningError

# Whoever only asks whether it is held takes it for a moment.
_PATIENCE_S = 1.0
_PAUSE_S = 0.05


@contextlib.contextmanager
def held(journal: Path) -> Iterator[None]:
    """Hold the journal's lock. Raises NotRunningError when another server has it."""
    with _lock_file(journal).open("w") as file:
        if not _try(file.fileno(), _PATIENCE_S):
            raise NotRunningError(
                f"another bigred server uses {journal} already; a journal in SQLite takes one: "
                "stop it, or let both use PostgreSQL ('database' in [server])"
            )
        yield


def is_held(journal: Path) -> bool:
    """Say whether a server uses the journal."""
    path = _lock_file(journal)
    if not path.exists():
        return False
    with path.open("r+") as file:
        return not _try(file.fileno())


def _try(descriptor: int, patience_s: float = 0.0) -> bool:
    ends_s = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends_s:
                return False
            time.sleep(_PAUSE_S)
        else:
            return True


def _lock_file(journal: Path) -> Path:
    journal.parent.mkdir(parents=True, exist_ok=True)
    return journal.with_suffix(".lock")
