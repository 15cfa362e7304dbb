"""Record the bins of business metrics in the journal."""

from sqlalchemy import delete, insert, select

from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.tables import series_bin as table

_KEPT_S = 15 * 86_400


async def add(db: AsyncConnection, app: str, name: str, at: int, seen: float) -> None:
    """Record the value of the bin that begins at `at` (Unix time); delete bins over 15 days old."""
    this = (table.c.app == app) & (table.c.name == name)
    await db.execute(delete(table).where(this & ((table.c.at == at) | (table.c.at < at - _KEPT_S))))
    await db.execute(insert(table).values(app=app, name=name, at=at, seen=seen))


async def of(db: AsyncConnection, app: str, name: str) -> dict[int, float]:
    """Return all bins of a series by their start (Unix time)."""
    this = (table.c.app == app) & (table.c.name == name)
    rows = await db.execute(select(table.c.at, table.c.seen).where(this))
    return {int(at): float(seen) for at, seen in rows}
