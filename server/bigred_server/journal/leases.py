"""The leases in the journal, by the database's own clock: servers' clocks may differ."""

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_server.journal.tables import lease as table

# Not now(): that is when the transaction began, and we may have waited for the row since.
_NOW = func.date_part("epoch", func.clock_timestamp())


async def take(db: AsyncConnection, app: str, holder: str, lease_s: float) -> int | None:
    """Take a lease, or renew it; give its token, or None when another holds it.

    The token grows whenever it was not held without a gap, whoever takes it.
    """
    others = (table.c.app == app) & (table.c.holder != holder) & (table.c.until > _NOW)
    # The insert below would lock the row also where it changes nothing; and a server that is
    # stopped just then would keep the leader from renewing.
    if (await db.execute(select(table.c.app).where(others))).first() is not None:
        return None
    ours = (table.c.holder == holder) & (table.c.until > _NOW)
    values = {"app": app, "holder": holder, "token": 1, "until": _NOW + lease_s}
    taken = (
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
    token: int | None = (await db.execute(taken)).scalar_one_or_none()
    return token


async def is_held(db: AsyncConnection, app: str, holder: str, token: int) -> bool:
    """Say whether a lease is held under this token; keep it from being taken until we commit."""
    query = select(table.c.token).where(
        table.c.app == app,
        table.c.holder == holder,
        table.c.token == token,
        table.c.until > _NOW,
    )
    return (await db.execute(query.with_for_update(read=True))).first() is not None


async def give_back(db: AsyncConnection, app: str, holder: str, token: int) -> None:
    """End a lease before its time; its row stays, for its token must go on growing."""
    ours = (table.c.app == app) & (table.c.holder == holder) & (table.c.token == token)
    await db.execute(update(table).where(ours).values(until=0.0))


async def any_held(db: AsyncConnection) -> bool:
    """Say whether any server holds any lease: then one runs."""
    return (await db.execute(select(table.c.app).where(table.c.until > _NOW))).first() is not None
