"""Open the database, migrate it, and read and write it in transactions."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from bigred_server.errors import JournalError
from bigred_server.journal import postgresql, sqlite
from bigred_server.journal.connection import AsyncConnection, transaction
from bigred_server.journal.engines import Engines
from bigred_server.journal.revision import Fingerprints
from bigred_server.journal.unavailable import Trouble, explained, unavailable

REVISION = "0009"

DatabaseUrl = Path | str
"""The location of a journal: an SQLite file, or the URL of a PostgreSQL database."""


class Database:
    """The journal's database. Open one per process, and close it at the end."""

    def __init__(self, engines: Engines, file: Path | None = None) -> None:
        self._engines = engines
        self._file = file
        self._opened_file: tuple[int, int] | None = None

    @classmethod
    async def open(cls, place: DatabaseUrl) -> "Database":
        """Open a journal; create or migrate it if needed.

        Raise JournalError if PostgreSQL can't be reached, or if the journal is a newer Bigred's;
        JournalUnavailableError if the file can't be used.
        """
        if isinstance(place, Path):
            return await cls._opened(sqlite.engines(place), place)
        try:
            return await cls._opened(postgresql.engines(place))
        except OperationalError as error:
            raise JournalError(
                f"the journal at {postgresql.shown(place)} can't be used: "
                f"{' '.join(str(error.orig).split())}; fix 'database' in [server], or start it"
            ) from error

    @classmethod
    async def _opened(cls, engines: Engines, file: Path | None = None) -> "Database":
        database = cls(engines, file)
        try:
            await database._migrate()
        except BaseException:
            await database.close()
            raise
        return database

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that sees one consistent state of the journal."""
        with self._explained():
            async with transaction(self._engines.reader) as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is committed at the end, or rolled back on an error.

        Write transactions run one at a time, so nobody else changes what this one reads.
        """
        with self._explained():
            async with self._engines.turn(), transaction(self._engines.writer) as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def write_concurrently(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that does not wait its turn; use it only for writes safe by row."""
        with self._explained():
            async with (
                self._engines.turn(),
                transaction(self._engines.concurrent_writer) as connection,
            ):
                yield connection

    async def revision(self) -> int | None:
        """Return a number that changes with every commit; None if that can't be told.

        On PostgreSQL it never can. Raise JournalUnavailableError if the file is another one now.
        """
        with self._explained():
            return await self._engines.revision.now() if self._engines.revision else None

    async def fingerprints(self, app: str) -> Fingerprints | None:
        """Return what is equal as long as an app's rows are; None if that can't be told.

        Raise JournalUnavailableError as `revision` does.
        """
        with self._explained():
            revision = self._engines.revision
            return await revision.fingerprints(app) if revision else None

    async def close(self) -> None:
        """Close all connections."""
        await self._engines.dispose()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise SQLite's errors as JournalUnavailableError, and one if the file is another now."""
        with explained(self._file):
            if self._file and self._opened_file and self._identity() != self._opened_file:
                # SQLite would go on with the old file: what is written would be gone afterwards.
                raise unavailable(self._file, Trouble.MOVED, "another file or none is there")
            yield

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells the file from others; None if there is none, and for PostgreSQL."""
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found else None

    async def _migrate(self) -> None:
        revision = await self._revision()
        if revision is not None:
            _check_revision(revision)
        if revision != REVISION:
            # If several servers migrate at once, they take turns, and the later ones find it done.
            async with self.write() as connection:
                await connection.run_sync(_upgrade)
        self._opened_file = self._identity()

    async def _revision(self) -> str | None:
        async with self.read() as connection:
            tables = await connection.run_sync(_tables)
            if "alembic_version" not in tables:
                if tables and self._file is not None:
                    raise unavailable(self._file, Trouble.FOREIGN, f"it has {tables[0]}")
                return None
            found = await connection.execute(text("SELECT version_num FROM alembic_version"))
            return found.scalar_one_or_none()


def _tables(connection: Connection) -> list[str]:
    return sorted(inspect(connection).get_table_names())


def _check_revision(revision: str) -> None:
    """Raise JournalError unless this version of Bigred can use a journal of this revision."""
    is_ours = len(revision) == len(REVISION) and revision.isdecimal()
    if is_ours and revision <= REVISION:
        return
    who = "a newer Bigred" if is_ours else "another program"
    fix = "run that version here, too" if is_ours else "give Bigred a database of its own"
    raise JournalError(
        f"the journal has revision {revision!r}, and this version of Bigred knows revisions up to "
        f"{REVISION}: {who} has used it; {fix}"
    )


def _upgrade(connection: Connection) -> None:
    # Importing Alembic takes a quarter of a second, and it is needed only to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)
