"""Channels of an SSH connection: opened with retries, and closed for certain."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, TypeVar

import asyncssh

_CLOSE_S = 1.0
_OPEN_S = 3.0
_RETRY_S = 0.05

T = TypeVar("T")


class _Closing(Protocol):
    """A channel or connection that is closing."""

    def wait_closed(self) -> Coroutine[None, None, None]: ...


async def open_channel(
    connection: asyncssh.SSHClientConnection, request: Callable[[], Awaitable[T]]
) -> T:
    """Open a channel by `request`; if the host refuses it for now, retry for a while.

    sshd counts a channel until it has seen the end of its command, possibly later than we have. A
    channel that was refused has started nothing.
    """
    give_up_s = time.monotonic() + _OPEN_S
    while True:
        try:
            return await request()
        except asyncssh.ChannelOpenError as error:
            is_refused = error.code == asyncssh.OPEN_CONNECT_FAILED and not connection.is_closed()
            if not is_refused or time.monotonic() > give_up_s:
                raise
        await asyncio.sleep(_RETRY_S)


async def sever_unless_closed(
    connection: asyncssh.SSHClientConnection, closing: _Closing, deadline_s: float = _CLOSE_S
) -> None:
    """Wait for something to close; sever the connection if the close is not confirmed in time."""
    try:
        async with asyncio.timeout(deadline_s):
            await closing.wait_closed()
    except TimeoutError:
        sever(connection)
        await connection.wait_closed()


def sever(connection: asyncssh.SSHClientConnection) -> None:
    """Cut a connection at once, discarding what the kernel has yet to send."""
    sock = connection.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):  # already closed
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.abort()
