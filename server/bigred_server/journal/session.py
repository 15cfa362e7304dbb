"""A server's session in the journal: the locks and leases that it must hold while it runs.

On SQLite, this is the lock on the file. On PostgreSQL, it is a lease on the server's name and one
on each app. Separate tasks renew them, because the tasks that act may be busy for too long.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from bigred_broker.faults import Faults
from bigred_server.errors import NotRunningError
from bigred_server.journal import lock
from bigred_server.journal.database import Database, DatabaseUrl
from bigred_server.journal.leadership import Leadership
from bigred_server.journal.lease import Lease
from bigred_server.journal.lease_state import LEASE_S
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.journal.unavailable import JournalUnavailableError

log = structlog.get_logger(__name__)

_NAME_RETRY_S = 0.5
_DISK_RETRY_S = 1.0


@dataclass(frozen=True)
class Session:
    """The open journal, the name of this run of the server, and its leadership of each app."""

    db: Database
    run: str
    leads: Mapping[str, Leadership]
    _name: str = ""
    _name_lease: Lease | None = None
    _leases: tuple[Lease, ...] = ()

    async def keep(self) -> NoReturn:
        """Renew all leases until cancelled. Run it as a task, next to those that act.

        Raise NotRunningError if another server takes the name.
        """
        async with asyncio.TaskGroup() as tasks:
            renewing = [tasks.create_task(lease.run()) for lease in self._leases]
            while self._name_lease is None or not self._name_lease.lost_to_another:
                if self._name_lease is not None:
                    await self._name_lease.hold()
                await asyncio.sleep(_NAME_RETRY_S)
            for task in renewing:
                task.cancel()
        raise _name_in_use(self._name)


def open_session(
    place: DatabaseUrl, name: str, apps: Iterable[str]
) -> contextlib.AbstractAsyncContextManager[Session]:
    """Hold a session until the block ends; anything that needs it must have ended by then.

    Wait while an SQLite journal's disk is full. Raise NotRunningError if another server has the
    file or the name, JournalError or JournalUnavailableError if the journal can't be opened.
    """
    run = uuid.uuid4().hex
    if isinstance(place, Path):
        return _on_sqlite(place, run, apps)
    return _on_postgresql(place, name, run, apps)


@contextlib.asynccontextmanager
async def _on_sqlite(file: Path, run: str, apps: Iterable[str]) -> AsyncIterator[Session]:
    with contextlib.ExitStack() as stack:
        db = await _opened(file, stack)
        try:
            yield Session(db, run, {app: SqliteLeadership() for app in apps})
        finally:
            await db.close()


async def _opened(file: Path, stack: contextlib.ExitStack) -> Database:
    """Lock and open the journal; while its disk is full, wait until there is room again."""
    faults = Faults()
    while True:
        try:
            stack.enter_context(lock.held(file))
            return await Database.open(file)
        except JournalUnavailableError as error:
            stack.close()
            if not error.passes:
                raise
            if faults.count(str(error), time.monotonic()):
                log.warning("waiting for the journal", reason=str(error))
        await asyncio.sleep(_DISK_RETRY_S)


@contextlib.asynccontextmanager
async def _on_postgresql(
    url: str, name: str, run: str, apps: Iterable[str]
) -> AsyncIterator[Session]:
    db = await Database.open(url)
    # Only 16 of the run's 32 digits fit into the column.
    holder = f"{name}/{run[:16]}"
    name_lease = Lease(db, f"server:{name}", holder)
    leads = {app: Lease(db, app, holder) for app in apps}
    try:
        await _acquire_name(name_lease, name)
        yield Session(db, run, leads, name, name_lease, tuple(leads.values()))
    finally:
        # Let another server take over at once, and the next one of this name start at once.
        await asyncio.gather(*(lease.resign() for lease in (name_lease, *leads.values())))
        await db.close()


async def _acquire_name(name_lease: Lease, name: str) -> None:
    """Acquire the name; the lease of an earlier run that was killed expires within LEASE_S."""
    try:
        async with asyncio.timeout(LEASE_S + 2.0):
            logged = False
            while not await name_lease.hold():
                if not logged:
                    logged = True
                    log.info("waiting for the name: an earlier run may have been killed", name=name)
                await asyncio.sleep(_NAME_RETRY_S)
    except TimeoutError as error:
        raise _name_in_use(name) from error


def _name_in_use(name: str) -> NotRunningError:
    return NotRunningError(
        f"another bigred server named {name} uses this journal; "
        "give each one its own 'name' in [server]"
    )
