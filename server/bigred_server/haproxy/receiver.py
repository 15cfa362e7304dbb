"""The receiver of HAProxy's log: one socket for all apps, read in batches."""

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

Take = Callable[[LogLine, float], None]

_BATCH = 200
_BUFFER = 8 * 1024 * 1024


@dataclass
class Receiver:
    """Listens at `address`: "host:port" (UDP), or the path of a UNIX datagram socket.

    For UDP the kernel keeps some 13,000 lines while nobody reads (measured, as root; without,
    net.core.rmem_max has its say); for a UNIX socket what net.unix.max_dgram_qlen allows.

    `takers`: by HAProxy's backend who wants its lines, each with when (Unix time) it came. `lines`
    counts them by backend, `foreign` those that are not ours, `unwanted` those of other backends.
    """

    address: str
    takers: dict[str, Take] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)
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
        family, at = inquiry.place(self.address)
        if family is not socket.AF_UNIX:
            return _bound_to(socket.socket(family, socket.SOCK_DGRAM), at)
        path = Path(self.address)
        if _is_dead(path):
            path.unlink()
        line = _bound_to(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), self.address)
        # HAProxy runs as a user of its own.
        path.chmod(0o666)
        return line

    def _drain(self, line: socket.socket) -> None:
        now = time.time()
        for _ in range(_BATCH):
            try:
                datagram, sender = line.recvfrom(LENGTH)
            except BlockingIOError:
                return
            if datagram == inquiry.QUESTION:
                self._answer(line, sender)
            else:
                self.take(datagram, now)

    @property
    def arrived(self) -> Arrived:
        """What came since it began to listen."""
        lines = {name: self.lines[name] for name in self.takers}
        return Arrived(lines, self.foreign, self.unwanted)

    def _answer(self, line: socket.socket, sender: object) -> None:
        # Who asked may be gone, or have no address.
        with contextlib.suppress(OSError, TypeError):
            line.sendto(inquiry.answer(self.arrived), sender)  # type: ignore[call-overload]

    def take(self, datagram: bytes, now: float) -> None:
        """Take one line in that came now (Unix time)."""
        found = read(datagram)
        if found is None:
            self.foreign += 1
        elif (taker := self.takers.get(found.backend)) is not None:
            self.lines[found.backend] += 1
            taker(found, now)
        else:
            self.unwanted += 1


def _is_dead(path: Path) -> bool:
    """Say whether a socket lies there that nobody listens at any more."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.connect(str(path))
    except FileNotFoundError:
        return False
    except ConnectionRefusedError:
        return True
    return False


def _bound_to(line: socket.socket, address: object) -> socket.socket:
    try:
        line.bind(address)  # type: ignore[arg-type]
    except OSError:
        line.close()
        raise
    return line
