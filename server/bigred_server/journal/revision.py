"""What tells whether an SQLite journal has changed, for those who read it again and again.

To ask takes some ten microseconds, where to read the rows as values takes a thousand.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bigred_server.journal.sqlite_driver import opened

Fingerprint = Sequence[Sequence[object]]
"""Raw rows, only to be compared."""

_BUSY_S = 5.0
_RELEASES = "SELECT * FROM release WHERE app = ?"
_RUNNING = "SELECT * FROM deployment WHERE app = ? AND ended_at IS NULL"
# What has ended does not change any more; nobody needs more of them for a look.
_NEWEST = "SELECT id, phase, reason FROM deployment WHERE app = ? ORDER BY started_at DESC LIMIT 25"


@dataclass(frozen=True)
class Fingerprints:
    """Those of what the journal knows about one app."""

    releases: Fingerprint
    deployments: Fingerprint


@dataclass
class Revision:
    """Asks a file, over a connection of its own, which never writes."""

    file: Path
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def now(self) -> int | None:
        """Return a number that changes with every commit of anybody; None if it can't be told."""
        try:
            found = await self._rows("PRAGMA data_version")
        except sqlite3.Error:
            # Whoever reads the journal now meets the same error, and can say what it is.
            return None
        return int(str(found[0][0]))

    async def fingerprints(self, app: str) -> Fingerprints | None:
        """Return those of an app; None if they can't be told."""
        try:
            deployments = [*await self._rows(_RUNNING, app), *await self._rows(_NEWEST, app)]
            return Fingerprints(await self._rows(_RELEASES, app), deployments)
        except sqlite3.Error:
            return None

    async def _rows(self, statement: str, *values: str) -> Fingerprint:
        async with self._opening:
            if self._connection is None:
                opening = partial(opened, str(self.file), _BUSY_S, ())
                self._connection = await asyncio.to_thread(opening)
        # To the last row: a statement that is not over would keep SQLite from tidying up.
        return self._connection.execute(statement, values).fetchall()

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.to_thread(connection.close)
