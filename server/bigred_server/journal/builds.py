"""Record builds in the journal: every submitted commit, and its result."""

import secrets
from collections.abc import Collection

from sqlalchemy import func, insert, select, update

from bigred_server.journal import rows
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.tables import build as table
from bigred_server.model.build import UNDER_WAY, WAITING, Build
from bigred_server.model.release import Stage

_READER = rows.reader(Build)


def new_id() -> str:
    """Return a new build ID, short enough to type."""
    return f"b-{secrets.token_hex(5)}"


async def submit(
    db: AsyncConnection,
    app: str,
    commit: str,
    branch: str,
    who: str,
    at: float,
    *,
    is_head: bool = True,
) -> tuple[Build, bool]:
    """Record a commit; return its build, and whether it is new.

    `is_head`: whether the branch is at this commit now. Submitting again a commit that waits, is in
    progress or has become a release changes nothing, unless another came after it and the branch
    went back.
    """
    this = (table.c.app == app) & (table.c.commit == commit)
    again = table.c.stage.in_([*WAITING, *UNDER_WAY, Stage.READY, Stage.TESTED])
    last = await db.scalar(select(func.max(table.c.number)).where(table.c.app == app)) or 0
    query = select(table).where(this & again).order_by(table.c.number.desc())
    for known in await rows.read(db, query, _READER):
        if known.number == last or not is_head:
            return known, False
    build = Build(new_id(), last + 1, app, commit, branch, who, at)
    await db.execute(insert(table).values(**vars(build)))
    return build, True


async def change(db: AsyncConnection, build_id: str, **values: object) -> None:
    """Update columns of a build."""
    await db.execute(update(table).where(table.c.id == build_id).values(**values))


async def find(db: AsyncConnection, build_id: str) -> Build | None:
    """Return a build by its ID, or None if it is unknown."""
    query = select(table).where(table.c.id == build_id)
    return next(iter(await rows.read(db, query, _READER)), None)


async def of_app(
    db: AsyncConnection, app: str, stages: Collection[Stage] | None = None, limit: int = 1000
) -> list[Build]:
    """List the builds of an app, newest first: those at `stages`, or all."""
    query = select(table).where(table.c.app == app).order_by(table.c.number.desc()).limit(limit)
    if stages is not None:
        query = query.where(table.c.stage.in_(stages))
    return await rows.read(db, query, _READER)
