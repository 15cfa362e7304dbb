"""The journal in one SQLite file, for one server and the command line on the same machine."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine

from bigred_server import private_files
from bigred_server.journal import sqlite_dialect
from bigred_server.journal.engines import Engines
from bigred_server.journal.revision import Revision
from bigred_server.journal.unavailable import Trouble, of_file, unavailable

_BUSY_TIMEOUT_MS = 5000
# Many apps that deploy at once wait for each other; each of them only for a moment.
_TURN_S = 30.0
# A press that was accepted must survive a power cut; FULL costs about 2 ms per commit.
_SYNCHRONOUS = "FULL"


def engines(path: Path) -> Engines:
    """Return the engines of a file; create it if it does not exist."""
    try:
        private_files.make_folder(path.parent)
        # SQLite gives the files next to it the same mode.
        private_files.make_file(path)
        _check(path)
    except OSError as error:
        raise of_file(path, error) from error
    turn = partial(_turn, asyncio.Lock(), path, _TURN_S)
    writer = _engine(path, writes=True)
    return Engines(_engine(path, writes=False), writer, writer, turn, Revision(path))


def _engine(path: Path, *, writes: bool) -> Engine:
    arguments = {
        "writes": writes,
        "timeout": _BUSY_TIMEOUT_MS / 1000,
        "prepare": (
            "PRAGMA journal_mode = WAL",
            f"PRAGMA synchronous = {_SYNCHRONOUS}",
            "PRAGMA foreign_keys = ON",
        ),
    }
    # The connection used last has the pages of the file in its memory. There are no listeners:
    # SQLAlchemy would look for more of them at each statement.
    url = URL.create(sqlite_dialect.NAME, database=str(path))
    return create_engine(url, connect_args=arguments, pool_use_lifo=True)


@contextlib.asynccontextmanager
async def _turn(lock: asyncio.Lock, path: Path, deadline_s: float) -> AsyncIterator[None]:
    """Hold the turn to write: within this process writers come one after another, in order.

    SQLite lets those who find the file locked try again by chance, and some never get it.
    """
    try:
        async with asyncio.timeout(deadline_s):
            await lock.acquire()
    except TimeoutError as error:
        why = f"no turn to write within {deadline_s:g} s"
        raise unavailable(path, Trouble.BUSY, why) from error
    try:
        yield
    finally:
        lock.release()


def _check(path: Path) -> None:
    """Raise OSError if a file can't be opened: SQLite does not say why.

    Not by opening it: to close it would take away the locks that SQLite holds in this process.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # On a read-only disk, what was written can still be read.
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
