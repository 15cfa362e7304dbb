"""A listener for the fakes: it serves every connection, and closes all of them at the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(talk: Talk, path: str = "") -> AsyncIterator[str]:
    """Listen on a UNIX socket, or on a free loopback port for ""; provide the path or host:port."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            connections.add(task)
            task.add_done_callback(connections.discard)
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    if path:
        server, address = await asyncio.start_unix_server(serve, path), path
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield address
    finally:
        server.close()
        await asyncio.sleep(0)  # a connection that was just accepted gets its task
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
