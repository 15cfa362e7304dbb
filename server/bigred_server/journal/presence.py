"""Whether a server uses the journal, for those that do not run one.

A module of its own because every command asks, and only a server holds a session.
"""

from pathlib import Path

from bigred_server.journal import leases, lock
from bigred_server.journal.database import Database, DatabaseUrl


async def is_any_open(place: DatabaseUrl, db: Database) -> bool:
    """Return whether a server uses the journal."""
    if isinstance(place, Path):
        return lock.is_held(place)
    async with db.read() as connection:
        return await leases.any_held(connection)
