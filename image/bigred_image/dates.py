"""Sets the date of every file in a root, so that it is the same in every build.

Files from packages keep their dates. Files created by the build are newer than any of them, and
get the date of the newest.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# During the build, the kernel's own file systems are mounted there.
_MOUNTED = frozenset({"dev", "proc", "run", "sys"})


def newest(root: Path, started: int) -> int:
    """Return the date of the newest file older than the build, in seconds since 1970."""
    files = (path for path in _all(root, _MOUNTED) if not path.is_dir())
    dates = (int(path.lstat().st_mtime) for path in files)
    return max(date for date in dates if date < started)


def set_back(root: Path, date: int, newer_than: int) -> None:
    """Set the date of everything newer than another date; nothing may be mounted there."""
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
