"""The journal in one SQLite file, for one server and the command line on the same machine."""

import errno
import os
from pathlib import Path

from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bigred_server import private_files
from bigred_server.journal.engines import WRITES, Engines
from bigred_server.journal.unavailable import of_file

_BUSY_TIMEOUT_MS = 5000
# A press that was accepted must survive a power cut; FULL costs 0.4 ms per commit.
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
    engine: AsyncEngine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    event.listen(engine.sync_engine, "connect", _on_connect)
    event.listen(engine.sync_engine, "begin", _on_begin)
    writer = engine.execution_options(**{WRITES: True})
    return Engines(reader=engine, writer=writer, concurrent_writer=writer)


def _check(path: Path) -> None:
    """Raise OSError if a file can't be opened: the driver's thread would survive its own error.

    Not by opening it: to close it would take away the locks that SQLite holds in this process.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # On a read-only disk, what was written can still be read.
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _on_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # `_on_begin` sends BEGIN instead of the driver, so that a reader does not block writers.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {_SYNCHRONOUS}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    except BaseException:
        # Nobody else would, and each has a thread.
        connection.close()
        raise
    cursor.close()


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
