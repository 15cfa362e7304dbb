"""The deployments in the journal."""

from typing import Any  # SQLAlchemy's Select

from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import Phase
from bigred_server.errors import DeploymentError
from bigred_server.journal.tables import deployment as table
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.verdict import Verdict

_LISTS = ("nodes", "skipped", "set_aside")
# What a decision changes.
_DECIDED = (
    *("phase", "reason", "blames_build", "held_for", "tolerates", "ended_at", "receipt", "command"),
    *_LISTS,
)


async def add(db: AsyncConnection, record: DeploymentRecord) -> None:
    """Write a new deployment. Raises DeploymentError when one of the app is running."""
    values = {**vars(record), **{name: list(getattr(record, name)) for name in _LISTS}}
    try:
        # By itself: PostgreSQL refuses all that follows an error in a transaction.
        async with db.begin_nested():
            await db.execute(insert(table).values(**values))
    except IntegrityError as error:
        raise DeploymentError(f"a deployment of {record.app} is running already") from error


async def change(db: AsyncConnection, deployment_id: str, **values: object) -> None:
    """Change columns of a deployment."""
    await db.execute(update(table).where(table.c.id == deployment_id).values(**values))


async def enter(db: AsyncConnection, record: DeploymentRecord, taken_up: Command | None) -> bool:
    """Write what a decision made of a deployment; False when a new command came in meanwhile.

    `taken_up` is the command that the decision was made with, if there was one.
    """
    values = {name: getattr(record, name) for name in _DECIDED}
    values |= {name: list(values[name]) for name in _LISTS}
    as_seen = (table.c.id == record.id) & table.c.command.is_not_distinct_from(taken_up)
    result = await db.execute(update(table).where(as_seen).values(**values))
    return result.rowcount == 1


async def running(db: AsyncConnection, app: str) -> DeploymentRecord | None:
    """Give the app's running deployment."""
    return await _one(db, select(table).where(table.c.app == app, table.c.ended_at.is_(None)))


async def find(db: AsyncConnection, deployment_id: str) -> DeploymentRecord | None:
    """Find a deployment by its id."""
    return await _one(db, select(table).where(table.c.id == deployment_id))


async def newest(
    db: AsyncConnection, app: str | None, limit: int = 20, *, mends: bool = False
) -> list[DeploymentRecord]:
    """List deployments of an app, or of all apps, the newest first.

    Those that only mended a node are left out, unless `mends`.
    """
    query = select(table).order_by(table.c.started_at.desc()).limit(limit)
    if app is not None:
        query = query.where(table.c.app == app)
    if not mends:
        query = query.where(table.c.mends.is_(None))
    return [_record(row) for row in (await db.execute(query)).mappings()]


async def of_release(db: AsyncConnection, app: str, digest: str) -> list[DeploymentRecord]:
    """List the deployments that brought a release, or took it back, the newest first."""
    this = (table.c.digest == digest) | (table.c.takes_back == digest)
    query = select(table).where(table.c.app == app, this).order_by(table.c.started_at.desc())
    return [_record(row) for row in (await db.execute(query)).mappings()]


async def _one(db: AsyncConnection, query: Select[Any]) -> DeploymentRecord | None:
    return next(map(_record, (await db.execute(query)).mappings()), None)


def _record(row: RowMapping) -> DeploymentRecord:
    lists = {name: tuple(row[name]) for name in _LISTS}
    kinds = {"command": Command, "held_for": HeldFor, "tolerates": Verdict}
    told = {name: kind(row[name]) if row[name] else None for name, kind in kinds.items()}
    return DeploymentRecord(**{**row, **lists, **told, "phase": Phase(row["phase"])})
