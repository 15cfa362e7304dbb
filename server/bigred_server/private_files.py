"""Files and folders of the server that nobody but their owner may open.

The umask of whoever starts Bigred has no say in it. Root leaves what it creates to the owner of
the folder that it is in: `sudo bigred submit` must not lock out the server.
"""

import contextlib
import os
import stat
from pathlib import Path

FOLDER = 0o700
FILE = 0o600
# A folder that others may pass through to a socket in it, but not list.
PASSABLE = 0o711
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_folder(path: Path) -> None:
    """Create a folder, and those that it is in; leave one that exists as it is.

    Raise OSError on failure.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(FOLDER)
        path.chmod(FOLDER)
        leave_to_owner(path)
        _keep_names(path.parent)


def _keep_names(folder: Path) -> None:
    """Flush the names in a folder to the disk: a power cut must not take away a new folder.

    Nothing is done where that is not possible: on some file systems, and for those who may pass
    through the folder but not read it.
    """
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_file(path: Path) -> None:
    """Create an empty file; leave one that exists as it is. Raise OSError on failure."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE)
        try:
            os.fchmod(handle, FILE)
        finally:
            os.close(handle)
        leave_to_owner(path)


def leave_to_owner(path: Path) -> None:
    """Give what root has created to the owner of its folder. Raise OSError on failure."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def is_too_open(path: Path, wanted: int = FOLDER) -> bool:
    """Return whether others have more access than `wanted`; never for links and sockets."""
    mode = path.lstat().st_mode
    is_ours = stat.S_ISDIR(mode) or stat.S_ISREG(mode)
    return is_ours and bool(mode & _OTHERS & ~wanted)


def close(path: Path, wanted: int = FOLDER) -> None:
    """Take away from others the access beyond `wanted`. Raise OSError on failure."""
    path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~(_OTHERS & ~wanted))
