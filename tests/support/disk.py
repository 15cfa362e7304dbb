"""A disk that is small enough to fill."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_MIB = 1 << 20


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount one of `size` bytes on a new folder; skip the test if that is not allowed."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "bigred-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, timeout=20).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=20)


@contextlib.contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Make a small disk read-only for the length of the block; no file may be open to write."""
    remount = ["mount", "-o", "remount,ro", str(disk)]
    subprocess.run(remount, check=True, capture_output=True, timeout=20)
    try:
        yield
    finally:
        remount[2] = "remount,rw"
        subprocess.run(remount, check=True, capture_output=True, timeout=20)


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte; return the file to remove to make room again."""
    ballast = disk / "ballast"
    for size in (_MIB, 1024, 1):
        with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(size)):
                pass
    return ballast
