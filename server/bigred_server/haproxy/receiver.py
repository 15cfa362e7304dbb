"""The receiver of HAProxy's log: one socket for all apps, read in batches."""

import asyncio
import contextlib
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bigred_server.errors import HaproxyError
from bigred_server.haproxy.log import LENGTH, LogLine, read

Take = Callable[[LogLine, float], None]

_BATCH = 200
_BUFFER = 8 * 1024 * 1024


@dataclass
class Receiver:
    """Listens at `address`: "host:port" (UDP), or the path of a UNIX datagram socket.

    `takers`: by HAProxy's backend who wants its lines, each with when (Unix time) it came.
    `foreign` counts the lines that are not ours, `unwanted` those of other backends.
    """

    address: str
    takers: dict[str, Take] = field(default_factory=dict)
    taken: int = 0
    foreign: int = 0
    unwanted: int = 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen in the running loop until the block ends. Raises HaproxyError."""
        loop, line = asyncio.get_running_loop(), self._bound()
        try:
            loop.add_reader(line, self._drain, line)
            yield
        finally:
            loop.remove_reader(line)
            line.close()
            if self.address.startswith("/"):
                Path(self.address).unlink(missing_ok=True)

    def _bound(self) -> socket.socket:
        try:
            line = self._socket()
        except OSError as error:
            raise HaproxyError(
                f"can't listen for HAProxy's log at {self.address}: {error.strerror or error}; "
                "change haproxy_log in [server], or stop what listens there"
            ) from error
        line.setblocking(False)
        # What comes while we are busy waits in the kernel; beyond its limit it is lost.
        for option in (getattr(socket, "SO_RCVBUFFORCE", 33), socket.SO_RCVBUF):
            with contextlib.suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
                break
        return line

    def _socket(self) -> socket.socket:
        if not self.address.startswith("/"):
            host, _, port = self.address.rpartition(":")
            found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
            return _bound_to(socket.socket(found[0][0], socket.SOCK_DGRAM), found[0][4])
        path = Path(self.address)
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.stat().st_mode):
                path.unlink()
        line = _bound_to(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), self.address)
        # HAProxy runs as a user of its own.
        path.chmod(0o666)
        return line

    def _drain(self, line: socket.socket) -> None:
        now = time.time()
        for _ in range(_BATCH):
            try:
                datagram = line.recv(LENGTH)
            except BlockingIOError:
                return
            self.take(datagram, now)

    def take(self, datagram: bytes, now: float) -> None:
        """Take one line in that came now (Unix time)."""
        found = read(datagram)
        if found is None:
            self.foreign += 1
        elif (taker := self.takers.get(found.backend)) is not None:
            self.taken += 1
            taker(found, now)
        else:
            self.unwanted += 1


def _bound_to(line: socket.socket, address: object) -> socket.socket:
    try:
        line.bind(address)  # type: ignore[arg-type]
    except OSError:
        line.close()
        raise
    return line
