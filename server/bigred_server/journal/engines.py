"""The three ways into one database."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

WRITES = "bigred_writes"
"""The option of an engine whose transactions wait their turn among all writers."""


@dataclass(frozen=True)
class Engines:
    """One pool of connections, used to read, to write in turn, and to write without a turn."""

    reader: AsyncEngine
    writer: AsyncEngine
    aside: AsyncEngine

    async def dispose(self) -> None:
        """Close all connections."""
        await self.reader.dispose()
