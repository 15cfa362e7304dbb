"""What remote.sh says on a host reached by SSH, as plain values; and a WAR there as a file here."""

import asyncio
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

from bigred_server.artifacts import war
from bigred_server.tomcat.paths import kept_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MARK = re.compile(r"^bigred answers at ([0-9]+)\n", re.MULTILINE)
# What `timeout` gives for a command that it had to kill, and for one that it could not run.
KILLED = (137, -9)
_NOT_RUN = (*KILLED, 124, 125, 126, 127)
_READ_DEADLINE_S = 10.0
_BLOCK = 64 << 10


@dataclass(frozen=True)
class RemoteLook:
    """`stamp` and `size` in bytes: of the WAR; "" for none, None when nobody can tell."""

    stamp: str | None = None
    size: int = 0
    running: bool | None = None
    kept: frozenset[str] = field(default=frozenset())
    free: int | None = None
    trouble: str = ""


def answer(said: str) -> tuple[str, int | None]:
    """Give what was said, without what a login script printed before, and the time there in ms."""
    found = _MARK.search(said)
    if found is None:
        return said.strip(), None
    return said[found.end() :].strip(), int(found[1])


def look(text: str) -> RemoteLook:
    """Read what `look` says: a word and a value a line."""
    pairs = [line.partition(" ")[::2] for line in text.splitlines()]
    told = dict(pairs)
    stamp = told.get("stamp")
    running = int(told["running"]) if told.get("running", "").isdigit() else None
    return RemoteLook(
        stamp=stamp,
        size=int(stamp.partition(" ")[0]) if stamp else 0,
        running=None if running is None or running in _NOT_RUN else running == 0,
        kept=kept_of(value for word, value in pairs if word == "kept"),
        free=_product(told.get("free", "")),
        trouble=told.get("trouble", ""),
    )


def _product(text: str) -> int | None:
    """Multiply free blocks and their size."""
    blocks, _, size = text.partition(" ")
    return int(blocks) * int(size) if blocks.isdigit() and size.isdigit() else None


async def manifest(files: asyncssh.SFTPClient, path: str) -> dict[str, str]:
    """Read the manifest of a WAR over there without bringing the WAR; empty when there is none."""
    async with files.open(path, "rb") as file:
        size = (await file.stat()).size or 0
        there = _FarFile(file, size, asyncio.get_running_loop())
        return await asyncio.to_thread(lambda: war.manifest(io.BufferedReader(there, _BLOCK)))


class _FarFile(io.RawIOBase):
    """A file over there, read in a thread while its loop runs in another."""

    def __init__(
        self, file: "asyncssh.SFTPClientFile", size: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self._file = file
        self._size = size
        self._loop = loop
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        reading = asyncio.run_coroutine_threadsafe(self._file.read(len(view), self._at), self._loop)
        data = reading.result(_READ_DEADLINE_S)
        view[: len(data)] = data if isinstance(data, bytes) else data.encode()
        self._at += len(data)
        return len(data)
