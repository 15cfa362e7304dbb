"""Leadership on SQLite: the lock on the journal's file makes this server the only one."""

import contextlib
import math
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class SqliteLeadership:
    """Leads always."""

    token: int = 1

    def left_s(self) -> float:
        """Say that it never ends."""
        return math.inf

    async def hold(self) -> bool:
        """Say that this server leads."""
        return True

    async def fence(self, db: AsyncConnection) -> None:
        """Let every transaction through."""

    def guard(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Let a block go on."""
        return contextlib.nullcontext()
