"""The revision of an SQLite file: a number that changes with every commit of anybody.

Those who read the journal again and again ask for it first: it takes some ten microseconds.
"""

import asyncio
import sqlite3
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bigred_server.journal.sqlite_driver import opened

_BUSY_S = 5.0


@dataclass
class Revision:
    """Reads the revision of a file, over a connection of its own, which never writes."""

    file: Path
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def now(self) -> int | None:
        """Return the revision; None if it can't be told."""
        try:
            async with self._opening:
                if self._connection is None:
                    opening = partial(opened, str(self.file), _BUSY_S, ())
                    self._connection = await asyncio.to_thread(opening)
            # To the last row: a statement that is not over would keep SQLite from tidying up.
            ((found,),) = self._connection.execute("PRAGMA data_version").fetchall()
        except sqlite3.Error:
            # Whoever reads the journal now meets the same error, and can say what it is.
            return None
        return int(found)

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.to_thread(connection.close)
