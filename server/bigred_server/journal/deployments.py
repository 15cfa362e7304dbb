"""The deployments in the journal."""

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from bigred_server.errors import DeploymentError
from bigred_server.journal import rows
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.rows import Row
from bigred_server.journal.tables import deployment as table
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord

_READER = rows.reader(DeploymentRecord)
_LISTS = ("nodes", "skipped", "set_aside")
# The columns that a decision changes.
_DECIDED = (
    *("phase", "reason", "blames_build", "held_for", "tolerates", "ended_at", "receipt", "command"),
    *_LISTS,
)
# It is asked for with each lid and each look of the loops, so it is made once.
_RUNNING = select(table).where(table.c.app == bindparam("of_app"), table.c.ended_at.is_(None))

_ASKED_FOR = select(table.c.app, table.c.id, table.c.command).where(table.c.ended_at.is_(None))


async def add(db: AsyncConnection, record: DeploymentRecord) -> None:
    """Write a new deployment. Raise DeploymentError if one of the app is already running."""
    values = {**vars(record), **{name: list(getattr(record, name)) for name in _LISTS}}
    try:
        # A nested transaction, because PostgreSQL refuses all that follows an error in one.
        async with db.begin_nested():
            await db.execute(insert(table).values(**values))
    except IntegrityError as error:
        raise DeploymentError(f"a deployment of {record.app} is already running") from error


async def change(db: AsyncConnection, deployment_id: str, **values: object) -> None:
    """Change columns of a deployment."""
    await db.execute(update(table).where(table.c.id == deployment_id).values(**values))


async def enter(db: AsyncConnection, record: DeploymentRecord, followed: Command | None) -> bool:
    """Write a record that a decision changed; return False if a new command was given meanwhile.

    `followed`: the command that the decision was made with, if there was one.
    """
    values = {name: getattr(record, name) for name in _DECIDED}
    values |= {name: list(values[name]) for name in _LISTS}
    unchanged = (table.c.id == record.id) & table.c.command.is_not_distinct_from(followed)
    result = await db.execute(update(table).where(unchanged).values(**values))
    return result.rowcount == 1


async def running(db: AsyncConnection, app: str) -> DeploymentRecord | None:
    """Return the app's running deployment."""
    found = await rows.read(db, _RUNNING, _READER, _prepared, {"of_app": app})
    return next(iter(found), None)


async def asked_for(db: AsyncConnection) -> list[tuple[str, str, str]]:
    """List the running deployments of all apps: the app, the id, and the command or ""."""
    found = await db.execute(_ASKED_FOR)
    return [(app, deployment_id, command or "") for app, deployment_id, command in found]


async def find(db: AsyncConnection, deployment_id: str) -> DeploymentRecord | None:
    """Find a deployment by its id."""
    query = select(table).where(table.c.id == deployment_id)
    return next(iter(await rows.read(db, query, _READER, _prepared)), None)


async def newest(
    db: AsyncConnection, app: str | None, limit: int = 20, *, mends: bool = False
) -> list[DeploymentRecord]:
    """List deployments of an app, or of all apps, the newest first.

    Repairs of single nodes are left out, unless `mends`.
    """
    query = select(table).order_by(table.c.started_at.desc()).limit(limit)
    if app is not None:
        query = query.where(table.c.app == app)
    if not mends:
        query = query.where(table.c.mends.is_(None))
    return await rows.read(db, query, _READER, _prepared)


async def of_release(db: AsyncConnection, app: str, digest: str) -> list[DeploymentRecord]:
    """List the deployments of a release, and the rollbacks that replaced it, the newest first."""
    this = (table.c.digest == digest) | (table.c.takes_back == digest)
    query = select(table).where(table.c.app == app, this).order_by(table.c.started_at.desc())
    return await rows.read(db, query, _READER, _prepared)


def _prepared(row: Row) -> Row:
    return {**row, **{name: row[name] or None for name in ("command", "held_for", "tolerates")}}
