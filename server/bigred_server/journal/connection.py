"""A connection of an asynchronous engine, in a transaction.

SQLAlchemy has one, too, in a package with its object-relational mapper: to load that takes a
seventh of the time in which a command ends, and the journal uses none of it.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar  # the values of a row

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, ScalarResult
from sqlalchemy.util.concurrency import greenlet_spawn

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class AsyncConnection:
    """A connection in a transaction, for one task; all rows of a result are read at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        """The kind of database."""
        return self._connection.dialect

    async def execute(
        self, statement: Executable, parameters: Parameters = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Execute a statement, or the same one with each of several parameters."""
        return await greenlet_spawn(self._connection.execute, statement, parameters)

    async def scalars(
        self, statement: Executable, parameters: Parameters = None
    ) -> ScalarResult[Any]:
        """Execute a statement; return the first column of its rows."""
        return (await self.execute(statement, parameters)).scalars()

    async def scalar(self, statement: Executable, parameters: Parameters = None) -> Any:
        """Execute a statement; return the first value of its first row, None if there is none."""
        return (await self.execute(statement, parameters)).scalar()

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        """Run what knows only SQLAlchemy's own connection."""
        return await greenlet_spawn(work, self._connection)

    @contextlib.asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        """Open a savepoint; an error rolls back to it, and the transaction goes on."""
        async with _ended(self._connection.begin_nested):
            yield


@contextlib.asynccontextmanager
async def transaction(engine: Engine) -> AsyncIterator[AsyncConnection]:
    """Open a connection and a transaction that is committed at the end, or rolled back."""
    connection = await greenlet_spawn(engine.connect)
    try:
        async with _ended(connection.begin):
            yield AsyncConnection(connection)
    finally:
        # A cancelled task gives its connection back, too.
        await asyncio.shield(asyncio.create_task(greenlet_spawn(connection.close)))


@contextlib.asynccontextmanager
async def _ended(
    begin: Callable[[], contextlib.AbstractContextManager[object]],
) -> AsyncIterator[None]:
    """Begin a transaction; commit it at the end, or roll it back on an error."""
    begun = await greenlet_spawn(begin)
    try:
        yield
    except BaseException:
        await greenlet_spawn(begun.__exit__, *sys.exc_info())
        raise
    else:
        await greenlet_spawn(begun.__exit__, None, None, None)
