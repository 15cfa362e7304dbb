"""The simulated button's UNIX socket: one command per line, one answer per line.

    open | close | press | down | up | unplug | plug   ->   ok
    anything else                                      ->   error: SENTENCE

`press` is `down` and, long enough afterwards, `up`. `ok` means that the command was accepted; the
button shows it at its next reading. Only the same user may connect.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from bigred_agent.buttons.simulated import SimulatedButton, UnknownCommandError
from bigred_agent.errors import ButtonError

_LONGEST_LINE = 200


@contextlib.asynccontextmanager
async def serving(button: SimulatedButton, path: Path) -> AsyncIterator[None]:
    """Serve a socket at `path` while the block runs. Raises ButtonError if it can't be created."""
    mask = os.umask(0o077)
    try:
        _unlink(path)
        server = await asyncio.start_unix_server(
            lambda reader, writer: _converse(button, reader, writer), path, limit=_LONGEST_LINE
        )
    except OSError as error:
        raise ButtonError(
            f"the simulated button's socket {path} can't be created: {error}; choose another path "
            "(at most 107 bytes, in an existing folder)"
        ) from error
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        _unlink(path)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _converse(
    button: SimulatedButton, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    # An overlong line (ValueError) or a client that disconnects ends only this conversation.
    with contextlib.suppress(ConnectionError, ValueError, asyncio.CancelledError):
        while line := await reader.readline():
            writer.write(f"{_answer(button, line)}\n".encode())
            await writer.drain()
    writer.close()


def _answer(button: SimulatedButton, line: bytes) -> str:
    try:
        button.command(line.decode("utf-8", errors="replace").strip())
    except UnknownCommandError as error:
        return f"error: {error}"
    return "ok"
