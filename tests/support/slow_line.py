"""A TCP line that the test can stall in either direction, as a network does that loses packets."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

_BYTES = 65536


class Direction(StrEnum):
    """The direction of a stall, seen from the client."""

    THERE = "there"
    BACK = "back"


@dataclass
class SlowLine:
    """Accepts connections on `port` and passes them on to another local port."""

    target: int
    _open: dict[Direction, threading.Event] = field(
        default_factory=lambda: {one: threading.Event() for one in Direction}
    )
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for direction in Direction:
            self._open[direction].set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    @contextlib.contextmanager
    def running(self) -> Iterator["SlowLine"]:
        """Pass connections on until the block ends."""
        self._run(self._accept)
        try:
            yield self
        finally:
            for one in self._open.values():
                one.set()
            for sock in (self._listening, *self._sockets):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
            for thread in self._threads:
                thread.join(5.0)

    @contextlib.contextmanager
    def stalled(self, direction: Direction) -> Iterator[None]:
        """Hold back what is sent in a direction while the block runs."""
        self._open[direction].clear()
        try:
            yield
        finally:
            self._open[direction].set()

    def _run(self, what: "object", *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            self._run(self._pump, client, server, Direction.THERE)
            self._run(self._pump, server, client, Direction.BACK)

    def _pump(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BYTES):
                self._open[direction].wait()
                target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
