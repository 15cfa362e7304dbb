"""Channels of an SSH connection: admitted with patience, and let go of beyond doubt."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, TypeVar

import asyncssh

_DOUBT_S = 1.0
_ADMIT_S = 3.0
_ADMIT_AGAIN_S = 0.05

T = TypeVar("T")


class _Closing(Protocol):
    """A channel that was told to close."""

    def wait_closed(self) -> Coroutine[None, None, None]: ...


async def admitted(
    connection: asyncssh.SSHClientConnection, opened: Callable[[], Awaitable[T]]
) -> T:
    """Open a channel; where the host refuses one for the moment, ask again for a while.

    sshd counts a channel until it has seen the end of its command, which may be after we have. A
    channel that was refused has begun nothing.
    """
    give_up_s = time.monotonic() + _ADMIT_S
    while True:
        try:
            return await opened()
        except asyncssh.ChannelOpenError as error:
            is_refused = error.code == asyncssh.OPEN_CONNECT_FAILED and not connection.is_closed()
            if not is_refused or time.monotonic() > give_up_s:
                raise
        await asyncio.sleep(_ADMIT_AGAIN_S)


async def sever_unless_closed(
    connection: asyncssh.SSHClientConnection, closing: _Closing, patience_s: float = _DOUBT_S
) -> None:
    """Wait for something to close; cut the whole connection when it is not confirmed in time."""
    try:
        async with asyncio.timeout(patience_s):
            await closing.wait_closed()
    except TimeoutError:
        sever(connection)
        await connection.wait_closed()


def sever(connection: asyncssh.SSHClientConnection) -> None:
    """Cut a connection at once, with what the kernel still holds to be sent."""
    sock = connection.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):  # closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.abort()
