"""Gives every file of a root a date that is the same in every build.

What came in a package has its package's date. What the build itself made is newer than anything in
a package and gets the date of the newest.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# While a root is made, the kernel's own file systems are mounted there.
_MOUNTED = frozenset({"dev", "proc", "run", "sys"})


def newest(root: Path, started: int) -> int:
    """Return the date of the newest file that is older than the build. Seconds since 1970."""
    files = (path for path in _all(root, _MOUNTED) if not path.is_dir())
    dates = (int(path.lstat().st_mtime) for path in files)
    return max(date for date in dates if date < started)


def set_back(root: Path, date: int, newer_than: int) -> None:
    """Return a date to everything that is newer than another; nothing is mounted there any more."""
    for path in _all(root):
        if path.lstat().st_mtime > newer_than:
            os.utime(path, (date, date), follow_symlinks=False)


def _all(root: Path, without: frozenset[str] = frozenset()) -> Iterator[Path]:
    yield root
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders[:] = sorted(set(folders) - without)
        for name in (*folders, *files):
            yield Path(folder, name)


if __name__ == "__main__":
    sys.stdout.write(f"{newest(Path(sys.argv[1]), int(sys.argv[2]))}\n")
