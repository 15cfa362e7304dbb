"""Record releases in the journal."""

from dataclasses import asdict, replace

from sqlalchemy import BindParameter, bindparam, func, insert, select, update

from bigred_server.journal import rows
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.rows import Row
from bigred_server.journal.tables import release as table
from bigred_server.model.marker import MarkerSettings
from bigred_server.model.release import Release, Stage

_READER = rows.reader(Release)

# They are asked for with each lid and each look of the loops, so they are made once.
_APP: BindParameter[str] = bindparam("of_app")
_LIVE_AT = (
    select(func.max(table.c.submitted_at))
    .where(table.c.app == _APP, table.c.stage == Stage.LIVE)
    .scalar_subquery()
)
_OF_APP = select(table).where(table.c.app == _APP).order_by(table.c.submitted_at.desc())
_SINCE_LIVE = (
    select(table)
    .where(table.c.app == _APP, table.c.submitted_at >= func.coalesce(_LIVE_AT, 0.0))
    .order_by(table.c.submitted_at.desc())
)


async def add(db: AsyncConnection, release: Release) -> None:
    """Record a new release."""
    changes = [asdict(change) for change in release.changes]
    proof = release.proof.model_dump(mode="json") if release.proof else None
    values = {**vars(release), "changes": changes, "proof": proof}
    await db.execute(insert(table).values(**values))


async def prove_by(db: AsyncConnection, app: str, proof: MarkerSettings) -> None:
    """Record how an app's releases prove themselves, for those of which it is not recorded yet."""
    unknown = (table.c.app == app) & table.c.proof.is_(None)
    await db.execute(update(table).where(unknown).values(proof=proof.model_dump(mode="json")))


async def renew(db: AsyncConnection, release: Release) -> Release:
    """Record a release, or give the existing one of its version its stage and time; return it."""
    this = (table.c.app == release.app) & (table.c.version == release.version)
    known = next(iter(await rows.read(db, select(table).where(this), _READER, _prepared)), None)
    if known is None:
        await add(db, release)
        return release
    renewed = replace(known, stage=release.stage, submitted_at=release.submitted_at)
    values = {"stage": renewed.stage, "submitted_at": renewed.submitted_at}
    await db.execute(update(table).where(this).values(**values))
    return renewed


async def rename(db: AsyncConnection, app: str, digest: str, version: str) -> None:
    """Change the version of a release, unless another release of the app has it."""
    found = await db.execute(
        select(table.c.digest).where(table.c.app == app, table.c.version == version)
    )
    if found.first() is None:
        this = (table.c.app == app) & (table.c.digest == digest)
        await db.execute(update(table).where(this).values(version=version))


async def find(db: AsyncConnection, app: str, digest: str) -> Release | None:
    """Return a release by its digest, or None if it is unknown."""
    query = select(table).where(table.c.app == app, table.c.digest == digest)
    return next(iter(await rows.read(db, query, _READER, _prepared)), None)


async def is_known(db: AsyncConnection, digest: str) -> bool:
    """Return whether any app has a release with this digest."""
    found = await db.execute(select(table.c.digest).where(table.c.digest == digest).limit(1))
    return found.first() is not None


async def of_app(db: AsyncConnection, app: str) -> list[Release]:
    """List an app's releases, newest first."""
    return await rows.read(db, _OF_APP, _READER, _prepared, {"of_app": app})


async def since_live(db: AsyncConnection, app: str) -> list[Release]:
    """List an app's live release and those submitted since, newest first; all if none is live."""
    return await rows.read(db, _SINCE_LIVE, _READER, _prepared, {"of_app": app})


async def apps(db: AsyncConnection) -> list[str]:
    """List the apps that have releases, including those no longer configured."""
    return list(await db.scalars(select(table.c.app).distinct().order_by(table.c.app)))


async def set_stage(db: AsyncConnection, app: str, digest: str, stage: Stage) -> None:
    """Move a release to a stage."""
    this = (table.c.app == app) & (table.c.digest == digest)
    await db.execute(update(table).where(this).values(stage=stage))


async def make_live(db: AsyncConnection, app: str, digest: str) -> None:
    """Make a release live, and retire the one that was live."""
    others = (table.c.app == app) & (table.c.stage == Stage.LIVE) & (table.c.digest != digest)
    await db.execute(update(table).where(others).values(stage=Stage.RETIRED))
    await set_stage(db, app, digest, Stage.LIVE)


def _prepared(row: Row) -> Row:
    return {**row, "changes": row["changes"] or ()}
