"""One SSH connection to a host: opened when needed, and reopened after it broke.

All nodes of a host share it. It never prompts and never guesses: the host's key must be in
known_hosts, we log in with a key, and no user's SSH configuration is read.
"""

import asyncio
import contextlib
import shlex
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncssh

from bigred_server.errors import NodeError
from bigred_server.settings import SshSettings
from bigred_server.tomcat.channel import open_channel, sever, sever_unless_closed
from bigred_server.tomcat.login import connect

# sshd allows ten at a time (MaxSessions); other tools may use the same host.
_CHANNELS = 8
_CLOSE_S = 2.0


@dataclass
class HostClock:
    """The host's clock relative to our monotonic one, as of its last answer."""

    _ahead_ms: float | None = None

    def set(self, host_ms: int) -> None:
        """Record what the host's clock shows now, in milliseconds."""
        self._ahead_ms = host_ms - time.monotonic() * 1000

    def host_ms(self, monotonic_s: float) -> int:
        """Return what the host's clock shows at a monotonic time; 0 if that is not known."""
        return 0 if self._ahead_ms is None else int(monotonic_s * 1000 + self._ahead_ms)


class SshConnection:
    """The connection to one host for one user."""

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self.clock = HostClock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._opening: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._channels = asyncio.Semaphore(_CHANNELS)
        self._closing: set[asyncio.Task[None]] = set()

    def __str__(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    async def run(self, words: Sequence[str], what: str, deadline_s: float) -> tuple[int, str]:
        """Run a command on the host; return its exit code (negative for a signal) and its output.

        Raise NodeError on failure; after the deadline, nobody knows what the command did.
        """
        async with self._channel(deadline_s, what) as connection:
            process = None
            try:
                process = await open_channel(
                    connection,
                    lambda: connection.create_process(
                        shlex.join(words),
                        stdin=asyncssh.DEVNULL,
                        stderr=asyncssh.STDOUT,
                        encoding=None,
                    ),
                )
                output, _ = await process.communicate()
            finally:
                if process is None or process.returncode is None:
                    self._abandon(connection, process)
            code = process.returncode
        if code is None:
            raise NodeError(f"{self}: {what} was cut off; whether it took effect is unknown")
        return code, output.decode("utf-8", "replace") if output else ""

    @contextlib.asynccontextmanager
    async def files(self, deadline_s: float, what: str) -> AsyncIterator[asyncssh.SFTPClient]:
        """Open SFTP for the length of a block. Raise NodeError, also for failures in the block."""
        async with self._channel(deadline_s, what) as connection:
            sftp = None
            done = False
            try:
                sftp = await open_channel(connection, connection.start_sftp_client)
                yield sftp
                sftp.exit()
                await sftp.wait_closed()
                done = True
            finally:
                if not done:
                    self._abandon(connection, sftp)

    @contextlib.asynccontextmanager
    async def _channel(
        self, deadline_s: float, what: str
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        try:
            async with asyncio.timeout(deadline_s), self._channels:
                yield await self._connected()
        except TimeoutError as error:
            raise NodeError(
                f"{self}: {what} did not finish within {deadline_s:g} s; whether it took effect is "
                "unknown"
            ) from error
        except asyncssh.Error as error:
            raise NodeError(f"{self}: {what} failed: {error.reason}") from error
        except OSError as error:
            if isinstance(error, NodeError):
                raise
            raise NodeError(f"{self}: {what} failed: {error}") from error

    async def _connected(self) -> asyncssh.SSHClientConnection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if self._opening is None:
            self._opening = asyncio.create_task(connect(self.settings))
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def _opened(self, opening: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
        self._opening = None
        # Every waiter may be gone; reading the exception keeps asyncio from logging it as lost.
        if not opening.cancelled() and opening.exception() is None:
            self._connection = opening.result()

    def _abandon(
        self,
        connection: asyncssh.SSHClientConnection,
        channel: "asyncssh.SSHClientProcess[bytes] | asyncssh.SFTPClient | None",
    ) -> None:
        """Close a channel in use, and sever the connection unless the host confirms the close.

        Data sent over a dead connection must not arrive when it comes back to life: by then the
        node may be in service.
        """
        if channel is None:
            sever(connection)
            return
        if isinstance(channel, asyncssh.SFTPClient):
            channel.exit()
        else:
            channel.close()
        closing = asyncio.create_task(sever_unless_closed(connection, channel))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._opening is not None:
            self._opening.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await sever_unless_closed(connection, connection, _CLOSE_S)
        await asyncio.gather(*self._closing)


class SshConnections:
    """The connections to all hosts; nodes with the same SSH settings share one."""

    def __init__(self) -> None:
        self._connections: dict[SshSettings, SshConnection] = {}

    def to(self, settings: SshSettings) -> SshConnection:
        """Return the connection to a host."""
        return self._connections.setdefault(settings, SshConnection(settings))
