"""Writes files that are complete after a power cut at any moment, on ext4 and on FAT."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_DEADLINE_S = 30.0


def write(file: Path, content: str, mode: int = 0o600) -> None:
    """Replace a file: after a power cut it is either the old one or the new one, and complete."""
    new = file.with_name(f".{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as target:
        # A leftover file may have other permissions; FAT has none.
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, mode)
        target.write(content)
        target.flush()
        os.fsync(descriptor)
    new.replace(file)
    sync(file.parent)


def remove(file: Path) -> None:
    """Remove a file, if it exists."""
    file.unlink(missing_ok=True)
    sync(file.parent)


def sync(folder: Path) -> None:
    """Flush a folder's directory entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writable(mount: Path) -> Iterator[None]:
    """Remount a read-only file system as writable for the duration of the block.

    Raises OSError if that fails. A folder that is not a mount point is left alone.
    """
    if not mount.is_mount():
        yield
        return
    _remount(mount, "rw")
    try:
        yield
    finally:
        _remount(mount, "ro")


def _remount(mount: Path, how: str) -> None:
    done = subprocess.run(
        ["mount", "-o", f"remount,{how}", str(mount)],
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    if done.returncode:
        raise OSError(f"{mount} can't be remounted {how}: {done.stderr.strip()}")
