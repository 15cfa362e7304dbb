"""Parses what remote.sh prints on a host reached by SSH, and reads a WAR there as a file."""

import asyncio
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

from bigred_server.artifacts import war
from bigred_server.tomcat.paths import kept_digests

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MARK = re.compile(r"^bigred answers at ([0-9]+)\n", re.MULTILINE)
# The exit codes of `timeout` for a command that it killed, and for one that it could not run.
KILLED = (137, -9)
_NOT_RUN = (*KILLED, 124, 125, 126, 127)
_READ_DEADLINE_S = 10.0
_BLOCK = 64 << 10


@dataclass(frozen=True)
class RemoteLook:
    """`stamp` and `size` (bytes): of the WAR. A stamp is "" if there is none, None if unknown."""

    stamp: str | None = None
    size: int = 0
    running: bool | None = None
    kept: frozenset[str] = field(default=frozenset())
    free: int | None = None
    problem: str = ""


def answer(output: str) -> tuple[str, int | None]:
    """Return the answer without what a login script printed first, and the host's time in ms.

    The time is None if remote.sh did not run.
    """
    found = _MARK.search(output)
    if found is None:
        return output.strip(), None
    return output[found.end() :].strip(), int(found[1])


def look(text: str) -> RemoteLook:
    """Parse the output of `look`: a word and a value per line."""
    pairs = [line.partition(" ")[::2] for line in text.splitlines()]
    values = dict(pairs)
    stamp = values.get("stamp")
    running = int(values["running"]) if values.get("running", "").isdigit() else None
    return RemoteLook(
        stamp=stamp,
        size=int(stamp.partition(" ")[0]) if stamp else 0,
        running=None if running is None or running in _NOT_RUN else running == 0,
        kept=kept_digests(value for word, value in pairs if word == "kept"),
        free=_product(values.get("free", "")),
        problem=values.get("trouble", ""),
    )


def _product(text: str) -> int | None:
    """Multiply the number of free blocks by their size."""
    blocks, _, size = text.partition(" ")
    return int(blocks) * int(size) if blocks.isdigit() and size.isdigit() else None


async def manifest(files: asyncssh.SFTPClient, path: str) -> dict[str, str]:
    """Read the manifest of a WAR on the host without copying the WAR; empty if it has none."""
    async with files.open(path, "rb") as file:
        size = (await file.stat()).size or 0
        raw = _RemoteFile(file, size, asyncio.get_running_loop())
        return await asyncio.to_thread(lambda: war.manifest(io.BufferedReader(raw, _BLOCK)))


class _RemoteFile(io.RawIOBase):
    """A file on the host, read in one thread while its event loop runs in another."""

    def __init__(
        self, file: "asyncssh.SFTPClientFile", size: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self._file = file
        self._size = size
        self._loop = loop
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        reading = asyncio.run_coroutine_threadsafe(
            self._file.read(len(view), self._position), self._loop
        )
        data = reading.result(_READ_DEADLINE_S)
        view[: len(data)] = data if isinstance(data, bytes) else data.encode()
        self._position += len(data)
        return len(data)
