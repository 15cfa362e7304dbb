"""A tap: a TCP proxy that can cut its connections or change what they carry."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_CHUNK = 65_536
_DEADLINE_S = 10.0

Change = Callable[[bytes], bytes]


@dataclass
class Tap:
    """A port on 127.0.0.1 that leads to another one, which may be set later.

    `change` is applied to what goes there, piece by piece.
    """

    change: Change = lambda said: said
    target: int = 0
    cuts: int = 0
    _budget: int | None = None
    _listener: socket.socket = field(default_factory=socket.socket)
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def cut_after(self, count: int) -> None:
        """Cut every connection, once, when `count` more bytes have gone to the target."""
        with self._lock:
            self._budget = count

    @contextlib.contextmanager
    def laid(self) -> Iterator["Tap"]:
        """Listen until the block ends."""
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        accepting = threading.Thread(target=self._accept, name="tap")
        accepting.start()
        try:
            yield self
        finally:
            # Closing alone does not wake the thread that waits in accept().
            self._listener.shutdown(socket.SHUT_RDWR)
            accepting.join(_DEADLINE_S)
            self._listener.close()
            self._cut()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            try:
                there = socket.create_connection(("127.0.0.1", self.target), _DEADLINE_S)
            except OSError:
                here.close()
                continue
            there.settimeout(None)
            with self._lock:
                self._open |= {here, there}
            for pair, change in (((here, there), self._count), ((there, here), bytes)):
                threading.Thread(target=self._pump, args=(*pair, change), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, change: Change) -> None:
        with contextlib.suppress(OSError):
            while said := source.recv(_CHUNK):
                sink.sendall(change(said))
            sink.shutdown(socket.SHUT_WR)
            return
        self._hang_up({source, sink})

    def _count(self, said: bytes) -> bytes:
        with self._lock:
            if self._budget is not None:
                self._budget -= len(said)
            is_spent = self._budget is not None and self._budget <= 0
            if is_spent:
                self._budget = None
                self.cuts += 1
        if is_spent:
            self._cut()
        return self.change(said)

    def _cut(self) -> None:
        with self._lock:
            ends = set(self._open)
        self._hang_up(ends)

    def _hang_up(self, ends: set[socket.socket]) -> None:
        with self._lock:
            ours = ends & self._open
            self._open -= ours
        for end in ours:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def speaking(language: str) -> Change:
    """Return a change that requests another language, of two letters like ours, from a Manager."""
    asked = re.compile(rb"(?i)(accept-language: )en\b")
    return lambda said: asked.sub(rb"\1" + language.encode(), said)
