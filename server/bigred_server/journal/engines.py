"""The three SQLAlchemy engines of one database."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.util.concurrency import greenlet_spawn

from bigred_server.journal.revision import Revision

WRITES = "bigred_writes"
"""The execution option of an engine whose transactions run one at a time."""


@dataclass(frozen=True)
class Engines:
    """What is used to read, to write one at a time, and to write concurrently.

    `turn`: what a task of this process must hold while it writes. `revision`: tells whether
    anything was written.
    """

    reader: Engine
    writer: Engine
    concurrent_writer: Engine
    turn: Callable[[], contextlib.AbstractAsyncContextManager[None]] = contextlib.nullcontext
    revision: Revision | None = None

    async def dispose(self) -> None:
        """Close all connections."""
        if self.revision is not None:
            await self.revision.close()
        # On PostgreSQL, they share their connections.
        for engine in (self.reader, self.writer, self.concurrent_writer):
            await greenlet_spawn(engine.dispose)
