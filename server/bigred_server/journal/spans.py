"""Record what JVMs used in a span of time, by release: JSON, only the newest of each app."""

from collections.abc import Sequence
from typing import Any  # a span is JSON

from sqlalchemy import delete, insert, select

from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.tables import span as table

_KEPT = 1500


async def add(db: AsyncConnection, app: str, spans: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Record spans with the digests of their releases; keep the newest 1,500 per app."""
    if not spans:
        return
    rows = [{"app": app, "digest": digest, "told": span} for digest, span in spans]
    await db.execute(insert(table), rows)
    ours = select(table.c.id).where(table.c.app == app).order_by(table.c.id.desc())
    oldest = await db.scalar(ours.offset(_KEPT - 1).limit(1))
    if oldest is not None:
        await db.execute(delete(table).where((table.c.app == app) & (table.c.id < oldest)))


async def of(db: AsyncConnection, app: str) -> list[tuple[str, dict[str, Any]]]:
    """Return all spans of an app with the digests of their releases, oldest first."""
    ours = select(table.c.digest, table.c.told).where(table.c.app == app).order_by(table.c.id)
    return [(str(digest), dict(span)) for digest, span in await db.execute(ours)]
