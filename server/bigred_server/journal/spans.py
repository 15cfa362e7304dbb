"""What JVMs used in a span, by release: JSON in the journal, the newest of each app alone."""

from collections.abc import Sequence
from typing import Any  # what is kept is JSON

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_server.journal.tables import span as table

_KEPT = 1500


async def add(db: AsyncConnection, app: str, told: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Write spans, each with the digest of its release; forget the oldest beyond so many."""
    if not told:
        return
    rows = [{"app": app, "digest": digest, "told": one} for digest, one in told]
    await db.execute(insert(table), rows)
    ours = select(table.c.id).where(table.c.app == app).order_by(table.c.id.desc())
    oldest = await db.scalar(ours.offset(_KEPT - 1).limit(1))
    if oldest is not None:
        await db.execute(delete(table).where((table.c.app == app) & (table.c.id < oldest)))


async def of(db: AsyncConnection, app: str) -> list[tuple[str, dict[str, Any]]]:
    """Give all spans of an app with the digests of their releases, the oldest first."""
    ours = select(table.c.digest, table.c.told).where(table.c.app == app).order_by(table.c.id)
    return [(str(digest), dict(told)) for digest, told in await db.execute(ours)]
