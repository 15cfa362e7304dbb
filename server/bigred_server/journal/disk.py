"""The disk of the journal's folder, and of others that the server writes to."""

import os
import shutil
from pathlib import Path

# What may remain on a full disk, in bytes: too little for the journal's next pages or its index.
_FULL_BYTES = 64 * 1024


def is_full(folder: Path) -> bool:
    """Return whether a folder's disk has no space left. Raise OSError if it can't be read."""
    return shutil.disk_usage(folder).free < _FULL_BYTES


def is_read_only(folder: Path) -> bool:
    """Return whether a folder's disk is read-only. Raise OSError if it can't be read."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def nearest(folder: Path) -> Path:
    """Return a folder, or the closest one above it that exists."""
    # Not Path.exists(), which fails below a folder that is closed to us.
    while not os.access(folder, os.F_OK) and folder != folder.parent:
        folder = folder.parent
    return folder
