"""Many Tomcats in one process of their own: each serves the release whose WAR it was started with.

    python -m tests.support.farm FOLDER

A Tomcat runs while its file `FOLDER/PORT` exists, which is a copy of its WAR: to start it is to
copy the WAR, to stop it is to remove the copy. It answers nobody until START_S after its start, and
then each request with its release, which is the comment of the WAR.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from zipfile import ZipFile

START_S = 0.5
READY = "the farm is ready"
_ANSWER = "HTTP/1.1 200 \r\nX-Release: {release}\r\nContent-Length: 2\r\n{closing}\r\nok"


class Tomcat(asyncio.Protocol):
    """One connection to a Tomcat whose file is `running`."""

    def __init__(self, running: Path) -> None:
        self.running = running
        self.transport: asyncio.Transport | None = None
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        assert self.transport is not None
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            release = released(self.running)
            if not release:
                self.transport.abort()
                return
            closes = b"connection: close" in head.lower()
            closing = "Connection: close\r\n" if closes else ""
            self.transport.write(_ANSWER.format(release=release, closing=closing).encode())
            if closes:
                self.transport.close()
                return


_RELEASES: dict[tuple[int, int], str] = {}


def released(running: Path) -> str:
    """Return the release of a Tomcat, "" while it is not up."""
    try:
        status = running.stat()
        if time.time() - status.st_mtime < START_S:
            return ""
        known = (status.st_ino, status.st_mtime_ns)
        if known not in _RELEASES:
            with ZipFile(running) as war:
                _RELEASES[known] = war.comment.decode()
    except OSError:
        return ""
    return _RELEASES[known]


async def serve(tomcats: Sequence[Path]) -> None:
    """Serve all Tomcats until the process ends; each is given by its file."""
    loop = asyncio.get_running_loop()
    for running in tomcats:
        await loop.create_server(partial(Tomcat, running), "127.0.0.1", int(running.name))
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main(arguments: Sequence[str]) -> None:
    """Serve."""
    asyncio.run(serve(list(Path(arguments[0]).iterdir())))


if __name__ == "__main__":
    main(sys.argv[1:])
