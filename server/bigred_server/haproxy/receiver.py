"""Receives HAProxy's log: one socket for all apps, read in batches."""

import asyncio
import contextlib
import socket
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bigred_server.errors import HaproxyError
from bigred_server.haproxy import inquiry
from bigred_server.haproxy.inquiry import Arrived
from bigred_server.haproxy.log import LENGTH, read
from bigred_server.model.log_line import LogLine

LineHandler = Callable[[LogLine, float], None]

_BATCH = 200
_BUFFER = 8 * 1024 * 1024


@dataclass
class Receiver:
    """Listens at `address`: "host:port" (UDP), or the path of a UNIX datagram socket.

    Until they are read, the kernel keeps about 13,000 lines for UDP (measured as root; for other
    users net.core.rmem_max limits them), and net.unix.max_dgram_qlen lines for a UNIX socket.

    `handlers`: per HAProxy backend, called with each of its lines and the Unix time of its arrival.
    `lines` counts these lines by backend, `foreign` lines that are not in our format, `unwanted`
    lines of other backends.
    """

    address: str
    handlers: dict[str, LineHandler] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)
    foreign: int = 0
    unwanted: int = 0

    def add(self, backend: str, handler: LineHandler) -> None:
        """Add a handler for a backend; several apps may share one."""
        earlier = self.handlers.get(backend)

        def both(line: LogLine, came: float) -> None:
            if earlier is not None:
                earlier(line, came)
            handler(line, came)

        self.handlers[backend] = both

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen in the running loop until the block ends. Raise HaproxyError if that fails."""
        loop, sock = asyncio.get_running_loop(), self._bind()
        try:
            loop.add_reader(sock, self._drain, sock)
            yield
        finally:
            loop.remove_reader(sock)
            sock.close()
            if self.address.startswith("/"):
                Path(self.address).unlink(missing_ok=True)

    def _bind(self) -> socket.socket:
        try:
            sock = self._socket()
        except OSError as error:
            raise HaproxyError(
                f"can't listen for HAProxy's log at {self.address}: {error.strerror or error}; "
                "change haproxy_log in [server], or stop the program that listens there"
            ) from error
        sock.setblocking(False)
        # Lines that arrive while we are busy wait in the kernel; beyond its limit they are lost.
        for option in (getattr(socket, "SO_RCVBUFFORCE", 33), socket.SO_RCVBUF):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
                break
        return sock

    def _socket(self) -> socket.socket:
        family, at = inquiry.socket_address(self.address)
        if family is not socket.AF_UNIX:
            return _bind_to(socket.socket(family, socket.SOCK_DGRAM), at)
        path = Path(self.address)
        if _is_dead(path):
            path.unlink()
        sock = _bind_to(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), self.address)
        # HAProxy runs as another user.
        path.chmod(0o666)
        return sock

    def _drain(self, sock: socket.socket) -> None:
        now = time.time()
        for _ in range(_BATCH):
            try:
                datagram, sender = sock.recvfrom(LENGTH)
            except BlockingIOError:
                return
            if datagram == inquiry.QUESTION:
                self._answer(sock, sender)
            else:
                self.receive(datagram, now)

    @property
    def arrived(self) -> Arrived:
        """The numbers of lines that arrived since it began to listen."""
        lines = {name: self.lines[name] for name in self.handlers}
        return Arrived(lines, self.foreign, self.unwanted)

    def _answer(self, sock: socket.socket, sender: object) -> None:
        # The asker may be gone, or have no address.
        with contextlib.suppress(OSError, TypeError):
            sock.sendto(inquiry.answer(self.arrived), sender)  # type: ignore[call-overload]

    def receive(self, datagram: bytes, now: float) -> None:
        """Count one line that arrived `now` (Unix time), and pass it to its handler."""
        found = read(datagram)
        if found is None:
            self.foreign += 1
        elif (handler := self.handlers.get(found.backend)) is not None:
            self.lines[found.backend] += 1
            handler(found, now)
        else:
            self.unwanted += 1


def _is_dead(path: Path) -> bool:
    """Return whether the path is a socket on which nothing listens any more."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(path))
    except FileNotFoundError:
        return False
    except ConnectionRefusedError:
        return True
    return False


def _bind_to(sock: socket.socket, address: object) -> socket.socket:
    try:
        sock.bind(address)  # type: ignore[arg-type]
    except OSError:
        sock.close()
        raise
    return sock
