"""Allow one server per SQLite journal: a lock on a file next to it, which ends with the process."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from bigred_broker.program import ProgramError, wait_until
from bigred_server import private_files
from bigred_server.errors import NotRunningError

# `is_held` takes the lock for a moment.
_TIMEOUT_S = 1.0


@contextlib.contextmanager
def held(journal: Path) -> Iterator[None]:
    """Hold the journal's lock. Raise NotRunningError if another server holds it."""
    path = _lock_file(journal)
    private_files.make_file(path)
    with path.open("w") as file:
        try:
            wait_until(lambda: _try(file.fileno()), _TIMEOUT_S, f"{journal} is free")
        except ProgramError as error:
            raise NotRunningError(
                f"another bigred server already uses {journal}; an SQLite journal allows only one: "
                "stop it, or move both to PostgreSQL ('database' in [server])"
            ) from error
        yield


def is_held(journal: Path) -> bool:
    """Return whether a server uses the journal."""
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
    private_files.make_folder(journal.parent)
    return journal.with_suffix(".lock")
