"""A wire to a server on loopback that can be cut in the middle of what it carries."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

_BLOCK = 16 << 10


@dataclass
class Wire:
    """Carries bytes both ways. `left`: how many more it carries to the server before it breaks."""

    to: int
    port: int = 0
    left: int | None = None
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)
    _carried: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        """Break all connections, as when a cable is pulled and both ends notice."""
        for end in self._ends:
            end.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the bytes of a connection."""
        carrying = asyncio.current_task()
        assert carrying is not None
        self._carried.add(carrying)
        try:
            await self._join(reader, writer)
        finally:
            self._carried.discard(carrying)

    async def rest(self) -> None:
        """Wait until all connections have ended."""
        async with asyncio.timeout(5):
            await asyncio.gather(*self._carried, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.to)
        ends = {writer, there}
        self._ends |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, there, counted=True))
                both.create_task(self._pass(there_reader, writer, counted=False))
        finally:
            self._ends -= ends
            for end in ends:
                end.transport.abort()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(_BLOCK):
                writer.write(block)
                await writer.drain()
                if counted and self.left is not None:
                    self.left -= len(block)
                    if self.left <= 0:
                        break
        # When one direction ends, so does the other: no protocol here uses half-closed connections.
        writer.transport.abort()


@contextlib.asynccontextmanager
async def wire(to: int) -> AsyncIterator[Wire]:
    """Lay a wire to a loopback port."""
    one = Wire(to)
    server = await asyncio.start_server(one.carry, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        one.cut()
        await one.rest()
