"""Leases in the journal, timed by the database's clock because servers' clocks may differ."""

from sqlalchemy import case, func, select, update

from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.tables import lease as table

# Not now(): it returns when the transaction began, which may be before a wait for the row.
_NOW = func.date_part("epoch", func.clock_timestamp())


async def acquire(db: AsyncConnection, app: str, holder: str, lease_s: float) -> int | None:
    """Acquire or renew a lease; return its token, or None if another server holds it.

    The token grows with every acquisition, even by the previous holder, but not with a renewal.
    """
    # Imported late: the dialect takes long to load, and a journal in SQLite does not need it.
    from sqlalchemy.dialects.postgresql import insert

    others = (table.c.app == app) & (table.c.holder != holder) & (table.c.until > _NOW)
    # The insert below locks the row even if it changes nothing. A server suspended at that point
    # would keep the leader from renewing.
    if (await db.execute(select(table.c.app).where(others))).first() is not None:
        return None
    ours = (table.c.holder == holder) & (table.c.until > _NOW)
    values = {"app": app, "holder": holder, "token": 1, "until": _NOW + lease_s}
    acquired = (
        insert(table)
        .values(**values)
        .on_conflict_do_update(
            index_elements=[table.c.app],
            set_={
                "holder": holder,
                "token": case((ours, table.c.token), else_=table.c.token + 1),
                "until": _NOW + lease_s,
            },
            where=ours | (table.c.until <= _NOW),
        )
        .returning(table.c.token)
    )
    token: int | None = (await db.execute(acquired)).scalar_one_or_none()
    return token


async def is_held(db: AsyncConnection, app: str, holder: str, token: int) -> bool:
    """Return whether a lease is held under this token; lock it until the transaction ends."""
    query = select(table.c.token).where(
        table.c.app == app,
        table.c.holder == holder,
        table.c.token == token,
        table.c.until > _NOW,
    )
    return (await db.execute(query.with_for_update(read=True))).first() is not None


async def release(db: AsyncConnection, app: str, holder: str, token: int) -> None:
    """End a lease early; keep its row, because its token must never decrease."""
    ours = (table.c.app == app) & (table.c.holder == holder) & (table.c.token == token)
    await db.execute(update(table).where(ours).values(until=0.0))


async def any_held(db: AsyncConnection) -> bool:
    """Return whether any server holds any lease, which means that one is running."""
    return (await db.execute(select(table.c.app).where(table.c.until > _NOW))).first() is not None
