"""Reads the edges of all watched lines in one thread, which starts with the first of them."""

import os
from collections.abc import Callable
from selectors import EVENT_READ, DefaultSelector
from threading import Lock, Thread, current_thread

import gpiod
import structlog

from bigred_agent.pins.kernel import Lines

log = structlog.get_logger(__name__)

EdgeHandler = Callable[[gpiod.EdgeEvent], None]


class EdgeReader:
    """Reports edges as they come. Handlers run on its thread, as gpiozero's callbacks do."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[Lines, EdgeHandler]] = {}
        self._selector = DefaultSelector()
        self._asleep, self._waker = os.pipe()
        self._selector.register(self._asleep, EVENT_READ)
        self._thread: Thread | None = None
        # Held while reading, never during a handler: a callback may stop or close its own pin.
        self._lock = Lock()

    def watch(self, lines: Lines, on_edge: EdgeHandler) -> None:
        """Report the edges of these lines from now on."""
        with self._lock:
            self._watched[lines.fd] = (lines, on_edge)
            self._selector.register(lines.fd, EVENT_READ)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="bigred-edges", daemon=True)
                self._thread.start()

    def forget(self, lines: Lines) -> None:
        """Stop reading these lines; afterwards they may be released."""
        with self._lock:
            self._forget(lines.fd)

    def close(self) -> None:
        """Stop the thread."""
        with self._lock:
            for fd in list(self._watched):
                self._forget(fd)
            thread, self._thread = self._thread, None
        if thread is None:
            self._close_files()
            return
        os.write(self._waker, b"!")
        if thread is not current_thread():
            thread.join(timeout=1.0)

    def _forget(self, fd: int) -> None:
        if self._watched.pop(fd, None):
            self._selector.unregister(fd)

    def _run(self) -> None:
        while True:
            ready = [key.fd for key, _ in self._selector.select()]
            if self._asleep in ready:
                self._close_files()
                return
            for fd in ready:
                self._read(fd)

    def _close_files(self) -> None:
        self._selector.close()
        os.close(self._asleep)
        os.close(self._waker)

    def _read(self, fd: int) -> None:
        with self._lock:
            if fd not in self._watched:
                return
            lines, on_edge = self._watched[fd]
            try:
                events = lines.read_edge_events()
            except OSError as error:
                self._forget(fd)
                log.warning("the edges of a pin can no longer be read", reason=str(error))
                return
        for event in events:
            try:
                on_edge(event)
            except Exception:
                log.exception("the callback for a pin's edge failed")
