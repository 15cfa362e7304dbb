"""A server's seat at the journal: what it must have before it does anything, and for how long.

On SQLite the lock on the file. On PostgreSQL a name of its own, leased like an app, and one lease
an app, all kept up by a task of their own: not by whoever acts, for a look may take its time.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from bigred_server.errors import NotRunningError
from bigred_server.journal import leases, lock
from bigred_server.journal.database import Database, DatabaseUrl
from bigred_server.journal.leadership import Leadership
from bigred_server.journal.lease import Lease
from bigred_server.journal.lease_state import LEASE_S
from bigred_server.journal.sqlite_leadership import SqliteLeadership

log = structlog.get_logger(__name__)

_NAME_AGAIN_S = 0.5


@dataclass(frozen=True)
class Session:
    """The open journal, the name of this run of the server, and its leadership of each app."""

    db: Database
    run: str
    leads: Mapping[str, Leadership]
    _name: str = ""
    _named: Lease | None = None
    _leases: tuple[Lease, ...] = ()

    async def keep(self) -> NoReturn:
        """Keep all leases up until cancelled. Run it as a task, beside those who act.

        Raises NotRunningError when another server has the name.
        """
        async with asyncio.TaskGroup() as tasks:
            keeping = [tasks.create_task(lease.run()) for lease in self._leases]
            while self._named is None or not self._named.lost_to_another:
                if self._named is not None:
                    await self._named.hold()
                await asyncio.sleep(_NAME_AGAIN_S)
            for task in keeping:
                task.cancel()
        raise _namesake(self._name)


def open_session(
    place: DatabaseUrl, name: str, apps: Iterable[str]
) -> contextlib.AbstractAsyncContextManager[Session]:
    """Have a seat until the block ends, and with it all that was begun by its leave.

    Raises NotRunningError when another server has the file or the name, JournalError when the
    journal can't be opened.
    """
    run = uuid.uuid4().hex
    if isinstance(place, Path):
        return _alone(place, run, apps)
    return _among_others(place, name, run, apps)


@contextlib.asynccontextmanager
async def _alone(file: Path, run: str, apps: Iterable[str]) -> AsyncIterator[Session]:
    with lock.held(file):
        db = await Database.open(file)
        try:
            yield Session(db, run, {app: SqliteLeadership() for app in apps})
        finally:
            await db.close()


@contextlib.asynccontextmanager
async def _among_others(
    url: str, name: str, run: str, apps: Iterable[str]
) -> AsyncIterator[Session]:
    db = await Database.open(url)
    # Not all of the run's 32 digits: that much fits into the row.
    holder = f"{name}/{run[:16]}"
    named = Lease(db, f"server:{name}", holder)
    leads = {app: Lease(db, app, holder) for app in apps}
    try:
        await _acquire_name(named, name)
        yield Session(db, run, leads, name, named, tuple(leads.values()))
    finally:
        # Another takes over at once, and the next server of this name need not wait.
        await asyncio.gather(*(lease.resign() for lease in (named, *leads.values())))
        await db.close()


async def is_any_open(place: DatabaseUrl, db: Database) -> bool:
    """Say whether a server uses the journal."""
    if isinstance(place, Path):
        return lock.is_held(place)
    async with db.read() as connection:
        return await leases.any_held(connection)


async def _acquire_name(named: Lease, name: str) -> None:
    """Take the name; what an earlier run held that was killed ends within a lease's life."""
    try:
        async with asyncio.timeout(LEASE_S + 2.0):
            told = False
            while not await named.hold():
                if not told:
                    told = True
                    log.info("waiting for the name: an earlier run may have been killed", name=name)
                await asyncio.sleep(_NAME_AGAIN_S)
    except TimeoutError as error:
        raise _namesake(name) from error


def _namesake(name: str) -> NotRunningError:
    return NotRunningError(
        f"another bigred server named {name} uses this journal; "
        "give each one its own 'name' in [server]"
    )
