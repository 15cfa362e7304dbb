"""The bins of business metrics in the journal."""

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_server.journal.tables import series_bin as table

_KEPT_S = 15 * 86_400


async def add(db: AsyncConnection, app: str, name: str, at: int, seen: float) -> None:
    """Write what was seen in the bin that began at `at` (Unix time); forget what is too old."""
    this = (table.c.app == app) & (table.c.name == name)
    await db.execute(delete(table).where(this & ((table.c.at == at) | (table.c.at < at - _KEPT_S))))
    await db.execute(insert(table).values(app=app, name=name, at=at, seen=seen))


async def of(db: AsyncConnection, app: str, name: str) -> dict[int, float]:
    """Give all bins of a series, by their beginning."""
    this = (table.c.app == app) & (table.c.name == name)
    rows = await db.execute(select(table.c.at, table.c.seen).where(this))
    return {int(at): float(seen) for at, seen in rows}
