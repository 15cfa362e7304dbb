"""What happens when the server can't accept a connection because no more files can be opened."""

import asyncio
import contextlib
import errno
import resource
import time
from collections.abc import Iterator
from typing import Any  # asyncio's own type for the context of an error

import structlog

from bigred_server.web.connections import Connections

log = structlog.get_logger(__name__)

_ERRORS = (errno.EMFILE, errno.ENFILE)
# asyncio tries again after a second. Until then it reports each of a hundred attempts.
_EACH_S = 0.5
_AT_ONCE = 10
_REPORT_EVERY_S = 60.0


class Shortage:
    """Makes room among the connections, and reports the shortage at most once a minute.

    Without it asyncio would write a hundred tracebacks per second.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._handled_s = self._reported_s = float("-inf")

    @contextlib.contextmanager
    def handled(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Handle the errors of this event loop until the block ends."""
        before = loop.get_exception_handler()
        loop.set_exception_handler(self.handle)
        try:
            yield
        finally:
            loop.set_exception_handler(before)

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an error that asyncio reports; pass on any other than a shortage of files."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _ERRORS):
            loop.default_exception_handler(context)
            return
        now_s = time.monotonic()
        if now_s - self._handled_s < _EACH_S:
            return
        self._handled_s = now_s
        for _ in range(_AT_ONCE):
            self._connections.make_room()
        if now_s - self._reported_s >= _REPORT_EVERY_S:
            self._reported_s = now_s
            log.error(
                "the HTTP API can't accept connections: no more files can be opened; "
                "it goes on by itself once some are closed; if this recurs, raise LimitNOFILE",
                open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                reason=error.strerror,
            )
