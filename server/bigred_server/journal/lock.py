"""Allow one server per SQLite journal: a lock on a file next to it, which ends with the process."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from bigred_broker.program import ProgramError, wait_until
from bigred_server import private_files
from bigred_server.errors import NotRunningError
from bigred_server.journal.unavailable import of_file

# `is_held` takes the lock for a moment.
_TIMEOUT_S = 1.0


@contextlib.contextmanager
def held(journal: Path) -> Iterator[None]:
    """Hold the journal's lock.

    Raise NotRunningError if another server holds it, JournalUnavailableError if the disk is full.
    """
    with _opened(journal) as file:
        try:
            wait_until(lambda: _try(file.fileno()), _TIMEOUT_S, f"{journal} is free")
        except ProgramError as error:
            raise NotRunningError(
                f"another bigred server already uses {journal}; an SQLite journal allows only one: "
                "stop it, or move both to PostgreSQL ('database' in [server])"
            ) from error
        yield


def is_held(journal: Path) -> bool:
    """Return whether a server uses the journal.

    Raise JournalUnavailableError if that can't be found out, for example by another user.
    """
    path = _lock_file(journal)
    if not path.exists():
        return False
    # Not to write: the disk may have become read-only.
    try:
        with path.open() as file:
            return not _try(file.fileno())
    except OSError as error:
        raise of_file(journal, error) from error


def _opened(journal: Path) -> TextIO:
    try:
        private_files.make_folder(journal.parent)
        private_files.make_file(_lock_file(journal))
        return _lock_file(journal).open("w")
    except OSError as error:
        raise of_file(journal, error) from error


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(journal: Path) -> Path:
    return journal.with_suffix(".lock")
