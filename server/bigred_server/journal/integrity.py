"""Check whether the pages of an SQLite journal are whole."""

from sqlalchemy import text

from bigred_server.journal.connection import AsyncConnection

_MOST = 3


async def problems(db: AsyncConnection) -> list[str]:
    """Return the first problems that SQLite finds, in its words; PostgreSQL checks itself."""
    if db.dialect.name != "sqlite":
        return []
    found = await db.scalars(text(f"PRAGMA quick_check({_MOST})"))
    return [line for row in found if row != "ok" for line in str(row).splitlines()][:_MOST]
