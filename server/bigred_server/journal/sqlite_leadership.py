"""Leadership on SQLite: the lock on the journal's file makes this server the only one."""

import contextlib
import math
from dataclasses import dataclass

from bigred_server.journal.connection import AsyncConnection


@dataclass(frozen=True)
class SqliteLeadership:
    """The leadership of the only server: it always leads."""

    token: int = 1

    def left_s(self) -> float:
        """Return infinity: the leadership never ends."""
        return math.inf

    async def hold(self) -> bool:
        """Return True: this server leads."""
        return True

    async def fence(self, db: AsyncConnection) -> None:
        """Allow every transaction."""

    def guard(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Never cancel a block."""
        return contextlib.nullcontext()
