"""Why the journal can't be used, in words that do no harm when they are followed.

A full disk, a read-only one and a busy file leave the journal whole: to replace it by an
older copy would lose what it knows. Only a damaged one is to be replaced.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bigred_server.journal.disk import is_full, is_read_only

_WHOLE = "the journal is not damaged: leave it where it is"


class Trouble(StrEnum):
    """What is wrong with the journal, for programs."""

    FULL = "full"
    READ_ONLY = "read-only"
    MOVED = "moved"
    DISK = "disk"
    BUSY = "busy"
    CLOSED = "closed"
    DAMAGED = "damaged"
    FOREIGN = "foreign"


# Those that leave the journal whole, so that work goes on as soon as they are over.
_PASSING = frozenset({Trouble.FULL, Trouble.READ_ONLY, Trouble.MOVED, Trouble.DISK, Trouble.BUSY})

BRIEFLY = {
    Trouble.FULL: "the server's disk is full",
    Trouble.READ_ONLY: "the server's disk is read-only",
    Trouble.MOVED: "the server's journal was moved away",
    Trouble.DISK: "the server's disk reports errors",
    Trouble.BUSY: "another program keeps the server's journal busy; try again",
    Trouble.CLOSED: "the server can't open its journal",
    Trouble.DAMAGED: "the server's journal is damaged",
    Trouble.FOREIGN: "the server's journal is not one of Bigred",
}
"""What a box says, by trouble."""

_BY_CODE = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_IOERR: Trouble.DISK,
    sqlite3.SQLITE_CANTOPEN: Trouble.CLOSED,
    sqlite3.SQLITE_PERM: Trouble.CLOSED,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    # A table or a column is missing.
    sqlite3.SQLITE_ERROR: Trouble.DAMAGED,
}
_CODE = 0xFF  # the rest of an extended result code says more precisely what happened

_SEEN = {
    Trouble.FULL: "its disk is full",
    Trouble.READ_ONLY: "its disk is read-only",
    Trouble.MOVED: "its file was moved, removed or replaced while in use",
    Trouble.DISK: "its disk reports an error",
    Trouble.BUSY: "another program keeps it busy",
    Trouble.CLOSED: "its file can't be opened",
    Trouble.DAMAGED: "it is damaged",
    Trouble.FOREIGN: "it is a database, but not a journal of Bigred",
}


class JournalUnavailableError(SQLAlchemyError):
    """The journal can't be read or written. `trouble`: why."""

    def __init__(self, text: str, trouble: Trouble) -> None:
        super().__init__(text)
        self.trouble = trouble

    @property
    def passes(self) -> bool:
        """Whether the journal is whole, and can be used again when the trouble is over."""
        return self.trouble in _PASSING

    @property
    def briefly(self) -> str:
        """The trouble as a box says it."""
        return BRIEFLY[self.trouble]


def passes(error: SQLAlchemyError) -> bool:
    """Return whether the journal can be used again without a change to it or to Bigred."""
    if isinstance(error, JournalUnavailableError):
        return error.passes
    is_cut = isinstance(error, DBAPIError) and error.connection_invalidated
    return is_cut or isinstance(error, (OperationalError, PoolTimeoutError))


@contextlib.contextmanager
def explained(file: Path | None) -> Iterator[None]:
    """Raise SQLite's errors as JournalUnavailableError; `file`: None for PostgreSQL."""
    try:
        yield
    except IntegrityError:
        # A decision of the caller's, such as that two deployments can't run at once.
        raise
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if file is None or not isinstance(cause, sqlite3.Error):
            raise
        raise of_sqlite(file, cause) from error


def of_sqlite(file: Path, cause: sqlite3.Error) -> JournalUnavailableError:
    """Return what an error of SQLite means for people."""
    return unavailable(file, _trouble(file, cause), " ".join(str(cause).split()))


def of_file(file: Path, cause: OSError) -> JournalUnavailableError:
    """Return what an error of the journal's folder means for people."""
    trouble = _of_disk(file) or Trouble.CLOSED
    return unavailable(file, trouble, cause.strerror or str(cause))


def unavailable(file: Path, trouble: Trouble, cause: str) -> JournalUnavailableError:
    """Return the error: what was tried, what was seen, and what to do."""
    seen = _SEEN[trouble]
    if trouble is Trouble.CLOSED and file.is_dir():
        seen = "it is a folder"
    return JournalUnavailableError(
        f"the journal {file} can't be used: {seen} ({cause}); {_fix(file, trouble)}", trouble
    )


def impossible_value(what: str, why: str) -> JournalUnavailableError:
    """Return the error about a row that no Bigred of this version writes."""
    return JournalUnavailableError(
        f"the journal has an impossible value in {what}: {why}; correct this value, or restore "
        "the last backup with: bigred restore",
        Trouble.DAMAGED,
    )


def _fix(file: Path, trouble: Trouble) -> str:
    match trouble:
        case Trouble.FULL:
            return f"free some space there; {_WHOLE}"
        case Trouble.READ_ONLY:
            return f"find out why (dmesg), and make {file.parent} writable again; {_WHOLE}"
        case Trouble.MOVED:
            return f"put the same file back, or stop the server first; never copy over {file}"
        case Trouble.DISK:
            return "see the kernel's log (dmesg), then check the journal with: bigred doctor"
        case Trouble.BUSY:
            return f"end that program (fuser {file}), and try again; {_WHOLE}"
        case Trouble.CLOSED if file.is_dir():
            return "move this folder away, and put the journal back"
        case Trouble.CLOSED:
            return (
                "run this as the server's user, who must be able to read and write "
                f"{file.parent} and all that is in it; {_WHOLE}"
            )
        case Trouble.FOREIGN:
            return "set `state` in [server] to a folder of Bigred's own"
        case _:
            return (
                f"stop the server, keep a copy of {file.name} with its -wal and -shm, and restore "
                "the last backup with: bigred restore"
            )


def _trouble(file: Path, cause: sqlite3.Error) -> Trouble:
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return Trouble.MOVED
    trouble = _BY_CODE.get(code & _CODE, Trouble.DISK)
    if trouble is Trouble.READ_ONLY:
        # Without permission to write, SQLite opens a file to read it.
        may_write = os.access(file, os.W_OK)
        return _of_disk(file) or (Trouble.READ_ONLY if may_write else Trouble.CLOSED)
    if trouble in (Trouble.DISK, Trouble.CLOSED):
        # SQLite reports so, too, that it could not extend or create one of its files.
        return _of_disk(file) or trouble
    return trouble


def _of_disk(file: Path) -> Trouble | None:
    folder = file.parent
    try:
        if is_read_only(folder):
            return Trouble.READ_ONLY
        return Trouble.FULL if is_full(folder) else None
    except OSError:
        return None
