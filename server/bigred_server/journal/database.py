"""Open the database, migrate it, and read and write it in transactions."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_server.errors import JournalError
from bigred_server.journal import postgresql, sqlite
from bigred_server.journal.engines import Engines

REVISION = "0007"

DatabaseUrl = Path | str
"""The location of a journal: an SQLite file, or the URL of a PostgreSQL database."""


class Database:
    """The journal's database. Open one per process, and close it at the end."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    @classmethod
    async def open(cls, place: DatabaseUrl) -> "Database":
        """Open a journal; create or migrate it if needed.

        Raise JournalError if PostgreSQL can't be reached, or if the journal is a newer Bigred's.
        """
        if isinstance(place, Path):
            return await cls._opened(sqlite.engines(place))
        try:
            return await cls._opened(postgresql.engines(place))
        except OperationalError as error:
            raise JournalError(
                f"the journal at {postgresql.shown(place)} can't be used: "
                f"{' '.join(str(error.orig).split())}; fix 'database' in [server], or start it"
            ) from error

    @classmethod
    async def _opened(cls, engines: Engines) -> "Database":
        database = cls(engines)
        try:
            await database._migrate()
        except BaseException:
            await database.close()
            raise
        return database

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that sees one consistent state of the journal."""
        async with self._engines.reader.begin() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is committed at the end, or rolled back on an error.

        Write transactions run one at a time, so nobody else changes what this one reads.
        """
        async with self._engines.writer.begin() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def write_concurrently(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that does not wait its turn; use it only for writes safe by row."""
        async with self._engines.concurrent_writer.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self._engines.dispose()

    async def _migrate(self) -> None:
        if await self._revision() == REVISION:
            return
        # If several servers migrate at once, they take turns, and the later ones find it done.
        async with self.write() as connection:
            await connection.run_sync(_upgrade)

    async def _revision(self) -> str | None:
        async with self.read() as connection:
            if not await connection.run_sync(_has_revision):
                return None
            found = await connection.execute(text("SELECT version_num FROM alembic_version"))
            return found.scalar_one_or_none()


def _has_revision(connection: Connection) -> bool:
    return inspect(connection).has_table("alembic_version")


def _upgrade(connection: Connection) -> None:
    # Importing Alembic takes a quarter of a second, and it is needed only to migrate.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, REVISION)
    except CommandError as error:
        raise JournalError(
            f"the journal can't be migrated to revision {REVISION} ({error}): a newer Bigred has "
            "used it; run that version here, too"
        ) from error
