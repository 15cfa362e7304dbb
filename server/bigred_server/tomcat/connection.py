"""One SSH connection to a host: opened when it is needed, and again after it broke.

All nodes of a host share it. Nothing is asked for and nothing is guessed: the host's key must stand
in known_hosts, a key lets us in, no configuration of any user is read.
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
from bigred_server.tomcat.channel import admitted, sever, sever_unless_closed
from bigred_server.tomcat.login import connect

# sshd allows ten at a time (MaxSessions); somebody else's tools may use the connection's host too.
_CHANNELS = 8
_CLOSE_S = 2.0


@dataclass
class Clock:
    """How the host's clock stands to our monotonic one, by its last answer."""

    _ahead_ms: float | None = None

    def set(self, there_ms: int) -> None:
        """Note what the host's clock said just now."""
        self._ahead_ms = there_ms - time.monotonic() * 1000

    def there(self, monotonic_s: float) -> int:
        """Say what it shows at a monotonic time; 0 when it is not known."""
        return 0 if self._ahead_ms is None else int(monotonic_s * 1000 + self._ahead_ms)


class SshConnection:
    """The connection to one host for one user."""

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self.clock = Clock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._opening: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._channels = asyncio.Semaphore(_CHANNELS)
        self._doubts: set[asyncio.Task[None]] = set()

    def __str__(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    async def run(self, words: Sequence[str], what: str, deadline_s: float) -> tuple[int, str]:
        """Run a command there; give its exit code, negative for a signal, and what it printed.

        Raises NodeError. After the deadline nobody knows what the command did.
        """
        async with self._channel(deadline_s, what) as connection:
            process = None
            try:
                process = await admitted(
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
                    self._give_up(connection, process)
            code = process.returncode
        if code is None:
            raise NodeError(f"{self}: {what} was cut off; whether it still took effect is unknown")
        return code, output.decode("utf-8", "replace") if output else ""

    @contextlib.asynccontextmanager
    async def files(self, deadline_s: float, what: str) -> AsyncIterator[asyncssh.SFTPClient]:
        """Open the host's files for the length of a block. Raises NodeError, also for the block."""
        async with self._channel(deadline_s, what) as connection:
            sftp = None
            done = False
            try:
                sftp = await admitted(connection, connection.start_sftp_client)
                yield sftp
                sftp.exit()
                await sftp.wait_closed()
                done = True
            finally:
                if not done:
                    self._give_up(connection, sftp)

    @contextlib.asynccontextmanager
    async def _channel(
        self, deadline_s: float, what: str
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        try:
            async with asyncio.timeout(deadline_s), self._channels:
                yield await self._connected()
        except TimeoutError as error:
            raise NodeError(
                f"{self}: {what} was not done in {deadline_s:g} s; whether it still took effect is "
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
        # All who waited may be gone; asking for the exception says that it was not overlooked.
        if not opening.cancelled() and opening.exception() is None:
            self._connection = opening.result()

    def _give_up(
        self,
        connection: asyncssh.SSHClientConnection,
        channel: "asyncssh.SSHClientProcess[bytes] | asyncssh.SFTPClient | None",
    ) -> None:
        """Let go of a channel in use; of the whole connection unless the host confirms that.

        What was sent over a dead connection must not arrive once it lives again: by then the node
        may be in service.
        """
        if channel is None:
            sever(connection)
            return
        if isinstance(channel, asyncssh.SFTPClient):
            channel.exit()
        else:
            channel.close()
        doubt = asyncio.create_task(sever_unless_closed(connection, channel))
        self._doubts.add(doubt)
        doubt.add_done_callback(self._doubts.discard)

    async def close(self) -> None:
        """Close the connection; the next call would open it again."""
        if self._opening is not None:
            self._opening.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await sever_unless_closed(connection, connection, _CLOSE_S)
        await asyncio.gather(*self._doubts)


class SshConnections:
    """The lines to all hosts, one for all nodes that are reached in the same way."""

    def __init__(self) -> None:
        self._lines: dict[SshSettings, SshConnection] = {}

    def to(self, settings: SshSettings) -> SshConnection:
        """Give the line to a host."""
        return self._lines.setdefault(settings, SshConnection(settings))
