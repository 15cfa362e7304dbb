"""SQLAlchemy's driver for the journal's file: short statements run on the loop's own thread.

A statement takes some ten microseconds, and to hand it to a thread ten times that. What may take
long never blocks the loop: committing, which waits for the disk, opening and closing, many rows
written at once, and a query that turns out to be long run in the connection's own thread; the
lock of another process is waited for on the loop.
"""

import asyncio
import itertools
import math
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from sqlite3 import connect
from typing import Any, TypeVar  # SQLAlchemy's interfaces have untyped arguments

from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection, AsyncAdapt_dbapi_cursor
from sqlalchemy.util.concurrency import await_, in_greenlet

T = TypeVar("T")

# How long a query may keep the loop waiting until it begins again in a thread.
_SHORT_S = 0.005
# The steps of SQLite's machine between two looks at the clock: some hundred microseconds.
_STEPS = 5000
# To begin again is safe for a query alone: SQLite rolls back a transaction of which a write is cut.
_QUERIES = ("SELECT", "PRAGMA quick_check")
_CANCEL_AGAIN_S = 0.01
_PAUSES_S = (0.001, 0.002, 0.005, 0.01, 0.025)


class SqliteCursor(AsyncAdapt_dbapi_cursor):
    """A cursor whose rows are all read when it has executed its statement."""

    __slots__ = ()

    _awaitable_cursor_close = False
    _adapt_connection: "SqliteConnection"
    _cursor: Any

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        work = partial(self._execute, operation, parameters or ())
        await self._adapt_connection.run(work, is_query=operation.startswith(_QUERIES))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        work = partial(self._cursor.executemany, operation, seq_of_parameters)
        await self._adapt_connection.run_in_thread(work)

    def _execute(self, operation: str, parameters: Sequence[object]) -> None:
        self._cursor.execute(operation, parameters)
        self._rows = deque(self._cursor.fetchall() if self._cursor.description else ())


class SqliteConnection(AsyncAdapt_dbapi_connection):
    """A connection, for one task at a time. `writes`: whether its transactions are to write.

    `busy_s`: how long it waits for a lock of another process.
    """

    __slots__ = ("_busy_s", "_short_until_s", "_thread", "_writes")

    _cursor_cls = SqliteCursor
    _connection: Any

    def __init__(
        self, raw: sqlite3.Connection, thread: Executor, busy_s: float, *, writes: bool
    ) -> None:
        super().__init__(sqlite3, raw)  # type: ignore[arg-type]
        self._writes = writes
        self._thread = thread
        self._busy_s = busy_s
        self._short_until_s = math.inf
        raw.set_progress_handler(self._is_long, _STEPS)

    def begin(self) -> None:
        """Begin a transaction; a reader does not block writers, nor they it."""
        statement = "BEGIN IMMEDIATE" if self._writes else "BEGIN"
        await_(self.run(partial(self._connection.execute, statement), is_query=False))

    async def run(self, work: Callable[[], object], *, is_query: bool) -> None:
        """Execute a statement. Wait while another process holds the lock that it needs."""
        busy_until_s = time.monotonic() + self._busy_s
        pauses = itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1]))
        while True:
            try:
                self._run_here(work, is_query)
            except sqlite3.OperationalError as error:
                if is_query and _code(error) == sqlite3.SQLITE_INTERRUPT:
                    await run_in(self._thread, work, self._connection.interrupt)
                elif not _is_locked(error) or time.monotonic() >= busy_until_s:
                    raise
                else:
                    await asyncio.sleep(next(pauses))
                    continue
            return

    async def run_in_thread(self, work: Callable[[], object]) -> None:
        """Execute in the connection's thread what may take long."""
        await run_in(self._thread, work)

    def commit(self) -> None:
        """Commit; what was written is on the disk afterwards."""
        if self._writes:
            await_(run_in(self._thread, self._connection.commit))
        else:
            self._connection.commit()

    def rollback(self) -> None:
        """Roll back. This waits for nothing, so it is done even when the task is cancelled."""
        self._connection.rollback()

    def close(self) -> None:
        """Close; the last connection of all writes the log back to the file."""
        try:
            if in_greenlet():
                await_(run_in(self._thread, self._connection.close))
            else:
                self._connection.close()
        finally:
            self._thread.shutdown(wait=False)

    def _run_here(self, work: Callable[[], object], is_query: bool) -> None:
        self._short_until_s = time.monotonic() + _SHORT_S if is_query else math.inf
        try:
            work()
        finally:
            # What comes next may be a write, which must never be cut.
            self._short_until_s = math.inf

    def _is_long(self) -> bool:
        return time.monotonic() > self._short_until_s


def opened(file: str, busy_s: float, begins_with: Sequence[str]) -> sqlite3.Connection:
    """Open a file and execute statements; this may wait for the disk and for other processes."""
    # Without isolation level, Python's module begins no transactions by itself.
    raw = connect(file, busy_s, isolation_level=None, check_same_thread=False)
    try:
        for statement in begins_with:
            raw.execute(statement)
        # From now on, SQLite must not wait by itself: it would block the loop.
        raw.execute("PRAGMA busy_timeout = 0")
    except BaseException:
        raw.close()
        raise
    return raw


def _is_locked(error: sqlite3.Error) -> bool:
    """Return whether it is only a lock of another process that is in the way."""
    code = _code(error)
    return code & 0xFF == sqlite3.SQLITE_BUSY and code != sqlite3.SQLITE_BUSY_SNAPSHOT


def _code(error: sqlite3.Error) -> int:
    # Errors of Python's module, rather than SQLite's, have none.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


async def run_in(
    thread: Executor, work: Callable[[], T], cancel: Callable[[], None] = lambda: None
) -> T:
    """Run in a thread; if cancelled, return only when the thread has done with the connection.

    `cancel`: what makes it end sooner, if it has begun.
    """
    running = asyncio.get_running_loop().run_in_executor(thread, work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running], timeout=_CANCEL_AGAIN_S if cancelled else None)
        except asyncio.CancelledError as error:
            cancelled = error
        if cancelled:
            cancel()
    if cancelled is not None:
        running.exception()  # it was seen, though nobody is there to be told
        raise cancelled
    return running.result()
