"""One server a journal: a lock on a file beside it, which dies with the process that holds it."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from bigred_broker.program import ProgramError, wait_until
from bigred_server.errors import NotRunningError

# Whoever only asks whether it is held takes it for a moment.
_PATIENCE_S = 1.0


@contextlib.contextmanager
def held(journal: Path) -> Iterator[None]:
    """Hold the journal's lock. Raises NotRunningError when another server has it."""
    with _lock_file(journal).open("w") as file:
        try:
            wait_until(lambda: _try(file.fileno()), _PATIENCE_S, f"{journal} is free")
        except ProgramError as error:
            raise NotRunningError(
                f"another bigred server uses {journal} already; a journal in SQLite takes one: "
                "stop it, or let both use PostgreSQL ('database' in [server])"
            ) from error
        yield


def is_held(journal: Path) -> bool:
    """Say whether a server uses the journal."""
    path = _lock_file(journal)
    if not path.exists():
        return False
    with path.open("r+") as file:
        return not _try(file.fileno())


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(journal: Path) -> Path:
    journal.parent.mkdir(parents=True, exist_ok=True)
    return journal.with_suffix(".lock")
