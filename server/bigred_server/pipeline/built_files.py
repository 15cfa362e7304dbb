"""Find and copy what a build left in its checkout, without being led out of it.

People who can push decide what is there: a link may lead to any file that the server can read, and
a folder of links to every file of the machine. So no link is followed, in no part of a path.
"""

import contextlib
import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from bigred_server import private_files
from bigred_server.artifacts.files import WrittenToError, copy_opened
from bigred_server.artifacts.space import shortage
from bigred_server.errors import BuildError
from bigred_server.model.disk_space import SPARE_BYTES

_WILDCARD = re.compile(r"[*?\[]")
_ANY_DEPTH = "**"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opening a pipe must not wait for its other end.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def find(folder: Path, pattern: str) -> list[PurePosixPath]:
    """List the files and links in a folder that match a pattern such as "target/**/*.war".

    Links are listed, never followed. The paths are relative to the folder.
    """
    *above, last = PurePosixPath(pattern).parts or ("",)
    if last == _ANY_DEPTH:
        above, last = [*above, _ANY_DEPTH], "*"
    folders = [PurePosixPath()]
    for part in above:
        folders = list(dict.fromkeys(_below(folder, folders, part)))
    found = (one for each in folders for one in _matching(folder, each, last))
    return sorted({path for path, entry in found if not entry.is_dir(follow_symlinks=False)})


def _below(root: Path, folders: list[PurePosixPath], part: str) -> Iterator[PurePosixPath]:
    """Give the folders that match one more part of a pattern."""
    queue = list(folders)
    while queue:
        folder = queue.pop()
        if part == _ANY_DEPTH:
            yield folder
        for path, entry in _matching(root, folder, "*" if part == _ANY_DEPTH else part):
            if entry.is_dir(follow_symlinks=False):
                if part == _ANY_DEPTH:
                    queue.append(path)
                else:
                    yield path


def _matching(
    root: Path, folder: PurePosixPath, part: str
) -> Iterator[tuple[PurePosixPath, "os.DirEntry[str]"]]:
    is_exact = not _WILDCARD.search(part)
    # A folder that can't be read, or whose path is too long, is as good as empty.
    with contextlib.suppress(OSError), os.scandir(root / folder) as entries:
        for entry in entries:
            if entry.name == part if is_exact else fnmatch.fnmatchcase(entry.name, part):
                yield folder / entry.name, entry


def copy(
    folder: Path,
    path: PurePosixPath,
    to: Path,
    owner: int | None = None,
    step: Callable[[int], None] = lambda _copied: None,
) -> None:
    """Copy a file of a folder. Raise BuildError unless it is a regular file of its own.

    Only the server's user can read the copy. `owner`: the user who must own the file, if not None.
    `step` is called with the number of bytes so far, before they are written; what it raises ends
    the copy.
    """
    with contextlib.ExitStack() as stack:
        try:
            handle = _opened(folder, path, stack)
        except OSError as error:
            raise BuildError(
                f"{path} can't be read: {error.strerror}; links are not followed, so let the build "
                "leave the file itself"
            ) from error
        seen = os.fstat(handle)
        if not stat.S_ISREG(seen.st_mode):
            raise BuildError(f"{path} is not a regular file; let the build leave one")
        if owner is not None and seen.st_uid != owner:
            raise BuildError(
                f"{path} belongs to user {seen.st_uid}, not to the build user {owner}; let the "
                "build copy it"
            )
        private_files.make_folder(to.parent)
        if lacks := shortage(to.parent, str(path), seen.st_size, SPARE_BYTES):
            raise BuildError(lacks)
        private_files.make_file(to)
        source = stack.enter_context(os.fdopen(os.dup(handle), "rb"))
        try:
            copy_opened(source, to, step)
        except WrittenToError as error:
            to.unlink()
            raise BuildError(
                f"{path} was written to while it was copied; let the build end what writes it"
            ) from error


def _opened(folder: Path, path: PurePosixPath, stack: contextlib.ExitStack) -> int:
    """Open a file without following a link below the folder; the stack closes it."""
    above = os.open(folder, _FOLDER)
    stack.callback(os.close, above)
    *parts, last = path.parts
    for part in parts:
        above = os.open(part, _FOLDER, dir_fd=above)
        stack.callback(os.close, above)
    handle = os.open(last, _FILE, dir_fd=above)
    stack.callback(os.close, handle)
    return handle
