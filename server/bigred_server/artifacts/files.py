"""File helpers: digests, copies, writes that survive a power cut, and temporary files."""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20


def _go_on(_copied: int) -> None:
    """Let a copy go on."""


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class WrittenToError(OSError):
    """The source of a copy was written to while it was copied."""


def copy(source: Path, target: Path, step: Callable[[int], None] = _go_on) -> str:
    """Copy the content of a file onto the disk; return the SHA-256 of what was copied.

    `step` is called with the number of bytes so far, before they are written; what it raises ends
    the copy. Raise OSError on failure, also if the source is no regular file; WrittenToError if it
    is written to meanwhile. A source that is replaced by another file meanwhile does no harm.
    """
    # Opened without waiting: nobody may ever write to a pipe.
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return copy_opened(file, target, step)


def copy_opened(file: BinaryIO, target: Path, step: Callable[[int], None] = _go_on) -> str:
    """Copy a file that was opened to be read, as `copy` does."""
    digest, copied = hashlib.sha256(), 0
    before = os.fstat(file.fileno())
    if not stat.S_ISREG(before.st_mode):
        raise OSError("it is not a file")
    with target.open("wb") as new:
        while chunk := file.read(_CHUNK):
            copied += len(chunk)
            step(copied)
            if copied > before.st_size:
                break
            digest.update(chunk)
            new.write(chunk)
        new.flush()
        os.fsync(new.fileno())
    after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise WrittenToError("it was written to while it was copied; try again once it is complete")
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Flush a file or folder to the disk before returning."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def temporary(folder: Path, *, prefix: str = "", suffix: str = "") -> Iterator[Path]:
    """Create an empty file with a unique name; remove it at the end unless it was renamed."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=prefix, suffix=suffix)
    os.close(handle)
    file = Path(name)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
